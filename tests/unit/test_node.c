/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/node.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/cgroup.h"
#include "harness/sandbox/cgroup_base.h"
#include "harness/sandbox/hierarchy.h"
#include "harness/sandbox/node_private.h"
#include "harness/sandbox/process.h"
#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"

/* What a script in a fresh node must print. */
static const struct {
	const char *script, *prints;
} inside[] = {
	{ "hostname", "web" },
	{ "cat /proc/1/comm", "backout-init" },
	{ "set -- /proc/[0-9]*; echo $#", "2" }, /* init and this shell */
	{ "ip -o link | wc -l", "1" },
	{ "ping -c 1 -W 1 127.0.0.1 >/dev/null && echo up", "up" },
	{ "echo $PATH:$HOME:$TERM:$LANG",
	  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/root:dumb:C.UTF-8" },
	{ "env | grep -c BACKOUT; true", "0" },
	{ "umask; pwd; id -u", "0022\n/\n0" },
	{ "stat -c '%a %F' /dev/null /dev/tty /tmp /run /run/lock /dev/shm",
	  "666 character special file\n666 character special file\n1777 directory\n"
	  "755 directory\n1777 directory\n1777 directory" },
	{ "echo x > /dev/full 2>/dev/null || echo full", "full" },
	{ "for l in ptmx fd stdout; do readlink /dev/$l; done",
	  "pts/ptmx\n/proc/self/fd\n/proc/self/fd/1" },
	{ "ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 " }, /* 3 is ls's own */
	/* Of the harness's descriptors init keeps two: its socket and the harness's pidfd. */
	{ "ls /proc/1/fd | tr '\\n' ' '", "0 1 2 3 4 " },
	{ "grep -c ' /sys sysfs ro,nosuid,nodev,noexec' /proc/mounts", "1" },
	{ "ulimit -c", "0" },
	{ "test $(cut -d' ' -f6 /proc/$$/stat) = $$ && echo leads a session", "leads a session" },
	/* What confines it lies below, and hangs on the kernel. */
	{ "cut -d' ' -f2 /proc/mounts | grep -v '^/\\(proc\\|sys\\|dev\\)/' | tr '\\n' ' '",
	  "/ /proc /sys /dev /run /tmp " },
	{ "head -c 1 /dev/urandom | wc -c", "1" },
	{ "grep -v ':/$' /proc/self/cgroup | grep -c backout; true", "0" },
};

START_TEST(a_fresh_node_looks_like_a_host)
{
	struct bench b;
	TEST_NEEDS_ROOT();
	ck_assert_int_eq(setenv("BACKOUT_LEAK", "1", 1), 0);
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		ck_assert_msg(strcmp(bench_ask(n, inside[i].script), inside[i].prints) == 0,
			      "%s printed '%s', not '%s'", inside[i].script,
			      bench_ask(n, inside[i].script), inside[i].prints);
	ck_assert_ptr_nonnull(strstr(node_mount_options(n), "index=on"));
	ck_assert_ptr_null(node_notice(n));
	bench_close_with(&b, n);
}
END_TEST

START_TEST(an_image_is_a_root_and_stays_as_it_is)
{
	struct bench b;
	struct err e = { 0 };
	struct node *n = NULL;
	TEST_NEEDS_ROOT();
	bench_open(&b);
	GUARD(mem) char *work = mem_strdup(bench_work(&b));
	struct node_spec spec = { .name = "web",
				  .root_kind = NODE_ROOT_IMAGE,
				  .root_path = bench_image(),
				  .work_dir = work };
	MUST(node_create(&n, b.loop, b.owner, &spec, &e));
	ck_assert_ptr_nonnull(strstr(node_mount_options(n), "xino=on"));
	ck_assert_str_eq(bench_ask(n, "echo new > /etc/passwd; cat /etc/passwd"), "new");
	GUARD_BUF struct buf seen = { 0 };
	MUST(io_read_file(node_root_fd(n), "etc/passwd", 1024, &seen, &e));
	ck_assert_str_eq(buf_str(&seen), "new\n");
	ck_assert_uint_eq(node_destroy(n, &e), 0);

	GUARD(mem) char *second = mem_strdup(bench_work(&b));
	spec.work_dir = second;
	MUST(node_create(&n, b.loop, b.owner, &spec, &e));
	ck_assert_str_eq(bench_ask(n, "head -c 5 /etc/passwd"), "root:");
	bench_close_with(&b, n);
}
END_TEST

/* As kernels before 6.12 need it; the device must go by itself. */
START_TEST(an_image_mounts_by_a_loop_device)
{
	struct err e = { 0 };
	char device[32];
	TEST_NEEDS_ROOT();
	if (access("/dev/loop-control", W_OK) != 0)
		TEST_SKIP("no loop devices");
	const char *image = bench_image();
	const char *at = test_dir();
	int fd = disk_attach(image, false, device, &e);
	ck_assert_msg(fd >= 0, "%s", e.why);
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount(device, at, "erofs", MS_RDONLY, NULL), 0);
	(void)close(fd);
	GUARD(mem) char *file = mem_printf("%s/etc/passwd", at);
	ck_assert_int_eq(access(file, R_OK), 0);
	ck_assert_int_eq(umount2(at, 0), 0);
	GUARD(mem) char *backing = mem_printf("/sys/block/%s/loop/backing_file", device + 5);
	for (int i = 0; i < 500 && access(backing, F_OK) == 0; i++)
		(void)usleep(2000); /* the kernel clears it behind the last close */
	ck_assert_int_ne(access(backing, F_OK), 0);
}
END_TEST

