/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/filter.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"

enum {
	RULES_MAX = 8,  /* conditions of one call */
	SEARCH_TREE = 2 /* libseccomp: a search tree instead of a list */
};

/* Newer than the headers; the same on all machines. */
enum { NR_FCHMODAT2 = 452, NR_SETXATTRAT = 463, NR_REMOVEXATTRAT = 466 };

/* The filter holds a call when (argument & mask) == value for one of its rule's conditions. */
struct condition {
	unsigned arg;
	uint64_t mask, value;
};
enum rule { ALWAYS, OPEN_1, OPEN_2, IS_RMDIR, NOT_RMDIR, CLONES, RULE_COUNT };

/* An access mode of 3 is one that may be used for ioctl(2) alone, and still counts as a writer. */
#define OPENS(n)                                                                                   \
	{ n, O_ACCMODE, O_WRONLY }, { n, O_ACCMODE, O_RDWR }, { n, O_ACCMODE, O_ACCMODE },         \
		{ n, O_CREAT, O_CREAT },                                                           \
	{                                                                                          \
		n, O_TRUNC, O_TRUNC                                                                \
	}

static const struct {
	size_t count; /* 0: always */
	struct condition any[RULES_MAX];
} rules[RULE_COUNT] = {
	[OPEN_1] = { 5, { OPENS(1) } },
	[OPEN_2] = { 5, { OPENS(2) } },
	[IS_RMDIR] = { 1, { { 2, AT_REMOVEDIR, AT_REMOVEDIR } } },
	[NOT_RMDIR] = { 1, { { 2, AT_REMOVEDIR, 0 } } },
	[CLONES] = { 2, { { 1, UINT32_MAX, FICLONE }, { 1, UINT32_MAX, FICLONERANGE } } },
};

