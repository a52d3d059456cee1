#!/bin/sh
# SPDX-License-Identifier: MIT
# The checks of the source tree, each one first shown to fail on a tree that deserves it.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.." || exit 1
bad=$(mktemp -d)
trap 'rm -rf "$bad"' EXIT
passed=0 failed=0

ok() { passed=$((passed + 1)); }
fail() { failed=$((failed + 1)); printf 'FAILED: %s\n' "$1"; }

# A tree that is right; each case below spoils one thing in it.
lay() {
	rm -rf "$bad/t" && mkdir -p "$bad/t/harness/base" "$bad/t/harness/model" "$bad/t/reports" \
		"$bad/t/harness/sandbox" "$bad/t/injectors" "$bad/t/harness/triggers" \
		"$bad/t/harness/probes" "$bad/t/harness/cli" "$bad/t/tests"
	cd "$bad/t" || exit 1
	printf '/* SPDX-License-Identifier: MIT */\n#ifndef A_H\n#define A_H\nint a(void);\n#endif\n' > harness/base/a.h
	printf '/* SPDX-License-Identifier: MIT */\n#include "harness/base/a.h"\n' > harness/model/m.c
	kind injectors list.h INJECTORS injector injector
	kind harness/triggers list.h TRIGGERS trigger_kind trigger
	kind harness/probes list.h PROBES probe_kind probe
	kind reports list.h REPORTS report_format report
	kind harness/cli commands.h COMMANDS command command
}
kind() { # one row "one" and its file
	printf '/* SPDX-License-Identifier: MIT */\n#ifndef %s_H\n#define %s_H\n#define %s(X) X(one)\n#endif\n' "$3" "$3" "$3" > "$1/$2"
	printf '/* SPDX-License-Identifier: MIT */\nconst struct %s %s_one = {\n' "$4" "$5" > "$1/one.c"
	printf '/* SPDX-License-Identifier: MIT */\n' > "$1/${2%.h}.c"
}

# must_fail NAME CHECK 'what it must say' 'shell that spoils the tree'
must_fail() {
	lay
	if ! out=$("$here/$2" "$bad/t" 2>&1); then
		fail "$1: the good tree is refused: $out"
		return
	fi
	eval "$4"
	if out=$("$here/$2" "$bad/t" 2>&1); then
		fail "$1: $2 does not see it"
	elif printf '%s' "$out" | grep -q -- "$3"; then
		ok
	else
		fail "$1: $2 says something else: $out"
	fi
}

must_fail 'base includes model' check-floors.sh 'harness/base may not include' \
	'printf "#include \"harness/model/x.h\"\n" >> harness/base/a.h'
must_fail 'sandbox includes a trigger' check-floors.sh 'harness/sandbox may not include' \
	'printf "#include \"harness/triggers/list.h\"\n" > harness/sandbox/s.c'
must_fail 'injector includes a trigger' check-floors.sh 'injectors may not include' \
	'printf "  #  include \"harness/triggers/list.h\"\n" >> injectors/one.c'
must_fail 'probe includes a trigger' check-floors.sh 'harness/probes may not include' \
	'printf "#include \"harness/triggers/list.h\"\n" >> harness/probes/one.c'
must_fail 'report includes sandbox' check-floors.sh 'reports may not include' \
	'printf "#include \"harness/sandbox/node.h\"\n" >> reports/one.c'
must_fail 'cJSON outside its wrapper' check-floors.sh 'harness/model/json.c alone' \
	'printf "#include <cjson/cJSON.h>\n" >> harness/model/m.c'
must_fail 'libnl outside its wrapper' check-floors.sh 'harness/sandbox/link.c' \
	'printf "#include <netlink/route/link.h>\n" > harness/sandbox/s.c'
must_fail 'a folder without a floor' check-floors.sh 'without a floor' \
	'mkdir harness/new; printf "#include \"harness/base/a.h\"\n" > harness/new/n.c'
must_fail 'row without file' check-lists.sh 'row two' \
	'sed -i "s/X(one)/X(one) X(two)/" injectors/list.h'
