/* SPDX-License-Identifier: MIT */
/* What the filter holds, call by call: a held call returns EDOM here, which none does by itself. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness/base/guard.h"
#include "harness/sandbox/callpath.h"
#include "harness/sandbox/filter.h"
#include "tests/unit/runner.h"

enum { BAD = -77 /* a descriptor that is not open: no call below does anything */ };

#define NOWHERE (uint64_t)(uintptr_t) "/nowhere/at/all"

static const struct {
	long nr;
	uint64_t args[CALL_ARGS];
	const char *text;
	enum call_family family; /* CALL_ANY: not held at all */
} cases[] = {
/* clang-format off */
#define C(fam, number, ...) { SYS_##number, { __VA_ARGS__ }, #number "(" #__VA_ARGS__ ")", CALL_##fam }
	C(ANY, open, NOWHERE, O_RDONLY),
	C(ANY, open, NOWHERE, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	C(OPEN, open, NOWHERE, O_WRONLY),
	C(OPEN, open, NOWHERE, O_RDWR | O_CLOEXEC),
	C(ANY, openat, AT_FDCWD, NOWHERE, O_RDONLY | O_CLOEXEC | O_NONBLOCK),
	C(ANY, openat, AT_FDCWD, NOWHERE, O_PATH),
	C(OPEN, openat, AT_FDCWD, NOWHERE, O_WRONLY | O_APPEND),
	C(OPEN, openat, AT_FDCWD, NOWHERE, O_RDWR),
	C(OPEN, openat, AT_FDCWD, NOWHERE, O_ACCMODE),
	C(OPEN, openat, AT_FDCWD, NOWHERE, O_RDONLY | O_CREAT, 0600),
	C(OPEN, openat, AT_FDCWD, NOWHERE, O_RDONLY | O_TRUNC),
	C(OPEN, openat, AT_FDCWD, NOWHERE, O_WRONLY | O_CREAT | O_TRUNC | O_EXCL, 0600),
	C(OPEN, openat, AT_FDCWD, NOWHERE, O_TMPFILE | O_RDWR, 0600),
	C(OPEN, openat2, AT_FDCWD, NOWHERE, 0, 0),
	C(OPEN, creat, NOWHERE, 0600),
	C(RENAME, rename, NOWHERE, NOWHERE),
	C(RENAME, renameat, BAD, NOWHERE, BAD, NOWHERE),
	C(RENAME, renameat2, BAD, NOWHERE, BAD, NOWHERE, 2),
	C(LINK, link, NOWHERE, NOWHERE),
	C(LINK, linkat, BAD, NOWHERE, BAD, NOWHERE, 0),
	C(SYMLINK, symlink, NOWHERE, NOWHERE),
	C(SYMLINK, symlinkat, NOWHERE, BAD, NOWHERE),
	C(UNLINK, unlink, NOWHERE),
	C(UNLINK, unlinkat, BAD, NOWHERE, 0),
	C(RMDIR, unlinkat, BAD, NOWHERE, AT_REMOVEDIR),
	C(RMDIR, rmdir, NOWHERE),
	C(MKDIR, mkdir, NOWHERE, 0700),
	C(MKDIR, mkdirat, BAD, NOWHERE, 0700),
	C(MKNOD, mknod, NOWHERE, 0, 0),
	C(MKNOD, mknodat, BAD, NOWHERE, 0, 0),
	C(CHMOD, chmod, NOWHERE, 0),
	C(CHMOD, fchmod, BAD, 0),
	C(CHMOD, fchmodat, BAD, NOWHERE, 0),
	{ 452, { BAD }, "fchmodat2", CALL_CHMOD },
	C(CHOWN, chown, NOWHERE, 0, 0),
	C(CHOWN, lchown, NOWHERE, 0, 0),
	C(CHOWN, fchown, BAD, 0, 0),
	C(CHOWN, fchownat, BAD, NOWHERE, 0, 0, 0),
	C(SETXATTR, setxattr, NOWHERE),
	C(SETXATTR, lsetxattr, NOWHERE),
	C(SETXATTR, fsetxattr, BAD),
	{ 463, { BAD }, "setxattrat", CALL_SETXATTR },
	C(REMOVEXATTR, removexattr, NOWHERE),
	C(REMOVEXATTR, lremovexattr, NOWHERE),
	C(REMOVEXATTR, fremovexattr, BAD),
	{ 466, { BAD }, "removexattrat", CALL_REMOVEXATTR },
	C(TRUNCATE, truncate, NOWHERE, 0),
	C(TRUNCATE, ftruncate, BAD, 0),
	C(FALLOCATE, fallocate, BAD, 0, 0, 1),
	C(UTIME, utime, NOWHERE, 0),
	C(UTIME, utimes, NOWHERE, 0),
	C(UTIME, futimesat, BAD, NOWHERE, 0),
	C(UTIME, utimensat, BAD, NOWHERE, 0, 0),
	C(FSYNC, fsync, BAD),
	C(FSYNC, fdatasync, BAD),
	C(FSYNC, sync_file_range, BAD, 0, 0, 0),
	C(SYNC, syncfs, BAD),
	C(COPY, copy_file_range, BAD, 0, BAD, 0, 1, 0),
	C(COPY, sendfile, BAD, BAD, 0, 1),
	C(COPY, splice, BAD, 0, BAD, 0, 1, 0),
	C(COPY, ioctl, BAD, FICLONE, BAD),
	C(COPY, ioctl, BAD, FICLONERANGE, 0),
	C(ANY, ioctl, BAD, FIONREAD, 0),
	C(MOUNT, mount, NOWHERE, NOWHERE, NOWHERE, 0, 0),
	C(MOUNT, move_mount, BAD, NOWHERE, BAD, NOWHERE, 0),
	C(MOUNT, mount_setattr, BAD, NOWHERE, 0, 0, 0),
	C(MOUNT, pivot_root, NOWHERE, NOWHERE),
	C(UMOUNT, umount2, NOWHERE, 0),
	C(SETHOSTNAME, sethostname, 0, 1000),
	C(SETHOSTNAME, setdomainname, 0, 1000),
	C(WRITE, write, BAD, NOWHERE, 1),
	C(WRITE, pwrite64, BAD, NOWHERE, 1, 0),
	C(WRITE, writev, BAD, 0, 0),
	C(WRITE, pwritev, BAD, 0, 0, 0, 0),
	C(WRITE, pwritev2, BAD, 0, 0, 0, 0, 0),
	C(ANY, read, BAD, 0, 1),
	C(ANY, getpid),
	C(ANY, lseek, BAD, 0, 0),
#undef C
};
/* clang-format on */
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

/* Answers everything that is held with EDOM until nobody is left who could be. */
_Noreturn static void serve(int listener)
{
	for (;;) {
		union {
			struct seccomp_notif n;
			char space[512];
		} in = { 0 };
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &in.n) < 0)
			continue;
		struct seccomp_notif_resp out = { .id = in.n.id, .error = -EDOM };
		(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &out);
	}
}

