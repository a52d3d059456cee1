/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/cgroup.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/cgroup_base.h"
#include "harness/sandbox/hierarchy.h"
#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"

static const struct hierarchy *v1(const char *controller)
{
	return hierarchies_v1(hierarchies_own(), controller);
}

static bool no_v1(void)
{
	return v1("memory") == NULL || v1("pids") == NULL || v1("cpu") == NULL;
}

/* By the v2 root itself. */
static bool offered(const char *controller)
{
	const struct hierarchy *v2 = hierarchies_v2(hierarchies_own());
	struct err e = { 0 };
	GUARD_BUF struct buf text = { 0 };
	GUARD(mem) char *path = mem_printf("%s/cgroup.controllers", v2 != NULL ? v2->mount : "");
	return v2 != NULL && io_read_file(AT_FDCWD, path, 4096, &text, &e) == 0 &&
	       strstr(buf_str(&text), controller) != NULL;
}

START_TEST(mode_agrees_with_what_is_mounted)
{
	const char *name = cgroup_mode_name(cgroup_mode());
	struct err e = { 0 };
	GUARD_BUF struct buf mounts = { 0 };
	MUST(io_read_file(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &mounts, &e));
	bool v2 = strstr(buf_str(&mounts), " - cgroup2 ") != NULL;
	ck_assert_int_eq(v2, strcmp(name, "hybrid") == 0 || strcmp(name, "v2") == 0);
	for (const char *const *c = (const char *const[]){ "memory", "pids", "cpu", NULL };
	     *c != NULL; c++)
		ck_assert_int_eq(cgroup_unsupported(*c) == NULL,
				 geteuid() == 0 && (v1(*c) != NULL || offered(*c)));
	ck_assert_ptr_nonnull(cgroup_unsupported("network"));
}
END_TEST

/* What the kernel holds, read by ourselves. */
static long long held(const char *controller, const char *tag, const char *file)
{
	const struct hierarchy *h = v1(controller);
	char command[1200], text[64] = "";
	(void)snprintf(command, sizeof(command), "cat '%s/%s/%s'-web-*/%s", h->mount, h->group, tag,
		       file);
	FILE *f = popen(command, "re");
	ck_assert_ptr_nonnull(f);
	(void)!fgets(text, sizeof(text), f);
	ck_assert_msg(pclose(f) == 0, "%s", command);
	return atoll(text);
}

START_TEST(limits_are_set_and_groups_go)
{
	struct bench b;
	struct err e = { 0 };
	struct node_cgroup *c = NULL;
	const struct cgroup_limits limits = { .memory = (32 << 20) + 5, .pids = 7, .cpu = 12.5 };
	TEST_NEEDS_ROOT();
	if (no_v1())
		TEST_SKIP("no v1 hierarchies");
	bench_open(&b);
	MUST(cgroup_node_create(&c, b.owner, "web", &limits, &e));
	const char *tag = owner_tag(b.owner);
	ck_assert_int_eq(held("memory", tag, "memory.limit_in_bytes"), 32 << 20);
	ck_assert_int_eq(held("pids", tag, "pids.max"), 7);
	ck_assert_int_eq(held("cpu", tag, "cpu.cfs_quota_us"), 12500);
	bool v2;
	ck_assert_uint_eq(bench_groups(tag), 3 + (cgroup_node_dir(c, CGROUP_NODE, &v2) >= 0));
	struct cgroup_use use;
	cgroup_node_use(c, &use);
	ck_assert_uint_eq(use.memory_hits, 0);
	ck_assert_uint_ne(use.memory_peak, UINT64_MAX);
	ck_assert_uint_eq(cgroup_node_destroy(c, &e), 0);
	ck_assert_uint_eq(bench_groups(tag), 0);
	bench_close(&b);
}
END_TEST

