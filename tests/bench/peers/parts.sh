# SPDX-License-Identifier: MIT
# What peers have not themselves; sourced by PEER.sh ID ADDRESS, which bench-node runs in the lane's
# folder: a work folder with an overlay, groups with limits, a veth. As few programs as a script can
# do with.
# shellcheck shell=sh
set -eu
id=$1 address=10.0.$2/16 work=$PWD/$1 port=p${1##*-}

work_up() { mkdir "$id" "$id/upper" "$id/work" "$id/root" "$@"; }

groups_up() { # and this shell into them
	work_up "$MEMORY_GROUP/$id" "$PIDS_GROUP/$id"
	echo "$MEMORY" > "$MEMORY_GROUP/$id/$MEMORY_FILE"
	echo "$PIDS" > "$PIDS_GROUP/$id/pids.max"
	echo $$ > "$MEMORY_GROUP/$id/cgroup.procs"
	echo $$ > "$PIDS_GROUP/$id/cgroup.procs"
}
groups_leave() {
	echo $$ > "$MEMORY_GROUP/cgroup.procs"
	echo $$ > "$PIDS_GROUP/cgroup.procs"
}
groups_down() { # once the last one is dead
	tries=0
	until rmdir "$MEMORY_GROUP/$id" 2> /dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 1000 ]
	done
	rmdir "$PIDS_GROUP/$id"
}
work_down() { rm -r "$id"; }

overlay=lowerdir=$ROOT,upperdir=$work/upper,workdir=$work/work,index=on,xino=on
overlay_up() { mount -t overlay -o "$overlay" overlay "$id/root"; }
overlay_down() { umount "$id/root"; }

# A veth from the switch to eth0 of that process's network, whose lo is the peer's matter.
link_up() { # PID
	ip link add "$port" up master sw0 type veth peer name eth0 netns "$1"
	nsenter -t "$1" -n ip -batch - <<-END
		addr add $address dev eth0
		link set eth0 up
	END
}
