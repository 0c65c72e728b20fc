# Sources of man/ in the order in which data flows through them.
