#!/bin/sh
# SPDX-License-Identifier: MIT
# nightly.sh [SCENARIO-FOLDER...]: run every scenario with its own plan, and those plans that are
# known to be wrong, then sweep them, and see that each ends with the exit code that it should, and a
# sweep with so many things wrong at least. A scenario that
# cannot be prepared here (apt offers one version only) is skipped, and said so; BACKOUT_MUST_RUN=1
# turns that into a failure. Reports stay in BACKOUT_RUNS. Needs root; takes an hour or so.
# NIGHTLY_ONLY=runs or =sweeps does one half.
set -u
cd "$(dirname "$0")/.." || exit 1
: "${BACKOUT_BIN:=build/backout}" "${BACKOUT_RUNS:=runs}"
export BACKOUT_RUNS
[ $# -gt 0 ] || set -- scenarios/*/
passed=0 failed=0 skipped=0

# scenario file, plan, exit code
wrong='
scenarios/nginx-upgrade/bad-rollback.json configure-then-downgrade 1
scenarios/nginx-upgrade/systemd.json reinstall-old 0
scenarios/dpkg-upgrade/scenario.json reinstall-old 1
scenarios/dpkg-upgrade/scenario.json configure-then-downgrade 1
scenarios/dpkg-upgrade/scenario.json configure 1
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

# scenario file, plan, exit code, groups at least, options
sweeps='
scenarios/hello/scenario.json - 1 1
scenarios/dpkg-upgrade/scenario.json snapshot 0 0
scenarios/dpkg-upgrade/scenario.json snapshot 0 0 --strike=crash
scenarios/dpkg-upgrade/scenario.json forward-then-back 0 0
scenarios/dpkg-upgrade/scenario.json reinstall-old 1 3
scenarios/dpkg-upgrade/scenario.json configure-then-downgrade 1 1
scenarios/dpkg-upgrade/scenario.json roll-forward 0 0
scenarios/dpkg-upgrade/scenario.json configure-and-upgrade 0 0
scenarios/dpkg-upgrade/scenario.json configure 1 3
scenarios/dpkg-dozen/scenario.json snapshot 0 0 --budget=10m
scenarios/openssl-upgrade/scenario.json - 0 0 --points=programs --budget=5m
scenarios/nginx-upgrade/scenario.json - 0 0 --points=programs --budget=5m
scenarios/postgresql-15-upgrade/scenario.json - 0 0 --points=programs --budget=10m
scenarios/config-push/scenario.json - 0 0
scenarios/config-push/scenario.json - 0 0 --strike=crash
scenarios/config-push/wrong.json - 1 1
scenarios/symlink-switch/scenario.json - 0 0
scenarios/symlink-switch/scenario.json - 0 0 --strike=crash
scenarios/symlink-switch/wrong.json - 1 1
scenarios/symlink-switch/wrong-litter.json - 1 1
scenarios/tar-deploy/scenario.json - 0 0
scenarios/tar-deploy/scenario.json - 0 0 --strike=crash
scenarios/tar-deploy/wrong.json - 1 1
scenarios/sqlite-migration/scenario.json - 0 0
scenarios/sqlite-migration/scenario.json - 0 0 --strike=crash
scenarios/sqlite-migration/wrong.json - 1 1
scenarios/git-push/scenario.json - 0 0
scenarios/git-push/scenario.json - 0 0 --strike=crash
scenarios/git-push/wrong.json - 1 1
scenarios/ostree/scenario.json - 0 0
scenarios/ostree/scenario.json - 0 0 --strike=crash
scenarios/ostree/wrong.json - 1 1
scenarios/sed-config/scenario.json - 0 0 --strike=power
scenarios/sed-config/wrong.json - 1 1 --strike=power'

sweep() { # file, plan, exit code, groups, options
	file=$1 plan=$2 want=$3 groups=$4 begin=$(date +%s) code=0
	shift 4
	[ "$plan" = - ] && plan=
	"$BACKOUT_BIN" sweep "$file" ${plan:+--rollback "$plan"} "$@" --quiet --json >"$out" 2>"$out.err" || code=$?
	found=$(jq '.sweep.groups | length' "$out" 2>/dev/null)
	if [ "$code" -eq "$want" ] && [ "${found:-0}" -ge "$groups" ]; then passed=$((passed + 1)) said=ok
	else failed=$((failed + 1)) said=FAILED; fi
	printf '%-6s sweep %s%s%s: exit %d, %s in %d s\n' "$said" "$file" "${plan:+, plan $plan}" "${1:+ $*}" "$code" \
		"$(jq -r '.sweep | "\(.points | length) points, \(.classes | length) classes, \(.groups | length) groups"' "$out" 2>/dev/null)" \
		$(($(date +%s) - begin))
	[ "$said" = ok ] || { jq -c '.sweep.groups[] | [.outcome, .what, .points]' "$out" 2>/dev/null; tail -n 5 "$out.err"; }
}

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
	if [ "${NIGHTLY_ONLY:-}" != sweeps ]; then
	run "$folder/scenario.json" "" 0
	while read -r file plan code; do
		case $file in "$folder"/*) run "$file" "$plan" "$code" </dev/null ;; esac
	done <<-END
		$wrong
	END
	fi
	[ "${NIGHTLY_ONLY:-}" != runs ] || continue
	while read -r file plan code groups options; do
		# shellcheck disable=SC2086 # options are words
		case $file in "$folder"/*) sweep "$file" "$plan" "$code" "$groups" $options </dev/null ;; esac
	done <<-END
		$sweeps
	END
done
printf 'nightly: %d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ] && { [ "$skipped" -eq 0 ] || [ -z "${BACKOUT_MUST_RUN:-}" ]; }
