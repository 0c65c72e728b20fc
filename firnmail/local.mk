# firnmail: one verb, one file.

sbin_PROGRAMS += firnmail/firnmail
noinst_LIBRARIES += firnmail/libfirnmail.a
firnmail_libfirnmail_a_SOURCES = \
	firnmail/firnmail.h \
	firnmail/command.c \
	firnmail/daemon.c \
	firnmail/config_template.c firnmail/config_template.h \
	firnmail/certificate.c firnmail/certificate.h \
	firnmail/directory.c firnmail/directory.h \
	firnmail/store_setup.c firnmail/store_setup.h \
	firnmail/users_file.c firnmail/users_file.h \
	firnmail/process_list.c firnmail/process_list.h \
	firnmail/password_input.c firnmail/password_input.h \
	firnmail/cmd_setup.c \
	firnmail/cmd_check.c \
	firnmail/edit.c firnmail/edit.h \
	firnmail/account_show.c firnmail/account_show.h \
	firnmail/cmd_account.c \
	firnmail/alias_file.c firnmail/alias_file.h \
	firnmail/alias_tree.c firnmail/alias_tree.h \
	firnmail/cmd_alias.c \
	firnmail/config_file.c firnmail/config_file.h \
	firnmail/cmd_domain.c \
	firnmail/dns_records.c firnmail/dns_records.h \
	firnmail/cmd_dns.c \
	firnmail/account_purge.c firnmail/account_purge.h \
	firnmail/import_account.c firnmail/import_account.h \
	firnmail/cmd_import.c \
	firnmail/queue_ask.c firnmail/queue_ask.h \
	firnmail/cmd_queue.c \
	firnmail/cmd_tls_reports.c \
	firnmail/cmd_trace.c \
	firnmail/cmd_reload.c \
	firnmail/cmd_status.c \
	firnmail/cmd_who.c \
	firnmail/completion.c firnmail/completion.h
bashcompletion_DATA += contrib/completion/bash/firnmail
zshcompletion_DATA += contrib/completion/zsh/_firnmail
fishcompletion_DATA += contrib/completion/fish/firnmail.fish
nodist_firnmail_libfirnmail_a_SOURCES = firnmail/completion_scripts.h
firnmail/completion.$(OBJEXT): firnmail/completion_scripts.h
CLEANFILES += firnmail/completion_scripts.h
firnmail/completion_scripts.h: contrib/completion/bash/firnmail \
	    contrib/completion/zsh/_firnmail \
	    contrib/completion/fish/firnmail.fish
	$(AM_V_GEN)$(MKDIR_P) firnmail && { \
	    for shell in bash zsh fish; do \
		echo "static const char completion_$$shell[] ="; \
		sed 's/[\\"]/\\&/g; s/^/"/; s/$$/\\n"/' \
		    $(srcdir)/contrib/completion/$$shell/*firnmail*; \
		echo ';'; \
	    done; } > $@.new && mv $@.new $@
firnmail_firnmail_SOURCES = firnmail/main.c
firnmail_firnmail_CPPFLAGS = $(AM_CPPFLAGS) \
	-DFIRNMAIL_LIBEXEC='"$(pkglibexecdir)"'
firnmail_firnmail_LDADD = firnmail/libfirnmail.a $(TOOL_LIBS) $(FILTER_LIBS) $(COMMON_LIBS) \
	$(CRYPTO_LIBS) $(CRYPT_LIBS) $(JANSSON_LIBS)

# What copies a foreign Maildir, behind its own walls.
noinst_LIBRARIES += firnmail/libimport.a
firnmail_libimport_a_SOURCES = \
	firnmail/import_tree.c firnmail/import_tree.h \
	firnmail/import_folder.c firnmail/import_folder.h
pkglibexec_PROGRAMS += firnmail/firnmail-import
firnmail_firnmail_import_SOURCES = firnmail/import_main.c
firnmail_firnmail_import_LDADD = firnmail/libimport.a $(COMMON_LIBS) \
	$(UNISTRING_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/import_test
tests_unit_import_test_SOURCES = tests/unit/import_test.c
tests_unit_import_test_LDADD = firnmail/libimport.a $(COMMON_LIBS) \
	$(UNISTRING_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/dns_records_test
tests_unit_dns_records_test_SOURCES = tests/unit/dns_records_test.c
tests_unit_dns_records_test_LDADD = firnmail/libfirnmail.a $(TOOL_LIBS) $(FILTER_LIBS) $(COMMON_LIBS) \
	$(CRYPTO_LIBS) $(CRYPT_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/admin_test
tests_unit_admin_test_SOURCES = tests/unit/admin_test.c
tests_unit_admin_test_LDADD = firnmail/libfirnmail.a $(TOOL_LIBS) $(FILTER_LIBS) $(COMMON_LIBS) \
	$(CRYPTO_LIBS) $(CRYPT_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)
endif

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/accounts_fuzz tests/fuzz/settings_fuzz
tests_fuzz_accounts_fuzz_SOURCES = tests/fuzz/accounts_fuzz.c
tests_fuzz_accounts_fuzz_LDADD = firnmail/libfirnmail.a $(COMMON_LIBS) $(IDN_LIBS)
tests_fuzz_accounts_fuzz_LDFLAGS = $(LINK_FUZZER)
tests_fuzz_settings_fuzz_SOURCES = tests/fuzz/settings_fuzz.c
tests_fuzz_settings_fuzz_LDADD = $(COMMON_LIBS) $(IDN_LIBS)
tests_fuzz_settings_fuzz_LDFLAGS = $(LINK_FUZZER)
endif
EXTRA_DIST += tests/fuzz/accounts.dict tests/fuzz/settings.dict
