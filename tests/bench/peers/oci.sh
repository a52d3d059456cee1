# SPDX-License-Identifier: MIT
# A runtime of OCI bundles: has no overlay of its own, and leaves the network to hooks. Sourced with
# $runtime set.
# shellcheck shell=sh disable=SC2154,SC1091
# shellcheck disable=SC1091,SC2154  # what parts.sh sets
. "$SCRIPTS/parts.sh"
work_up
printf '{
"ociVersion": "1.0.2",
"process": { "user": { "uid": 0, "gid": 0 }, "args": [ "/bin/true" ], "cwd": "/",
	"env": [ "PATH=/usr/sbin:/usr/bin:/sbin:/bin" ] },
"root": { "path": "root" },
"hostname": "node",
"mounts": [
	{ "destination": "/proc", "type": "proc", "source": "proc" },
	{ "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [ "ro", "nosuid", "noexec", "nodev" ] },
	{ "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": [ "nosuid", "mode=755" ] },
	{ "destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": [ "nosuid", "noexec", "newinstance", "ptmxmode=0666" ] },
	{ "destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": [ "nosuid", "nodev", "mode=1777" ] },
	{ "destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": [ "nosuid", "nodev" ] },
	{ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": [ "nosuid", "nodev", "mode=1777" ] } ],
"hooks": { "createRuntime": [ { "path": "/bin/sh",
	"args": [ "sh", "%s/oci-hook.sh", "%s", "%s" ],
	"env": [ "PATH=%s", "ROOT=%s" ] } ] },
"linux": {
	"namespaces": [ { "type": "mount" }, { "type": "pid" }, { "type": "network" }, { "type": "uts" },
		{ "type": "ipc" }, { "type": "cgroup" } ],
	"cgroupsPath": "%s/%s",
	"resources": { "memory": { "limit": %d }, "pids": { "limit": %d } },
	"maskedPaths": [ "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/sys/firmware" ],
	"readonlyPaths": [ "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" ] }
}' "$SCRIPTS" "$id" "$2" "$PATH" "$ROOT" "$GROUP" "$id" "$MEMORY" "$PIDS" > "$id/config.json"
overlay_up
"$runtime" --root "$PWD/$runtime" run --bundle "$id" "$id"
overlay_down
work_down
