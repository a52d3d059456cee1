/* SPDX-License-Identifier: MIT */
/* Whole runs on a node that boots its root's own systemd. The image comes from the cache. */
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "tests/drill/program.h"
#include "tests/drill/toy.h"
#include "tests/unit/runner.h"

#define SYSTEMD "tests/drill/scenarios/systemd.json"

static const int64_t PATIENCE = 60 * NS_PER_S;

static void set_up(struct toy *t)
{
	memset(t, 0, sizeof(*t));
	(void)snprintf(t->runs, sizeof(t->runs), "%s/runs", test_dir());
}

static struct journal *control_journal(const struct toy *t)
{
	struct err e = { 0 };
	struct journal *j = NULL;
	GUARD_BUF struct buf text = { 0 };
	GUARD(mem) char *path = mem_printf("%s/control-a/journal.jsonl", t->run);
	MUST(io_read_file(AT_FDCWD, path, 1 << 20, &text, &e));
	MUST(journal_parse(&j, "control-a", text.data, text.len, &e));
	return j;
}

/* ---- control groups of this host ---- */

static struct {
	unsigned ours;    /* of harnesses that this test started */
	unsigned inner;   /* systemd's, in one of these */
	unsigned strayed; /* systemd's, in none */
} groups;

static int look_at(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	const char *tag = strstr(path, "/backout-");
	bool systemds = strcmp(path + f->base, "init.scope") == 0;
	bool ours = tag != NULL && program_is_ours(tag + strlen("/backout-"));
	if (type != FTW_D && type != FTW_DP)
		return 0;
	groups.ours += ours;
	groups.inner += ours && systemds;
	groups.strayed += tag == NULL && systemds;
	return 0;
}

static void look_at_groups(void)
{
	memset(&groups, 0, sizeof(groups));
	(void)nftw("/sys/fs/cgroup", look_at, 32, FTW_PHYS);
}

/* ---- tests ---- */

/* Parts of what the drill's journal says; NULL: no such event. */
static const struct {
	const char *fault, *slug, *outcome, *applied, *felt;
} drills[] = {
	{ "unit killed", "unit-killed", "restored", "and the unit's other processes",
	  "was reaped, killed by SIGKILL" },
	{ "host dies", "host-dies", "restored", "node host is down", "died with its node" },
	{ "no such unit", "no-such-unit", "not_reached", NULL, NULL },
};

static void check_boot_again(const struct toy *t)
{
	struct journal *j = toy_journal(t, "host-dies");
	const struct event *down = journal_find(j, EVENT_NODE_DOWN, 0);
	ck_assert_ptr_nonnull(down);
	const struct event *up = journal_find(j, EVENT_NODE_UP, journal_index(j, down));
	ck_assert_ptr_nonnull(up);
	const struct event *ready = journal_find(j, EVENT_SERVICE_READY, journal_index(j, up));
	ck_assert_ptr_nonnull(ready);
	ck_assert_str_eq(json_get_string(ready->fields, "service", ""), "systemd");
	journal_free(j);
}

/* The control's patch changes a drop-in, its rollback puts it back: nothing that no mask hides is
 * left, not in the units, the processes, the mounts. */
START_TEST(units_are_patched_and_come_back)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	look_at_groups();
	const unsigned strayed = groups.strayed;
	set_up(&t);
	PROGRAM(&p, "run", SYSTEMD, "--json", "--runs", t.runs);
	struct json_doc *report = program_json(&p);
	const struct json *controls = json_get(json_root(report), "controls");
	ck_assert_uint_eq(json_size(controls), 2);
	for (const struct json *c = json_first(controls); c != NULL; c = json_next(c)) {
		ck_assert_msg(json_get_bool(c, "pass", false), "%s", buf_str(&p.out));
		ck_assert_int_eq(json_get_int(c, "residue_visible", -1), 0);
	}
	toy_find_run(&t);
	struct journal *j = control_journal(&t);
	toy_says(j, EVENT_SERVICE_READY, "service", "systemd");
	toy_says(j, EVENT_NOTICE, "what", NULL); /* no unit has failed */
	journal_free(j);
	for (size_t i = 0; i < sizeof(drills) / sizeof(drills[0]); i++) {
		toy_came_to(report_drill(report, drills[i].fault), drills[i].fault,
			    drills[i].outcome);
		j = toy_journal(&t, drills[i].slug);
		toy_says(j, EVENT_FAULT_APPLIED, "detail", drills[i].applied);
		toy_says(j, EVENT_FAULT_FELT, "evidence", drills[i].felt);
		journal_free(j);
	}
	check_boot_again(&t);
	ck_assert_int_eq(p.exit, 2);
	json_doc_free(report);
	program_free(&p);
	look_at_groups();
	ck_assert_uint_eq(groups.ours, 0);
	ck_assert_uint_eq(groups.strayed, strayed);
}
END_TEST