START_TEST(equal_names_get_groups_of_their_own)
{
	struct bench b;
	struct err e = { 0 };
	struct node_cgroup *c[2] = { NULL, NULL };
	const struct cgroup_limits limits = { .pids = 7 };
	TEST_NEEDS_ROOT();
	if (no_v1())
		TEST_SKIP("no v1 hierarchies");
	bench_open(&b);
	MUST(cgroup_node_create(&c[0], b.owner, "web", &limits, &e));
	const unsigned each = bench_groups(owner_tag(b.owner));
	ck_assert_uint_ge(each, 2);
	MUST(cgroup_node_create(&c[1], b.owner, "web", &limits, &e));
	ck_assert_uint_eq(bench_groups(owner_tag(b.owner)), 2 * each);
	ck_assert_uint_eq(cgroup_node_destroy(c[0], &e), 0);
	ck_assert_uint_eq(bench_groups(owner_tag(b.owner)), each);
	ck_assert_uint_eq(cgroup_node_destroy(c[1], &e), 0);
	bench_close(&b);
}
END_TEST

/* Where a process is, by its own /proc file. */
static bool is_in(pid_t pid, const char *part)
{
	struct err e = { 0 };
	GUARD(mem) char *path = mem_printf("/proc/%d/cgroup", (int)pid);
	GUARD_BUF struct buf text = { 0 };
	MUST(io_read_file(AT_FDCWD, path, 1 << 16, &text, &e));
	return strstr(buf_str(&text), part) != NULL;
}

START_TEST(members_are_killed_not_moved)
{
	struct bench b;
	struct err e = { 0 };
	struct node_cgroup *c = NULL;
	const struct cgroup_limits limits = { .memory = 32 << 20, .pids = 7, .cpu = 50 };
	TEST_NEEDS_ROOT();
	if (no_v1())
		TEST_SKIP("no v1 hierarchies");
	bench_open(&b);
	MUST(cgroup_node_create(&c, b.owner, "web", &limits, &e));
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			(void)pause();
	MUST(cgroup_node_attach(c, pid, &e));
	ck_assert(is_in(pid, owner_tag(b.owner)));
	ck_assert_uint_eq(cgroup_node_destroy(c, &e), 0);
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	bench_close(&b);
}
END_TEST

static const struct {
	struct cgroup_limits limits;
	int exit;
	const char *says;
} refused[] = {
	{ { .memory = 100 }, EXIT_BAD_SCENARIO, "less than a page" },
	{ { .swap = 32 << 20 }, EXIT_BAD_SCENARIO, "one of memory" },
	{ { .cpus = "0-" }, EXIT_BAD_SCENARIO, "no list of processors" },
	{ { .cpus = "0,1023" }, EXIT_UNAVAILABLE, "processor 1023" },
	{ { .io_read = 1 << 20, .io_of = "/dev/shm" }, EXIT_UNAVAILABLE, "no disk backs" },
	{ { .memory = 32 << 20, .cpu = 0.5 }, EXIT_BAD_SCENARIO, "1%" },
	{ { .memory = 32 << 20, .pids = UINT64_MAX / 2 }, EXIT_HARNESS, "backout-" },
};

static const char *const all_limits[] = { "memory", "swap", "pids", "cpu", "cpus", "io", NULL };

START_TEST(a_refused_limit_leaves_nothing)
{
	struct bench b;
	struct err e = { 0 };
	struct node_cgroup *c = NULL;
	TEST_NEEDS_ROOT();
	for (const char *const *what = all_limits; *what != NULL; what++)
		if (cgroup_unsupported(*what) != NULL)
			TEST_SKIP(cgroup_unsupported(*what));
	bench_open(&b);
	ck_assert_int_eq(cgroup_node_create(&c, b.owner, "web", &refused[_i].limits, &e), -1);
	ck_assert_int_eq(e.exit, refused[_i].exit);
	ck_assert_msg(strstr(e.why, refused[_i].says) != NULL, "%s", e.why);
	ck_assert_ptr_null(c);
	ck_assert_uint_eq(bench_groups(owner_tag(b.owner)), 0);
	bench_close(&b);
}
END_TEST

static pid_t sleeper(struct node_cgroup *c, enum cgroup_part part)
{
	struct err e = { 0 };
	char text[16];
	bool v2;
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			(void)pause();
	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	MUST(io_write_knob(cgroup_node_dir(c, part, &v2), "cgroup.procs", text, &e));
	return pid;
}