/* The file itself is no image: only the mount that is there already can be the root. */
START_TEST(nodes_share_a_mounted_image)
{
	struct bench b;
	struct err e = { 0 };
	struct node *n[2] = { NULL, NULL };
	TEST_NEEDS_ROOT();
	bench_open(&b);
	GUARD(mem) char *where = mem_printf("%s/shared", test_dir());
	GUARD(mem) char *none = mem_printf("%s/none", test_dir());
	MUST(io_mkdirs(where, 0700, &e));
	MUST(io_write_file(AT_FDCWD, none, "none", 4, 0600, &e));
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL), 0);
	MUST(node_mount_image(bench_image(), where, &e));
	for (size_t i = 0; i < 2; i++) {
		GUARD(mem) char *work = mem_strdup(bench_work(&b));
		struct node_spec spec = { .name = "web",
					  .root_kind = NODE_ROOT_IMAGE,
					  .root_path = none,
					  .mounted = where,
					  .work_dir = work };
		MUST(node_create(&n[i], b.loop, b.owner, &spec, &e));
	}
	ck_assert_str_eq(bench_ask(n[0], "echo new > /etc/passwd; cat /etc/passwd"), "new");
	ck_assert_str_eq(bench_ask(n[1], "head -c 5 /etc/passwd"), "root:");
	MUST(node_kill(n[0], &e));
	MUST(node_boot(n[0], &e));
	ck_assert_str_eq(bench_ask(n[0], "cat /etc/passwd"), "new");
	for (size_t i = 0; i < 2; i++)
		ck_assert_uint_eq(node_destroy(n[i], &e), 0);
	ck_assert_int_eq(umount2(where, 0), 0);
	bench_close(&b);
}
END_TEST

START_TEST(writes_do_not_reach_the_lower)
{
	struct bench b;
	struct err e = { 0 };
	TEST_NEEDS_ROOT();
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	(void)bench_ask(n, "echo x > /etc/group; rm /etc/passwd; echo y > /srv/new; mkdir /newdir");
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	char path[400];
	static const char *const gone[] = { "srv/new", "newdir" };
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", test_busybox_root(), gone[i]);
		ck_assert_int_ne(access(path, F_OK), 0);
	}
	(void)snprintf(path, sizeof(path), "%s/etc/passwd", test_busybox_root());
	ck_assert_int_eq(access(path, F_OK), 0);
	bench_close(&b);
}
END_TEST