must_fail 'row on a continued line without file' check-lists.sh 'row two' \
	'printf "#define REPORTS(X) X(one) \\\\\n\tX(two)\n" > reports/list.h'
must_fail 'file without row' check-lists.sh 'has no row' \
	'printf "const struct probe_kind probe_two = {\n" > harness/probes/two.c'
must_fail 'command without row' check-lists.sh 'has no row' \
	'printf "const struct command command_two = {\n" > harness/cli/two.c'
must_fail 'stray file among kinds' check-lists.sh 'neither a row' \
	'printf "int x;\n" > harness/triggers/stray.c'
must_fail 'header that needs another' check-headers.sh 'does not compile alone' \
	'printf "#ifndef B_H\n#define B_H\nstruct t x;\nuint8_t y;\n#endif\n" > harness/base/b.h'
must_fail 'header without guard' check-headers.sh 'no include guard' \
	'printf "int b(void);\n" > harness/base/b.h'
must_fail 'guard used twice' check-headers.sh 'taken by another' \
	'cp harness/base/a.h harness/base/b.h'
must_fail 'banned function' check-source.sh 'banned' \
	'printf "int f(char *d) { return sprintf(d, \"x\"); }\n" >> harness/model/m.c'
must_fail 'no licence line' check-source.sh 'no licence' 'printf "int x;\n" > harness/model/n.c'
must_fail 'long file' check-source.sh 'more than 500 lines' \
	'yes "int x;" | head -n 501 >> harness/model/m.c'

# vm_verdict NAME 'what the sum or the failure must say' 'results of the VM' 'skips of this host'
vm_verdict() {
	printf 'unit node\n' > "$bad/suites"
	printf "$3" > "$bad/results"
	printf "$4" > "$bad/skips"
	out=$(BACKOUT_COUNTS='' "$here/vm/verdict.sh" "$bad/suites" "$bad/results" "$bad/skips" 2>&1)
	code=$?
	case $2 in *' 0 failed'*) want=0 ;; *) want=1 ;; esac
	if [ "$code" -eq "$want" ] && printf '%s' "$out" | grep -q -- "$2"; then
		ok
	else
		fail "verdict on the VM, $1: exit code $code: $out"
	fi
}
ran='begin unit node\n'
skip='skipped: tests/unit/test_node.c limits_hold_fn: no v1 hierarchies\n'
one='unit tests: 4 passed, 0 failed, 1 skipped\ndone unit node: 1 s\n'
vm_verdict 'all well' '4 passed, 0 failed, 1 skipped' "$ran$skip${one}end\n" \
	'skipped: tests/unit/test_node.c disks_fn: no loop devices\n'
vm_verdict 'a failed test' '3 passed, 1 failed, 0 skipped' \
	"${ran}unit tests: 3 passed, 1 failed, 0 skipped\ndone unit node: 1 s\nend\n" ''
vm_verdict 'skipped in both' 'in the VM: tests/unit/test_node.c limits_hold_fn' "$ran$skip${one}end\n" \
	'skipped: tests/unit/test_node.c limits_hold_fn: another reason\n'
vm_verdict 'a suite cut off' 'unit node did not come' "$ran" ''
vm_verdict 'a suite that died' 'unit node did not come' "${ran}done unit node: 1 s\nend\n" ''
vm_verdict 'no suite at all' 'unit node did not come' "end\n" ''
vm_verdict 'a suite of no tests' '0 passed' "${ran}unit tests: 0 passed, 0 failed, 0 skipped\ndone unit node: 1 s\nend\n" ''

cd "$here/.." || exit 1
for check in check-floors.sh check-lists.sh check-headers.sh check-source.sh; do
	if "tests/$check"; then ok; else fail "$check on this tree"; fi
done

printf 'checks: %d passed, %d failed, 0 skipped\n' "$passed" "$failed"
[ -z "${BACKOUT_COUNTS:-}" ] || printf '%d %d 0\n' "$passed" "$failed" >> "$BACKOUT_COUNTS"
[ "$failed" -eq 0 ]
