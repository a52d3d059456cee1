#!/bin/sh
# SPDX-License-Identifier: MIT
# check-headers.sh [TREE]: every header compiles alone, and its guard is its own.
set -eu
cd "${1:-.}"
failed=0
guards=$(mktemp)
trap 'rm -f "$guards"' EXIT
# X-macro headers of one line each need no context; headers of tests include Check.
for h in $(find harness injectors reports tests -name '*.h' 2>/dev/null | sort); do
	printf '#include "%s"\n' "$h" |
		${CC:-gcc} -std=gnu11 -Wall -Wextra -Werror -I. -D_GNU_SOURCE -fsyntax-only -x c - ||
		{ printf '%s: does not compile alone\n' "$h"; failed=1; }
	guard=$(sed -n 's/^#ifndef \([A-Z0-9_]*_H\)$/\1/p' "$h" | head -n 1)
	[ -n "$guard" ] || { printf '%s: has no include guard\n' "$h"; failed=1; }
	if grep -qx "$guard" "$guards"; then
		printf '%s: its guard %s is taken by another header\n' "$h" "$guard"
		failed=1
	fi
	printf '%s\n' "$guard" >> "$guards"
done
exit $failed
