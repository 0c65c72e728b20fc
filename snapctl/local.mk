# Sources of snapctl/ in the order in which data flows through them.