/* name, family, rule, two files as (descriptor's argument, path's argument); NO: none */
/* clang-format off */
#define CALLS(X, N)                                            \
	X(open, OPEN, OPEN_1, NO, 0, NO, NO)                      \
	X(openat, OPEN, OPEN_2, 0, 1, NO, NO)                    \
	X(openat2, OPEN, ALWAYS, 0, 1, NO, NO)                   \
	X(creat, OPEN, ALWAYS, NO, 0, NO, NO)                     \
	X(rename, RENAME, ALWAYS, NO, 0, NO, 1)                  \
	X(renameat, RENAME, ALWAYS, 0, 1, 2, 3)                \
	X(renameat2, RENAME, ALWAYS, 0, 1, 2, 3)               \
	X(link, LINK, ALWAYS, NO, 0, NO, 1)                      \
	X(linkat, LINK, ALWAYS, 0, 1, 2, 3)                    \
	X(symlink, SYMLINK, ALWAYS, NO, 1, NO, NO)                \
	X(symlinkat, SYMLINK, ALWAYS, 1, 2, NO, NO)              \
	X(unlink, UNLINK, ALWAYS, NO, 0, NO, NO)                  \
	X(unlinkat, UNLINK, NOT_RMDIR, 0, 1, NO, NO)             \
	X(mkdir, MKDIR, ALWAYS, NO, 0, NO, NO)                    \
	X(mkdirat, MKDIR, ALWAYS, 0, 1, NO, NO)                  \
	X(rmdir, RMDIR, ALWAYS, NO, 0, NO, NO)                    \
	X(unlinkat, RMDIR, IS_RMDIR, 0, 1, NO, NO)               \
	X(mknod, MKNOD, ALWAYS, NO, 0, NO, NO)                    \
	X(mknodat, MKNOD, ALWAYS, 0, 1, NO, NO)                  \
	X(chmod, CHMOD, ALWAYS, NO, 0, NO, NO)                    \
	X(fchmod, CHMOD, ALWAYS, 0, NO, NO, NO)                   \
	X(fchmodat, CHMOD, ALWAYS, 0, 1, NO, NO)                 \
	N(fchmodat2, NR_FCHMODAT2, CHMOD, ALWAYS, 0, 1, NO, NO)  \
	X(chown, CHOWN, ALWAYS, NO, 0, NO, NO)                    \
	X(fchown, CHOWN, ALWAYS, 0, NO, NO, NO)                   \
	X(lchown, CHOWN, ALWAYS, NO, 0, NO, NO)                   \
	X(fchownat, CHOWN, ALWAYS, 0, 1, NO, NO)                 \
	X(setxattr, SETXATTR, ALWAYS, NO, 0, NO, NO)              \
	X(lsetxattr, SETXATTR, ALWAYS, NO, 0, NO, NO)             \
	X(fsetxattr, SETXATTR, ALWAYS, 0, NO, NO, NO)             \
	N(setxattrat, NR_SETXATTRAT, SETXATTR, ALWAYS, 0, 1, NO, NO) \
	X(removexattr, REMOVEXATTR, ALWAYS, NO, 0, NO, NO)        \
	X(lremovexattr, REMOVEXATTR, ALWAYS, NO, 0, NO, NO)       \
	X(fremovexattr, REMOVEXATTR, ALWAYS, 0, NO, NO, NO)       \
	N(removexattrat, NR_REMOVEXATTRAT, REMOVEXATTR, ALWAYS, 0, 1, NO, NO) \
	X(truncate, TRUNCATE, ALWAYS, NO, 0, NO, NO)              \
	X(ftruncate, TRUNCATE, ALWAYS, 0, NO, NO, NO)             \
	X(fallocate, FALLOCATE, ALWAYS, 0, NO, NO, NO)            \
	X(utime, UTIME, ALWAYS, NO, 0, NO, NO)                    \
	X(utimes, UTIME, ALWAYS, NO, 0, NO, NO)                   \
	X(futimesat, UTIME, ALWAYS, 0, 1, NO, NO)                \
	X(utimensat, UTIME, ALWAYS, 0, 1, NO, NO)                \
	X(fsync, FSYNC, ALWAYS, 0, NO, NO, NO)                    \
	X(fdatasync, FSYNC, ALWAYS, 0, NO, NO, NO)                \
	X(sync_file_range, FSYNC, ALWAYS, 0, NO, NO, NO)          \
	X(sync, SYNC, ALWAYS, NO, NO, NO, NO)                      \
	X(syncfs, SYNC, ALWAYS, 0, NO, NO, NO)                    \
	X(copy_file_range, COPY, ALWAYS, 2, NO, NO, NO)           \
	X(sendfile, COPY, ALWAYS, 0, NO, NO, NO)                  \
	X(splice, COPY, ALWAYS, 2, NO, NO, NO)                    \
	X(ioctl, COPY, CLONES, 0, NO, NO, NO)                     \
	X(mount, MOUNT, ALWAYS, NO, 1, NO, NO)                    \
	X(move_mount, MOUNT, ALWAYS, 2, 3, NO, NO)               \
	X(mount_setattr, MOUNT, ALWAYS, 0, 1, NO, NO)            \
	X(pivot_root, MOUNT, ALWAYS, NO, 0, NO, 1)               \
	X(umount2, UMOUNT, ALWAYS, NO, 0, NO, NO)                 \
	X(sethostname, SETHOSTNAME, ALWAYS, NO, NO, NO, NO)        \
	X(setdomainname, SETHOSTNAME, ALWAYS, NO, NO, NO, NO)      \
	X(write, WRITE, ALWAYS, 0, NO, NO, NO)                    \
	X(pwrite64, WRITE, ALWAYS, 0, NO, NO, NO)                 \
	X(writev, WRITE, ALWAYS, 0, NO, NO, NO)                   \
	X(pwritev, WRITE, ALWAYS, 0, NO, NO, NO)                  \
	X(pwritev2, WRITE, ALWAYS, 0, NO, NO, NO)                 \
	X(exit_group, ENDS, ALWAYS, NO, NO, NO, NO)
/* clang-format on */

enum { NO = CALL_ARG_NONE, OPENAT2_HOW = 2 };

static const struct {
	struct call_row row;
	enum rule rule;
} calls[] = {
#define N(call, number, fam, how_to_tell, at, path, at2, path2)                                    \
	{ { #call,                                                                                 \
	    CALL_##fam,                                                                            \
	    number,                                                                                \
	    { { at, path }, { at2, path2 } },                                                      \
	    number == SCMP_SYS(openat2) ? OPENAT2_HOW : CALL_ARG_NONE },                           \
	  how_to_tell },
#define X(call, ...) N(call, SCMP_SYS(call), __VA_ARGS__)
	CALLS(X, N)
#undef X
#undef N
};
enum { CALL_COUNT = sizeof(calls) / sizeof(calls[0]) };

