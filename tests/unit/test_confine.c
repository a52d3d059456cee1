/* SPDX-License-Identifier: MIT */
/* What is refused, asked with all of root's capabilities, so that the filter alone can say no. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/sandbox/baseline.h"
#include "harness/sandbox/confine.h"
#include "tests/unit/runner.h"

enum { BAD = -1, MS_BIND_FLAG = 4096, MS_PRIVATE_FLAG = 1 << 18, AF_VSOCK_NUMBER = 40 };

/* With arguments that the kernel itself answers with EFAULT, EINVAL or EBADF. */
static const struct {
	long nr, args[4];
	int code;
	bool mounting;
} refused[] = {
	{ SYS_init_module, { 0, 0, 0 }, EPERM },
	{ SYS_finit_module, { BAD, 0, 0 }, EPERM },
	{ SYS_delete_module, { 0, 0 }, EPERM },
	{ SYS_kexec_load, { 0, 99, 0, 0 }, EPERM },
	{ SYS_bpf, { 9999, 0, 0 }, EPERM },
	{ SYS_perf_event_open, { 0, BAD, BAD, BAD }, EPERM },
	{ SYS_userfaultfd, { 0x7f }, EPERM },
	{ SYS_add_key, { 0, 0, 0, 0 }, EPERM },
	{ SYS_keyctl, { 9999 }, EPERM },
	{ SYS_request_key, { 0, 0, 0, 0 }, EPERM },
	{ SYS_syslog, { 9999 }, EPERM },
	{ SYS_settimeofday, { 1, 0 }, EPERM },
	{ SYS_clock_settime, { 0, 1 }, EPERM },
	{ SYS_swapon, { 0, 0 }, EPERM },
	{ SYS_swapoff, { 0 }, EPERM },
	{ SYS_acct, { 1 }, EPERM },
	{ SYS_quotactl, { 0, 0, 0, 0 }, EPERM },
	{ SYS_open_by_handle_at, { BAD, 0, 0 }, EPERM },
	{ SYS_madvise, { 0, 0, 100 }, EPERM },
	{ SYS_fanotify_init, { 4, 0 }, EPERM },
	{ SYS_personality, { 0x0400000 }, EPERM },
	{ 1000, { 0 }, ENOSYS },
	{ SYS_socket, { AF_VSOCK_NUMBER, SOCK_STREAM, 0 }, EAFNOSUPPORT },
	{ SYS_mount, { 0, 0, 0, 0 }, EPERM, true },
	{ SYS_mount, { 0, 1, 0, MS_BIND_FLAG }, EPERM, true },
	{ SYS_umount2, { 1, 0 }, EPERM, true },
	{ SYS_pivot_root, { 1, 1 }, EPERM, true },
	{ SYS_setns, { BAD, 0 }, EPERM, true },
	{ 428, { BAD, 1, 0 }, ENOSYS, true },    /* open_tree */
	{ 430, { 1, 0 }, ENOSYS, true },         /* fsopen */
	{ 442, { BAD, 1, 0, 0 }, ENOSYS, true }, /* mount_setattr */
	{ 457, { 0, 0, 0, 0 }, ENOSYS, true },   /* statmount */
};

/* errno of the call, by a child under that filter; 0: none. */
static int ask(const struct sock_fprog *program, long nr, const long a[4])
{
	pid_t pid = fork();
	if (pid == 0) {
		if (program != NULL && baseline_install(program) < 0)
			_exit(255);
		_exit(syscall(nr, a[0], a[1], a[2], a[3], 0, 0) < 0 ? errno : 0);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(calls_are_refused)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	const struct sock_fprog *plain = baseline_program(BASELINE_PLAIN, &e);
	const struct sock_fprog *mounting = baseline_program(BASELINE_MOUNTS, &e);
	ck_assert_ptr_nonnull(plain);
	ck_assert_ptr_nonnull(mounting);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		long nr = refused[i].nr;
		ck_assert_msg(ask(plain, nr, refused[i].args) == refused[i].code, "call %ld", nr);
		if (refused[i].mounting)
			ck_assert_msg(ask(mounting, nr, refused[i].args) ==
					      ask(NULL, nr, refused[i].args),
				      "call %ld of one that may mount", nr);
	}
}
END_TEST

START_TEST(others_are_let_through)
{
	static const struct {
		long nr, args[4];
	} fine[] = {
		{ SYS_getpid, { 0 } },
		{ SYS_personality, { 0xffffffff } },
		{ SYS_socket, { AF_INET, SOCK_STREAM, 0 } },
		{ SYS_inotify_init1, { 0 } },
		{ SYS_madvise, { 0, 0, 4 } },
	};
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	const struct sock_fprog *plain = baseline_program(BASELINE_PLAIN, &e);
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		ck_assert_msg(ask(plain, fine[i].nr, fine[i].args) == 0, "call %ld", fine[i].nr);
	/* How mounts propagate, which unshare(1) sets: the kernel itself says that there is none.
	 */
	ck_assert_int_ne(ask(plain, SYS_mount, (long[]){ 0, 1, 0, MS_PRIVATE_FLAG }), EPERM);
}
END_TEST

/* A systemd that may not mount: by either call, and no other namespace is missed. */
START_TEST(no_mount_namespaces_for_systemd)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	const struct sock_fprog *system = baseline_program(BASELINE_SYSTEM, &e);
	const struct sock_fprog *plain = baseline_program(BASELINE_PLAIN, &e);
	ck_assert_int_eq(ask(system, SYS_unshare, (long[]){ CLONE_NEWNS, 0, 0, 0 }), EPERM);
	ck_assert_int_eq(ask(system, SYS_unshare, (long[]){ CLONE_NEWNS | CLONE_NEWUTS, 0, 0, 0 }),
			 EPERM);
	ck_assert_int_eq(ask(system, SYS_clone, (long[]){ CLONE_NEWNS, 0, 0, 0 }), EPERM);
	ck_assert_int_eq(ask(system, SYS_unshare, (long[]){ CLONE_NEWUTS, 0, 0, 0 }), 0);
	ck_assert_int_eq(ask(system, SYS_umount2, (long[]){ 0, 0, 0, 0 }), EPERM);
	ck_assert_int_eq(ask(plain, SYS_unshare, (long[]){ CLONE_NEWNS, 0, 0, 0 }), 0);
}
END_TEST

START_TEST(capabilities_are_gone)
{
	static const int gone[] = { CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_TIME,
				    CAP_SYSLOG,     CAP_SYS_NICE,  CAP_DAC_READ_SEARCH };
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	const struct sock_fprog *plain = baseline_program(BASELINE_PLAIN, &e);
	pid_t pid = fork();
	if (pid == 0) {
		bool ok = confine_process(plain, true, &e) == 0;
		for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
			ok &= prctl(PR_CAPBSET_READ, gone[i], 0, 0, 0) == 0;
		ok &= prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0) == 1;
		ok &= prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
		_exit(ok ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

Suite *suite_confine(void)
{
	Suite *s = suite_create("confine");
	TCase *c = tcase_create("confine");
	tcase_add_test(c, no_mount_namespaces_for_systemd);
	tcase_add_test(c, calls_are_refused);
	tcase_add_test(c, others_are_let_through);
	tcase_add_test(c, capabilities_are_gone);
	suite_add_tcase(s, c);
	return s;
}