START_TEST(two_nodes_do_not_see_each_other)
{
	struct bench b;
	struct err e = { 0 };
	TEST_NEEDS_ROOT();
	bench_open(&b);
	struct node *one = bench_node(&b, "one", NULL), *two = bench_node(&b, "two", NULL);
	(void)bench_ask(one, "sleep 60 >/dev/null 2>&1 & echo mark > /tmp/mark; hostname changed");
	ck_assert_str_eq(bench_ask(two, "hostname; ls /tmp; ps | grep -c '[s]leep'; true"),
			 "two\n0");
	ck_assert_str_eq(bench_ask(one, "hostname"), "changed");
	pid_t pids[8];
	ck_assert_int_eq(node_processes(one, pids, 8, &e), 1);
	ck_assert_int_eq(node_processes(two, pids + 1, 7, &e), 0);
	pid_t in = node_inside_pid(pids[0]);
	ck_assert_int_gt(in, 1);
	ck_assert_int_eq(node_host_pid(one, in), pids[0]);
	ck_assert_int_eq(node_host_pid(two, in), 0);
	ck_assert_int_eq(node_host_pid(one, 1), node_init_pid(one));
	ck_assert_int_eq(node_inside_pid(node_init_pid(one)), 1);
	ck_assert_int_eq(node_inside_pid(getpid()), 0);
	ck_assert_uint_eq(node_destroy(one, &e), 0);
	ck_assert(bench_gone(pids[0]));
	ck_assert_str_eq(bench_ask(two, "echo lives"), "lives");
	bench_close_with(&b, two);
}
END_TEST

/* As on a disk: mv(1) has no need to copy what it should only rename. */
START_TEST(a_folder_of_the_image_can_be_renamed)
{
	struct bench b;
	TEST_NEEDS_ROOT();
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	ck_assert_str_eq(bench_ask(n, "i=$(stat -c %i /etc); mv /etc /srv/moved; "
				      "[ $i = $(stat -c %i /srv/moved) ] && echo same"),
			 "same");
	bench_close_with(&b, n);
}
END_TEST

START_TEST(processes_below_a_nested_namespace_are_the_nodes)
{
	struct bench b;
	struct err e = { 0 };
	TEST_NEEDS_ROOT();
	bench_open(&b);
	b.may_mount = true;
	struct node *n = bench_node(&b, "web", NULL);
	(void)bench_ask(n, "unshare -p -f sleep 60 >/dev/null 2>&1 & sleep 0.3");
	pid_t pids[8];
	ck_assert_int_eq(node_processes(n, pids, 8, &e), 2);
	/* Whatever the workflow mounts over its /proc. */
	(void)bench_ask(n, "mount -t tmpfs hides /proc");
	ck_assert_int_eq(node_processes(n, pids, 8, &e), 2);
	bench_close_with(&b, n);
}
END_TEST

/* A limit where the host can give one, so that there is a group that could be left. */
static uint64_t some_pids(void)
{
	return cgroup_unsupported("pids") == NULL ? 50 : 0;
}

static const struct {
	const char *root, *work, *name;
	const char *says;
} broken[] = {
	{ "/nonexistent/root", NULL, "web", "/nonexistent/root" },
	{ "/etc/passwd", NULL, "web", "no folder" },
	{ NULL, "/proc/1", "web", "/proc/1" },
	{ NULL, "/nonexistent/work", "web", "/nonexistent/work" },
	{ NULL, "/dev/shm/../shm", "we/b", "host name" },
	{ NULL, NULL, "", "host name" },
};

START_TEST(what_cannot_be_built_leaves_nothing)
{
	struct bench b;
	struct err e = { 0 };
	struct node *n = NULL;
	TEST_NEEDS_ROOT();
	bench_open(&b);
	GUARD(mem) char *work = mem_strdup(bench_work(&b));
	struct node_spec spec = {
		.name = broken[_i].name,
		.root_kind = NODE_ROOT_DIR,
		.root_path = broken[_i].root != NULL ? broken[_i].root : test_busybox_root(),
		.work_dir = broken[_i].work != NULL ? broken[_i].work : work,
		.limits = { .pids = some_pids() },
	};
	ck_assert_int_eq(node_create(&n, b.loop, b.owner, &spec, &e), -1);
	ck_assert_msg(strstr(e.why, broken[_i].says) != NULL, "%s", e.why);
	ck_assert_ptr_null(n);
	ck_assert_uint_eq(bench_groups(owner_tag(b.owner)), 0);
	ck_assert_int_eq(rmdir(work), 0); /* empty */
	ck_assert_uint_eq(node_destroy(NULL, &e), 0);
	bench_close(&b);
}
END_TEST

