# Sources of authd/ in the order in which data flows through them.
