# Sources of snapd/ in the order in which data flows through them.
