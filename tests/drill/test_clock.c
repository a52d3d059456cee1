/* SPDX-License-Identifier: MIT */
/*
 * The host's wall clock jumps by days, there and back, while drills run: nothing of a drill hangs
 * on it, neither its times nor what is remembered of files. Sets the clock of the host, and so runs
 * only where BACKOUT_TEST_SETS_CLOCK=1 says that the host is the test's own (`make vm-check`).
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "tests/drill/program.h"
#include "tests/unit/runner.h"

enum { DAY_S = 86400, JUMP_US = 170 * 1000 };

static const char scenario[] =
	"{ \"title\": \"clock\", \"vars\": { \"root\": \"/nonexistent\" },\n"
	"\"window\": { \"target\": \"60s\", \"recovery\": \"30s\", \"settle\": \"500ms\", "
	"\"give_up\": \"5s\" },\n"
	"\"nodes\": { \"n\": { \"root\": { \"dir\": \"{{root}}\" },\n"
	"  \"files\": { \"/srv/conf\": { \"text\": \"old\\n\" } } } },\n"
	"\"steady_state\": [ { \"name\": \"there\", \"on\": \"n\", \"run\": \"test -s /srv/conf\", "
	"\"every\": \"100ms\", \"timeout\": \"5s\" } ],\n"
	"\"goal\": [ { \"name\": \"new\", \"on\": \"n\", \"run\": \"grep -q new /srv/conf\" } ],\n"
	"\"state\": { \"on\": [\"n\"] },\n"
	"\"patch\": [ { \"name\": \"push\", \"on\": \"n\", \"run\": \"cd /srv; cp -p conf was; "
	"sleep "
	"1; echo new >next; sleep 1; mv next conf\", \"timeout\": \"20s\" } ],\n"
	"\"rollback\": \"back\", \"rollbacks\": { \"back\": [ { \"name\": \"back\", \"on\": \"n\", "
	"\"run\": \"cd /srv; sleep 1; mv was conf; rm -f next\" } ] },\n"
	"\"faults\": [ { \"name\": \"cut\", \"inject\": { \"process.kill\": { \"target\": \"tree\" "
	"} "
	"}, \"at\": { \"step\": \"push\", \"elapsed\": \"1500ms\" }, \"expect\": [\"restored\"] } "
	"] }\n";

/* Of the wall clock to the one that nobody sets. */
static int64_t offset(void)
{
	struct timespec wall;
	(void)clock_gettime(CLOCK_REALTIME, &wall);
	return wall.tv_sec * NS_PER_S + wall.tv_nsec - clock_now();
}

static void set_wall(int64_t to)
{
	int64_t now = clock_now() + to;
	const struct timespec wall = { now / NS_PER_S, now % NS_PER_S };
	ck_assert_int_eq(clock_settime(CLOCK_REALTIME, &wall), 0);
}

_Noreturn static void jump(int64_t from)
{
	static const int64_t days[] = { 1, -2, 0, 400, -1, 2 };
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0;; i++) {
		set_wall(from + days[i % (sizeof(days) / sizeof(days[0]))] * DAY_S * NS_PER_S);
		(void)usleep(JUMP_US);
	}
}

START_TEST(jumps)
{
	TEST_NEEDS_ROOT();
	const char *may = getenv("BACKOUT_TEST_SETS_CLOCK");
	if (may == NULL || strcmp(may, "1") != 0) {
		test_skip(__FILE__, __func__, "it sets the host's clock: make vm-check");
		return;
	}
	struct err e = { 0 };
	struct program p;
	GUARD(mem) char *dir = mem_strdup(test_dir());
	GUARD(mem) char *file = mem_printf("%s/scenario.json", dir);
	GUARD(mem) char *state = mem_printf("%s/state", dir);
	GUARD(mem) char *runs = mem_printf("%s/runs", dir);
	GUARD(mem) char *root = mem_printf("root=%s", test_busybox_root());
	MUST(io_write_file(AT_FDCWD, file, scenario, sizeof(scenario) - 1, 0644, &e));
	const int64_t from = offset(), begun = clock_now();
	pid_t jumper = fork();
	if (jumper == 0)
		jump(from);
	PROGRAM(&p, "run", file, "--var", root, "--state", state, "--runs", runs, "--json");
	const int64_t took = clock_now() - begun;
	(void)kill(jumper, SIGKILL);
	(void)waitpid(jumper, NULL, 0);
	set_wall(from);
	program_expect(&p, 0, "restored");
	struct json_doc *report = program_json(&p);
	const struct json *d = report_drill(report, "cut");
	ck_assert_str_eq(json_get_string(d, "outcome", "?"), "restored");
	/* The rollback sleeps for one second. */
	ck_assert_int_ge(json_get_int(d, "recovery_ns", -1), NS_PER_S);
	ck_assert_int_lt(json_get_int(d, "recovery_ns", -1), took);
	ck_assert_int_lt(json_get_int(d, "window_ns", -1), took);
	json_doc_free(report);
	program_free(&p);
}
END_TEST

Suite *suite_clock(void);
Suite *suite_clock(void)
{
	Suite *s = suite_create("clock");
	TCase *t = tcase_create("clock");
	tcase_set_timeout(t, 300);
	tcase_add_test(t, jumps);
	suite_add_tcase(s, t);
	return s;
}
