# sendmail: mail of this machine's own programs.

sbin_PROGRAMS += sendmail/sendmail
noinst_LIBRARIES += sendmail/libsendmail.a
sendmail_libsendmail_a_SOURCES = \
	sendmail/letter.c sendmail/letter.h \
	sendmail/talk.c sendmail/talk.h
sendmail_sendmail_SOURCES = sendmail/main.c
sendmail_sendmail_CPPFLAGS = $(AM_CPPFLAGS) -DFIRNMAIL_SBIN='"$(sbindir)"'
sendmail_sendmail_LDADD = sendmail/libsendmail.a $(COMMON_LIBS)

install-exec-hook: install-sendmail-names
install-sendmail-names:
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	rm -f '$(DESTDIR)$(bindir)/mailq' '$(DESTDIR)$(bindir)/newaliases'
	$(LN_S) '$(sbindir)/sendmail' '$(DESTDIR)$(bindir)/mailq'
	$(LN_S) '$(sbindir)/sendmail' '$(DESTDIR)$(bindir)/newaliases'
uninstall-hook: uninstall-sendmail-names
uninstall-sendmail-names:
	rm -f '$(DESTDIR)$(bindir)/mailq' '$(DESTDIR)$(bindir)/newaliases'
.PHONY: install-sendmail-names uninstall-sendmail-names

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/letter_test
tests_unit_letter_test_SOURCES = tests/unit/letter_test.c
tests_unit_letter_test_LDADD = sendmail/libsendmail.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS)
endif
