/* SPDX-License-Identifier: MIT */
/* Each limit of a node by what it does to the programs inside, on whatever hierarchies the host
 * has; and what a node's use is counted as. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/cgroup.h"
#include "harness/sandbox/oom.h"
#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"

#define NEEDS(what)                                                                                \
	do {                                                                                       \
		TEST_NEEDS_ROOT();                                                                 \
		if (cgroup_unsupported(what) != NULL)                                              \
			TEST_SKIP(cgroup_unsupported(what));                                       \
	} while (0)

enum { MIB = 1 << 20 };

/* With the sanitizers' run-time the first process of a node is itself some tens of MiB: its
 * program and libraries are copies of its own. */
#if defined(__SANITIZE_ADDRESS__)
#define TIMES "0"
enum { UNIT = 10 * MIB };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TIMES "0"
enum { UNIT = 10 * MIB };
#endif
#endif
#ifndef TIMES
#define TIMES ""
enum { UNIT = MIB };
#endif

/* Of a file of the node's group, wherever that is. */
static const char *in_group(const char *tag, const char *file)
{
	static char text[4096];
	char command[400];
	(void)snprintf(command, sizeof(command),
		       "cat $(find /sys/fs/cgroup -path '*/%s-web-*/%s' ! -path '*/workflow/*' "
		       "! -path '*/services/*')",
		       tag, file);
	FILE *f = popen(command, "re");
	ck_assert_ptr_nonnull(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	ck_assert_msg(pclose(f) == 0, "%s", command);
	return text;
}

static bool log_readable(void)
{
	GUARD(fd) int fd = oom_open();
	return fd >= 0;
}

START_TEST(memory)
{
	struct bench b;
	struct cgroup_use use;
	char who[300];
	NEEDS("memory");
	bench_open(&b);
	struct node *n = bench_node(&b, "web", &(struct cgroup_limits){ .memory = 24 * UNIT });
	ck_assert_uint_eq(cgroup_node_killed(node_cgroup(n), who, sizeof(who)), 0);
	ck_assert_int_eq(bench_sh(n, "dd if=/dev/zero of=/dev/null bs=12" TIMES "M count=1", NULL),
			 0);
	ck_assert_uint_eq(cgroup_node_killed(node_cgroup(n), who, sizeof(who)), 0);
	ck_assert_int_ne(bench_sh(n, "dd if=/dev/zero of=/dev/null bs=100" TIMES "M count=1", NULL),
			 0);
	ck_assert(node_alive(n));
	ck_assert_uint_eq(cgroup_node_killed(node_cgroup(n), who, sizeof(who)), 1);
	ck_assert_msg(strstr(who, log_readable() ? "dd (pid " : "a process") == who, "%s", who);
	ck_assert_uint_eq(cgroup_node_killed(node_cgroup(n), who, sizeof(who)), 0);
	cgroup_node_use(node_cgroup(n), &use);
	ck_assert_uint_gt(use.memory_kills, 0);
	if (use.memory_peak != UINT64_MAX) {
		ck_assert_uint_gt(use.memory_peak, 20 * UNIT);
		ck_assert_uint_le(use.memory_peak, 24 * UNIT);
	}
	bench_close_with(&b, n);
}
END_TEST

/* Swap of the host's has to be on. */
START_TEST(swap)
{
	struct bench b;
	struct err e = { 0 };
	GUARD_BUF struct buf swaps = { 0 };
	NEEDS("swap");
	MUST(io_read_file(AT_FDCWD, "/proc/swaps", 1 << 16, &swaps, &e));
	if (strchr(buf_str(&swaps), '\n')[1] == '\0')
		TEST_SKIP("no swap is on: /proc/swaps lists none");
	bench_open(&b);
	struct node *with = bench_node(
		&b, "web", &(struct cgroup_limits){ .memory = 24 * MIB, .swap = 64 * MIB });
	ck_assert_int_eq(bench_sh(with, "dd if=/dev/zero of=/dev/null bs=40M count=1", NULL), 0);
	ck_assert_int_ne(bench_sh(with, "dd if=/dev/zero of=/dev/null bs=200M count=1", NULL), 0);
	ck_assert_uint_eq(node_destroy(with, &e), 0);
	struct node *without = bench_node(&b, "web", &(struct cgroup_limits){ .memory = 24 * MIB });
	ck_assert_int_ne(bench_sh(without, "dd if=/dev/zero of=/dev/null bs=40M count=1", NULL), 0);
	bench_close_with(&b, without);
}
END_TEST

START_TEST(pids)
{
	struct bench b;
	NEEDS("pids");
	bench_open(&b);
	struct node *n = bench_node(&b, "web", &(struct cgroup_limits){ .pids = 12 });
	GUARD_BUF struct buf out = { 0 };
	(void)bench_sh(n, "for i in $(seq 8); do sleep 5 & done; true", &out);
	ck_assert_ptr_null(strstr(buf_str(&out), "can't fork"));
	(void)bench_sh(n, "for i in $(seq 14); do sleep 5 & done; true", &out);
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "can't fork"));
	bench_close_with(&b, n);
}
END_TEST

