#!/bin/sh
# SPDX-License-Identifier: MIT
# mutants.sh [NAME...]: build each mutant of harness/base/mutate.h and see the test that guards
# against it go red. A mutant that stays green, or has no row here, is a failure. Only what
# includes mutate.h is compiled again; the rest comes from BUILD.
set -u
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
MAKE=${MAKE:-make}

# mutant, kind of test, suite that must go red
table() {
	cat <<-END
	probe_blind unit probes
	trigger_never unit triggers
	undo_noop unit injectors
	fingerprint_blind unit capture
	mask_all unit state
	verdict_felt unit verdict
	killed_goes_on unit callwatch
	power_synced unit power
	END
}

# The names as the compiler sees them.
names() {
	printf '#include "harness/base/mutate.h"\n#define X(name, what) @name@\nMUTANTS(X)\n' |
		${CC:-gcc} -E -P -I. -x c - | grep -o '@[^@]*@' | tr -d '@ '
}

passed=0 failed=0
pass() { passed=$((passed + 1)); printf 'mutant %s: caught by %s\n' "$1" "$2"; }
fail() { failed=$((failed + 1)); printf 'FAILED: mutant %s: %s\n' "$1" "$2"; }

try() { # mutant
	row=$(table | awk -v m="$1" '$1 == m { print $2, $3 }')
	kind=${row% *} suite=${row#* }
	[ -n "$row" ] || { fail "$1" "no row in tests/mutants.sh says what catches it"; return; }
	grep -rqs "MUTANT($1)" --include='*.[ch]' harness injectors ||
		{ fail "$1" "no source names MUTANT($1)"; return; }
	dir=$BUILD/mutants/$1
	log=$dir.log
	rm -rf "$dir" && mkdir -p "$dir"
	for part in harness injectors reports tests; do
		[ ! -d "$BUILD/$part" ] || cp -a "$BUILD/$part" "$dir/$part"
	done
	# The compiler's own notes say which objects know of mutants, through headers too.
	for note in $(grep -rl --include='*.d' 'harness/base/mutate[.]h' "$dir"); do
		rm -f "${note%.d}.o"
	done
	rm -f "$dir/tests/unit-tests" "$dir/tests/drill-tests"
	if ! $MAKE --no-print-directory BUILD="$dir" MUTANT="$1" all "$dir/tests/$kind-tests" > "$log" 2>&1; then
		fail "$1" "does not build, see $log"
		return
	fi
	# Its red must not count as ours, and a skip must not pass for red.
	out=$(BACKOUT_COUNTS='' BACKOUT_SKIPS='' BACKOUT_MUST_RUN='' BACKOUT_BIN="$PWD/$dir/backout" \
		"$dir/tests/$kind-tests" "$suite" 2>&1)
	code=$?
	printf '%s\n' "$out" >> "$log"
	sum=$(printf '%s\n' "$out" | sed -n 's/^.* tests: [-0-9]* passed, \([0-9]*\) failed.*/\1/p')
	if ! printf '%s\n' "$out" | grep -q "^Running suite(s): .*"; then
		fail "$1" "the tests did not start, see $log"
	elif [ "$code" -ne 0 ] && [ "${sum:-0}" -gt 0 ]; then
		pass "$1" "$sum of suite $suite"
		rm -rf "$dir"
	else
		fail "$1" "suite $suite stays green, see $log"
	fi
}

known=$(names)
[ -n "$known" ] || { echo 'no mutants in harness/base/mutate.h?' >&2; exit 1; }
for row in $(table | awk '{ print $1 }'); do
	printf '%s\n' "$known" | grep -qx "$row" || fail "$row" "has a row here and is not in mutate.h"
done
for name in ${*:-$known}; do try "$name"; done

printf 'mutants: %d passed, %d failed, 0 skipped\n' "$passed" "$failed"
[ -z "${BACKOUT_COUNTS:-}" ] || printf '%d %d 0\n' "$passed" "$failed" >> "$BACKOUT_COUNTS"
[ "$failed" -eq 0 ]
