/* SPDX-License-Identifier: MIT */
/* Whole runs in which hosts die, lose their power, or have no room left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "tests/drill/program.h"
#include "tests/drill/toy.h"
#include "tests/unit/runner.h"

#define CRASH "tests/drill/scenarios/crash.json"
#define POWER "tests/drill/scenarios/power.json"
#define FULL  "tests/drill/scenarios/full.json"

struct want {
	const char *fault, *slug, *outcome;
	const char *applied, *felt; /* parts of what the journal says; NULL: no such event */
	const char *undone;
	const char *log, *said; /* below steps/, and a part of it; NULL: not looked at */
	bool down;              /* a node went down, and came up again */
	const char *not_back;   /* the service that did not; NULL: none */
};

static const struct want crashes[] = {
	/* The hard links are one file still, /run and /tmp are new: but for what the service made.
	 */
	{ "web dies in the fetch", "web-dies-in-the-fetch", "restored",
	  "node web is down: its init was reaped", "the step's program (pid ",
	  "node web is up, its init answers, its link forwards", "rollback-1-restore.log",
	  "/run:\napp\nlock\n\n/tmp:\nother\nmore\n", true, NULL },
	{ "web dies held in a call", "web-dies-held-in-a-call", "restored",
	  "node web is down: its init was reaped", "the step's program (pid ", "node web is up",
	  "rollback-1-restore.log", "/run:\napp\nlock\n\n/tmp:\nother\nmore\n", true, NULL },
	{ "web dies without its content", "web-dies-without-its-content", "degraded",
	  "node web is down", "the step's program (pid ", "node web is up",
	  "service-web-http-2.log", "", true, "http" },
	{ "mirror dies in mid-download", "mirror-dies-in-mid-download", "restored",
	  "node mirror is down", " of node mirror died with it", "node mirror is up", NULL, NULL,
	  true, NULL },
	{ "web is down before the switch", "web-is-down-before-the-switch", "restored",
	  "node web is down", " of node web died with it", "node web is up", NULL, NULL, true,
	  NULL },
	/* Nothing ran there, and nobody sent it a frame. */
	{ "a short absence of the client", "a-short-absence-of-the-client", "not_reached",
	  "node client is down: its init was reaped, 0 process(es)", NULL, "node client is up",
	  NULL, NULL, true, NULL },
	{ "web dies in the rollback", "web-dies-in-the-rollback", "stuck", "node web is down",
	  "the step's program (pid ", "node web is up", NULL, NULL, true, NULL },
};

#define CUTS                                                                                       \
	{ "cut behind the lucky edit",                                                             \
	  "cut-behind-the-lucky-edit",                                                             \
	  LUCKY,                                                                                   \
	  "no write came meanwhile",                                                               \
	  "the step's program (pid ",                                                              \
	  "node web is up",                                                                        \
	  NULL,                                                                                    \
	  NULL,                                                                                    \
	  true,                                                                                    \
	  NULL },                                                                                  \
		{ "cut behind the careful edit",                                                   \
		  "cut-behind-the-careful-edit",                                                   \
		  "restored",                                                                      \
		  "no write came meanwhile",                                                       \
		  "the step's program (pid ",                                                      \
		  "node web is up",                                                                \
		  NULL,                                                                            \
		  NULL,                                                                            \
		  true,                                                                            \
		  NULL },                                                                          \
	{                                                                                          \
		"only a crash behind the lucky edit", "only-a-crash-behind-the-lucky-edit",        \
			"restored", "node web is down", "the step's program (pid ",                \
			"node web is up", NULL, NULL, true, NULL                                   \
	}

