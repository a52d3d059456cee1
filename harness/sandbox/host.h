/* SPDX-License-Identifier: MIT */
/*
 * What this host offers. Each feature is tried for real, in a forked child with namespaces of
 * its own, so that nothing is left; a test that hangs is killed and counts as lacking.
 */
#ifndef BACKOUT_SANDBOX_HOST_H
#define BACKOUT_SANDBOX_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/sandbox/owner.h"

/* id, name, what needs it, way out where it lacks */
/* clang-format off */
#define HOST_FEATURES(X)                                                                           \
	X(ROOT, "root", "nodes", \
	  "run backout as root, with all capabilities; or as a user who may make user namespaces " \
	  "(user.max_user_namespaces, kernel.unprivileged_userns_clone, "                          \
	  "kernel.apparmor_restrict_unprivileged_userns)")                                         \
	X(STATE, "state folder", "everything that runs",                                           \
	  "name a folder on a disk with --state DIR or BACKOUT_STATE")                             \
	X(NAMESPACES, "namespaces", "nodes",                                                       \
	  "allow mount, pid, net, uts, ipc and cgroup namespaces (in a container: --privileged)")  \
	X(OVERLAY, "overlay with index=on", "node roots",                                          \
	  "keep the state folder on a plain disk (ext4, xfs, btrfs), not itself on an overlay")    \
	X(EROFS, "erofs images", "debian roots, files and set-up",                                 \
	  "a kernel with CONFIG_EROFS_FS, and erofs-utils installed")                              \
	X(MKFS_EROFS, "mkfs.erofs", "building images", "apt-get install erofs-utils")              \
	X(MMDEBSTRAP, "mmdebstrap", "debian roots", "apt-get install mmdebstrap")                  \
	X(DISK_EXT4, "ext4 disks", "disks of nodes", HOST_DISK_OUT("e2fsprogs", "EXT4"))           \
	X(DISK_XFS, "xfs disks", "disks of nodes with \"xfs\"", HOST_DISK_OUT("xfsprogs", "XFS")) \
	X(DISK_BTRFS, "btrfs disks", "disks of nodes with \"btrfs\"",                              \
	  HOST_DISK_OUT("btrfs-progs", "BTRFS"))                                                   \
	X(BRIDGE, "bridge", "addresses of nodes", "a kernel with CONFIG_BRIDGE (modprobe bridge)") \
	X(VETH, "veth", "addresses of nodes", "a kernel with CONFIG_VETH (modprobe veth)")         \
	X(TBF, "tbf", "a node's rate", "a kernel with CONFIG_NET_SCH_TBF (modprobe sch_tbf)")      \
	X(FANOTIFY, "fanotify exec permission",                                                    \
	  "trigger program, package.script, package.corrupt, sweep",                                 \
	  "a kernel with CONFIG_FANOTIFY_ACCESS_PERMISSIONS")                                      \
	X(SECCOMP, "seccomp user notification", "trigger syscall",                                 \
	  "Linux 5.5 or later with CONFIG_SECCOMP_FILTER, and no filter that has a listener already") \
	X(PTRACE, "ptrace seize", "process.kill (to see that a signal was felt)",                  \
	  "allow ptrace (kernel.yama.ptrace_scope below 3, no seccomp filter against it)")         \
	X(CGROUP_MEMORY, "cgroup memory limit", "limits.memory", HOST_CGROUP_OUT)                  \
	X(CGROUP_PIDS, "cgroup pids limit", "limits.pids", HOST_CGROUP_OUT)                        \
	X(CGROUP_CPU, "cgroup cpu limit", "limits.cpu", HOST_CGROUP_OUT)                           \
	X(CGROUP_SWAP, "cgroup swap limit", "limits.swap", HOST_CGROUP_OUT)                        \
	X(CGROUP_CPUS, "cgroup processors", "limits.cpus", HOST_CGROUP_OUT)                        \
	X(CGROUP_IO, "cgroup io limit", "limits.io", HOST_CGROUP_OUT)                              \
	X(CGROUP_INNER, "cgroup v2 of a node's own", "\"init\": \"systemd\"",                         \
	  "mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified where v1 is in use, and run as root")   \
	X(CGROUP_FREEZE, "cgroup freeze and kill", "stopping a node's processes at once (else one by one)", \
	  HOST_CGROUP_OUT)
/* clang-format on */

#define HOST_CGROUP_OUT                                                                            \
	"run as root; under systemd `systemd-run --scope true` has to work; in a container "       \
	"--privileged, with no process in the root of its /sys/fs/cgroup; or drop the limit"

#define HOST_DISK_OUT(package, config)                                                             \
	"apt-get install " package ", a kernel with CONFIG_" config "_FS and loop devices"

enum host_feature {
#define X(id, name, needs, out) HOST_##id,
	HOST_FEATURES(X)
#undef X
		HOST_FEATURE_COUNT
};

#define HOST_BIT(f) (UINT64_C(1) << (f))
#define HOST_ALL    ((UINT64_C(1) << HOST_FEATURE_COUNT) - 1)

enum { HOST_DETAIL_MAX = 240 };

struct host_result {
	bool asked; /* it was in the set */
	bool tried; /* false: something that the test itself needs lacks already */
	bool ok;
	char detail[HOST_DETAIL_MAX]; /* how it was seen, or why not */
};

const char *host_feature_name(enum host_feature f);
const char *host_feature_needs(enum host_feature f); /* what in backout needs it */
const char *host_feature_out(enum host_feature f);   /* the way out */
/* What the kernel gives to no user namespace, as an ordinary user's harness has: none on the host.
 */
uint64_t host_of_root_alone(void);

/* Tries the features of the set, under an owner in `state_dir` (made where it does not exist).
 * Takes well under a second. Those that nodes of a user namespace do without are not asked. */
void host_check(uint64_t features, const char *state_dir,
		struct host_result ret[HOST_FEATURE_COUNT]);
/* 0 when this host has them all; else exit 69 with every one that lacks and the first's way out. */
int host_require(uint64_t features, const char *state_dir, struct err *e);
/* The same for a process that has its owner already: it can have only one. */
int host_require_owned(uint64_t features, struct owner *o, struct err *e);

#endif
