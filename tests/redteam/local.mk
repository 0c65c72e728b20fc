# Processes that begin as the real ones do, for the walls' own tests.
noinst_PROGRAMS += tests/redteam/idle_role
tests_redteam_idle_role_SOURCES = tests/redteam/idle_role.c
tests_redteam_idle_role_LDADD = $(COMMON_LIBS)
