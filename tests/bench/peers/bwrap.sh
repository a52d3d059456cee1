#!/bin/sh
# SPDX-License-Identifier: MIT
# bubblewrap: has no overlay (before 0.9), no limits, and a network of lo alone.
# shellcheck disable=SC1091,SC2154  # what parts.sh sets
. "$SCRIPTS/parts.sh"
groups_up
overlay_up
[ -p block ] || mkfifo block
{
	code=0
	bwrap --unshare-ipc --unshare-pid --unshare-net --unshare-uts --unshare-cgroup \
		--bind "$id/root" / --proc /proc --dev /dev --ro-bind /sys /sys --tmpfs /run --tmpfs /tmp \
		--hostname node --die-with-parent --info-fd 3 --block-fd 4 /bin/true 3>&1 4<> block >&2 || code=$?
	echo $code > code
} | {
	while read -r key value; do
		[ "$key" != '"child-pid":' ] || break
	done
	failed=0
	link_up "${value%,}" || failed=1
	echo > block # else it would wait for ever
	exit $failed
}
read -r result < code
groups_leave
overlay_down
groups_down
work_down
exit "$result"
