/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/sandbox/baseline.h"

/* ---- capabilities ---- */

/* clang-format off */
static const unsigned char kept[] = {
	/* what container runtimes give */
	CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID, CAP_SETUID,
	CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_SYS_CHROOT, CAP_AUDIT_WRITE,
	CAP_SETFCAP,
	CAP_MKNOD,      /* tar and cp -a copy devices; every mount but our devices' is nodev */
	CAP_NET_ADMIN,  /* patches change addresses and routes: of the node's own network */
	CAP_SYS_PTRACE, /* /proc/PID/exe of other users: start-stop-daemon --exec stops nothing else */
	CAP_SYS_ADMIN,  /* host name, unshare, trusted attributes; mounts are the filter's matter.
			   Init needs it for the filters of steps */
	CAP_SYS_BOOT,   /* reboot(2) ends the node alone; kexec is refused */
};
/* clang-format on */

static uint64_t kept_bits(void)
{
	uint64_t bits = 0;
	for (size_t i = 0; i < sizeof(kept); i++)
		bits |= UINT64_C(1) << kept[i];
	return bits;
}

/* What the harness does not have itself it cannot keep: a container may have taken it away. */
static int reduce_capabilities(struct err *e)
{
	const uint64_t keep = kept_bits();
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if ((keep >> cap & 1) == 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return ERR(e, errno, "drop capability %d", cap);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capget, &head, data) < 0)
		return ERR(e, errno, "look at the capabilities");
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, data) < 0)
		return ERR(e, errno, "reduce the capabilities");
	return 0;
}

int confine_process(const struct sock_fprog *program, bool no_new_privs, struct err *e)
{
	if (reduce_capabilities(e) < 0)
		return -1;
	if (no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return ERR(e, errno, "set no_new_privs");
	if (baseline_install(program) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno,
			      "refuse system calls (seccomp filters, CONFIG_SECCOMP_FILTER)");
	return 0;
}

/* ---- resource limits ---- */

enum {
	FILES_SOFT = 1024,
	FILES_HARD = 524288,
	LOCKED_BYTES = 8 << 20,
	QUEUE_BYTES = 819200,
	SIGNALS = 65536,
};

int confine_limits(struct err *e)
{
	static const struct {
		int what;
		rlim_t soft, hard;
	} limits[] = {
		{ RLIMIT_CORE, 0, 0 },
		{ RLIMIT_NOFILE, FILES_SOFT, FILES_HARD },
		{ RLIMIT_MEMLOCK, LOCKED_BYTES, LOCKED_BYTES },
		{ RLIMIT_MSGQUEUE, QUEUE_BYTES, QUEUE_BYTES },
		{ RLIMIT_SIGPENDING, SIGNALS, SIGNALS },
		{ RLIMIT_NICE, 0, 0 },
		{ RLIMIT_RTPRIO, 0, 0 },
	};
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit now;
		if (getrlimit(limits[i].what, &now) < 0)
			return ERR(e, errno, "look at resource limit %d", limits[i].what);
		/* Never more than the harness may have itself. */
		now.rlim_max = limits[i].hard < now.rlim_max ? limits[i].hard : now.rlim_max;
		now.rlim_cur = limits[i].soft < now.rlim_max ? limits[i].soft : now.rlim_max;
		if (setrlimit(limits[i].what, &now) < 0)
			return ERR(e, errno, "set resource limit %d", limits[i].what);
	}
	return 0;
}

/* ---- /proc and /sys ---- */

enum { SAFE = MS_NOSUID | MS_NODEV | MS_NOEXEC };

enum how {
	READ_ONLY, /* still read: what it says is no secret */
	READ_WRITE,
	EMPTY_FILE, /* /dev/null instead */
	EMPTY_FOLDER,
};
static const struct {
	const char *path; /* absent on some kernels */
	enum how how;
} covers[] = {
	{ "/proc/sys", READ_ONLY },
	{ "/proc/sys/net", READ_WRITE }, /* of the node's own network */
	{ "/proc/bus", READ_ONLY },
	{ "/proc/driver", READ_ONLY },
	{ "/proc/dynamic_debug", READ_ONLY },
	{ "/proc/fs", READ_ONLY },
	{ "/proc/irq", READ_ONLY },
	{ "/proc/mtrr", READ_ONLY },
	{ "/proc/pressure", READ_ONLY },
	{ "/proc/slabinfo", READ_ONLY },
	{ "/proc/sysrq-trigger", READ_ONLY },
	{ "/proc/acpi", EMPTY_FOLDER },
	{ "/proc/asound", EMPTY_FOLDER },
	{ "/proc/scsi", EMPTY_FOLDER },
	{ "/proc/kcore", EMPTY_FILE },
	{ "/proc/key-users", EMPTY_FILE },
	{ "/proc/keys", EMPTY_FILE },
	{ "/proc/kmsg", EMPTY_FILE },
	{ "/proc/kpagecgroup", EMPTY_FILE },
	{ "/proc/kpagecount", EMPTY_FILE },
	{ "/proc/kpageflags", EMPTY_FILE },
	{ "/proc/latency_stats", EMPTY_FILE },
	{ "/proc/sched_debug", EMPTY_FILE },
	{ "/proc/timer_list", EMPTY_FILE },
	{ "/proc/timer_stats", EMPTY_FILE },
	{ "/proc/vmcore", EMPTY_FILE },
	{ "/sys/firmware", EMPTY_FOLDER },
	{ "/sys/devices/virtual/powercap", EMPTY_FOLDER },
};

static int cover(const char *path, enum how how)
{
	const unsigned long bound = MS_BIND | MS_REMOUNT | SAFE;
	switch (how) {
	case EMPTY_FILE:
		return mount("/dev/null", path, "none", MS_BIND, NULL);
	case EMPTY_FOLDER:
		return mount("none", path, "tmpfs", MS_RDONLY | SAFE, "size=4k,nr_inodes=2");
	default:
		if (mount(path, path, "none", MS_BIND, NULL) < 0)
			return -1;
		return mount(NULL, path, NULL, how == READ_ONLY ? bound | MS_RDONLY : bound, NULL);
	}
}

int confine_mounts(struct err *e)
{
	for (size_t i = 0; i < sizeof(covers) / sizeof(covers[0]); i++)
		if (cover(covers[i].path, covers[i].how) < 0 && errno != ENOENT)
			return ERR(e, errno, "cover '%s' in the node", covers[i].path);
	return 0;
}
