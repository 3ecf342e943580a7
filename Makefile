# make test    everything that a machine without special hardware can test
# make demo    two real daemons on this machine; cables are pulled, the owner dies, the address moves
# make install DESTDIR=… PREFIX=…    never touches the configuration in /etc/ha.d
# make chaos   two hundred groups, and a witness outside, under random faults, for an hour (CHAOS_SEEDS="1 2 3" CHAOS_SECONDS=600)
# make stalls STALL_SECONDS=600    a table of daemons and machines that stand still for 10 ms to so long, seen from outside
# make load LOAD_SECONDS=600    ours and Debian's heartbeat 3.0.6 side by side under far too much load and in a swap storm; as root
# make prove SEED=0 RUNS=100000    the simulator for hours, all few cuts around a move, and mistakes planted to be found
# make fuzz SECONDS=60    every reader of foreign bytes, and runs of a pair, for a minute each; needs nightly and cargo-fuzz
# make bench   ours, Debian's heartbeat 3.0.6 and keepalived side by side, and the counts; hours, as root
# make counts CASES="seal turn"    what the parts of a heartbeat cost in instructions, against their limits; needs valgrind
# make deb, make rpm, make tarball, make lint, make uninstall

CARGO     ?= $(shell command -v cargo || echo "$$HOME/.cargo/bin/cargo")
export CARGO
# where ip, bridge and nginx are, and an ordinary user of Debian does not look
export PATH := $(PATH):/usr/sbin:/sbin
INSTALL   ?= install
DESTDIR   ?=
PREFIX    ?= /usr
SYSCONFDIR ?= /etc
SHAREDSTATEDIR ?= /var/lib
SBINDIR   ?= $(PREFIX)/sbin
BINDIR    ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/heartbeat
SHAREDIR  ?= $(PREFIX)/share/heartbeat
# where scripts written for 3.0.6 look for commands
OLDDIRS   ?= $(SHAREDIR) $(PREFIX)/lib/heartbeat
# where ha.cf files of 3.0.6 look for ipfail, beside LIBEXECDIR
IPFAILDIRS ?= $(PREFIX)/lib/heartbeat $(PREFIX)/lib64/heartbeat
MANDIR    ?= $(PREFIX)/share/man
DOCDIR    ?= $(PREFIX)/share/doc/heartbeat-rs
UNITDIR   ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
UDEVDIR   ?= $(PREFIX)/lib/udev/rules.d
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
FIREWALLDDIR ?= $(PREFIX)/lib/firewalld/services
# empty: no init script, for systems where systemd is all there is
INITDIR   ?= $(SYSCONFDIR)/init.d

