# snapctl: one verb, one file.

sbin_PROGRAMS += snapctl/snapctl
noinst_LIBRARIES += snapctl/libsnapctl.a
snapctl_libsnapctl_a_SOURCES = \
	snapctl/snapctl.h \
	snapctl/dispatch.c snapctl/dispatch.h \
	snapctl/selector.c snapctl/selector.h \
	snapctl/arguments.c snapctl/arguments.h \
	snapctl/session.c snapctl/session.h \
	snapctl/client.c \
	snapctl/interrupt.c snapctl/interrupt.h \
	snapctl/command.c \
	snapctl/cmd_create.c \
	snapctl/cmd_list.c \
	snapctl/cmd_show.c \
	snapctl/cmd_ls.c \
	snapctl/cmd_cat.c snapctl/cat.h \
	snapctl/cmd_find.c \
	snapctl/cmd_export.c snapctl/export.h \
	snapctl/export_maildir.c \
	snapctl/export_eml.c \
	snapctl/export_tree.c snapctl/export_tree.h \
	snapctl/tar.c snapctl/tar.h \
	snapctl/export_mbox.c \
	snapctl/cmd_diff.c \
	snapctl/cmd_log.c \
	snapctl/cmd_events.c \
	snapctl/cmd_accept_missing.c \
	snapctl/cmd_reconcile.c \
	snapctl/cmd_restore.c \
	snapctl/cmd_keep.c \
	snapctl/cmd_hold.c \
	snapctl/cmd_holds.c \
	snapctl/cmd_release.c \
	snapctl/cmd_verify.c \
	snapctl/verify_proof.c \
	snapctl/cmd_drill.c \
	snapctl/cmd_seal.c \
	snapctl/offline.c snapctl/offline.h \
	snapctl/cmd_rebuild.c \
	snapctl/cmd_recover_key.c \
	snapctl/cmd_open_damaged.c \
	snapctl/cmd_unseal.c snapctl/unseal.h \
	snapctl/completion.c snapctl/completion.h \
	snapctl/cmd_completion.c \
	snapctl/cmd_stats.c \
	snapctl/cmd_status.c \
	snapctl/elsewhere.c
snapctl_libsnapctl_a_CPPFLAGS = $(AM_CPPFLAGS) \
	-DFIRNMAIL_LIBEXEC='"$(pkglibexecdir)"'
# The scripts that snapctl prints are those that are installed.
bashcompletiondir = $(datadir)/bash-completion/completions
zshcompletiondir = $(datadir)/zsh/site-functions
fishcompletiondir = $(datadir)/fish/vendor_completions.d
bashcompletion_DATA = contrib/completion/bash/snapctl
zshcompletion_DATA = contrib/completion/zsh/_snapctl
fishcompletion_DATA = contrib/completion/fish/snapctl.fish
nodist_snapctl_libsnapctl_a_SOURCES = snapctl/completion_scripts.h
# Not in BUILT_SOURCES, with which `all` and `check` were a make each: two of them
# at once (make -j4 all check) wrote the same archives.
snapctl/libsnapctl_a-cmd_completion.$(OBJEXT): snapctl/completion_scripts.h
CLEANFILES += snapctl/completion_scripts.h
snapctl/completion_scripts.h: $(bashcompletion_DATA) $(zshcompletion_DATA) \
	    $(fishcompletion_DATA)
	$(AM_V_GEN)$(MKDIR_P) snapctl && { \
	    for shell in bash zsh fish; do \
		echo "static const char completion_$$shell[] ="; \
		sed 's/[\\"]/\\&/g; s/^/"/; s/$$/\\n"/' \
		    $(srcdir)/contrib/completion/$$shell/*snapctl*; \
		echo ';'; \
	    done; } > $@.new && mv $@.new $@

snapctl_snapctl_SOURCES = snapctl/main.c
snapctl_snapctl_LDADD = snapctl/libsnapctl.a common/libsandboxtool.a \
	common/libcommon.a $(COMMON_LIBS) $(JANSSON_LIBS)

# Its verbs that need more libraries.
pkglibexec_PROGRAMS += snapctl/snapctl-more
snapctl_snapctl_more_SOURCES = snapctl/more_main.c
snapctl_snapctl_more_LDADD = snapctl/libsnapctl.a $(TOOL_LIBS) \
	$(COMMON_LIBS) $(JANSSON_LIBS) $(UNISTRING_LIBS) $(CRYPTO_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/selector_test tests/unit/export_test \
	tests/unit/completion_test
tests_unit_completion_test_SOURCES = tests/unit/completion_test.c
tests_unit_completion_test_LDADD = snapctl/libsnapctl.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS)
tests_unit_export_test_SOURCES = tests/unit/export_test.c
tests_unit_export_test_LDADD = snapctl/libsnapctl.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS)
tests_unit_selector_test_SOURCES = tests/unit/selector_test.c
tests_unit_selector_test_LDADD = snapctl/libsnapctl.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS)
endif
