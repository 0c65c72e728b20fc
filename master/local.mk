# Sources of master/ in the order in which data flows through them.

sbin_PROGRAMS += master/firnmaild
noinst_LIBRARIES += master/libfirnmaild.a
master_libfirnmaild_a_SOURCES = \
	master/config.c master/config.h \
	master/listeners.c master/listeners.h \
	master/resources.c master/resources.h \
	master/local_users.c master/local_users.h \
	master/supervisor.c master/supervisor.h master/children.h \
	master/introductions.c master/child_requests.c \
	master/service_files.c master/service_files.h \
	master/namespace.c master/namespace.h \
	master/notify.c master/notify.h
master_firnmaild_SOURCES = master/main.c
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/service_name_test tests/unit/listeners_test
tests_unit_listeners_test_SOURCES = tests/unit/listeners_test.c
tests_unit_listeners_test_LDADD = master/libfirnmaild.a $(FILTER_LIBS) \
	$(COMMON_LIBS) $(IDN_LIBS) $(CMOCKA_LIBS)
tests_unit_service_name_test_SOURCES = tests/unit/service_name_test.c
tests_unit_service_name_test_LDADD = master/libfirnmaild.a $(FILTER_LIBS) \
	$(COMMON_LIBS) $(IDN_LIBS) $(CMOCKA_LIBS)
endif
master_firnmaild_CPPFLAGS = $(AM_CPPFLAGS) \
	-DFIRNMAIL_LIBEXEC='"$(pkglibexecdir)"'
master_firnmaild_LDADD = master/libfirnmaild.a $(FILTER_LIBS) $(COMMON_LIBS) \
	$(IDN_LIBS)
