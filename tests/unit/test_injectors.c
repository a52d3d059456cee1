/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/execwatch.h"
#include "harness/sandbox/process.h"
#include "tests/unit/inject_rig.h"
#include "tests/unit/lab.h"
#include "tests/unit/runner.h"

/* ---- process.kill ---- */

static void wait_for_file(struct lab *lab, const char *path)
{
	int64_t give_up = clock_now() + 20 * NS_PER_S;
	while (!lab_exists(lab, 0, path)) {
		ck_assert_msg(clock_now() < give_up, "%s never came", path);
		lab_run(lab, NULL, 2 * NS_PER_MS);
	}
}

static int processes(struct lab *lab)
{
	struct err e = { 0 };
	static pid_t pids[1024];
	int n = node_processes(lab->node[0], pids, 1024, &e);
	MUST(n);
	return n;
}

static void wait_for_none(struct lab *lab)
{
	int64_t give_up = clock_now() + 20 * NS_PER_S;
	while (processes(lab) > 0 && clock_now() < give_up)
		lab_run(lab, NULL, 2 * NS_PER_MS);
	ck_assert_int_eq(processes(lab), 0);
}

static struct proc *spawn(struct lab *lab, const char *const *argv)
{
	struct err e = { 0 };
	struct proc *p = NULL;
	struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	MUST(node_spawn(lab->node[0], &spec, NULL, NULL, &p, &e));
	return p;
}
#define SPAWN(lab, ...) spawn((lab), (const char *const[]){ __VA_ARGS__, NULL })

static char state_of(pid_t pid)
{
	struct process p;
	return process_read(pid, &p) ? p.state : '-';
}

START_TEST(kills_the_runner)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	lab_begin(&lab, 1);
	struct proc *p = SPAWN(&lab, "sleep", "60");
	rig_begin(&rig, &lab, "process.kill", "{}");
	rig_strike(&rig, &(struct strike_target){ .node = lab.node[0], .runner = proc_pid(p) });
	ck_assert_ptr_nonnull(strstr(rig.detail, "SIGKILL sent to pid"));
	lab_run(&lab, &rig.felt, 20 * NS_PER_S);
	ck_assert_ptr_nonnull(strstr(rig.evidence, "reaped, killed by SIGKILL"));
	rig_undo(&rig);
	rig_end(&rig);
	proc_free(p);
	lab_end(&lab);
}
END_TEST

START_TEST(kills_a_growing_tree)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	lab_begin(&lab, 1);
	struct proc *p = SPAWN(&lab, "sh", "-c",
			       "(while :; do sh -c 'sleep 50 & wait' & i=x$i;"
			       " [ ${#i} -lt 120 ] || break; done; wait) & >/srv/go; wait");
	wait_for_file(&lab, "/srv/go");
	rig_begin(&rig, &lab, "process.kill", "{\"target\":\"tree\"}");
	rig_strike(&rig, &(struct strike_target){ .node = lab.node[0], .runner = proc_pid(p) });
	lab_run(&lab, &rig.felt, 20 * NS_PER_S);
	wait_for_none(&lab);
	rig_undo(&rig);
	rig_end(&rig);
	proc_free(p);
	lab_end(&lab);
}
END_TEST

/* A tree gets a signal that it may handle: it must run again to do so. */
START_TEST(a_tree_handles_a_signal)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	lab_begin(&lab, 1);
	struct proc *p = SPAWN(&lab, "sh", "-c",
			       "trap '>/srv/parent; exit' TERM;"
			       " sh -c \"trap '>/srv/child; exit' TERM; >/srv/go;"
			       " while :; do sleep 0.02; done\" & wait; wait");
	wait_for_file(&lab, "/srv/go");
	rig_begin(&rig, &lab, "process.kill", "{\"target\":\"tree\",\"signal\":\"TERM\"}");
	rig_strike(&rig, &(struct strike_target){ .node = lab.node[0], .runner = proc_pid(p) });
	lab_run(&lab, &rig.felt, 20 * NS_PER_S);
	wait_for_file(&lab, "/srv/parent");
	wait_for_file(&lab, "/srv/child");
	wait_for_none(&lab);
	rig_end(&rig);
	proc_free(p);
	lab_end(&lab);
}
END_TEST

