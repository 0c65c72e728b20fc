# Sources of logger/ in the order in which data flows through them.

pkglibexec_PROGRAMS += logger/logger
noinst_LIBRARIES += logger/liblogger.a
logger_liblogger_a_SOURCES = logger/log_output.c logger/log_output.h
logger_logger_SOURCES = logger/main.c
logger_logger_LDADD = logger/liblogger.a $(COMMON_LIBS)