#define LUCKY "degraded"
static const struct want powers[] = {
	CUTS,
	{ "no room", "no-room", "degraded", "has 0 KiB of room left", "got into trouble while",
	  "KiB of room again", NULL, NULL, false, NULL },
	{ "no room until the end of the step", "no-room-until-the-end-of-the-step", "restored",
	  "has 8 KiB of room left", "got into trouble while", "KiB of room again",
	  "patch-3-make-room.log", "No space left on device", false, NULL },
	{ "no room for the rollback", "no-room-for-the-rollback", "stuck", "has 0 KiB of room left",
	  "got into trouble while", "KiB of room again", "rollback-1-check-room.log",
	  "No space left on device", false, NULL },
};

static const struct want fulls[] = {
	{ "no room for the new files", "no-room-for-the-new-files", "harmless",
	  "has 1024 KiB of room left", "got into trouble while", "KiB of room again",
	  "patch-1-install.log", "failed to write (No space left on device)", false, NULL },
	{ "power goes in the unpacking", "power-goes-in-the-unpacking", "restored",
	  "no write came meanwhile", "the step's program (pid ", "node web is up", NULL, NULL, true,
	  NULL },
};

/* Down, then up again and its services with it. */
static void check_boot(const struct journal *j, const struct want *w)
{
	const struct event *down = journal_find(j, EVENT_NODE_DOWN, 0);
	ck_assert_msg((down != NULL) == w->down, "%s: node.down", w->fault);
	toy_says(j, EVENT_SERVICE_DOWN, "service", w->not_back);
	if (down == NULL)
		return;
	size_t at = journal_index(j, down);
	const struct event *up = journal_find(j, EVENT_NODE_UP, at);
	ck_assert_msg(up != NULL && json_get_bool(up->fields, "again", false), "%s", w->fault);
	const char *node = json_get_string(down->fields, "node", "?");
	ck_assert_str_eq(json_get_string(up->fields, "node", ""), node);
	const struct event *ready = journal_find(j, EVENT_SERVICE_READY, at);
	bool had_services =
		journal_find(j, EVENT_SERVICE_READY, 0) != NULL && strcmp(node, "client") != 0;
	ck_assert_msg((ready != NULL) == (had_services && w->not_back == NULL), "%s", w->fault);
}

static void check_drill(const struct toy *t, const struct want *w, const struct json *drill)
{
	GUARD_BUF struct buf text = { 0 };
	toy_came_to(drill, w->fault, w->outcome);
	struct journal *j = toy_journal(t, w->slug);
	toy_says(j, EVENT_FAULT_APPLIED, "detail", w->applied);
	toy_says(j, EVENT_FAULT_FELT, "evidence", w->felt);
	toy_says(j, EVENT_FAULT_UNDONE, "detail", w->undone);
	check_boot(j, w);
	journal_free(j);
	if (w->log == NULL)
		return;
	GUARD(mem) char *log = mem_printf("steps/%s", w->log);
	toy_read(t, w->slug, log, &text);
	ck_assert_msg(strstr(buf_str(&text), w->said) != NULL, "%s said: %s", w->log,
		      buf_str(&text));
}

static void check_run(struct toy *t, struct program *p, const struct want *w, size_t count)
{
	struct json_doc *report = program_json(p);
	toy_find_run(t);
	for (size_t i = 0; i < count; i++)
		check_drill(t, &w[i], report_drill(report, w[i].fault));
	json_doc_free(report);
	program_free(p);
}

static void check_scenario(const char *scenario, const struct want *w, size_t count)
{
	struct toy t;
	struct program p;
	toy_set_up(&t);
	PROGRAM(&p, "run", scenario, "--json", "--state", t.state, "--runs", t.runs, "--var",
		t.root);
	check_run(&t, &p, w, count);
}

START_TEST(nodes_crash)
{
	TEST_NEEDS_ROOT();
	check_scenario(CRASH, crashes, sizeof(crashes) / sizeof(crashes[0]));
}
END_TEST

START_TEST(power_and_room_on_ext4)
{
	TEST_NEEDS_ROOT();
	check_scenario(POWER, powers, sizeof(powers) / sizeof(powers[0]));
}
END_TEST