START_TEST(kills_the_oldest_of_a_program)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	lab_begin(&lab, 1);
	struct proc *other = SPAWN(&lab, "tail", "-f", "/dev/null");
	struct proc *old = SPAWN(&lab, "sleep", "60");
	struct proc *young = SPAWN(&lab, "sleep", "61");
	rig_begin(&rig, &lab, "process.kill", "{\"program\":\"/bin/sl*\",\"signal\":\"SIGTERM\"}");
	rig_strike(&rig, &(struct strike_target){ .node = lab.node[0], .runner = proc_pid(other) });
	lab_run(&lab, &rig.felt, 20 * NS_PER_S);
	while (proc_running(old))
		lab_run(&lab, NULL, NS_PER_MS);
	ck_assert(proc_running(young));
	ck_assert(proc_running(other));
	rig_end(&rig);
	proc_free(old);
	proc_free(young);
	proc_free(other);
	lab_end(&lab);
}
END_TEST

static void strike_at_start(void *arg, const struct exec_event *ev)
{
	struct rig *rig = arg;
	if (strcmp(ev->path, "/bin/sleep") != 0 || rig->struck)
		return;
	rig_strike(rig, &(struct strike_target){ .node = rig->lab->node[0],
						 .stopped = ev->pid,
						 .runner = ev->pid,
						 .program = ev->path });
}

START_TEST(kills_what_is_about_to_start)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	struct rig rig;
	struct exec_watch *watch = NULL;
	lab_begin(&lab, 1);
	struct proc *old = SPAWN(&lab, "sleep", "60");
	rig_begin(&rig, &lab, "process.kill", "{\"program\":\"/bin/sleep\"}");
	MUST(exec_watch_create(&watch, lab.loop, lab.node[0], strike_at_start, &rig, &e));
	int status = lab_sh(&lab, 0, "/bin/sleep 61; [ $? = 137 ]", NULL);
	ck_assert_int_eq(status, 0);
	ck_assert(rig.struck);
	ck_assert(rig.felt);
	ck_assert(proc_running(old));
	exec_watch_destroy(watch);
	rig_end(&rig);
	proc_free(old);
	lab_end(&lab);
}
END_TEST