/* In a child under the filter: one byte a case, 'h' held or '-'. */
_Noreturn static void try_all(const struct filter *f, char *ret)
{
	bool killable;
	int listener = filter_install(filter_program_fd(f), &killable);
	if (listener < 0)
		_exit(1);
	pid_t server = fork();
	if (server == 0)
		serve(listener);
	for (size_t i = 0; i < CASES; i++) {
		const uint64_t *a = cases[i].args;
		long r = syscall(cases[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		ret[i] = r < 0 && errno == EDOM ? 'h' : '-';
	}
	(void)kill(server, SIGKILL);
	_exit(0);
}

static char *shared(void)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(p != MAP_FAILED);
	return p;
}

START_TEST(holds_what_its_family_is)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct filter *f;
	int status;
	enum call_family family = (enum call_family)_i;
	MUST(filter_create(&f, family, &e));
	char *held = shared();
	pid_t pid = fork();
	if (pid == 0)
		try_all(f, held);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	for (size_t i = 0; i < CASES; i++) {
		enum call_family is = cases[i].family;
		bool want =
			is != CALL_ANY && (family == CALL_ANY ? is != CALL_WRITE : is == family);
		ck_assert_msg((held[i] == 'h') == want, "filter %s: %s %s",
			      call_family_names[family], cases[i].text,
			      want ? "was not held" : "was held");
	}
	filter_destroy(f);
	filter_destroy(NULL);
}
END_TEST