/* Fails after clone: an image that is none, and a work folder on which overlay refuses to work. */
START_TEST(what_fails_inside_tells_why_and_leaves_nothing)
{
	struct bench b;
	struct err e = { 0 };
	struct node *n = NULL;
	TEST_NEEDS_ROOT();
	bench_open(&b);
	GUARD(mem) char *work = mem_strdup(bench_work(&b));
	struct node_spec spec = { .name = "web",
				  .root_kind = NODE_ROOT_IMAGE,
				  .root_path = "/etc/passwd",
				  .work_dir = work };
	ck_assert_int_eq(node_create(&n, b.loop, b.owner, &spec, &e), -1);
	ck_assert_msg(strstr(e.why, "mount image '/etc/passwd'") != NULL, "%s", e.why);
	ck_assert_uint_eq(bench_groups(owner_tag(b.owner)), 0);
	ck_assert_int_eq(rmdir(work), 0);
	/* No child either, but for the one that holds systemd's scope. */
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), cgroup_base_systemd() ? 0 : -1);
	bench_close(&b);
}
END_TEST

/* On one processor init is gone, with what it was sent unread, before the harness reads its last
 * word: the kernel then tells of the reset connection first. */
START_TEST(an_init_that_is_gone_has_told_why)
{
	struct bench b;
	cpu_set_t one, all;
	TEST_NEEDS_ROOT();
	bench_open(&b);
	ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	GUARD(mem) char *work = mem_strdup(bench_work(&b));
	struct node_spec spec = { .name = "web",
				  .root_kind = NODE_ROOT_IMAGE,
				  .root_path = "/etc/passwd",
				  .work_dir = work };
	for (int i = 0; i < 20; i++) {
		struct err e = { 0 };
		struct node *n = NULL;
		ck_assert_int_eq(node_create(&n, b.loop, b.owner, &spec, &e), -1);
		ck_assert_msg(strstr(e.why, "mount image '/etc/passwd'") != NULL, "%s", e.why);
	}
	ck_assert_int_eq(sched_setaffinity(0, sizeof(all), &all), 0);
	bench_close(&b);
}
END_TEST

/* A harness with a node in it; it says the node's init and waits. */
static pid_t doomed_harness(struct bench *b, const char *state, pid_t *init, char tag[128])
{
	int pair[2];
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct err e = { 0 };
		(void)snprintf(b->state, sizeof(b->state), "%s", state);
		if (owner_create(&b->owner, state, &e) < 0 || loop_create(&b->loop, &e) < 0)
			_exit(1);
		struct cgroup_limits limits = { .pids = some_pids() };
		struct node *n = bench_node(b, "web", &limits);
		(void)bench_ask(n, "(trap '' HUP TERM; sleep 60) >/dev/null 2>&1 & echo");
		*init = node_init_pid(n);
		(void)snprintf(tag, 128, "%s", owner_tag(b->owner));
		(void)!write(pair[1], init, sizeof(*init));
		(void)!write(pair[1], tag, 128);
		for (;;)
			(void)pause();
	}
	(void)close(pair[1]);
	ck_assert_int_eq(read(pair[0], init, sizeof(*init)), sizeof(*init));
	ck_assert_int_eq(read(pair[0], tag, 128), 128);
	(void)close(pair[0]);
	return pid;
}

START_TEST(nothing_outlives_a_killed_harness)
{
	struct bench b = { 0 };
	struct err e = { 0 };
	pid_t init;
	char tag[128], state[300];
	TEST_NEEDS_ROOT();
	(void)test_busybox_root();
	(void)snprintf(state, sizeof(state), "%s", test_dir());
	pid_t pid = doomed_harness(&b, state, &init, tag);
	ck_assert_int_eq(kill(init, 0), 0);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	ck_assert(bench_gone(init));
	MUST(owner_collect(state, NULL, NULL, &e));
	ck_assert_uint_eq(bench_groups(tag), 0);
	GUARD(mem) char *folder = mem_printf("%s/owners/%s", state, tag);
	ck_assert_int_ne(access(folder, F_OK), 0);
}
END_TEST

static void count_exit(void *arg, int status)
{
	int *seen = arg;
	ck_assert(WIFSIGNALED(status));
	(*seen)++;
}

