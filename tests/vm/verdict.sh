#!/bin/sh
# SPDX-License-Identifier: MIT
# verdict.sh SUITES RESULTS [HOST-SKIPS]: judges what guest.sh printed against what it was asked
# for, and counts it. Failures: failed tests, a suite that was not run to its end, and a test
# skipped in both lanes, for that one runs nowhere. The last line is the sum.
set -u
suites=$1 results=$2 skips=${3:-}
grep -v -e '^begin ' -e '^Running suite' -e '^end$' "$results"
sum=$(sed -n 's/^[a-z].*: \(-*[0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$results" |
	awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }')
passed=${sum%% *} skipped=${sum##* } failed=${sum#* }
failed=${failed% *}
fail() { failed=$((failed + 1)); printf 'FAILED: %s\n' "$1"; }

while read -r kind suite; do
	awk -v begin="begin $kind $suite" -v end="done $kind $suite:" '
		$0 == begin { within = 1 }
		within && /: -?[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { counted = 1 }
		within && index($0, end) == 1 { if (counted) ok = 1; within = 0 }
		END { exit !ok }' "$results" || fail "$kind $suite did not come to its end"
done < "$suites"

# "skipped: FILE TEST: why": the reasons may differ, the tests may not be the same.
names() { sed -n 's/^skipped: \([^ ]* [^ :]*\): .*/\1/p' "$1" | sort -u; }
if [ -e "${skips:-/nonexistent}" ]; then
	both=$({ names "$skips"; names "$results"; } | sort | uniq -d)
	while read -r test; do
		[ -z "$test" ] || fail "skipped on this host and in the VM: $test"
	done <<-END
	$both
	END
else
	echo 'vm: the host lane was not run: no skips to compare'
fi
printf 'vm tests: %d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ -z "${BACKOUT_COUNTS:-}" ] || printf '%d %d %d\n' "$passed" "$failed" "$skipped" >> "$BACKOUT_COUNTS"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
