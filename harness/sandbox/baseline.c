/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/baseline.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"

#if defined(__x86_64__)
#define AUDIT_ARCH_NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define AUDIT_ARCH_NATIVE AUDIT_ARCH_AARCH64
#else
#define AUDIT_ARCH_NATIVE 0 /* none: vsock is not refused there */
#endif

enum {
	SEARCH_TREE = 2,   /* libseccomp: a search tree instead of a list */
	MADV_POISON = 100, /* MADV_HWPOISON, and MADV_SOFT_OFFLINE behind it: the host's memory */
	FAN_CONTENT = 4, /* FAN_CLASS_CONTENT and PRE_CONTENT: could hold the harness's own reads */
	FAN_PRE_CONTENT = 8,
	X32_BIT = 0x40000000,
};

/* Newer than libseccomp's tables, the same on all ABIs. What is newer than this list is refused as
 * an older kernel would: nobody has looked at what it reaches. */
enum { NR_STATMOUNT = 457, NR_LISTMOUNT = 458, NR_OPEN_TREE_ATTR = 467, NR_UNKNOWN = 470 };

/* clang-format off */
#define REFUSED(X)                                                                  \
	/* the host's kernel: its code */                                           \
	X(init_module, EPERM) X(finit_module, EPERM) X(delete_module, EPERM)        \
	X(create_module, EPERM) X(kexec_load, EPERM) X(kexec_file_load, EPERM)      \
	X(bpf, EPERM) X(perf_event_open, EPERM) X(userfaultfd, EPERM)               \
	X(lookup_dcookie, EPERM) X(iopl, EPERM) X(ioperm, EPERM)                    \
	X(uselib, ENOSYS) X(_sysctl, ENOSYS) X(nfsservctl, ENOSYS)                  \
	/* its keys, which no namespace divides, its log */                         \
	X(add_key, EPERM) X(keyctl, EPERM) X(request_key, EPERM) X(syslog, EPERM)   \
	/* its clock; adjtimex by the capability, since its modes lie in memory */   \
	X(settimeofday, EPERM) X(clock_settime, EPERM) X(clock_settime64, EPERM)    \
	X(stime, EPERM)                                                             \
	/* descriptors of what init may hold */                                     \
	X(pidfd_getfd, EPERM)                                                       \
	/* its memory and disks */                                                  \
	X(swapon, EPERM) X(swapoff, EPERM) X(acct, EPERM) X(quotactl, EPERM)        \
	X(quotactl_fd, EPERM) X(open_by_handle_at, EPERM)
/* Mounts undo read-only /proc/sys, and namespaces of others are entered: not without may_mount.
 * The new interface is absent, so that programs fall back to mount(2) and are told EPERM. */
#define MOUNTING(X)                                                                 \
	X(umount, EPERM) X(umount2, EPERM) X(pivot_root, EPERM) X(setns, EPERM)      \
	 X(open_tree, ENOSYS) X(move_mount, ENOSYS)                  \
	X(fsopen, ENOSYS) X(fsconfig, ENOSYS) X(fsmount, ENOSYS) X(fspick, ENOSYS)  \
	X(mount_setattr, ENOSYS)
/* clang-format on */

struct refusal {
	int nr, code;
};
#define X(name, code) { SCMP_SYS(name), code },
static const struct refusal refused[] = { REFUSED(X) };
static const struct refusal mounting[] = { MOUNTING(X) };
#undef X

/* (argument & mask) == value is refused with EPERM. Of personalities only those that change how
 * the own memory is laid out by surprise; 0xffffffff asks, and is let through. */
#define PERSONA(bit)                                                                               \
	{                                                                                          \
		SCMP_SYS(personality), 0, 0x80000000 | (bit), bit                                  \
	}
struct by_argument {
	int nr;
	unsigned arg;
	uint64_t mask, value;
};
static const struct by_argument arguments[] = {
	{ SCMP_SYS(madvise), 2, ~1ULL & UINT32_MAX, MADV_POISON },
	{ SCMP_SYS(fanotify_init), 0, FAN_CONTENT, FAN_CONTENT },
	{ SCMP_SYS(fanotify_init), 0, FAN_PRE_CONTENT, FAN_PRE_CONTENT },
	PERSONA(0x01),
	PERSONA(0x02),
	PERSONA(0x04),
	PERSONA(0x10),
	PERSONA(0x20),
	PERSONA(0x40),
	PERSONA(0x80),
	PERSONA(READ_IMPLIES_EXEC),
	PERSONA(MMAP_PAGE_ZERO),
	PERSONA(ADDR_COMPAT_LAYOUT),
};

/* What is left of mount(2) is how mounts propagate: unshare(1) sets that. */
static const struct by_argument mount_arguments[] = {
	{ SCMP_SYS(mount), 3, MS_BIND, MS_BIND },
	{ SCMP_SYS(mount), 3, MS_REMOUNT, MS_REMOUNT },
	{ SCMP_SYS(mount), 3, MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE, 0 },
};

