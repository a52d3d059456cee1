#!/bin/sh
# SPDX-License-Identifier: MIT
# BUILD=build sweep.sh upgrade|dozen: points settled per second and core.
# upgrade: scenarios/dpkg-upgrade's every point, by `backout sweep` pinned to one processor and on two,
# beside the loop that does the same by hand (strace-loop.sh: same root, same rollback, one
# processor). One after the other, ROUNDS times (default 3), so that ratios hold on a host that has
# other work; medians. LOOP: points of a round's loop (default 40, evenly spread).
# dozen: scenarios/dpkg-dozen, some 5,000 points, as far as BUDGET (default 170s) brings two jobs.
# "by the drills": as the report has it, which counts from the first drill; "in all": with the two
# clean runs before it. Fetches nothing: scenarios/dpkg-dozen/prepare.sh does.
set -eu
BUILD=${BUILD:-build} rounds=${ROUNDS:-3}
backout=$BUILD/backout
tmp=$(mktemp -d /var/tmp/backout-bench-XXXXXX)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
now() { date +%s.%N; }
load() { cut -d ' ' -f 1 /proc/loadavg; }
processors=$(taskset -pc $$ | sed 's/.*: //')
one=$(echo "$processors" | sed 's/.*[ ,-]//')

# "POINTS CLASSES DRILLED RATE RATE-IN-ALL EXIT"
sweep() { # jobs scenario arguments...
	jobs=$1 scenario=$2 code=0
	shift 2
	pin=$processors
	[ "$jobs" -ne 1 ] || pin=$one
	begin=$(now)
	taskset -c "$pin" "$backout" sweep "$scenario" --jobs "$jobs" --runs "$tmp/runs" "$@" \
		>"$tmp/report" 2>"$tmp/log" || code=$?
	grep -q '^[0-9]* points.* points/s' "$tmp/report" || { cat "$tmp/log" >&2; exit 1; }
	awk -v b="$begin" -v e="$(now)" -v code="$code" '/^[0-9]+ points.* points\/s/ {
		match($0, /: [0-9.]+ points\/s/)
		rate = substr($0, RSTART + 2) + 0
		print $1, $3, $5, rate, $1 / (e - b), code }' "$tmp/report"
	rm -rf "$tmp/runs"
}

median() { # column file
	awk -v c="$1" '{ print $c }' "$2" | sort -g | awk '{ v[NR] = $1 } END { printf "%.2f", v[int((NR + 1) / 2)] }'
}

upgrade() {
	scenario=scenarios/dpkg-upgrade/scenario.json
	command -v strace >/dev/null || { echo '  strace: not installed (apt-get install strace), skipped'; return; }
	image=$("$backout" image build "$scenario" | sed -n 's/^host: [^ ]* //p')
	[ -n "$image" ] || { echo '  no Debian root, skipped'; return; }
	two=0
	[ "$processors" = "$one" ] || two=1
	round=0
	while [ $round -lt "$rounds" ]; do
		round=$((round + 1))
		tests/bench/strace-loop.sh "$image" "${LOOP:-40}" >"$tmp/loop"
		loop=$(sed -n 's/.* on one core: \([0-9.]*\) points.*/\1/p' "$tmp/loop")
		a=$(sweep 1 "$scenario" --rollback reinstall-old)
		b=$a
		[ $two -eq 0 ] || b=$(sweep 2 "$scenario" --rollback reinstall-old)
		echo "$loop $a $b" | awk -v load="$(load)" '{
			printf "  round: loop %.2f points/s; sweep on 1 core %.2f (in all %.2f), x%.2f; on 2 %.2f, x%.2f of 1; load %s\n",
				$1, $5, $6, $5 / $1, $11, $11 / $5, load >"/dev/stderr"
			print $1, $5, $6, $11, $12, $5 / $1, $11 / $5, $2, $3 }' >>"$tmp/rounds"
	done
	all=$(sed -n 's/.*: [0-9]* of \([0-9]*\) points in.*/\1/p' "$tmp/loop")
	m() { median "$1" "$tmp/rounds"; }
	tail -n 1 "$tmp/rounds" | awk -v loop="$(m 1)" -v one="$(m 2)" -v whole="$(m 3)" -v two="$(m 4)" \
		-v ratio="$(m 6)" -v scale="$(m 7)" -v all="$all" -v pair=$two '{
		printf "  by hand, strace, one core        %7.2f points/s and core (of %d points)\n", loop, all
		printf "  backout sweep, one core          %7.2f points/s and core by the drills, %.2f in all   x%.2f\n", one, whole, ratio
		if (pair) printf "  backout sweep, 2 jobs            %7.2f points/s, %.2f a core   x%.2f of one job\n", two, two / 2, scale
		printf "  %d points in %d classes: %.1f ms a point, %.1f ms a class, on one core\n", $8, $9, 1000 / one, 1000 / one * $8 / $9 }'
}

dozen() {
	scenario=scenarios/dpkg-dozen/scenario.json
	[ -e scenarios/dpkg-dozen/cache/debs ] || { echo '  its packages are not there (scenarios/dpkg-dozen/prepare.sh), skipped'; return; }
	"$backout" image build "$scenario" >/dev/null
	settled=$(sweep 2 "$scenario" --budget "${BUDGET:-170s}")
	sed -n -e '/^[0-9]* points.* points\/s/s/^/  /p' -e '/^    coverage/p' "$tmp/report"
	echo "$settled" | awk -v load="$(load)" '{ printf "  exit %d; load %s\n", $6, load }'
}

[ "$(id -u)" -eq 0 ] || { echo 'sweep.sh: needs root' >&2; exit 69; }
"$1"
