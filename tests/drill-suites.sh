#!/bin/sh
# SPDX-License-Identifier: MIT
# drill-suites.sh PROGRAM [SUITE...]: the drill tests, as many suites at a time as there are
# processors: drills wait more than they work. Those that look at the whole host run alone. What a
# suite prints comes in one piece.
set -u
program=$1
shift
[ $# -gt 0 ] || set -- $("$program" --list)
is_alone() { case $1 in hardship | safety | sweep_cut) return 0 ;; *) return 1 ;; esac; }
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
trap 'exit 1' HUP INT TERM
status=0

one='begin=$(date +%s) code=0
"$1" "$3" >"$2/$3" 2>&1 || code=$?
{ cat "$2/$3"; printf "drill suite %s: %d s\n" "$3" $(($(date +%s) - begin)); } | sed "/^Running suite/d"
exit $code'
for suite; do is_alone "$suite" || printf '%s\n' "$suite"; done |
	xargs -r -P "$(nproc)" -n 1 sh -c "$one" one "$program" "$out" || status=1
for suite; do
	! is_alone "$suite" || sh -c "$one" one "$program" "$out" "$suite" || status=1
done
exit $status
