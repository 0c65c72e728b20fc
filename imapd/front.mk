# imapd, the front: settings and sockets, login, relay.

pkglibexec_PROGRAMS += imapd/imapd
noinst_LIBRARIES += imapd/libimapd.a
imapd_libimapd_a_SOURCES = \
	imapd/imap_capability.h \
	imapd/imap_front.c imapd/imap_front.h \
	imapd/imap_line.c imapd/imap_line.h \
	imapd/imap_login.c imapd/imap_login.h \
	imapd/imap_login_session.c imapd/imap_login_state.h \
	imapd/imap_relay.c imapd/imap_relay.h
imapd_imapd_SOURCES = imapd/main.c
imapd_imapd_LDADD = imapd/libimapd.a $(COMMON_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/imap_line_test tests/unit/imap_front_test
tests_unit_imap_line_test_SOURCES = tests/unit/imap_line_test.c
tests_unit_imap_line_test_LDADD = imapd/libimapd.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS)
# The front between a client and false processes.
FRONT_STAND = tests/unit/imap_front_stand.c tests/unit/imap_front_stand.h
FRONT_WRAPS = $(AM_LDFLAGS) \
	-Wl,--wrap=connection_set_stall -Wl,--wrap=connection_is_tls
FRONT_LIBS = imapd/libimapd.a $(COMMON_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS) \
	$(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/imap_front_sleep_test \
	tests/unit/imap_front_direct_test
tests_unit_imap_front_test_SOURCES = tests/unit/imap_front_test.c $(FRONT_STAND)
tests_unit_imap_front_test_LDFLAGS = $(FRONT_WRAPS)
tests_unit_imap_front_test_LDADD = $(FRONT_LIBS)
tests_unit_imap_front_sleep_test_SOURCES = tests/unit/imap_front_sleep_test.c \
	$(FRONT_STAND)
tests_unit_imap_front_sleep_test_LDFLAGS = $(FRONT_WRAPS)
tests_unit_imap_front_sleep_test_LDADD = $(FRONT_LIBS)
tests_unit_imap_front_direct_test_SOURCES = tests/unit/imap_front_direct_test.c \
	$(FRONT_STAND)
tests_unit_imap_front_direct_test_LDFLAGS = $(FRONT_WRAPS)
tests_unit_imap_front_direct_test_LDADD = $(FRONT_LIBS)
endif