START_TEST(an_ignored_signal_is_not_felt)
{
	TEST_NEEDS_ROOT();
	static const struct {
		const char *script;
		bool felt;
	} cases[] = {
		{ "trap '' TERM; >/srv/go; exec sleep 60", false },
		{ "trap '>/srv/got' TERM; >/srv/go; while :; do sleep 0.02; done", true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lab lab;
		struct rig rig;
		lab_begin(&lab, 1);
		struct proc *p = SPAWN(&lab, "sh", "-c", cases[i].script);
		wait_for_file(&lab, "/srv/go");
		rig_begin(&rig, &lab, "process.kill", "{\"signal\":\"TERM\"}");
		rig_strike(&rig,
			   &(struct strike_target){ .node = lab.node[0], .runner = proc_pid(p) });
		if (cases[i].felt)
			wait_for_file(&lab, "/srv/got");
		else
			lab_run(&lab, NULL, 100 * NS_PER_MS);
		ck_assert_msg(rig.felt == cases[i].felt, "%s", cases[i].script);
		ck_assert_msg((strstr(rig.noticed, "ignores SIGTERM") != NULL) != cases[i].felt,
			      "%s: %s", cases[i].script, rig.noticed);
		ck_assert(proc_running(p));
		rig_end(&rig);
		proc_free(p);
		lab_end(&lab);
	}
}
END_TEST

START_TEST(what_is_stopped_goes_on)
{
	TEST_NEEDS_ROOT();
	static const char *const params[] = {
		"{\"signal\":\"STOP\"}",
		"{\"signal\":\"STOP\",\"target\":\"tree\"}",
	};
	for (size_t i = 0; i < 2; i++) {
		struct err e = { 0 };
		struct lab lab;
		struct rig rig;
		lab_begin(&lab, 1);
		struct proc *p = SPAWN(&lab, "sh", "-c", "sleep 60 & >/srv/go; wait");
		wait_for_file(&lab, "/srv/go");
		rig_begin(&rig, &lab, "process.kill", params[i]);
		rig_strike(&rig,
			   &(struct strike_target){ .node = lab.node[0], .runner = proc_pid(p) });
		lab_run(&lab, &rig.felt, 20 * NS_PER_S);
		lab_run(&lab, NULL, 20 * NS_PER_MS);
		ck_assert_msg(strchr("Tt", state_of(proc_pid(p))) != NULL, "state %c",
			      state_of(proc_pid(p)));
		char detail[INJECT_DETAIL_MAX];
		ck_assert_int_eq(rig.injector->verify(rig.injection, detail, &e), -1);
		ck_assert_ptr_nonnull(strstr(e.why, "still stopped"));
		rig_undo(&rig);
		ck_assert_ptr_null(strchr("TtZ-", state_of(proc_pid(p))));
		rig_end(&rig);
		proc_free(p);
		lab_end(&lab);
	}
}
END_TEST

START_TEST(nothing_to_kill_is_an_error)
{
	TEST_NEEDS_ROOT();
	static const struct {
		const char *params;
		bool dead_runner;
		const char *why;
	} cases[] = {
		{ "{}", false, "the step's program does not run" },
		{ "{\"target\":\"tree\"}", true, "the step's program does not run" },
		{ "{\"program\":\"/bin/sleep\"}", false, "no process of node n0 runs /bin/sleep" },
	};
	struct lab lab;
	lab_begin(&lab, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = { 0 };
		struct rig rig;
		char detail[INJECT_DETAIL_MAX];
		struct strike_target t = { .node = lab.node[0] };
		if (cases[i].dead_runner) {
			struct proc *p = SPAWN(&lab, "true");
			t.runner = proc_pid(p);
			while (proc_running(p))
				lab_run(&lab, NULL, NS_PER_MS);
			proc_free(p);
		}
		rig_begin(&rig, &lab, "process.kill", cases[i].params);
		ck_assert_int_eq(rig.injector->strike(rig.injection, &t, detail, &e), -1);
		ck_assert_msg(strstr(e.why, cases[i].why) != NULL, "%s", e.why);
		rig_end(&rig);
	}
	lab_end(&lab);
}
END_TEST

START_TEST(a_zombie_cannot_be_killed)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	struct rig rig;
	pid_t pids[4];
	char detail[INJECT_DETAIL_MAX];
	struct strike_target t = { 0 };
	lab_begin(&lab, 1);
	struct proc *p = SPAWN(&lab, "sh", "-c", "true & exec sleep 60"); /* which never waits */
	int64_t give_up = clock_now() + 20 * NS_PER_S;
	while (t.runner == 0 && clock_now() < give_up) {
		int n = node_processes(lab.node[0], pids, 4, &e);
		for (int i = 0; i < n && i < 4; i++)
			t.runner = state_of(pids[i]) == 'Z' ? pids[i] : t.runner;
		lab_run(&lab, NULL, NS_PER_MS);
	}
	ck_assert_int_ne(t.runner, 0);
	t.node = lab.node[0];
	rig_begin(&rig, &lab, "process.kill", "{}");
	ck_assert_int_eq(rig.injector->strike(rig.injection, &t, detail, &e), -1);
	ck_assert_msg(strstr(e.why, "nothing to kill") != NULL, "%s", e.why);
	rig_end(&rig);
	proc_free(p);
	lab_end(&lab);
}
END_TEST

START_TEST(parameters_that_contradict)
{
	static const struct {
		const char *params, *complaint; /* NULL: fine */
	} cases[] = {
		{ "{}", NULL },
		{ "{\"program\":\"/usr/bin/dpkg\"}", NULL },
		{ "{\"program\":\"/usr/bin/dpkg\",\"target\":\"program\"}", NULL },
		{ "{\"target\":\"program\"}", "needs \"program\"" },
		{ "{\"target\":\"tree\",\"program\":\"/usr/bin/dpkg\"}", "leave out" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct decoded d;
		const struct injector *k = rig_injector("process.kill");
		const char *got = k->kind.check(rig_decode(&d, k, cases[i].params));
		ck_assert_msg((got == NULL) == (cases[i].complaint == NULL), "%s: %s",
			      cases[i].params, got != NULL ? got : "accepted");
		ck_assert(got == NULL || strstr(got, cases[i].complaint) != NULL);
		decoded_free(&d);
	}
}
END_TEST

/* ---- link.down ---- */

static void send_datagram(struct lab *lab)
{
	struct err e = { 0 };
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(9),
				  .sin_addr = { lab_addr(lab->link[1]) } };
	GUARD(fd) int fd = network_socket(node_netns_fd(lab->node[0]), AF_INET, SOCK_DGRAM, &e);
	MUST(fd);
	ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
}