static void ends_killed(pid_t pid)
{
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* The real tree of this host: on a hybrid one a v2 mount without controllers. */
START_TEST(the_workflow_is_killed_apart_from_the_node)
{
	struct bench b;
	struct err e = { 0 };
	struct node_cgroup *c = NULL;
	TEST_NEEDS_ROOT();
	if (cgroup_unsupported("freeze") != NULL)
		TEST_SKIP(cgroup_unsupported("freeze"));
	bench_open(&b);
	MUST(cgroup_node_create(&c, b.owner, "web", &(struct cgroup_limits){ 0 }, &e));
	pid_t init = sleeper(c, CGROUP_NODE), service = sleeper(c, CGROUP_SERVICES);
	pid_t step = sleeper(c, CGROUP_WORKFLOW);
	ck_assert(is_in(step, "/workflow\n"));
	ck_assert(is_in(service, "/services\n"));
	MUST(cgroup_node_kill(c, CGROUP_WORKFLOW, &e));
	ends_killed(step);
	ck_assert_int_eq(waitpid(init, NULL, WNOHANG), 0);
	ck_assert_int_eq(waitpid(service, NULL, WNOHANG), 0);
	/* The dead go with the living: a node is killed even while it is frozen. */
	MUST(cgroup_node_freeze(c, CGROUP_NODE, true, &e));
	MUST(cgroup_node_kill(c, CGROUP_NODE, &e));
	ends_killed(init);
	ends_killed(service);
	ck_assert_uint_eq(cgroup_node_destroy(c, &e), 0);
	bench_close(&b);
}
END_TEST

/* What a node's own init makes of its tree, and the next life's. */
START_TEST(groups_of_its_own_init)
{
	struct bench b;
	struct err e = { 0 };
	struct node_cgroup *c = NULL;
	char text[16];
	pid_t found[4];
	bool v2;
	TEST_NEEDS_ROOT();
	if (hierarchies_v2(hierarchies_own()) == NULL)
		TEST_SKIP("no cgroup v2");
	bench_open(&b);
	MUST(cgroup_node_create(&c, b.owner, "web", &(struct cgroup_limits){ .managed = true },
				&e));
	const int dir = cgroup_node_dir(c, CGROUP_NODE, &v2);
	ck_assert_int_eq(mkdirat(dir, "system.slice", 0755), 0);
	ck_assert_int_eq(mkdirat(dir, "system.slice/a.service", 0755), 0);
	ck_assert_int_eq(mkdirat(dir, "system.slice/a.service/sub", 0755), 0);
	pid_t probe = sleeper(c, CGROUP_PROBES), main = sleeper(c, CGROUP_NODE);
	pid_t child = sleeper(c, CGROUP_NODE);
	ck_assert(is_in(probe, "/probes\n"));
	(void)snprintf(text, sizeof(text), "%d", (int)main);
	MUST(io_write_knob(dir, "system.slice/a.service/cgroup.procs", text, &e));
	(void)snprintf(text, sizeof(text), "%d", (int)child);
	MUST(io_write_knob(dir, "system.slice/a.service/sub/cgroup.procs", text, &e));
	ck_assert_uint_eq(cgroup_node_members(c, "a.service", found, 4), 2);
	ck_assert_int_eq(found[0], main);
	ck_assert_int_eq(found[1], child);
	ck_assert_uint_eq(cgroup_node_members(c, "a", found, 4), 0);
	MUST(cgroup_node_kill(c, CGROUP_NODE, &e));
	ends_killed(main);
	ends_killed(child);
	ends_killed(probe);
	/* As systemd does with what is empty, in a shutdown. */
	ck_assert_int_eq(unlinkat(dir, "workflow", AT_REMOVEDIR), 0);
	MUST(cgroup_node_clear(c, &e));
	pid_t step = sleeper(c, CGROUP_WORKFLOW);
	ck_assert(is_in(step, "/workflow\n"));
	ck_assert_int_eq(faccessat(dir, "system.slice", F_OK, 0), -1);
	ck_assert_uint_eq(cgroup_node_destroy(c, &e), 0);
	ends_killed(step);
	ck_assert_uint_eq(bench_groups(owner_tag(b.owner)), 0);
	bench_close(&b);
}
END_TEST

START_TEST(what_is_frozen_stands_still)
{
	struct bench b;
	struct err e = { 0 };
	struct node_cgroup *c = NULL;
	char text[64];
	int tick[2];
	bool v2;
	TEST_NEEDS_ROOT();
	if (cgroup_unsupported("freeze") != NULL)
		TEST_SKIP(cgroup_unsupported("freeze"));
	bench_open(&b);
	MUST(cgroup_node_create(&c, b.owner, "web", &(struct cgroup_limits){ 0 }, &e));
	ck_assert_int_eq(pipe2(tick, O_NONBLOCK), 0);
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			(void)!write(tick[1], "x", 1);
	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	MUST(io_write_knob(cgroup_node_dir(c, CGROUP_SERVICES, &v2), "cgroup.procs", text, &e));
	MUST(cgroup_node_freeze(c, CGROUP_NODE, true, &e));
	while (read(tick[0], text, sizeof(text)) > 0)
		;
	(void)usleep(20000);
	ck_assert_int_eq(read(tick[0], text, sizeof(text)), -1);
	MUST(cgroup_node_freeze(c, CGROUP_NODE, false, &e));
	while (read(tick[0], text, sizeof(text)) < 0)
		ck_assert_int_eq(errno, EAGAIN);
	struct cgroup_use use;
	cgroup_node_use(c, &use);
	ck_assert(!v2 || (use.cpu != UINT64_MAX && use.cpu > 0));
	ck_assert_uint_eq(cgroup_node_destroy(c, &e), 0);
	ends_killed(pid);
	bench_close(&b);
}
END_TEST

/* What stands in for systemd-run on a host that looks like one of systemd's. */
static const struct {
	const char *script, *says;
} refusals[] = {
	{ "#!/bin/sh\nexec sleep 600\n", "it did not answer" },
	{ "#!/bin/sh\necho no bus >&2\nexec 2>&1\nexec sleep 600\n", "no bus" },
	{ "#!/bin/sh\necho denied >&2\nexit 1\n", "denied" },
};

START_TEST(a_systemd_that_gives_no_scope_is_said)
{
	struct bench b;
	struct err e = { 0 }, again = { 0 };
	const struct cgroup_base *base;
	TEST_NEEDS_ROOT();
	if (cgroup_mode() == CGROUP_NONE)
		TEST_SKIP("no control groups");
	bench_open(&b);
	GUARD(mem) char *program = mem_printf("%s/systemd-run", test_dir());
	GUARD(mem)
	char *path = mem_printf("%.*s:%s", (int)(strrchr(program, '/') - program), program,
				getenv("PATH"));
	MUST(io_write_file(AT_FDCWD, program, refusals[_i].script, strlen(refusals[_i].script),
			   0755, &e));
	ck_assert_int_eq(setenv("PATH", path, 1), 0);
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("none", "/run", "tmpfs", 0, NULL), 0);
	MUST(io_mkdirs("/run/systemd/system", 0755, &e));
	ck_assert_int_eq(cgroup_base(&base, b.owner, &e), -1);
	ck_assert_int_eq(e.exit, EXIT_UNAVAILABLE);
	ck_assert_msg(strstr(e.why, refusals[_i].says) != NULL, "%s", e.why);
	/* Not asked again, and no child is left of it. */
	ck_assert_int_eq(unlink(program), 0);
	ck_assert_int_eq(cgroup_base(&base, b.owner, &again), -1);
	ck_assert_str_eq(again.why, e.why);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	bench_close(&b);
}
END_TEST

Suite *suite_cgroup(void);
Suite *suite_cgroup(void)
{
	Suite *s = suite_create("cgroup");
	TCase *t = tcase_create("cgroup");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, mode_agrees_with_what_is_mounted);
	tcase_add_test(t, limits_are_set_and_groups_go);
	tcase_add_test(t, equal_names_get_groups_of_their_own);
	tcase_add_test(t, members_are_killed_not_moved);
	tcase_add_loop_test(t, a_refused_limit_leaves_nothing, 0,
			    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(t, the_workflow_is_killed_apart_from_the_node);
	tcase_add_test(t, groups_of_its_own_init);
	tcase_add_test(t, what_is_frozen_stands_still);
	tcase_add_loop_test(t, a_systemd_that_gives_no_scope_is_said, 0,
			    sizeof(refusals) / sizeof(refusals[0]));
	suite_add_tcase(s, t);
	return s;
}
