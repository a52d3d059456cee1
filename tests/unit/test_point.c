/* SPDX-License-Identifier: MIT */
/* The triggers point and line, joined to injectors as the engine joins them, on real nodes. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/model/json.h"
#include "harness/sandbox/pointwatch.h"
#include "harness/triggers/trigger.h"
#include "injectors/injector.h"
#include "tests/unit/inject_rig.h"
#include "tests/unit/lab.h"
#include "tests/unit/runner.h"

enum { KEYS_MAX = 64 };
static const int64_t PATIENCE = 20 * NS_PER_S;

extern const struct trigger_kind trigger_point, trigger_line;

struct joined {
	struct lab lab;
	const struct trigger_kind *kind;
	struct trigger *trigger;
	struct decoded at;
	struct rig rig;
	bool inject; /* else it only counts */
	int refused; /* strikes that failed */
	struct proc *proc;
	bool ended;
	int status;
	unsigned hits;
	char detail[1200], why[700];
	/* A recording's. */
	char *keys[KEYS_MAX];
	size_t count;
};

static void on_fire(void *arg, const struct strike_site *site)
{
	struct joined *j = arg;
	struct err e = { 0 };
	j->hits++;
	(void)snprintf(j->detail, sizeof(j->detail), "%s", site->detail);
	if (!j->inject)
		return;
	struct strike_target t = { .node = site->node,
				   .runner = node_spawned_pid(site->node, site->stopped),
				   .stopped = site->stopped,
				   .program = site->program,
				   .call = site->call };
	j->rig.struck = true;
	if (j->rig.injector->strike(j->rig.injection, &t, j->rig.detail, &e) < 0) {
		j->refused++;
		(void)snprintf(j->why, sizeof(j->why), "%s", e.why);
	}
}

static void on_notice(void *arg, const char *text)
{
	(void)arg;
	ck_abort_msg("%s", text);
}

static void arm(struct joined *j, const struct trigger_kind *kind, const char *at)
{
	struct err e = { 0 };
	j->kind = kind;
	j->at.arena = arena_create();
	MUST(json_parse(&j->at.doc, "at", at, strlen(at), &e));
	struct param_ctx c = { .arena = j->at.arena, .doc = j->at.doc, .dir = "/" };
	void *decoded = arena_alloc(j->at.arena, kind->kind.size);
	MUST(param_decode(&c, kind->kind.params, kind->kind.shorthand, json_root(j->at.doc),
			  decoded, NULL, &e));
	struct trigger_env env = { .loop = j->lab.loop,
				   .node = j->lab.node[0],
				   .fire = on_fire,
				   .notice = on_notice,
				   .arg = j };
	MUST(kind->create(&j->trigger, &env, decoded, &e));
}

static void disarm(struct joined *j)
{
	j->kind->destroy(j->trigger);
	j->kind->destroy(NULL);
	decoded_free(&j->at);
	j->at = (struct decoded){ 0 };
}

static void begin(struct joined *j)
{
	memset(j, 0, sizeof(*j));
	lab_begin(&j->lab, 1);
}

static void end(struct joined *j)
{
	for (size_t i = 0; i < j->count; i++)
		free(j->keys[i]);
	lab_end(&j->lab);
}

static void on_end(void *arg, int status)
{
	struct joined *j = arg;
	j->status = status;
	j->ended = true;
}

static void spawn(struct joined *j, const char *script, const struct filter *f)
{
	struct err e = { 0 };
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1, .filter = f };
	j->ended = false;
	MUST(node_spawn(j->lab.node[0], &spec, on_end, j, &j->proc, &e));
}

/* One step, within an entered trigger. */
static int run(struct joined *j, const char *script)
{
	struct err e = { 0 };
	spawn(j, script, j->kind->filter(j->trigger));
	MUST(j->kind->started(j->trigger, j->proc, &e));
	lab_run(&j->lab, &j->ended, PATIENCE);
	proc_free(j->proc);
	return j->status;
}

static int step(struct joined *j, const char *script)
{
	struct err e = { 0 };
	MUST(j->kind->enter(j->trigger, &e));
	(void)run(j, script);
	j->kind->leave(j->trigger);
	return j->status;
}

/* ---- a recording ---- */

static bool on_point(void *arg, const struct point_event *ev)
{
	struct joined *j = arg;
	ck_assert_uint_lt(j->count, KEYS_MAX);
	j->keys[j->count++] = mem_strdup(ev->key);
	return false;
}

static void record(struct joined *j, const char *script)
{
	struct err e = { 0 };
	struct point_watch *w;
	MUST(point_watch_create(&w, j->lab.loop, j->lab.node[0], POINTS_CALLS | POINTS_PROGRAMS,
				on_point, j, &e));
	MUST(point_watch_enter(w, &e));
	spawn(j, script, point_watch_filter(w));
	MUST(point_watch_started(w, j->proc, &e));
	lab_run(&j->lab, &j->ended, PATIENCE);
	point_watch_leave(w);
	proc_free(j->proc);
	point_watch_destroy(w);
	ck_assert_int_eq(j->status, 0);
}

