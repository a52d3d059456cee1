#!/bin/sh
# SPDX-License-Identifier: MIT
# guest.sh, inside the VM, in the unpacked share: runs the suites of the file `suites` ("unit node",
# "drill run", "scenario hello" a line). What they print goes to the second serial port, the host's
# results file; the line "end" says that nothing was cut off.
set -u
stty -F /dev/ttyS1 raw -echo
exec > /dev/ttyS1 2>&1 < /dev/null
export BACKOUT_BIN="$PWD/backout" LC_ALL=C.UTF-8 HOME=/root
# This host is the tests' own.
export BACKOUT_TEST_SETS_CLOCK=1
printf 'vm: Linux %s, %s, %s\n' "$(uname -r)" "$(systemctl --version | head -n 1)" \
	"$(stat -fc %T /sys/fs/cgroup)"
# Swap, which limits of swap are tried on.
fallocate -l 256M /swap && chmod 600 /swap && mkswap -q /swap && swapon /swap
if [ -d images ]; then
	mkdir -p /var/lib/backout
	mv images /var/lib/backout/images
fi

# A scenario is one more test: the whole drill as a user runs it, from the image it is given.
scenario() {
	if "$BACKOUT_BIN" run "scenarios/$1/scenario.json" --runs /var/tmp/runs > log 2>&1; then
		echo "scenario $1: 1 passed, 0 failed, 0 skipped"
	else
		echo "exit code $?"
		tail -n 40 log
		echo "scenario $1: 0 passed, 1 failed, 0 skipped"
	fi
}

while read -r kind suite; do
	from=$(cut -d . -f 1 /proc/uptime)
	echo "begin $kind $suite"
	case $kind in
	unit) ./unit-tests "$suite" ;;
	drill) ./drill-tests "$suite" ;;
	scenario) scenario "$suite" ;;
	esac
	echo "done $kind $suite: $(($(cut -d . -f 1 /proc/uptime) - from)) s"
done < suites
echo end
