#!/bin/sh
# SPDX-License-Identifier: MIT
# check-floors.sh [TREE]: no file includes a floor above its own, kinds never include each
# other, and a third-party library is named by its one wrapper alone.
set -eu
cd "${1:-.}"
find harness injectors reports -name '*.[ch]' 2>/dev/null | sort | xargs awk '
	BEGIN {
		base = "harness/base "; model = base "harness/model "; sandbox = model "harness/sandbox "
		may["harness/base"] = base
		may["harness/model"] = model
		may["harness/sandbox"] = sandbox
		may["harness/triggers"] = sandbox "harness/triggers "
		may["harness/probes"] = sandbox "harness/probes "
		may["injectors"] = sandbox "injectors "
		may["harness/engine"] = sandbox "harness/triggers harness/probes injectors harness/engine "
		may["reports"] = model "reports "
		may["harness/cli"] = may["harness/engine"] "reports harness/cli "
		# header pattern -> the files that may name it
		wrapper["^cjson/"] = "harness/model/json.c "
		wrapper["^seccomp[.]h$"] = "harness/sandbox/filter.c harness/sandbox/baseline.c "
		wrapper["^netlink/"] = "harness/sandbox/link.c harness/sandbox/link_nl.c harness/sandbox/link_nl.h "
		wrapper["^libcgroup"] = "harness/sandbox/cgroup_v1.c "
		wrapper["^xxhash[.]h$"] = "harness/base/hash.c "
		wrapper["^archive(_entry)?[.]h$"] = "harness/base/archive.c "
	}
	function floor_of(path) { sub("/[^/]*$", "", path); return path }
	function bad(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; failed = 1 }
	/^[ \t]*#[ \t]*include[ \t]*"/ {
		split($0, part, "\"")
		from = floor_of(FILENAME); to = floor_of(part[2])
		if (!(from in may)) bad("a folder without a floor")
		else if (!index(may[from], to " ")) bad(from " may not include \"" part[2] "\"")
	}
	/^[ \t]*#[ \t]*include[ \t]*</ {
		name = $0; sub("^[^<]*<", "", name); sub(">.*$", "", name)
		for (w in wrapper)
			if (name ~ w && !index(wrapper[w], FILENAME " "))
				bad("<" name "> is named in " wrapper[w] "alone")
	}
	END { exit failed }'