/* unshare(2) and clone(2) alike. Of a unit whose mounts could not be made systemd says that it
 * failed; of one for which no namespace is to be had, that it runs in a container. */
static const struct by_argument no_namespaces[] = {
	{ SCMP_SYS(unshare), 0, CLONE_NEWNS, CLONE_NEWNS },
	{ SCMP_SYS(clone), 0, CLONE_NEWNS, CLONE_NEWNS },
};

static int add_refused(scmp_filter_ctx ctx, const struct refusal *list, size_t count)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO((unsigned)list[i].code), list[i].nr, 0);
	return r;
}

static int add_by_argument(scmp_filter_ctx ctx, const struct by_argument *list, size_t count)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct scmp_arg_cmp cmp = { .arg = list[i].arg,
						  .op = SCMP_CMP_MASKED_EQ,
						  .datum_a = list[i].mask,
						  .datum_b = list[i].value };
		r = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM), list[i].nr, 1, &cmp);
	}
	return r;
}

/* libseccomp returns negative errno values. */
static int fill(scmp_filter_ctx ctx, enum baseline kind)
{
	int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, SEARCH_TREE);
#if defined(__x86_64__)
	if (r == 0)
		r = seccomp_arch_add(ctx, SCMP_ARCH_X86);
	if (r == 0)
		r = seccomp_arch_add(ctx, SCMP_ARCH_X32);
#elif defined(__aarch64__)
	if (r == 0)
		r = seccomp_arch_add(ctx, SCMP_ARCH_ARM);
#endif
	if (r == 0)
		r = add_refused(ctx, refused, sizeof(refused) / sizeof(refused[0]));
	if (r == 0)
		r = add_by_argument(ctx, arguments, sizeof(arguments) / sizeof(arguments[0]));
	if (r < 0 || kind == BASELINE_MOUNTS)
		return r;
	if (kind == BASELINE_SYSTEM)
		r = add_by_argument(ctx, no_namespaces,
				    sizeof(no_namespaces) / sizeof(no_namespaces[0]));
	if (r < 0)
		return r;
	r = add_refused(ctx, mounting, sizeof(mounting) / sizeof(mounting[0]));
	return r < 0 ? r
		     : add_by_argument(ctx, mount_arguments,
				       sizeof(mount_arguments) / sizeof(mount_arguments[0]));
}

/* In front of what libseccomp makes: the numbers that it does not know. Jumps count from where they
 * stand, so what follows needs no change. */
static const struct sock_filter front[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~(uint32_t)X32_BIT),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, NR_UNKNOWN, 3, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NR_STATMOUNT, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NR_LISTMOUNT, 1, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NR_OPEN_TREE_ATTR, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
};
/* vsock leads to whatever the host is a guest of. Only by socket(2) of the native ABI: the
 * arguments of socketcall lie in memory. */
static const struct sock_filter vsock[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_NATIVE, 0, 5),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_VSOCK, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
};

static int export_code(scmp_filter_ctx ctx, enum baseline kind, struct sock_fprog *ret,
		       struct err *e)
{
	GUARD(fd) int fd = memfd_create("backout-baseline", MFD_CLOEXEC);
	struct stat st;
	if (fd < 0)
		return ERR(e, errno, "memfd_create");
	int r = ctx == NULL ? -ENOMEM : fill(ctx, kind);
	if (r == 0)
		r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return ERR(e, -r, "build the filter of refused system calls");
	if (fstat(fd, &st) < 0)
		return ERR(e, errno, "read the filter of refused system calls");
	size_t own = sizeof(vsock) / sizeof(vsock[0]);
	size_t more = kind == BASELINE_MOUNTS ? 0 : sizeof(front) / sizeof(front[0]);
	size_t made = (size_t)st.st_size / sizeof(struct sock_filter);
	struct sock_filter *code = mem_array(own + more + made, sizeof(*code));
	memcpy(code, vsock, sizeof(vsock));
	memcpy(code + own, front, more * sizeof(*code));
	if (pread(fd, code + own + more, (size_t)st.st_size, 0) != st.st_size) {
		free(code);
		return ERR(e, errno, "read the filter of refused system calls");
	}
	*ret = (struct sock_fprog){ .len = (unsigned short)(own + more + made), .filter = code };
	return 0;
}

const struct sock_fprog *baseline_program(enum baseline kind, struct err *e)
{
	static struct sock_fprog programs[BASELINE_COUNT]; /* forks have what was made before */
	struct sock_fprog *p = &programs[kind];
	if (p->filter != NULL)
		return p;
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = export_code(ctx, kind, p, e);
	seccomp_release(ctx);
	return r < 0 ? NULL : p;
}

int baseline_install(const struct sock_fprog *program)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) < 0 ? -1 : 0;
}