/* Programs are where they belong: the workflow dies without the services, and the node goes on. */
START_TEST(the_workflow_is_killed_apart_from_the_node)
{
	struct bench b;
	struct err e = { 0 };
	TEST_NEEDS_ROOT();
	if (cgroup_unsupported("freeze") != NULL)
		TEST_SKIP(cgroup_unsupported("freeze"));
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	int step_ended = 0, service_ended = 0;
	const char *const argv[] = { "sh", "-c", "sleep 60; true", NULL };
	struct spawn_spec step = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	struct spawn_spec service = step;
	struct proc *in[2];
	service.apart = service.service = true;
	MUST(node_spawn(n, &step, count_exit, &step_ended, &in[0], &e));
	MUST(node_spawn(n, &service, count_exit, &service_ended, &in[1], &e));
	MUST(cgroup_node_kill(node_cgroup(n), CGROUP_WORKFLOW, &e));
	ck_assert(bench_gone(proc_pid(in[0])));
	ck_assert_int_eq(loop_wait(b.loop, &(bool){ false }, clock_now() + 100 * NS_PER_MS, &e), 0);
	ck_assert_int_eq(step_ended, 1);
	ck_assert(service_ended == 0 && proc_running(in[1]) && node_alive(n));
	ck_assert_str_eq(bench_ask(n, "echo goes on"), "goes on");
	/* And a workflow may begin anew. */
	proc_free(in[0]);
	MUST(node_spawn(n, &step, count_exit, &step_ended, &in[0], &e));
	ck_assert(proc_running(in[0]));
	const pid_t last[] = { proc_pid(in[0]), proc_pid(in[1]) };
	MUST(cgroup_node_kill(node_cgroup(n), CGROUP_NODE, &e));
	ck_assert(bench_gone(last[0]) && bench_gone(last[1]));
	ck_assert_int_eq(loop_wait(b.loop, &(bool){ false }, clock_now() + 100 * NS_PER_MS, &e), 0);
	ck_assert(!node_alive(n) && service_ended == 1);
	proc_free(in[0]);
	proc_free(in[1]);
	bench_close_with(&b, n);
}
END_TEST

START_TEST(a_node_whose_init_was_killed)
{
	struct bench b;
	struct err e = { 0 };
	TEST_NEEDS_ROOT();
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	int seen = 0;
	const char *const argv[] = { "sleep", "60", NULL };
	struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	struct proc *p = NULL;
	MUST(node_spawn(n, &spec, count_exit, &seen, &p, &e));
	pid_t pid = proc_pid(p);
	(void)kill(node_init_pid(n), SIGKILL);
	ck_assert_int_eq(loop_wait(b.loop, &(bool){ false }, clock_now() + 200 * NS_PER_MS, &e), 0);
	ck_assert(!node_alive(n) && !proc_running(p));
	ck_assert_int_eq(seen, 1);
	ck_assert(bench_gone(pid));
	struct proc *none = NULL;
	ck_assert_int_eq(node_spawn(n, &spec, count_exit, &seen, &none, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.why, "is down"));
	err_clear(&e);
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	ck_assert(!proc_running(p)); /* still ours to look at */
	proc_free(p);
	bench_close(&b);
}
END_TEST

START_TEST(destroy_works_on_a_stopped_loop)
{
	struct bench b;
	struct err e = { 0 };
	TEST_NEEDS_ROOT();
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	pid_t init = node_init_pid(n);
	(void)bench_ask(n, "sleep 60 >/dev/null 2>&1 & echo");
	loop_stop(b.loop, "stopped");
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	ck_assert_int_eq(kill(init, 0), -1);
	bench_close(&b);
}
END_TEST

Suite *suite_node(void);
Suite *suite_node(void)
{
	Suite *s = suite_create("node");
	TCase *t = tcase_create("node");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_fresh_node_looks_like_a_host);
	tcase_add_test(t, an_image_is_a_root_and_stays_as_it_is);
	tcase_add_test(t, an_image_mounts_by_a_loop_device);
	tcase_add_test(t, nodes_share_a_mounted_image);
	tcase_add_test(t, writes_do_not_reach_the_lower);
	tcase_add_test(t, two_nodes_do_not_see_each_other);
	tcase_add_test(t, processes_below_a_nested_namespace_are_the_nodes);
	tcase_add_test(t, a_folder_of_the_image_can_be_renamed);
	tcase_add_loop_test(t, what_cannot_be_built_leaves_nothing, 0,
			    sizeof(broken) / sizeof(broken[0]));
	tcase_add_test(t, what_fails_inside_tells_why_and_leaves_nothing);
	tcase_add_test(t, an_init_that_is_gone_has_told_why);
	tcase_add_test(t, nothing_outlives_a_killed_harness);
	tcase_add_test(t, a_node_whose_init_was_killed);
	tcase_add_test(t, the_workflow_is_killed_apart_from_the_node);
	tcase_add_test(t, destroy_works_on_a_stopped_loop);
	suite_add_tcase(s, t);
	return s;
}