const char *const call_family_names[] = {
	"any",
#define X(id, name, help) name,
	CALL_FAMILIES(X)
#undef X
		NULL,
};
static_assert(sizeof(call_family_names) / sizeof(char *) == CALL_FAMILY_COUNT + 1, "all families");

struct filter {
	int fd; /* struct sock_filter[] */
};

static bool rule_holds(enum rule rule, const uint64_t args[CALL_ARGS])
{
	for (size_t i = 0; i < rules[rule].count; i++) {
		const struct condition *c = &rules[rule].any[i];
		if ((args[c->arg] & c->mask) == c->value)
			return true;
	}
	return rules[rule].count == 0;
}

const struct call_row *call_row_of(int nr, const uint64_t args[CALL_ARGS])
{
	for (size_t i = 0; i < CALL_COUNT; i++)
		if (calls[i].row.nr == nr && rule_holds(calls[i].rule, args))
			return &calls[i].row;
	return NULL;
}

bool call_open_changes(uint64_t flags)
{
	const uint64_t args[CALL_ARGS] = { 0, flags };
	return rule_holds(OPEN_1, args);
}

static bool in_family(const struct call_row *row, enum call_family family)
{
	if (family == CALL_ALL)
		return true;
	if (family == CALL_ANY)
		return row->family != CALL_WRITE && row->family != CALL_ENDS;
	return row->family == family;
}

static int add_call(scmp_filter_ctx ctx, size_t i)
{
	enum rule rule = calls[i].rule;
	if (rules[rule].count == 0)
		return seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, calls[i].row.nr, 0);
	for (size_t k = 0; k < rules[rule].count; k++) {
		const struct condition *c = &rules[rule].any[k];
		const struct scmp_arg_cmp cmp = { .arg = c->arg,
						  .op = SCMP_CMP_MASKED_EQ,
						  .datum_a = c->mask,
						  .datum_b = c->value };
		int r = seccomp_rule_add_array(ctx, SCMP_ACT_NOTIFY, calls[i].row.nr, 1, &cmp);
		if (r < 0)
			return r;
	}
	return 0;
}

/* libseccomp returns negative errno values. */
static int fill(scmp_filter_ctx ctx, enum call_family family)
{
	int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, SEARCH_TREE);
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0);
	for (size_t i = 0; r == 0 && i < CALL_COUNT; i++)
		if (calls[i].row.nr >= 0 && in_family(&calls[i].row, family))
			r = add_call(ctx, i);
	return r;
}

int filter_create(struct filter **ret, enum call_family family, struct err *e)
{
	GUARD(fd) int fd = memfd_create("backout-filter", MFD_CLOEXEC);
	if (fd < 0)
		return ERR(e, errno, "memfd_create");
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx == NULL ? -ENOMEM : fill(ctx, family);
	if (r == 0)
		r = seccomp_export_bpf(ctx, fd);
	seccomp_release(ctx);
	if (r < 0)
		return ERR(e, -r, "build the filter of system calls");
	struct filter *f = mem_alloc(sizeof(*f));
	f->fd = take_fd(&fd);
	*ret = f;
	return 0;
}

void filter_destroy(struct filter *f)
{
	if (f == NULL)
		return;
	(void)close(f->fd);
	free(f);
}

int filter_program_fd(const struct filter *f)
{
	return f->fd;
}

int filter_install(int program_fd, bool *killable)
{
	struct stat st;
	if (fstat(program_fd, &st) < 0)
		return -1;
	size_t count = (size_t)st.st_size / sizeof(struct sock_filter);
	if (count == 0 || count > BPF_MAXINSNS) {
		errno = EINVAL;
		return -1;
	}
	GUARD(mem) struct sock_filter *code = mem_array(count, sizeof(*code));
	if (pread(program_fd, code, (size_t)st.st_size, 0) != st.st_size)
		return -1;
	struct sock_fprog program = { .len = (unsigned short)count, .filter = code };
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
	*killable = fd >= 0;
	if (fd < 0 && errno == EINVAL) /* Linux before 5.19 */
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	return (int)fd;
}
