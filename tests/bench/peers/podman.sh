#!/bin/sh
# SPDX-License-Identifier: MIT
# podman: has an overlay and limits; a bridge of its own would need its network programs, so the
# namespace is made here.
# shellcheck disable=SC1091,SC2154  # what parts.sh sets
. "$SCRIPTS/parts.sh"
ip -batch - <<-END
	netns add $id
	link add $port up master sw0 type veth peer name eth0 netns $id
END
ip -n "$id" -batch - <<-END
	link set lo up
	addr add $address dev eth0
	link set eth0 up
END
code=0
podman --root "$PWD/podman" --runroot "$PWD/podman-run" --tmpdir "$PWD/podman-tmp" \
	--cgroup-manager=cgroupfs --events-backend=none --runtime=crun \
	run --rm --network="ns:/run/netns/$id" --cgroupns=private --cgroup-parent="$GROUP" \
	--memory="$MEMORY" --pids-limit="$PIDS" --ulimit=nofile=1024:1024 --ulimit=nproc=1024:1024 --log-driver=none --no-hosts --hostname=node \
	--name="$id" --rootfs "$ROOT:O" /bin/true || code=$?
ip netns del "$id"
exit "$code"
