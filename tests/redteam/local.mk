# Processes that begin as the real ones do, for the walls' own tests.
noinst_PROGRAMS += tests/redteam/idle_role
tests_redteam_idle_role_SOURCES = tests/redteam/idle_role.c
tests_redteam_idle_role_LDADD = $(COMMON_LIBS)
ATTACKS = tests/redteam/attacks.c tests/redteam/attacks.h \
	tests/redteam/attacks_store.c tests/redteam/attacks_system.c \
	tests/redteam/attacks.def
noinst_PROGRAMS += tests/redteam/attack
tests_redteam_attack_SOURCES = tests/redteam/attack.c $(ATTACKS)
tests_redteam_attack_LDADD = authd/libauthd.a $(COMMON_LIBS) $(LMDB_LIBS)
noinst_PROGRAMS += tests/redteam/intruder
tests_redteam_intruder_SOURCES = tests/redteam/intruder.c \
	tests/redteam/intruder.h tests/redteam/intruder_talks.c \
	tests/redteam/intruder_store.c tests/redteam/intruder_services.c \
	tests/redteam/intruder_logger.c tests/redteam/intruder_sleep.c \
	$(ATTACKS)
tests_redteam_intruder_LDADD = tests/redteam/libopenwalls.a \
	logger/liblogger.a $(COMMON_LIBS) $(LMDB_LIBS)
# The broker itself, but for the walls that the runner has it leave open.
noinst_PROGRAMS += tests/redteam/open_broker
noinst_LIBRARIES += tests/redteam/libopenwalls.a
tests_redteam_libopenwalls_a_SOURCES = tests/redteam/open_walls.c \
	tests/redteam/open_walls.h
tests_redteam_open_broker_SOURCES = broker/main.c
tests_redteam_open_broker_CPPFLAGS = $(AM_CPPFLAGS) \
	-Dprocess_confine_with=open_walls_confine
tests_redteam_open_broker_LDADD = tests/redteam/libopenwalls.a \
	broker/libbroker.a $(COMMON_LIBS)
noinst_PROGRAMS += tests/redteam/redteam
tests_redteam_redteam_SOURCES = tests/redteam/redteam.c \
	tests/redteam/store_stand.c tests/redteam/store_stand.h
tests_redteam_redteam_LDADD = $(FILTER_LIBS) $(COMMON_LIBS) $(LMDB_LIBS)

EXTRA_DIST += tests/redteam/README tests/redteam/idle_walls tests/redteam/taken_over \
	tests/redteam/planted

# The parts know nothing of each other and mostly wait: `make -j5 -Otarget`.
REDTEAM_PARTS = redteam-sandboxes redteam-idle redteam-taken-1 \
	redteam-taken-2 redteam-planted
.PHONY: redteam $(REDTEAM_PARTS)
redteam: $(REDTEAM_PARTS)
# In namespaces of its own, so that nothing it does reaches this machine.
redteam-sandboxes: all
	unshare --mount --pid --fork --mount-proc --net --ipc \
	    tests/redteam/redteam tests/redteam/attack
redteam-idle: all
	$(srcdir)/tests/redteam/idle_walls .
redteam-taken-1 redteam-taken-2: all
	half=$@; $(srcdir)/tests/redteam/taken_over --half $${half##*-} .
redteam-planted: all
	$(srcdir)/tests/redteam/planted .
