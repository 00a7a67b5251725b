# Tuyen. `make` builds, `make demo` shows, `make test` proves. See README.md.
# Each folder is a layer and becomes one static library; a program links only what it names.

VERSION := 0.1.0
B       := build
CC      ?= gcc
PREFIX  ?= /usr
DESTDIR ?=

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wvla -Wformat=2
HARDEN  := -fstack-protector-strong -fPIE -fcf-protection -fstack-clash-protection
FORTIFY := -D_FORTIFY_SOURCE=2
LDHARD  := -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed
CFLAGS  ?= -O2 -g
CPPFLAGS_ALL := -I. -Iinclude -I$(B)/gen -I$(B)/wireguard -D_GNU_SOURCE -DTUYEN_VERSION='"$(VERSION)"' $(CPPFLAGS)
CFLAGS_ALL   := -std=gnu11 $(WARN) $(HARDEN) $(CFLAGS)

NL_CFLAGS := -I/usr/include/libnl3
LIBS_tuyen      := -lcrypto -ljansson
LIBS_tuyend     := -lnl-genl-3 -lnl-3 -lnftables -levent_core -lcrypto -ljansson -lseccomp -lcap-ng
LIBS_tuyen-snmp := -lnetsnmpagent -lnetsnmp -ljansson

SRC_base     := $(wildcard daemon/base/*.c)
SRC_topology := $(wildcard topology/*.c)
SRC_policies := $(wildcard policies/*.c)
SRC_core     := $(wildcard daemon/core/*.c)
SRC_kernel   := $(wildcard daemon/kernel/*.c)
SRC_service  := $(wildcard daemon/service/*.c)
SRC_client   := $(wildcard daemon/client/*.c)
SRC_cli      := $(wildcard daemon/cli/*.c)
SRC_snmp     := $(wildcard daemon/snmp/*.c)
SRC_tuyend   := $(wildcard daemon/*.c)
GRAMMAR      := $(wildcard policies/*.y)
GEN_C        := $(patsubst policies/%.y,$(B)/gen/%.c,$(GRAMMAR))

LAYERS := base topology policies core kernel service client cli snmp tuyend
ALL_SRC := $(foreach l,$(LAYERS),$(SRC_$(l)))
obj = $(patsubst %.c,$(1)/%.o,$(2))

PROGRAMS := $(B)/tuyen $(B)/tuyend $(B)/tuyen-snmp

.PHONY: all
all: $(PROGRAMS)

# ---- what apt must have put there -------------------------------------------------
$(B)/.packages-%: packaging/packages/%.list packaging/apt-install
	@mkdir -p $(B)
	@packaging/apt-install $*
	@touch $@

# ---- generated ---------------------------------------------------------------------
$(B)/gen/%.c $(B)/gen/%.h: policies/%.y | $(B)/.packages-build
	@mkdir -p $(B)/gen
	bison -Wall -Werror -Wcounterexamples --defines=$(B)/gen/$*.h -o $(B)/gen/$*.c $<

# WireGuard's embeddable library, from the wireguard-tools package: never copied into the tree. One recipe for both (&:), or it
# runs twice and makes the header newer than what includes it.
$(B)/wireguard/wireguard.c $(B)/wireguard/wireguard.h &: packaging/wireguard-library | $(B)/.packages-build
	@packaging/wireguard-library $(B)/wireguard

# ---- objects -----------------------------------------------------------------------
$(B)/obj/%.o: %.c | $(B)/.packages-build
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(NL_CFLAGS) $(FORTIFY) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<
$(B)/obj/gen/%.o: $(B)/gen/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(FORTIFY) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<
$(B)/obj/wireguard/wireguard.o: $(B)/wireguard/wireguard.c
	@mkdir -p $(@D)
	$(CC) -O2 -g -std=gnu11 $(HARDEN) $(FORTIFY) -w -c -o $@ $<
$(call obj,$(B)/obj,$(SRC_kernel)): $(B)/wireguard/wireguard.h
$(call obj,$(B)/obj,$(SRC_policies)): $(GEN_C)

$(B)/libpolicies.a: $(patsubst $(B)/gen/%.c,$(B)/obj/gen/%.o,$(GEN_C))
define layer
$(B)/lib$(1).a: $(call obj,$(B)/obj,$(SRC_$(1)))
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach l,base topology policies core kernel service client cli snmp,$(eval $(call layer,$(l))))

$(B)/tuyen: $(call obj,$(B)/obj,$(SRC_cli)) $(B)/libclient.a $(B)/libcore.a $(B)/libpolicies.a $(B)/libtopology.a $(B)/libbase.a
	$(CC) $(LDHARD) -o $@ $^ $(LIBS_tuyen)
$(B)/tuyend: $(call obj,$(B)/obj,$(SRC_tuyend)) $(B)/libservice.a $(B)/libkernel.a $(B)/obj/wireguard/wireguard.o \
		$(B)/libcore.a $(B)/libpolicies.a $(B)/libtopology.a $(B)/libbase.a
	$(CC) $(LDHARD) -o $@ $^ $(LIBS_tuyend)
$(B)/tuyen-snmp: $(call obj,$(B)/obj,$(SRC_snmp)) $(B)/libclient.a $(B)/libbase.a
	$(CC) $(LDHARD) -o $@ $^ $(LIBS_tuyen-snmp)

# ---- sanitized objects and unit tests ----------------------------------------------
# A unit test names what it links in a line `// link: FILE.c ...`, and libraries in `// libs: -lx`.
SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g1
$(B)/san/%.o: %.c | $(B)/.packages-test
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(NL_CFLAGS) -std=gnu11 $(WARN) $(SAN) -MMD -MP -c -o $@ $<
$(B)/san/gen/%.o: $(B)/gen/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) -std=gnu11 $(WARN) $(SAN) -MMD -MP -c -o $@ $<
$(call obj,$(B)/san,$(SRC_kernel)): $(B)/wireguard/wireguard.h
$(call obj,$(B)/san,$(SRC_policies)): $(GEN_C)
.SECONDARY:

UNIT_SRC := $(wildcard tests/unit/*_test.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_SRC))
$(B)/tests.mk: $(UNIT_SRC) tests/unit/rules Makefile
	@mkdir -p $(B)
	@tests/unit/rules $(UNIT_SRC) > $@.$$$$ && mv $@.$$$$ $@
-include $(B)/tests.mk
$(B)/unit/%:
	@mkdir -p $(@D)
	$(CC) $(SAN) -o $@ $(filter %.o,$^) -lcmocka $(UNIT_LIBS)

.PHONY: unit
unit: $(UNIT_BIN)

# The whole programs under the sanitizers, for the command-line and lab tests that ask for them.
SAN_PROGRAMS := $(B)/san/bin/tuyen $(B)/san/bin/tuyend
$(B)/san/bin/tuyen: $(call obj,$(B)/san,$(SRC_cli) $(SRC_client) $(SRC_core) $(SRC_policies) $(SRC_topology) $(SRC_base)) $(patsubst $(B)/gen/%.c,$(B)/san/gen/%.o,$(GEN_C))
	@mkdir -p $(@D)
	$(CC) $(SAN) -o $@ $^ $(LIBS_tuyen)
$(B)/san/bin/tuyend: $(call obj,$(B)/san,$(SRC_tuyend) $(SRC_service) $(SRC_kernel) $(SRC_core) $(SRC_policies) $(SRC_topology) $(SRC_base)) \
		$(patsubst $(B)/gen/%.c,$(B)/san/gen/%.o,$(GEN_C)) $(B)/obj/wireguard/wireguard.o
	@mkdir -p $(@D)
	$(CC) $(SAN) -o $@ $^ $(LIBS_tuyend)
.PHONY: san
san: $(SAN_PROGRAMS)

# What fuzzers link, each once for all of them: see tests/fuzz/run.
FUZZ := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -O1 -g1
$(B)/fuzz/obj/%.o: %.c | $(B)/.packages-test
	@mkdir -p $(@D)
	clang $(CPPFLAGS_ALL) $(NL_CFLAGS) -std=gnu11 $(FUZZ) -MMD -MP -c -o $@ $<
$(B)/fuzz/obj/gen/%.o: $(B)/gen/%.c
	@mkdir -p $(@D)
	clang $(CPPFLAGS_ALL) -std=gnu11 $(FUZZ) -MMD -MP -c -o $@ $<
$(call obj,$(B)/fuzz/obj,$(SRC_kernel)): $(B)/wireguard/wireguard.h
$(call obj,$(B)/fuzz/obj,$(SRC_policies)): $(GEN_C)

# ---- main jobs ---------------------------------------------------------------------
$(B)/bench/bench_compile: $(B)/obj/tests/bench/bench_compile.o $(B)/obj/daemon/cli/load.o $(B)/obj/daemon/cli/workers.o $(B)/libpolicies.a $(B)/libtopology.a $(B)/libbase.a
	@mkdir -p $(@D)
	$(CC) $(LDHARD) -o $@ $^ -lcrypto
bench-compile: $(B)/tuyen $(B)/bench/bench_compile
	@tests/bench/compile
bench-audit: $(B)/tuyen
	@tests/bench/audit
bench-simulate: $(B)/tuyen
	@tests/bench/simulate
.PHONY: bench-compile bench-audit bench-simulate bench-hub bench-liveness bench-datapath bench-storm bench-qos demo test faults bench-failover \
	bless lint clean fuzz
demo:
	@tests/lab/demo
test:
	@tests/run
faults: all
	@tests/fault/all
bench-failover: all
	@tests/lab/bench-failover
bench-qos: all
	@tests/lab/bench-qos
bench-hub: all
	@tests/bench/hub/run
bench-liveness: all
	@tests/bench/liveness/run
bench-datapath: all
	@tests/bench/datapath/run
bench-storm: all
	@tests/bench/storm/run
bless: all
	@tests/golden/run --bless
fuzz:
	@tests/fuzz/run
lint: all | $(B)/.packages-lint
	@tests/lint
clean:
	rm -rf $(B)

-include packaging/install.mk
-include $(shell find $(B)/obj $(B)/san $(B)/fuzz/obj -name '*.d' 2>/dev/null)
