# What an installation needs beside programs: the service, its users, a sample
# of the configuration.

systemdsystemunit_DATA = etc/firnmail.service
sysusers_DATA = etc/firnmail.sysusers.conf
exampledir = $(docdir)/examples
example_DATA = etc/firnmail.conf
EXTRA_DIST += etc/firnmail.service.in etc/firnmail.sysusers.conf \
	etc/firnmail.conf etc/packages

etc/firnmail.service: $(srcdir)/etc/firnmail.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc && $(SED) -e 's|@sbindir@|$(sbindir)|g' \
	    -e 's|@sysconfdir@|$(sysconfdir)|g' \
	    -e 's|@localstatedir@|$(localstatedir)|g' \
	    $(srcdir)/etc/firnmail.service.in >$@.new && mv $@.new $@
CLEANFILES += etc/firnmail.service etc/firnmail.service.new
