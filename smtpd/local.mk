# Sources of smtpd/ in the order in which data flows through them.
