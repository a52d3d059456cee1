#!/bin/sh
# SPDX-License-Identifier: MIT
# check-lists.sh [TREE]: in each folder of kinds every row has the file that defines its
# descriptor, and every file that defines one has its row.
set -eu
cd "${1:-.}"
failed=0
complain() { printf '%s\n' "$1"; failed=1; }

# folder, list, macro, C type, prefix of the descriptor
while read -r dir list macro type prefix; do
	[ -f "$dir/$list" ] || { complain "$dir/$list: missing"; continue; }
	# The macro's own lines, continuations joined.
	rows=$(sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$dir/$list" |
		sed -n "s/^#define $macro(X)//p" | grep -o 'X([a-z0-9_]*' | cut -c 3- || true)
	for row in $rows; do
		grep -qs "^const struct $type ${prefix}_$row = {" "$dir/$row.c" ||
			complain "$dir/$list: row $row, but $dir/$row.c does not define ${prefix}_$row"
	done
	for found in $(grep -l "^const struct $type ${prefix}_[a-z0-9_]* = {" "$dir"/*.c 2>/dev/null || true); do
		name=$(sed -n "s/^const struct $type ${prefix}_\([a-z0-9_]*\) = {.*/\1/p" "$found")
		for n in $name; do
			printf '%s\n' "$rows" | grep -qx "$n" ||
				complain "$found: defines ${prefix}_$n, which has no row in $dir/$list"
		done
	done
	# A source without a descriptor must be somebody's helper: it shares a header of its name, or
	# the first part of its name with one ("link_nl.c" of "link.h").
	for file in "$dir"/*.c; do
		base=$(basename "$file" .c)
		[ "$dir" != harness/cli ] || continue
		[ "$base" != "${list%.h}" ] || continue
		printf '%s\n' "$rows" | grep -qx "$base" && continue
		[ -f "$dir/$base.h" ] && continue
		[ -f "$dir/${base%%_*}.h" ] && continue
		complain "$file: neither a row of $dir/$list nor a helper with a header"
	done
done <<END
injectors list.h INJECTORS injector injector
harness/triggers list.h TRIGGERS trigger_kind trigger
harness/probes list.h PROBES probe_kind probe
reports list.h REPORTS report_format report
harness/cli commands.h COMMANDS command command
END
exit $failed
