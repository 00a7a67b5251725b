# Installing and packaging; included by the Makefile. DESTDIR and PREFIX as usual; /etc, /var and /run are fixed.

# Only folders where the system looks by itself: under another prefix, units are still found, the rest by hand.
SYSTEM_PREFIX := $(if $(filter /usr,$(PREFIX)),/usr,$(PREFIX))
UNITS  := packaging/systemd/tuyend.service packaging/systemd/tuyen-snmp.service
MIB    := $(firstword $(wildcard packaging/mib/TUYEN-MIB packaging/mib/TUYEN-MIB.txt))
PAGES  := $(wildcard packaging/man/*.1 packaging/man/*.5 packaging/man/*.8)
ARCHITECTURE = $(shell dpkg --print-architecture)
DEB    = $(B)/tuyen_$(VERSION)_$(ARCHITECTURE).deb
# The same sources give the same package: every time in it is the last commit's.
DEB_DATE = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),0)

.PHONY: install deb
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin
	install -m 755 $(B)/tuyen $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(B)/tuyend $(B)/tuyen-snmp $(DESTDIR)$(PREFIX)/sbin/
	for page in $(PAGES); do \
		install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; \
	done
	install -d $(DESTDIR)$(SYSTEM_PREFIX)/lib/systemd/system
	for unit in $(UNITS); do \
		sed 's|=/usr/sbin/|=$(PREFIX)/sbin/|' $$unit >$(DESTDIR)$(SYSTEM_PREFIX)/lib/systemd/system/$${unit##*/} || exit 1; \
		chmod 644 $(DESTDIR)$(SYSTEM_PREFIX)/lib/systemd/system/$${unit##*/}; \
	done
	install -D -m 644 packaging/sysusers/tuyen.conf $(DESTDIR)$(SYSTEM_PREFIX)/lib/sysusers.d/tuyen.conf
	install -D -m 644 packaging/tmpfiles/tuyen.conf $(DESTDIR)$(SYSTEM_PREFIX)/lib/tmpfiles.d/tuyen.conf
	install -D -m 644 packaging/modules-load/tuyen.conf $(DESTDIR)$(SYSTEM_PREFIX)/lib/modules-load.d/tuyen.conf
	install -D -m 644 packaging/sysctl/60-tuyen.conf $(DESTDIR)$(SYSTEM_PREFIX)/lib/sysctl.d/60-tuyen.conf
	install -D -m 644 packaging/networkd/tuyen.conf $(DESTDIR)$(SYSTEM_PREFIX)/lib/systemd/networkd.conf.d/tuyen.conf
	install -D -m 644 packaging/networkd/10-tuyen.network $(DESTDIR)$(SYSTEM_PREFIX)/lib/systemd/network/10-tuyen.network
	install -D -m 644 packaging/network-manager/tuyen.conf $(DESTDIR)$(SYSTEM_PREFIX)/lib/NetworkManager/conf.d/tuyen.conf
	install -D -m 644 packaging/completion/tuyen $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tuyen
	$(if $(MIB),install -D -m 644 $(MIB) $(DESTDIR)$(PREFIX)/share/snmp/mibs/TUYEN-MIB.txt)
	install -d $(DESTDIR)$(PREFIX)/share/doc/tuyen/examples
	install -m 644 README.md $(DESTDIR)$(PREFIX)/share/doc/tuyen/
	install -m 644 topology/examples/* policies/examples/* $(wildcard packaging/snmpd/*) packaging/vim/tuyen.vim $(DESTDIR)$(PREFIX)/share/doc/tuyen/examples/
	[ -e $(DESTDIR)/etc/tuyen/node.conf ] || install -D -m 644 packaging/debian/node.conf $(DESTDIR)/etc/tuyen/node.conf

# One package, by dpkg-deb alone; what it depends on is computed from what the programs link.
deb: $(DEB)
$(DEB): all packaging/debian/control.in packaging/debian/postinst packaging/debian/prerm packaging/debian/postrm packaging/build-deb
	@packaging/build-deb $(B) $(VERSION) $(ARCHITECTURE) $(DEB_DATE) $@