BUILT     := $(or $(CARGO_TARGET_DIR),target)/release
# ResourceManager and ipfail stand where scripts and ha.cf look for them, and in nobody's PATH
COMMANDS  := $(filter-out ResourceManager ipfail,$(patsubst src/bin/%.rs,%,$(wildcard src/bin/*.rs)))
MOVED     := hb_standby hb_takeover
# bash looks for a file of the name of the command
COMPLETED := cl_status $(MOVED)
PAGES     := $(wildcard man/*.[1-8])
EXAMPLES  := ha.cf authkeys haresources
DOCS      := $(wildcard docs/*.md docs/*/*.md docs/*/*/*.md)
MONITORING := $(wildcard packaging/monitoring/*)
VERSION   := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

# what `make chaos` goes through; with each seed the two chaoses take so many seconds one after the other
CHAOS_SEEDS   ?= $(shell seq 1 24)
CHAOS_SECONDS ?= 60
# what `make prove` begins with, and how much it runs
SEED ?= 0
RUNS ?= 100000
# two nodes of 3.0.6 show what is expected of ours: they do not change, and all links together tell whether a case does.
# All: make test SKIPPED=
SKIPPED ?= --skip old_and_old::on_
# the longest stall of `make stalls`
STALL_SECONDS ?= 600
# how long the load of `make load` lasts
LOAD_SECONDS ?= 600
# in which `make tarball` is built
PROFILE ?= release
# beginnings of the names of what `make counts` counts; all when there are none
CASES ?=
# how long `make fuzz` spends on each of TARGETS; on all when there are none
SECONDS ?= 60
TARGETS ?=

.PHONY: all build test chaos stalls load demo prove fuzz lint counts bench install uninstall deb rpm tarball clean

all: build

build:
	@packaging/prerequisites build
	$(CARGO) build --release --locked --bins

test:
	@packaging/prerequisites test
	failed=0; \
	$(CARGO) test --locked --no-fail-fast -- --test-threads=4 || failed=1; \
	$(CARGO) test --locked --test drop_in -- --test-threads=8 $(SKIPPED) || failed=1; \
	exit $$failed

chaos:
	@packaging/prerequisites test
	for seed in $(CHAOS_SEEDS); do \
	    HB_CHAOS_SEED=$$seed HB_CHAOS_SECONDS=$(CHAOS_SECONDS) \
	        $(CARGO) test --locked --quiet --test chaos -- --nocapture --test-threads=1 || exit 1; \
	done

stalls:
	@packaging/prerequisites test
	HB_STALLS=$(STALL_SECONDS) $(CARGO) test --locked --quiet --test chaos -- --nocapture --test-threads=4 stalls::
	HB_STALLS=60 HB_STALLS_BY_FREEZER=1 $(CARGO) test --locked --quiet --test chaos -- --nocapture stalls::a_daemon

# what users get, so that what is measured is what they have
load:
	@packaging/prerequisites load
	$(CARGO) build --release --locked --bins --example load
	HB_LOAD_SECONDS=$(LOAD_SECONDS) $(or $(CARGO_TARGET_DIR),target)/release/examples/load

demo:
	@packaging/prerequisites demo
	$(CARGO) build --locked --bins --example demo
	$(CARGO) run --locked --quiet --example demo

prove:
	@packaging/prerequisites build
	$(CARGO) test --profile prove --locked --test simulation --no-run
	HB_SIM_LONG_FIRST=$(SEED) HB_SIM_LONG_RUNS=$(RUNS) \
		$(CARGO) test --profile prove --locked --quiet --test simulation -- --exact --nocapture long::no_long_run_breaks_a_rule
	HB_SIM_FIRST=$(SEED) HB_SIM_RUNS=$(RUNS) \
		$(CARGO) test --profile prove --locked --quiet --test simulation -- --exact --nocapture no_seed_breaks_a_rule
	HB_SIM_HARDWARE_FIRST=$(SEED) HB_SIM_HARDWARE_RUNS=$(RUNS) \
		$(CARGO) test --profile prove --locked --quiet --test simulation -- --exact --nocapture no_seed_with_failing_hardware_breaks_a_rule
	HB_SIM_PAIRS_FIRST=$(SEED) HB_SIM_PAIRS_RUNS=$$(($(RUNS) / 10)) \
		$(CARGO) test --profile prove --locked --quiet --test simulation -- --exact --nocapture neighbours::no_seed_with_several_pairs_breaks_a_rule
	HB_SIM_DOUBT_FIRST=$(SEED) HB_SIM_DOUBT_RUNS=$$(($(RUNS) / 5)) \
		$(CARGO) test --profile prove --locked --quiet --test simulation -- --exact --nocapture doubts::no_seed_with_doubts_breaks_a_rule
	HB_SIM_MAINTENANCE_FIRST=$(SEED) HB_SIM_MAINTENANCE_RUNS=$$(($(RUNS) / 5)) \
		$(CARGO) test --profile prove --locked --quiet --test simulation -- --exact --nocapture maintenance::no_seed_with_maintenance_breaks_a_rule
	HB_SIM_EXHAUSTIVE=1 \
		$(CARGO) test --profile prove --locked --quiet --test simulation -- --nocapture exhaustive
	$(CARGO) run --profile prove --locked --quiet --example planted

fuzz:
	@SECONDS_EACH=$(SECONDS) fuzz/run $(TARGETS)

lint:
	@packaging/prerequisites lint
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --test drop_in -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps
	if command -v shellcheck >/dev/null; then packaging/scripts | xargs shellcheck -x; fi
	if command -v mandoc >/dev/null && [ -n "$(PAGES)" ]; then mandoc -T lint -W warning $(PAGES); fi

# as users get it: panics end the program, which no bench of Cargo's has
counts:
	@packaging/prerequisites counts
	$(CARGO) build --release --locked --example counts
	PATH="$$PATH:$(dir $(CARGO))" $(or $(CARGO_TARGET_DIR),target)/release/examples/counts $(CASES)

bench:
	@packaging/prerequisites bench
	failed=0; \
	$(MAKE) --no-print-directory counts || failed=1; \
	$(CARGO) bench --locked --bench side_by_side || failed=1; \
	$(CARGO) bench --locked --bench side_by_side -- table || failed=1; \
	exit $$failed

install: build
	@packaging/may-install "$(DESTDIR)" $(addprefix $(BINDIR)/,$(COMMANDS)) $(SBINDIR)/heartbeat $(LIBEXECDIR)/heartbeat \
	    $(foreach dir,$(OLDDIRS),$(addprefix $(dir)/,$(MOVED) ResourceManager)) $(SHAREDIR)/shellfuncs \
	    $(addsuffix /ipfail,$(LIBEXECDIR) $(IPFAILDIRS))
	$(INSTALL) -d $(addprefix $(DESTDIR),$(SBINDIR) $(BINDIR) $(LIBEXECDIR) $(OLDDIRS) $(IPFAILDIRS) $(UNITDIR) $(SYSUSERSDIR) $(TMPFILESDIR) \
	    $(UDEVDIR) $(FIREWALLDDIR) $(COMPLETIONDIR) $(SYSCONFDIR)/logrotate.d $(SYSCONFDIR)/ha.d/resource.d $(SYSCONFDIR)/ha.d/rc.d $(SHAREDSTATEDIR)/heartbeat \
	    $(DOCDIR))
	$(INSTALL) -m 755 $(BUILT)/heartbeat $(DESTDIR)$(SBINDIR)/heartbeat
	ln -sfr $(DESTDIR)$(SBINDIR)/heartbeat $(DESTDIR)$(LIBEXECDIR)/heartbeat
	for command in $(COMMANDS); do $(INSTALL) -m 755 $(BUILT)/$$command $(DESTDIR)$(BINDIR)/$$command || exit 1; done
	for command in $(MOVED); do for dir in $(OLDDIRS); do \
	    ln -sfr $(DESTDIR)$(BINDIR)/$$command $(DESTDIR)$$dir/$$command || exit 1; done; done
	$(INSTALL) -m 755 $(BUILT)/ResourceManager $(DESTDIR)$(SHAREDIR)/ResourceManager
	for dir in $(filter-out $(SHAREDIR),$(OLDDIRS)); do \
	    ln -sfr $(DESTDIR)$(SHAREDIR)/ResourceManager $(DESTDIR)$$dir/ResourceManager || exit 1; done
	sed 's,/usr/libexec/heartbeat,$(LIBEXECDIR),; s,/usr/share/heartbeat,$(SHAREDIR),; s,:=/usr/sbin,:=$(SBINDIR),; s,/usr/share/doc/heartbeat-rs,$(DOCDIR),' \
	    packaging/shellfuncs/shellfuncs >$(DESTDIR)$(SHAREDIR)/shellfuncs
	sed 's,/usr/share/heartbeat,$(SHAREDIR),' packaging/shellfuncs/etc >$(DESTDIR)$(SHAREDIR)/shellfuncs.etc
	chmod 644 $(DESTDIR)$(SHAREDIR)/shellfuncs $(DESTDIR)$(SHAREDIR)/shellfuncs.etc
	# not into a package: resource-agents has a file of this name
	[ -n "$(DESTDIR)" ] || [ -e $(SYSCONFDIR)/ha.d/shellfuncs ] || \
	    $(INSTALL) -m 644 $(SHAREDIR)/shellfuncs.etc $(SYSCONFDIR)/ha.d/shellfuncs
	$(INSTALL) -m 755 $(BUILT)/ipfail $(DESTDIR)$(LIBEXECDIR)/ipfail
	for dir in $(IPFAILDIRS); do ln -sfr $(DESTDIR)$(LIBEXECDIR)/ipfail $(DESTDIR)$$dir/ipfail || exit 1; done
	for page in $(PAGES); do \
	    $(INSTALL) -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} || exit 1; done
	sed 's,/usr/sbin/heartbeat,$(SBINDIR)/heartbeat,' packaging/systemd/heartbeat.service >$(DESTDIR)$(UNITDIR)/heartbeat.service
	chmod 644 $(DESTDIR)$(UNITDIR)/heartbeat.service
	$(INSTALL) -m 644 packaging/sysusers.d/heartbeat.conf $(DESTDIR)$(SYSUSERSDIR)/heartbeat.conf
	$(INSTALL) -m 644 packaging/tmpfiles.d/heartbeat.conf $(DESTDIR)$(TMPFILESDIR)/heartbeat.conf
	$(INSTALL) -m 644 udev/70-heartbeat.rules $(DESTDIR)$(UDEVDIR)/70-heartbeat.rules
	$(INSTALL) -m 644 packaging/firewalld/heartbeat.xml $(DESTDIR)$(FIREWALLDDIR)/heartbeat.xml
	$(INSTALL) -m 644 packaging/completion/heartbeat $(DESTDIR)$(COMPLETIONDIR)/heartbeat
	for command in $(COMPLETED); do ln -sf heartbeat $(DESTDIR)$(COMPLETIONDIR)/$$command || exit 1; done
	[ -e $(DESTDIR)$(SYSCONFDIR)/logrotate.d/heartbeat ] || \
	    $(INSTALL) -m 644 packaging/logrotate/heartbeat $(DESTDIR)$(SYSCONFDIR)/logrotate.d/heartbeat
	if [ -n "$(INITDIR)" ]; then $(INSTALL) -d $(DESTDIR)$(INITDIR) && \
	    sed 's,/usr/sbin/heartbeat,$(SBINDIR)/heartbeat,; s,/usr/bin/hb_standby,$(BINDIR)/hb_standby,' packaging/init.d/heartbeat >$(DESTDIR)$(INITDIR)/heartbeat && \
	    chmod 755 $(DESTDIR)$(INITDIR)/heartbeat; fi
	$(INSTALL) -m 644 README.md CHANGELOG.md SECURITY.md $(DESTDIR)$(DOCDIR)
	for page in $(DOCS); do $(INSTALL) -D -m 644 $$page $(DESTDIR)$(DOCDIR)/$$page || exit 1; done
	$(INSTALL) -d $(DESTDIR)$(DOCDIR)/monitoring
	$(INSTALL) -m 644 $(MONITORING) $(DESTDIR)$(DOCDIR)/monitoring
	for sample in $(filter-out authkeys,$(EXAMPLES)); do \
	    $(INSTALL) -m 644 packaging/examples/$$sample $(DESTDIR)$(DOCDIR)/$$sample || exit 1; done
	$(INSTALL) -m 644 packaging/examples/watchdog-by-systemd.conf $(DESTDIR)$(DOCDIR)/watchdog-by-systemd.conf
	$(INSTALL) -m 600 packaging/examples/authkeys $(DESTDIR)$(DOCDIR)/authkeys
	@if [ -z "$(DESTDIR)" ]; then echo "next: systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload"; fi

uninstall:
	if cmp -s $(DESTDIR)$(SHAREDIR)/shellfuncs.etc $(DESTDIR)$(SYSCONFDIR)/ha.d/shellfuncs; then \
	    rm -f $(DESTDIR)$(SYSCONFDIR)/ha.d/shellfuncs; fi
	for command in $(COMMANDS); do rm -f $(DESTDIR)$(BINDIR)/$$command; done
	for page in $(PAGES); do rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; done
	rm -f $(addprefix $(DESTDIR),$(SBINDIR)/heartbeat $(LIBEXECDIR)/heartbeat $(UNITDIR)/heartbeat.service \
	    $(SYSUSERSDIR)/heartbeat.conf $(TMPFILESDIR)/heartbeat.conf $(UDEVDIR)/70-heartbeat.rules \
	    $(FIREWALLDDIR)/heartbeat.xml $(addprefix $(COMPLETIONDIR)/,heartbeat $(COMPLETED)))
	if [ -n "$(INITDIR)" ]; then rm -f $(DESTDIR)$(INITDIR)/heartbeat; fi
	rm -f $(foreach dir,$(OLDDIRS),$(addprefix $(DESTDIR)$(dir)/,$(MOVED) ResourceManager)) \
	    $(addprefix $(DESTDIR)$(SHAREDIR)/,shellfuncs shellfuncs.etc) \
	    $(addprefix $(DESTDIR),$(addsuffix /ipfail,$(LIBEXECDIR) $(IPFAILDIRS)))
	rm -rf $(DESTDIR)$(DOCDIR)
	-rmdir $(addprefix $(DESTDIR),$(sort $(LIBEXECDIR) $(OLDDIRS) $(IPFAILDIRS)))
	@echo "left alone: $(SYSCONFDIR)/ha.d, $(SYSCONFDIR)/logrotate.d/heartbeat, $(SHAREDSTATEDIR)/heartbeat"

deb: build
	packaging/deb/build $(VERSION)

rpm: build
	packaging/rpm/build $(VERSION)

# programs that need nothing of a machine but its kernel
tarball:
	@packaging/prerequisites build
	packaging/tarball/build $(VERSION) $(PROFILE)

clean:
	$(CARGO) clean
	rm -rf dist
