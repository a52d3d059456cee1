#!/bin/sh
# SPDX-License-Identifier: MIT
# systemd-nspawn: limits are those of the group that it runs in, where no systemd gives it a scope.
# The address is set from inside; nothing else can.
# shellcheck disable=SC1091,SC2154  # what parts.sh sets
. "$SCRIPTS/parts.sh"
groups_up
overlay_up
systemd-nspawn -q -D "$id/root" --machine="$id" --hostname=node --network-bridge=sw0 --as-pid2 \
	--register=no --keep-unit --private-users=no --link-journal=no --timezone=off --resolv-conf=off \
	--console=pipe /bin/sh -ec "ip addr add $address dev host0; ip link set host0 up; exec true"
groups_leave
overlay_down
groups_down
work_down
