# SPDX-License-Identifier: MIT
# One non-recursive Makefile. `make help` lists the targets.

CC      ?= gcc
BUILD   ?= build
WERROR  ?=
SAN     ?=
MUTANT  ?=
PKGS    := libseccomp libcgroup libnl-3.0 libnl-route-3.0 libcjson libxxhash libarchive
VERSION := 0.1.0
# One short line a file; V=1 shows the commands.
say = $(if $(V),,@printf '  %s %s\n' $(1) $@;)

CSTD     := -std=gnu11
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Wpointer-arith -Wwrite-strings -Wformat=2 -Wundef -Wno-missing-field-initializers
CPPFLAGS += -I. -D_GNU_SOURCE -DBACKOUT_VERSION='"$(VERSION)"' $(if $(MUTANT),-DBACKOUT_MUTANT=MUTANT_$(MUTANT))
CFLAGS   ?= -O2 -g
ALL_CFLAGS := $(CSTD) $(WARN) $(if $(WERROR),-Werror) -fstack-protector-strong -fPIE $(CFLAGS) $(SAN)
LDFLAGS  += -pie -Wl,-z,relro,-z,now $(SAN)
# Asked once, and only when something is compiled: `make deps` comes first on a new machine.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)

# All that building, testing and the demo need, from Debian. `make deps MORE="..."` adds to it.
DEPS := gcc make libc6-dev pkg-config libseccomp-dev libcgroup-dev libnl-3-dev libnl-route-3-dev \
        libcjson-dev libxxhash-dev libarchive-dev check libsubunit-dev mmdebstrap erofs-utils \
        busybox-static dpkg-dev apt-utils gnupg jq libxml2-utils iproute2 e2fsprogs xfsprogs btrfs-progs \
        squashfs-tools zstd uidmap
MORE ?=
# What `make vm-check` needs as well; who only builds needs none of it.
VM_DEPS := qemu-system-x86

PREFIX  ?= /usr/local
DESTDIR ?=
# On all processors, unless the caller chose a number of jobs.
PARALLEL = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
COUNTS  := $(abspath $(BUILD))/counts
SKIPS   := $(abspath $(BUILD))/skips

