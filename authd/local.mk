# Sources of authd/ in the order in which data flows through them.
noinst_LIBRARIES += authd/libauthd.a
authd_libauthd_a_SOURCES = \
	authd/login_desk.c authd/login_desk.h \
	authd/login_gate.c authd/login_gate.h \
	authd/login_delay.c authd/login_delay.h \
	authd/login_cache.c authd/login_cache.h \
	authd/dummy_hash.c authd/dummy_hash.h \
	authd/password_pool.c authd/password_pool.h \
	authd/password_child.c authd/password_child.h \
	authd/password_walls.c authd/password_walls.h

# The only program with libcrypt.
pkglibexec_PROGRAMS += authd/authd
authd_authd_SOURCES = authd/main.c
authd_authd_LDADD = authd/libauthd.a $(COMMON_LIBS) $(CRYPT_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/password_pool_test tests/unit/login_gate_test \
	tests/unit/login_desk_test
tests_unit_login_gate_test_SOURCES = tests/unit/login_gate_test.c
tests_unit_login_gate_test_LDADD = authd/libauthd.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS) $(CRYPT_LIBS)
tests_unit_login_desk_test_SOURCES = tests/unit/login_desk_test.c
tests_unit_login_desk_test_LDADD = authd/libauthd.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS) $(CRYPT_LIBS)
tests_unit_password_pool_test_SOURCES = tests/unit/password_pool_test.c
tests_unit_password_pool_test_LDADD = authd/libauthd.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS) $(CRYPT_LIBS)
endif
