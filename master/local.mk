# Sources of master/ in the order in which data flows through them.