LIB_SRC  := $(filter-out harness/cli/main.c,$(wildcard harness/*/*.c)) $(wildcard injectors/*.c reports/*.c)
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/%.o)
BIN      := $(BUILD)/backout
UNIT_SRC := $(sort $(wildcard tests/unit/*.c))
UNIT_OBJ := $(UNIT_SRC:%.c=$(BUILD)/%.o)
UNIT_BIN := $(BUILD)/tests/unit-tests
DRILL_SRC := $(sort $(wildcard tests/drill/*.c))
DRILL_OBJ := $(DRILL_SRC:%.c=$(BUILD)/%.o) $(BUILD)/tests/unit/runner.o
DRILL_BIN := $(BUILD)/tests/drill-tests
OBJ      := $(LIB_OBJ) $(BUILD)/harness/cli/main.o $(UNIT_OBJ) $(DRILL_OBJ)

.PHONY: all
all: $(BIN) ## build the program

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Suites are found by their files' names, not by a header; temporary paths may be cut (and fail then).
$(BUILD)/tests/%.o: ALL_CFLAGS += -Wno-missing-prototypes -Wno-unknown-warning-option -Wno-format-truncation

$(BUILD)/libbackout.a: $(LIB_OBJ)
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $^

$(BIN): $(BUILD)/harness/cli/main.o $(BUILD)/libbackout.a
	$(call say,LD)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

# Each tests/unit/test_NAME.c defines `Suite *suite_NAME(void)`; the list is made from the files.
suites = $(foreach f,$(filter tests/$(1)/test_%,$(2)),X($(patsubst test_%.c,%,$(notdir $(f)))))
$(BUILD)/tests/unit/list.inc: $(UNIT_SRC) Makefile
	@mkdir -p $(@D)
	@printf '%s\n' '$(call suites,unit,$(UNIT_SRC))' > $@
$(BUILD)/tests/drill/list.inc: $(DRILL_SRC) Makefile
	@mkdir -p $(@D)
	@printf '%s\n' '$(call suites,drill,$(DRILL_SRC))' > $@
$(BUILD)/tests/unit/main.o: CPPFLAGS += -DSUITES_INC='"$(BUILD)/tests/unit/list.inc"'
$(BUILD)/tests/unit/main.o: $(BUILD)/tests/unit/list.inc
$(BUILD)/tests/drill/main.o: CPPFLAGS += -DSUITES_INC='"$(BUILD)/tests/drill/list.inc"'
$(BUILD)/tests/drill/main.o: $(BUILD)/tests/drill/list.inc

$(UNIT_BIN): $(UNIT_OBJ) $(BUILD)/libbackout.a
	$(call say,LD)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcheck -lsubunit -lm -lrt -lpthread
$(DRILL_BIN): $(DRILL_OBJ) $(BUILD)/libbackout.a
	$(call say,LD)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcheck -lsubunit -lm -lrt -lpthread

# ---- using it ----

# Two makes, because what the first installs decides how the second compiles.
.PHONY: demo
demo: ## install what is needed, build, prepare and run the real upgrade (root)
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@scenario=$$(scenarios/prepare-demo.sh) || exit; \
	echo "$(BIN) run $$scenario"; $(BIN) run "$$scenario"

.PHONY: deps
deps: ## install from Debian what is missing (root, when something is)
	@missing=$$(for p in $(DEPS) $(MORE); do \
		dpkg-query -W -f '$${Status}\n' "$$p" 2>/dev/null | grep -q '^install ok installed$$' || \
		printf '%s ' "$$p"; done); \
	lists=$$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' 2>/dev/null | head -n 1); \
	[ -n "$$missing" ] || [ -z "$$lists" ] || exit 0; \
	if [ "$$(id -u)" -ne 0 ]; then \
		echo "make: not root, and missing: $${missing:-the lists of apt}" >&2; \
		echo "make: as root: apt-get update && apt-get install -y $$missing" >&2; exit 69; fi; \
	echo "installing: $$missing"; \
	DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; \
	apt-get -q update </dev/null && \
	{ [ -z "$$missing" ] || apt-get -q install -y --no-install-recommends $$missing </dev/null; }

.PHONY: image-cache
image-cache: $(BIN) ## build the root images of the demo and the tests ahead of time (root)
	@scenario=$$(scenarios/prepare-demo.sh) || exit; \
	$(BIN) image build "$$scenario" scenarios/dpkg-upgrade/scenario.json \
		tests/drill/scenarios/systemd.json

.PHONY: install
install: $(BIN) ## install under PREFIX (/usr/local), below DESTDIR
	install -D -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/backout
	find scenarios -name cache -prune -o -name versions.json -prune -o \
		-name .gitignore -prune -o -type f -print | \
		while read -r f; do \
		mode=644; [ ! -x "$$f" ] || mode=755; \
		install -D -m $$mode "$$f" "$(DESTDIR)$(PREFIX)/share/backout/$$f" || exit 1; done

.PHONY: schema
schema: $(BIN) ## write scenarios/schema.json anew, for editors
	$(BIN) schema > scenarios/schema.json

# ---- testing it ----

# Every part runs, whatever the one before it says; the last line is the sum.
.PHONY: check
check: ## install what is needed, build, then every test (root)
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory $(PARALLEL) all test-bins
	@rm -f $(COUNTS); : > $(SKIPS); status=0; \
	for part in checks unit drill-tests mutants; do \
		BACKOUT_COUNTS=$(COUNTS) BACKOUT_SKIPS=$(SKIPS) $(MAKE) --no-print-directory $$part || status=1; done; \
	tests/sum.sh $(COUNTS) || status=1; exit $$status

.PHONY: test-bins
test-bins: $(UNIT_BIN) $(DRILL_BIN)

.PHONY: checks
checks: ## floors, lists, headers alone, banned functions; and that each check can fail
	CC="$(CC)" tests/checks.sh

.PHONY: unit
unit: $(UNIT_BIN) ## unit tests; SUITE=name for one
	$(UNIT_BIN) $(SUITE)

.PHONY: drill-tests
drill-tests: $(DRILL_BIN) image-cache ## tests of the whole program (root); SUITE=name for one
	BACKOUT_BIN=$(abspath $(BIN)) tests/drill-suites.sh $(DRILL_BIN) $(SUITE)

# What `make check` skipped on this host is compared with what the VM skips.
.PHONY: vm-check vm-check-all
vm-check: ## a part of the tests on Debian's own kernel with systemd and cgroup v2, in a VM (root); VM_SUITES="unit:node drill:run"
	@$(MAKE) --no-print-directory deps MORE="$(VM_DEPS) $(MORE)"
	@$(MAKE) --no-print-directory $(PARALLEL) all test-bins
	VM_SUITES="$(VM_SUITES)" tests/vm/run.sh $(BUILD)
vm-check-all: ## every suite that can run there: hours where there is no KVM
	@$(MAKE) --no-print-directory vm-check VM_SUITES=all

.PHONY: nightly
nightly: ## every scenario's run, those of wrong plans too, and their sweeps: an hour or so (root)
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory $(PARALLEL) all test-bins
	@BACKOUT_BIN=$(abspath $(BIN)) tests/nightly.sh $(SCENARIOS)

.PHONY: nightly-kills
nightly-kills: test-bins $(BIN) ## a thousand drills in a row; the harness killed at each of its own system calls: two hours or so (root)
	CK_RUN_CASE=many HARDSHIP_RUNS=334 BACKOUT_BIN=$(abspath $(BIN)) $(BUILD)/tests/drill-tests hardship
	CK_RUN_CASE=killed KILL_POINTS=$(or $(POINTS),0) BACKOUT_BIN=$(abspath $(BIN)) $(BUILD)/tests/drill-tests safety

.PHONY: mutants
mutants: test-bins $(BIN) ## break one thing at a time and see a named test go red (root)
	BUILD=$(BUILD) MAKE="$(MAKE)" tests/mutants.sh $(MUTANTS)

# One at a time: the drill tests watch the host, and the unit tests make things on it.
ASAN := BUILD=$(BUILD)/asan CFLAGS="-O1 -g -fno-omit-frame-pointer" \
        SAN="-fsanitize=address,undefined -fno-sanitize-recover=all"
.PHONY: asan asan-unit
asan: ## unit and drill tests under the address and undefined-behaviour sanitizers (root)
	$(MAKE) $(ASAN) unit
	$(MAKE) $(ASAN) drill-tests
asan-unit: ## the unit tests alone under the sanitizers
	$(MAKE) $(ASAN) unit

.PHONY: bench
bench: $(BIN) $(BUILD)/tests/bench-node $(BUILD)/tests/bench-calls $(BUILD)/tests/bench-strikes ## nodes, strikes, the cost of being watched, sweeps; against the same by hand and by strace (root); parts: BENCH="node sweep"
	BUILD=$(BUILD) BENCH="$(BENCH)" tests/bench.sh
$(BUILD)/tests/bench-node: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/node_*.c))
$(BUILD)/tests/bench-%: $(BUILD)/tests/bench/%.o $(BUILD)/tests/bench/rig.o $(BUILD)/libbackout.a
	$(call say,LD)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PKG_LIBS)

# ---- looking after it ----

SOURCES := $(sort $(wildcard harness/*/*.[ch] injectors/*.[ch] reports/*.[ch] tests/*/*.[ch]))
.PHONY: format format-check
format: ## lay out all sources by .clang-format
	clang-format -i $(SOURCES)
format-check: ## fail where `make format` would change something
	@bad=$$(for f in $(SOURCES); do clang-format "$$f" | cmp -s "$$f" - || printf ' %s' "$$f"; done); \
	[ -z "$$bad" ] || { echo "run make format, for:$$bad"; exit 1; }

.PHONY: tidy
tidy: ## clang-tidy over all sources
	clang-tidy --quiet $(filter %.c,$(SOURCES)) -- $(CPPFLAGS) $(PKG_CFLAGS) $(CSTD) $(WARN) \
		-DSUITES_INC='"$(BUILD)/tests/unit/list.inc"'

.PHONY: clean
clean: ## remove what was built (not runs, caches, images)
	rm -rf $(BUILD)

.PHONY: help
help: ## this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

-include $(OBJ:.o=.d) $(wildcard $(BUILD)/tests/bench/*.d)