/* The table that names a held call agrees with the filter that holds it. */
START_TEST(rows_agree)
{
	for (size_t i = 0; i < CASES; i++) {
		const struct call_row *row = call_row_of((int)cases[i].nr, cases[i].args);
		ck_assert_msg((row != NULL) == (cases[i].family != CALL_ANY), "%s", cases[i].text);
		if (row == NULL)
			continue;
		ck_assert_msg(row->family == cases[i].family, "%s is %s", cases[i].text,
			      call_family_names[row->family]);
		ck_assert(strncmp(cases[i].text, row->name, strlen(row->name)) == 0);
		ck_assert((row->how != CALL_ARG_NONE) == (cases[i].nr == SYS_openat2));
	}
	for (int fam = CALL_ANY + 1; fam < CALL_FAMILY_COUNT; fam++) {
		size_t n = 0;
		for (size_t i = 0; i < CASES; i++)
			n += (int)cases[i].family == fam;
		ck_assert_msg(n > 0, "no case for %s", call_family_names[fam]);
	}
}
END_TEST

#ifdef __x86_64__
/* getpid(2) as a 32-bit program asks. */
static long getpid_32(void)
{
	long ret;
	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

START_TEST(refuses_what_it_cannot_see)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct filter *f;
	int status;
	enum { X32 = 0x40000000 };
	MUST(filter_create(&f, CALL_SETHOSTNAME, &e));
	long *seen = (long *)(void *)shared();
	pid_t pid = fork();
	if (pid == 0) {
		bool killable;
		seen[0] = getpid_32() == getpid();
		if (filter_install(filter_program_fd(f), &killable) < 0)
			_exit(1);
		seen[1] = getpid_32();
		seen[2] = syscall(X32 | SYS_getpid) < 0 ? errno : 0;
		seen[3] = syscall(SYS_io_uring_setup, 1, NULL) < 0 ? errno : 0;
		seen[4] = syscall(SYS_getpid) == getpid();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	if (seen[0] != 0)
		ck_assert_int_eq(seen[1], -ENOSYS);
	ck_assert_int_eq(seen[2], ENOSYS);
	ck_assert_int_eq(seen[3], ENOSYS);
	ck_assert_int_eq(seen[4], 1);
	filter_destroy(f);
	if (seen[0] == 0)
		TEST_SKIP("this kernel runs no 32-bit calls");
}
END_TEST
#endif

static const struct {
	const char *path, *normal;
} paths[] = {
	{ "/", "/" },
	{ "//", "/" },
	{ "/a", "/a" },
	{ "/a/", "/a" },
	{ "/a//b/./c/.", "/a/b/c" },
	{ "/a/b/../c", "/a/c" },
	{ "/a/b/../../..", "/" },
	{ "/../a", "/a" },
	{ "//srv/x/", "/srv/x" },
	{ "/a/..b/.c/...", "/a/..b/.c/..." },
};

START_TEST(normalises)
{
	char text[64];
	(void)snprintf(text, sizeof(text), "%s", paths[_i].path);
	callpath_normalise(text);
	ck_assert_str_eq(text, paths[_i].normal);
}
END_TEST

START_TEST(open_flags)
{
	ck_assert(!call_open_changes(O_RDONLY | O_CLOEXEC | O_DIRECTORY));
	ck_assert(!call_open_changes(O_PATH));
	ck_assert(call_open_changes(O_WRONLY));
	ck_assert(call_open_changes(O_RDWR));
	ck_assert(call_open_changes(O_CREAT));
	ck_assert(call_open_changes(O_TRUNC));
}
END_TEST

Suite *suite_filter(void);
Suite *suite_filter(void)
{
	Suite *s = suite_create("filter");
	TCase *t = tcase_create("filter");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, holds_what_its_family_is, 0, CALL_FAMILY_COUNT);
	tcase_add_test(t, rows_agree);
#ifdef __x86_64__
	tcase_add_test(t, refuses_what_it_cannot_see);
#endif
	tcase_add_loop_test(t, normalises, 0, sizeof(paths) / sizeof(paths[0]));
	tcase_add_test(t, open_flags);
	suite_add_tcase(s, t);
	return s;
}