/* Whether a connection attempt from node 0 to node 1 is answered at all. */
static bool reaches(struct lab *lab)
{
	struct err e = { 0 };
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(9),
				  .sin_addr = { lab_addr(lab->link[1]) } };
	struct timeval limit = { .tv_sec = 3 };
	GUARD(fd) int fd = network_socket(node_netns_fd(lab->node[0]), AF_INET, SOCK_STREAM, &e);
	MUST(fd);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
	return errno == ECONNREFUSED;
}

START_TEST(a_cut_link_is_felt_by_lost_frames)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	struct rig rig;
	char detail[INJECT_DETAIL_MAX];
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	rig_begin(&rig, &lab, "link.down", "\"n1\"");
	MUST(rig.injector->verify(rig.injection, detail, &e)); /* holds without a strike, too */
	ck_assert(reaches(&lab));
	rig_strike(&rig, &(struct strike_target){ .node = lab.node[0] });
	ck_assert_str_eq(rig.detail, "the link of node n1 is down");

	rig.step_runs = true;
	lab_run(&lab, NULL, 50 * NS_PER_MS);
	ck_assert_msg(!rig.felt, "felt without a frame: %s", rig.evidence);
	rig.step_runs = false;
	send_datagram(&lab);
	lab_run(&lab, NULL, 50 * NS_PER_MS);
	ck_assert_msg(!rig.felt, "felt without a step: %s", rig.evidence);
	rig.step_runs = true;
	lab_run(&lab, NULL, 50 * NS_PER_MS);
	ck_assert_msg(!rig.felt, "felt by an old frame: %s", rig.evidence);
	send_datagram(&lab);
	lab_run(&lab, &rig.felt, 20 * NS_PER_S);
	ck_assert_str_eq(rig.evidence, "1 frame(s) for node n1 lost while a step ran");

	ck_assert_int_eq(rig.injector->verify(rig.injection, detail, &e), -1);
	ck_assert_str_eq(e.why, "the link of node n1 is down");
	rig_undo(&rig);
	ck_assert(reaches(&lab));
	rig_end(&rig);
	lab_end(&lab);
}
END_TEST

/* Frames lost between the last look and the undo count as well. */
START_TEST(undo_looks_once_more)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	rig_begin(&rig, &lab, "link.down", "{\"node\":\"n1\"}");
	rig.step_runs = true;
	rig_strike(&rig, &(struct strike_target){ .node = lab.node[0] });
	send_datagram(&lab);
	rig_undo(&rig);
	ck_assert(rig.felt);
	rig_end(&rig);
	lab_end(&lab);
}
END_TEST

START_TEST(a_link_comes_back_though_its_node_died)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	rig_begin(&rig, &lab, "link.down", "{\"node\":\"n1\"}");
	rig_strike(&rig, &(struct strike_target){ .node = lab.node[0] });
	ck_assert_int_eq(kill(node_init_pid(lab.node[1]), SIGKILL), 0);
	int64_t give_up = clock_now() + 20 * NS_PER_S;
	while (node_alive(lab.node[1]) && clock_now() < give_up)
		lab_run(&lab, NULL, NS_PER_MS);
	ck_assert(!node_alive(lab.node[1]));
	rig_undo(&rig);
	rig_end(&rig);
	lab_end(&lab);
}
END_TEST

START_TEST(a_node_without_a_link_cannot_be_cut)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	struct rig rig;
	lab_begin(&lab, 1);
	ck_assert_int_eq(rig_create(&rig, &lab, "link.down", "\"n0\"", &e), -1);
	ck_assert_int_eq(e.exit, EXIT_BAD_SCENARIO);
	ck_assert_ptr_nonnull(strstr(e.why, "'n0' has no link"));
	rig_end(&rig);
	lab_end(&lab);
}
END_TEST

Suite *suite_injectors(void);
Suite *suite_injectors(void)
{
	const TTest *const tests[] = {
		kills_the_runner,
		kills_a_growing_tree,
		a_tree_handles_a_signal,
		kills_the_oldest_of_a_program,
		kills_what_is_about_to_start,
		an_ignored_signal_is_not_felt,
		what_is_stopped_goes_on,
		nothing_to_kill_is_an_error,
		a_zombie_cannot_be_killed,
		parameters_that_contradict,
		a_cut_link_is_felt_by_lost_frames,
		undo_looks_once_more,
		a_link_comes_back_though_its_node_died,
		a_node_without_a_link_cannot_be_cut,
	};
	Suite *s = suite_create("injectors");
	TCase *t = tcase_create("injectors");
	tcase_set_timeout(t, 60);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(t, tests[i]);
	suite_add_tcase(s, t);
	return s;
}
