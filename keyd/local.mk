# Sources of keyd/ in the order in which data flows through them.