static void clean(struct joined *j)
{
	ck_assert_int_eq(lab_sh(&j->lab, 0, "rm -rf /srv/*", NULL), 0);
}

/* The points that have happened, by what is on the disk. */
#define MARKS                                                                                      \
	"for f in a b; do /bin/mkdir /srv/$f; > /srv/$f/x; /bin/mv /srv/$f/x /srv/$f/y; done;"     \
	"/bin/mkdir /srv/a; /bin/chmod 700 /srv/b; :"

static char *disk(struct joined *j)
{
	struct buf out = { 0 };
	ck_assert_int_eq(
		lab_sh(&j->lab, 0, "cd /srv; find . | sort; stat -c %a b 2>/dev/null; :", &out), 0);
	return buf_take(&out);
}

/* What is there after each call of MARKS, the first being "nothing yet". */
static const char *const states[] = {
	".\n",
	".\n./a\n",
	".\n./a\n./a/x\n",
	".\n./a\n./a/y\n",
	".\n./a\n./a/y\n./b\n755\n",
	".\n./a\n./a/y\n./b\n./b/x\n755\n",
	".\n./a\n./a/y\n./b\n./b/y\n755\n",
	".\n./a\n./a/y\n./b\n./b/y\n755\n", /* the mkdir that fails anyway */
};

/* Recorded once, then struck at every point: all before it has happened, and nothing else. */
START_TEST(kills_at_every_point)
{
	TEST_NEEDS_ROOT();
	struct joined j;
	size_t calls = 0;
	begin(&j);
	record(&j, MARKS);
	ck_assert_uint_eq(j.count, 8 + 6 + 1); /* and the programs, one of them the shell */
	for (size_t k = 0; k < j.count; k++) {
		GUARD(mem) char *at = mem_printf("{\"key\":\"%s\"}", j.keys[k]);
		clean(&j);
		j.hits = 0;
		j.inject = true;
		rig_begin(&j.rig, &j.lab, "process.kill", "{\"target\":\"tree\"}");
		arm(&j, &trigger_point, at);
		ck_assert_int_eq(step(&j, MARKS), SIGKILL);
		ck_assert_uint_eq(j.hits, 1);
		ck_assert_int_eq(j.refused, 0);
		lab_run(&j.lab, &j.rig.felt, PATIENCE);
		GUARD(mem) char *left = disk(&j);
		ck_assert_msg(strcmp(left, states[calls]) == 0, "%s left:\n%s", j.keys[k], left);
		calls += !pointkey_is_start(j.keys[k]);
		disarm(&j);
		rig_undo(&j.rig);
		rig_end(&j.rig);
	}
	ck_assert_uint_eq(calls, sizeof(states) / sizeof(states[0]));
	end(&j);
}
END_TEST

static const struct {
	const char *key, *injector, *params;
	bool hits, refused;
	const char *left, *detail;
} whats[] = {
	{ "mkdir /srv/b, in sh>mkdir, #1", "syscall.fail", "\"ENOSPC\"", true, false,
	  ".\n./a\n./a/y\n", "mkdir(/srv/b) by /bin/mkdir (pid " },
	{ "mkdir /srv/b, in sh>mkdir, #1", "syscall.delay", "\"20ms\"", true, false,
	  ".\n./a\n./a/y\n./b\n./b/y\n700\n", "mkdir(/srv/b)" },
	/* No such call, or the second of one: nothing is struck. */
	{ "mkdir /srv/b, in sh>mkdir, #2", "syscall.fail", "\"EIO\"", false, false,
	  ".\n./a\n./a/y\n./b\n./b/y\n700\n", "" },
	{ "mkdir /srv/b, in sh, #1", "syscall.fail", "\"EIO\"", false, false,
	  ".\n./a\n./a/y\n./b\n./b/y\n700\n", "" },
	/* A start has no call that could fail. */
	{ "start /bin/mkdir, in sh>sh, #2", "syscall.fail", "\"EIO\"", true, true,
	  ".\n./a\n./a/y\n./b\n./b/y\n700\n", "start of /bin/mkdir by /bin/sh (pid " },
	{ "start /bin/mkdir, in sh>sh, #2", "syscall.delay", "\"20ms\"", true, true,
	  ".\n./a\n./a/y\n./b\n./b/y\n700\n", "start of /bin/mkdir" },
	/* The program that is about to start, and nothing else. */
	{ "start /bin/mkdir, in sh>sh, #2", "process.kill", "{\"program\":\"/bin/mkdir\"}", true,
	  false, ".\n./a\n./a/y\n", "start of /bin/mkdir" },
};