/* The others with the two cuts alone. */
static const struct want cut_on[][1] = {
	{ { "cut behind the lucky edit", "cut-behind-the-lucky-edit", "degraded",
	    "no write came meanwhile", "the step's program (pid ", "node web is up", NULL, NULL,
	    true, NULL } },
	{ { "cut behind the careful edit", "cut-behind-the-careful-edit", "restored",
	    "no write came meanwhile", "the step's program (pid ", "node web is up", NULL, NULL,
	    true, NULL } },
};
static const char *const other_disks[][2] = { { "fs=xfs", "size=300MiB" },
					      { "fs=btrfs", "size=128MiB" } };

START_TEST(power_on_others)
{
	TEST_NEEDS_ROOT();
	struct program p;
	for (size_t i = 0; i < sizeof(cut_on) / sizeof(cut_on[0]); i++) {
		struct toy t;
		toy_set_up(&t);
		PROGRAM(&p, "run", POWER, "--json", "--state", t.state, "--runs", t.runs, "--var",
			t.root, "--var", other_disks[_i][0], "--var", other_disks[_i][1], "--fault",
			cut_on[i][0].fault);
		check_run(&t, &p, cut_on[i], 1);
	}
}
END_TEST

/* dpkg on a Debian root: the image is built the first time, which takes a network. */
START_TEST(dpkg_on_a_disk)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	const char *state = getenv("BACKOUT_STATE");
	toy_set_up(&t);
	PROGRAM(&p, "run", FULL, "--json", "--state", state != NULL ? state : "/var/lib/backout",
		"--runs", t.runs);
	check_run(&t, &p, fulls, sizeof(fulls) / sizeof(fulls[0]));
}
END_TEST

/* The error has the number, and the number is right. */
START_TEST(a_disk_that_is_too_small)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	unsigned long long enough = 0;
	char size[64];
	toy_set_up(&t);
	GUARD(mem) char *root = mem_printf("%s/large", test_dir());
	GUARD(mem)
	char *script = mem_printf("cp -a %s %s && mkdir %s/many && cd %s/many && "
				  "for i in $(seq 3000); do echo $i > $i; done && "
				  "head -c 20000000 /dev/urandom > big",
				  test_busybox_root(), root, root, root);
	ck_assert_int_eq(system(script), 0);
	(void)snprintf(t.root, sizeof(t.root), "root=%s", root);
	PROGRAM(&p, "run", POWER, "--state", t.state, "--runs", t.runs, "--var", t.root, "--var",
		"size=16MiB");
	ck_assert_msg(p.exit == 65, "%d: %s", p.exit, buf_str(&p.err));
	const char *words = strstr(buf_str(&p.err), "are too small for its root");
	ck_assert_msg(words != NULL, "%s", buf_str(&p.err));
	ck_assert_int_eq(sscanf(strstr(words, "; write "), "; write %lluMiB", &enough), 1);
	program_free(&p);
	(void)snprintf(size, sizeof(size), "size=%lluMiB", enough);
	PROGRAM(&p, "run", POWER, "--state", t.state, "--runs", t.runs, "--var", t.root, "--var",
		size, "--fault", "cut behind the careful edit");
	ck_assert_msg(p.exit == 0, "%d: %s", p.exit, buf_str(&p.err));
	program_free(&p);
}
END_TEST

Suite *suite_crash(void);
Suite *suite_crash(void)
{
	Suite *s = suite_create("crash");
	TCase *t = tcase_create("crash");
	tcase_set_timeout(t, 600);
	tcase_add_test(t, nodes_crash);
	tcase_add_test(t, power_and_room_on_ext4);
	tcase_add_loop_test(t, power_on_others, 0, 2);
	tcase_add_test(t, dpkg_on_a_disk);
	tcase_add_test(t, a_disk_that_is_too_small);
	suite_add_tcase(s, t);
	return s;
}
