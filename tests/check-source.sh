#!/bin/sh
# SPDX-License-Identifier: MIT
# check-source.sh [TREE]: functions that invite mistakes are not called, files stay short, and
# each says its licence.
set -eu
cd "${1:-.}"
files=$(find harness injectors reports -name '*.[ch]' 2>/dev/null | sort)
# shellcheck disable=SC2086  # file names without spaces
awk '
	function bad(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; failed = 1 }
	FNR == 1 {
		if ($0 !~ /SPDX-License-Identifier: MIT/) bad("the first line names no licence")
		comment = 0
	}
	{
		line = $0
		gsub(/"([^"\\]|\\.)*"/, "\"\"", line) # texts and comments may name anything
		while (match(line, /\/\*([^*]|\*[^\/])*\*\//)) line = substr(line, 1, RSTART - 1) substr(line, RSTART + RLENGTH)
		sub(/\/\/.*/, "", line)
		if (comment) { if (sub(/^.*\*\//, "", line)) comment = 0; else line = "" }
		if (sub(/\/\*.*$/, "", line)) comment = 1
	}
	match(line, /(^|[^A-Za-z0-9_])(strcpy|strcat|sprintf|vsprintf|strtok|strtok_r|gets|system|popen|localtime|gmtime|ctime|asctime|alloca|atoi|atol|tmpnam|mktemp)[ \t]*\(/) {
		bad("banned: " substr(line, RSTART, RLENGTH))
	}
	FNR == 501 { bad("more than 500 lines") }
	length($0) > 0 && $0 ~ /[ \t]$/ { bad("blanks at the end of the line") }
	END { exit failed }' ${files:-/dev/null}