/* A unit that fails in the boot is told by its name, and the probe has its reason. */
START_TEST(degraded_is_told)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	set_up(&t);
	PROGRAM(&p, "run", SYSTEMD, "--runs", t.runs, "--fault", "unit killed", "--var",
		"enabled=app.service tick.timer broken.service");
	ck_assert_int_eq(p.exit, 3);
	program_free(&p);
	toy_find_run(&t);
	struct journal *j = control_journal(&t);
	toy_says(j, EVENT_SERVICE_READY, "service", "systemd");
	toy_says(j, EVENT_NOTICE, "what", "degraded; failed units: broken.service");
	toy_says(j, EVENT_STEADY_BEFORE, "why",
		 "broken.service is failed: exit-code, its main process ended with 1");
	journal_free(j);
}
END_TEST

/* `node` and `probe`: further fields of these. */
static char *small_scenario(const char *node, const char *probe)
{
	struct err e = { 0 };
	char *path = mem_printf("%s/small.json", test_dir());
	GUARD(mem)
	char *text = mem_printf(
		"{ \"title\": \"t\", \"window\": { \"settle\": \"100ms\", \"give_up\": \"1s\" },\n"
		"\"nodes\": { \"n\": { \"root\": { \"debian\": \"bookworm\" }%s } },\n"
		"\"steady_state\": [ { \"name\": \"up\", \"on\": \"n\", %s } ],\n"
		"\"patch\": [ { \"name\": \"a\", \"on\": \"n\", \"run\": \"true\" } ],\n"
		"\"rollback\": \"r\", \"rollbacks\": { \"r\": [ { \"name\": \"b\", \"on\": \"n\", "
		"\"run\": \"true\" } ] } }\n",
		node, probe);
	MUST(io_write_file(AT_FDCWD, path, text, strlen(text), 0644, &e));
	return path;
}

START_TEST(a_root_without_it_is_refused)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	set_up(&t);
	GUARD(mem) char *none = small_scenario(", \"init\": \"systemd\"", "\"run\": \"true\"");
	PROGRAM(&p, "run", none, "--runs", t.runs);
	program_expect(&p, 65, "include the packages systemd, systemd-sysv and dbus");
	program_free(&p);
	/* A unit of a node that has none is not even a scenario. */
	GUARD(mem) char *unit = small_scenario("", "\"unit\": \"app.service\"");
	PROGRAM(&p, "check", unit);
	program_expect(&p, 65, ": unit: node \"n\" has no systemd; give it \"init\": \"systemd\"");
	program_free(&p);
}
END_TEST

static void wait_for_systemd(void)
{
	const int64_t until = clock_now() + PATIENCE;
	do {
		ck_assert_int_lt(clock_now(), until);
		(void)nanosleep(&(struct timespec){ .tv_nsec = 5 * NS_PER_MS }, NULL);
		look_at_groups();
	} while (groups.inner == 0);
}

/* The groups that systemd has made below the node's outlive it; the next start removes them. */
START_TEST(a_killed_harness_leaves_groups_to_gc)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	set_up(&t);
	const char *const args[] = { "run", SYSTEMD, "--runs", t.runs, NULL };
	pid_t pid = program_start(args);
	wait_for_systemd();
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	/* What a killed harness ran dies a moment after it, and until then has an owner. */
	const int64_t until = clock_now() + PATIENCE;
	do {
		PROGRAM(&p, "gc");
		ck_assert_int_eq(p.exit, 0);
		program_free(&p);
		look_at_groups();
	} while (groups.ours > 0 && clock_now() < until);
	ck_assert_uint_eq(groups.ours, 0);
}
END_TEST

Suite *suite_systemd(void)
{
	Suite *s = suite_create("systemd");
	TCase *c = tcase_create("systemd");
	tcase_set_timeout(c, 300);
	tcase_add_test(c, units_are_patched_and_come_back);
	tcase_add_test(c, degraded_is_told);
	tcase_add_test(c, a_root_without_it_is_refused);
	tcase_add_test(c, a_killed_harness_leaves_groups_to_gc);
	suite_add_tcase(s, c);
	return s;
}