START_TEST(strikes_with_any_injector)
{
	TEST_NEEDS_ROOT();
	struct joined j;
	GUARD(mem) char *at = mem_printf("\"%s\"", whats[_i].key);
	begin(&j);
	j.inject = true;
	rig_begin(&j.rig, &j.lab, whats[_i].injector, whats[_i].params);
	arm(&j, &trigger_point, at);
	(void)step(&j, MARKS);
	lab_run(&j.lab, NULL, 50 * NS_PER_MS);
	ck_assert_uint_eq(j.hits, whats[_i].hits);
	ck_assert_int_eq(j.refused, whats[_i].refused);
	if (whats[_i].refused)
		ck_assert_msg(strstr(j.why, "no system call is held") != NULL, "%s", j.why);
	ck_assert_msg(strncmp(j.detail, whats[_i].detail, strlen(whats[_i].detail)) == 0, "%s",
		      j.detail);
	GUARD(mem) char *left = disk(&j);
	ck_assert_str_eq(left, whats[_i].left);
	if (j.hits > 0 && !j.refused) {
		ck_assert(j.rig.felt);
		rig_undo(&j.rig);
	}
	disarm(&j);
	rig_end(&j.rig);
	end(&j);
}
END_TEST

/* A key counts within a step, also where one trigger watches several. */
START_TEST(counts_within_each_step)
{
	TEST_NEEDS_ROOT();
	struct joined j;
	struct err e = { 0 };
	begin(&j);
	arm(&j, &trigger_point, "\"mkdir /srv, in sh>mkdir, #2\"");
	ck_assert_ptr_null(trigger_point.filter(j.trigger)); /* no step */
	MUST(trigger_point.enter(j.trigger, &e));
	for (int i = 0; i < 3; i++) {
		(void)run(&j, "/bin/mkdir /srv 2>/dev/null; :");
		ck_assert_uint_eq(j.hits, 0);
	}
	for (int i = 0; i < 2; i++) {
		(void)run(&j, "/bin/mkdir /srv; /bin/mkdir /srv; :");
		ck_assert_uint_eq(j.hits, 1);
	}
	ck_assert_ptr_null(trigger_point.filter(j.trigger)); /* struck */
	trigger_point.leave(j.trigger);
	MUST(trigger_point.enter(j.trigger, &e));
	ck_assert_ptr_null(trigger_point.filter(j.trigger));
	trigger_point.leave(j.trigger);
	disarm(&j);
	end(&j);
}
END_TEST

/* ---- lines ---- */

static const struct {
	const char *at;
	const char *lines[5];
	const char *detail; /* NULL: does not strike */
} lines[] = {
	{ "{}", { "Reading", "Unpacking a" }, "line 1: Reading" },
	{ "{\"nth\":2}", { "Reading", "Unpacking a", "more" }, "line 2: Unpacking a" },
	{ "\"Unpacking *\"",
	  { "Reading", " Unpacking x", "Unpacking a/b (1.0)" },
	  "line 1 like Unpacking *: Unpacking a/b (1.0)" },
	{ "{\"pattern\":\"*a*\",\"nth\":2}", { "Reading", "x", "a", "a" }, "line 2 like *a*: a" },
	{ "{\"pattern\":\"*a*\",\"nth\":3}", { "a", "x", "a" }, NULL },
	{ "\"a\"", { "ab" }, NULL },
};

START_TEST(lines_strike)
{
	TEST_NEEDS_ROOT();
	struct joined j;
	struct err e = { 0 };
	begin(&j);
	arm(&j, &trigger_line, lines[_i].at);
	trigger_line.line(j.trigger, lines[_i].lines[0]); /* no step yet */
	for (int round = 0; round < 2; round++) {
		MUST(trigger_line.enter(j.trigger, &e));
		for (size_t i = 0; lines[_i].lines[i] != NULL; i++)
			trigger_line.line(j.trigger, lines[_i].lines[i]);
		trigger_line.leave(j.trigger);
	}
	ck_assert_uint_eq(j.hits, lines[_i].detail != NULL);
	if (j.hits > 0)
		ck_assert_str_eq(j.detail, lines[_i].detail);
	disarm(&j);
	end(&j);
}
END_TEST

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

Suite *suite_point(void);
Suite *suite_point(void)
{
	Suite *s = suite_create("point");
	TCase *t = tcase_create("point");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, kills_at_every_point);
	tcase_add_loop_test(t, strikes_with_any_injector, 0, COUNT(whats));
	tcase_add_test(t, counts_within_each_step);
	tcase_add_loop_test(t, lines_strike, 0, COUNT(lines));
	suite_add_tcase(s, t);
	return s;
}
