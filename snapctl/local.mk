# snapctl: one verb, one file.

sbin_PROGRAMS += snapctl/snapctl
noinst_LIBRARIES += snapctl/libsnapctl.a
snapctl_libsnapctl_a_SOURCES = \
	snapctl/snapctl.h \
	snapctl/selector.c snapctl/selector.h \
	snapctl/client.c \
	snapctl/command.c \
	snapctl/cmd_create.c \
	snapctl/cmd_list.c \
	snapctl/cmd_show.c \
	snapctl/cmd_ls.c \
	snapctl/cmd_cat.c \
	snapctl/cmd_diff.c \
	snapctl/cmd_log.c \
	snapctl/cmd_restore.c \
	snapctl/cmd_verify.c \
	snapctl/cmd_status.c
snapctl_snapctl_SOURCES = snapctl/main.c
snapctl_snapctl_LDADD = snapctl/libsnapctl.a $(FILTER_LIBS) $(COMMON_LIBS) \
	$(JANSSON_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/selector_test
tests_unit_selector_test_SOURCES = tests/unit/selector_test.c
tests_unit_selector_test_LDADD = snapctl/libsnapctl.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS)
endif
