# Sources of logger/ in the order in which data flows through them.
