#!/bin/sh
# SPDX-License-Identifier: MIT
# unshare(1) and ip(8): all by hand.
# shellcheck disable=SC1091,SC2154  # what parts.sh sets
. "$SCRIPTS/parts.sh"
groups_up
export work overlay address port
# shellcheck disable=SC2016  # the inner shell's
OUTSIDE=$$ unshare --mount --pid --net --uts --ipc --cgroup --fork --kill-child sh -ec '
	mount -t overlay -o "$overlay" overlay "$work/root"
	ip -batch - <<-END
		link set lo up
		link add eth0 type veth peer name $port netns /proc/$OUTSIDE/ns/net
		addr add $address dev eth0
		link set eth0 up
	END
	nsenter --net=/proc/$OUTSIDE/ns/net ip link set "$port" up master sw0
	echo node > /proc/sys/kernel/hostname
	cd "$work/root"
	mount -t proc -o nosuid,nodev,noexec proc proc
	mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
	mount --rbind /dev dev
	mount -t tmpfs -o nosuid,nodev tmpfs run
	mount -t tmpfs -o nosuid,nodev tmpfs tmp
	exec chroot . /bin/true'
groups_leave
groups_down
work_down
