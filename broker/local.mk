# Sources of broker/ in the order in which data flows through them.
