# Sources of firnmail/ in the order in which data flows through them.
