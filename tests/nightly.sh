#!/bin/sh
# SPDX-License-Identifier: MIT
# nightly.sh [SCENARIO-FOLDER...]: run every scenario with its own plan, and those plans that are
# known to be wrong, and see that each ends with the exit code that it should. A scenario that
# cannot be prepared here (apt offers one version only) is skipped, and said so; BACKOUT_MUST_RUN=1
# turns that into a failure. Reports stay in BACKOUT_RUNS. Needs root; takes some quarter of an hour.
set -u
cd "$(dirname "$0")/.." || exit 1
: "${BACKOUT_BIN:=build/backout}" "${BACKOUT_RUNS:=runs}"
export BACKOUT_RUNS
[ $# -gt 0 ] || set -- scenarios/*/
passed=0 failed=0 skipped=0

# scenario file, plan, exit code
wrong='
scenarios/nginx-upgrade/bad-rollback.json configure-then-downgrade 1
scenarios/dpkg-upgrade/scenario.json reinstall-old 1
scenarios/dpkg-upgrade/scenario.json configure-then-downgrade 1
scenarios/dpkg-dozen/scenario.json purge 1
scenarios/postgresql-15-upgrade/scenario.json reinstall-old 1
scenarios/config-push/wrong.json restore 1
scenarios/symlink-switch/wrong.json switch-back 1
scenarios/symlink-switch/wrong-litter.json switch-back 1
scenarios/tar-deploy/wrong.json back-out 1
scenarios/sed-config/wrong.json back-out 1
scenarios/sqlite-migration/wrong.json migrate-down 1
scenarios/git-push/wrong.json back-out 1
scenarios/ostree/wrong.json back-out 1'

run() { # file, plan ("": its own), exit code
	begin=$(date +%s) code=0
	"$BACKOUT_BIN" run "$1" ${2:+--rollback "$2"} --quiet >"$out" 2>"$out.err" || code=$?
	if [ "$code" -eq "$3" ]; then passed=$((passed + 1)) said=ok; else failed=$((failed + 1)) said=FAILED; fi
	printf '%-6s %s%s: exit %d in %d s\n' "$said" "$1" "${2:+, plan $2}" "$code" $(($(date +%s) - begin))
	[ "$said" = ok ] || cat "$out" "$out.err"
}

out=$(mktemp)
trap 'rm -f "$out" "$out.err"' EXIT
trap 'exit 1' HUP INT TERM
for folder; do
	folder=${folder%/}
	code=0
	[ ! -x "$folder/prepare.sh" ] || "$folder/prepare.sh" >"$out" 2>&1 || code=$?
	case $code in
	0) ;;
	69) skipped=$((skipped + 1)) && printf 'skipped %s:\n' "$folder" && cat "$out" && continue ;;
	*) failed=$((failed + 1)) && printf 'FAILED %s: prepare.sh: exit %d\n' "$folder" "$code" && cat "$out" && continue ;;
	esac
	run "$folder/scenario.json" "" 0
	while read -r file plan code; do
		case $file in "$folder"/*) run "$file" "$plan" "$code" </dev/null ;; esac
	done <<-END
		$wrong
	END
done
printf 'nightly: %d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ] && { [ "$skipped" -eq 0 ] || [ -z "${BACKOUT_MUST_RUN:-}" ]; }