START_TEST(cpu)
{
	struct bench b;
	struct cgroup_use use;
	NEEDS("cpu");
	bench_open(&b);
	struct node *n = bench_node(&b, "web", &(struct cgroup_limits){ .cpu = 20 });
	/* The kernel's own count of periods in which it was held back. */
	(void)bench_sh(n, "timeout 1 sh -c 'while :; do :; done'", NULL);
	const char *at = strstr(in_group(owner_tag(b.owner), "cpu.stat"), "nr_throttled ");
	ck_assert_ptr_nonnull(at);
	ck_assert_int_gt(atoi(at + strlen("nr_throttled ")), 0);
	cgroup_node_use(node_cgroup(n), &use);
	ck_assert(use.cpu == UINT64_MAX || use.cpu > 0);
	bench_close_with(&b, n);
}
END_TEST

START_TEST(cpuset)
{
	struct bench b;
	NEEDS("cpus");
	bench_open(&b);
	struct node *n = bench_node(&b, "web", &(struct cgroup_limits){ .cpus = "0" });
	ck_assert_str_eq(bench_ask(n, "sed -n 's/^Cpus_allowed_list:.//p' /proc/self/status"), "0");
	bench_close_with(&b, n);
}
END_TEST

START_TEST(io)
{
	struct bench b;
	struct cgroup_use use;
	struct err e = { 0 };
	NEEDS("io");
	bench_open(&b);
	struct node *n = NULL;
	struct node_spec spec = { .name = "web",
				  .root_kind = NODE_ROOT_DIR,
				  .root_path = test_busybox_root(),
				  .work_dir = bench_work(&b),
				  .limits = { .io_read = 4 * MIB, .io_write = 4 * MIB } };
	if (node_create(&n, b.loop, b.owner, &spec, &e) < 0 && e.exit == EXIT_UNAVAILABLE)
		TEST_SKIP(e.why);
	ck_assert_msg(n != NULL, "%s", e.why);
	/* At least, never at most: 8 MiB at 4 MiB a second, in one burst of a second's worth. */
	int64_t begin = clock_now();
	ck_assert_str_eq(bench_ask(n,
				   "dd if=/dev/zero of=/big bs=1M count=8 oflag=direct 2>/dev/null;"
				   " wc -c < /big"),
			 "8388608");
	int64_t took = clock_now() - begin;
	ck_assert_msg(took > NS_PER_S / 2, "8 MiB in %lld ms", (long long)(took / NS_PER_MS));
	begin = clock_now();
	ck_assert_int_eq(
		bench_sh(n, "dd if=/big of=/dev/null bs=1M iflag=direct 2>/dev/null", NULL), 0);
	took = clock_now() - begin;
	ck_assert_msg(took > NS_PER_S / 2, "8 MiB back in %lld ms", (long long)(took / NS_PER_MS));
	cgroup_node_use(node_cgroup(n), &use);
	ck_assert_uint_ge(use.io_written, 8 * MIB);
	ck_assert_uint_ge(use.io_read, 8 * MIB);
	bench_close_with(&b, n);
}
END_TEST

static const struct {
	const char *line, *says;
} lines[] = {
	{ "6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
	  "oom_memcg=/a/backout-1-2-web-3.0,task_memcg=/a/backout-1-2-web-3.0/workflow,task=ta,il,"
	  "pid=12,uid=0\n",
	  "ta,il (pid 12 of the host)" },
	{ "6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
	  "oom_memcg=/a,task_memcg=/a/backout-1-2-web-3.0,task=tail,pid=12,uid=0\n",
	  NULL }, /* not for the node's limit */
	{ "6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
	  "oom_memcg=/a/xbackout-1-2-web-3.0,task_memcg=/a/b,task=tail,pid=12,uid=0\n",
	  NULL },
	{ "6,1,2,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,"
	  "global_oom,task_memcg=/a/backout-1-2-web-3.0,task=tail,pid=12,uid=0\n",
	  NULL },
	{ "6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/backout-1-2-web-3.0", NULL },
	{ "6,1,2,-;port-1: left promiscuous mode\n", NULL },
};

START_TEST(the_kernels_words)
{
	char ret[100] = "";
	bool told = oom_line(lines[_i].line, "backout-1-2-web-3.0", ret, sizeof(ret));
	ck_assert_int_eq(told, lines[_i].says != NULL);
	ck_assert_str_eq(ret, told ? lines[_i].says : "");
}
END_TEST

Suite *suite_limits(void);
Suite *suite_limits(void)
{
	Suite *s = suite_create("limits");
	TCase *t = tcase_create("limits");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, memory);
	tcase_add_test(t, swap);
	tcase_add_test(t, pids);
	tcase_add_test(t, cpu);
	tcase_add_test(t, cpuset);
	tcase_add_test(t, io);
	tcase_add_loop_test(t, the_kernels_words, 0, sizeof(lines) / sizeof(lines[0]));
	suite_add_tcase(s, t);
	return s;
}
