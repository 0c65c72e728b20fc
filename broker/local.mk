# Sources of broker/ in the order in which data flows through them.

pkglibexec_PROGRAMS += broker/broker
noinst_LIBRARIES += broker/libbroker.a
broker_libbroker_a_SOURCES = \
	broker/members.c broker/members.h \
	broker/grants.c broker/grants.h \
	broker/workers.c broker/workers.h \
	broker/requests.c \
	broker/control.c broker/control.h
broker_broker_SOURCES = broker/main.c
broker_broker_LDADD = broker/libbroker.a $(COMMON_LIBS)
