# Sources of broker/ in the order in which data flows through them.

pkglibexec_PROGRAMS += broker/broker
noinst_LIBRARIES += broker/libbroker.a
broker_libbroker_a_SOURCES = \
	broker/alarms.c broker/alarms.h \
	broker/members.c broker/members.h \
	broker/grants.c broker/grants.h \
	broker/session_topics.c broker/session_topics.h \
	broker/sessions.c broker/sessions.h broker/sessions_state.h \
	broker/sessions_front.c \
	broker/workers.c broker/workers.h \
	broker/worker_places.c broker/worker_places.h \
	broker/worker_answers.c \
	broker/requests.c \
	broker/control.c broker/control.h
broker_broker_SOURCES = broker/main.c
broker_broker_LDADD = broker/libbroker.a $(COMMON_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/walls_test tests/unit/alarms_test
tests_unit_alarms_test_SOURCES = tests/unit/alarms_test.c
tests_unit_alarms_test_LDADD = broker/libbroker.a $(COMMON_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/sessions_test
tests_unit_sessions_test_SOURCES = tests/unit/sessions_test.c
tests_unit_sessions_test_LDADD = broker/libbroker.a $(COMMON_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/workers_test
tests_unit_workers_test_SOURCES = tests/unit/workers_test.c
tests_unit_workers_test_LDADD = broker/libbroker.a $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_walls_test_SOURCES = tests/unit/walls_test.c
tests_unit_walls_test_LDADD = broker/libbroker.a $(COMMON_LIBS) $(CMOCKA_LIBS)
endif
