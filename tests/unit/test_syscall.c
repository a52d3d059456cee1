/* SPDX-License-Identifier: MIT */
/* The trigger syscall joined to injectors, as the engine joins them, on real nodes. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/model/json.h"
#include "harness/triggers/trigger.h"
#include "injectors/injector.h"
#include "tests/unit/inject_rig.h"
#include "tests/unit/lab.h"
#include "tests/unit/runner.h"

static const int64_t PATIENCE = 20 * NS_PER_S;

extern const struct trigger_kind trigger_syscall;

struct joined {
	struct lab lab;
	struct trigger *trigger;
	struct decoded at;
	struct rig rig;
	bool inject; /* else it only counts */
	struct proc *proc;
	bool ended;
	int status;
	unsigned hits, notices;
	char detail[700];
};

static void on_fire(void *arg, const struct strike_site *site)
{
	struct joined *j = arg;
	j->hits++;
	(void)snprintf(j->detail, sizeof(j->detail), "%s", site->detail);
	ck_assert_ptr_nonnull(site->call);
	ck_assert_int_gt(site->stopped, 0);
	if (!j->inject)
		return;
	struct strike_target t = { .node = site->node,
				   .runner = proc_pid(j->proc),
				   .stopped = site->stopped,
				   .call = site->call };
	rig_strike(&j->rig, &t);
}

static void on_notice(void *arg, const char *text)
{
	ck_assert_ptr_nonnull(text);
	((struct joined *)arg)->notices++;
}

static const void *decode(struct decoded *d, const char *at)
{
	struct err e = { 0 };
	const struct kind *k = &trigger_syscall.kind;
	d->arena = arena_create();
	MUST(json_parse(&d->doc, "at", at, strlen(at), &e));
	struct param_ctx c = { .arena = d->arena, .doc = d->doc, .dir = "/" };
	void *params = arena_alloc(d->arena, k->size);
	MUST(param_decode(&c, k->params, k->shorthand, json_root(d->doc), params, NULL, &e));
	return params;
}

static void begin(struct joined *j, const char *at, const char *injector, const char *params)
{
	struct err e = { 0 };
	memset(j, 0, sizeof(*j));
	lab_begin(&j->lab, 1);
	j->inject = injector != NULL;
	if (j->inject)
		rig_begin(&j->rig, &j->lab, injector, params);
	const void *params_at = decode(&j->at, at);
	struct trigger_env env = { .loop = j->lab.loop,
				   .node = j->lab.node[0],
				   .fire = on_fire,
				   .notice = on_notice,
				   .arg = j };
	MUST(trigger_syscall.create(&j->trigger, &env, params_at, &e));
}

static void on_end(void *arg, int status)
{
	struct joined *j = arg;
	j->status = status;
	j->ended = true;
}

static int step(struct joined *j, const char *script)
{
	struct err e = { 0 };
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	j->ended = false;
	MUST(trigger_syscall.enter(j->trigger, &e));
	struct spawn_spec spec = { .argv = argv,
				   .out_fd = -1,
				   .err_fd = -1,
				   .filter = trigger_syscall.filter(j->trigger) };
	MUST(node_spawn(j->lab.node[0], &spec, on_end, j, &j->proc, &e));
	MUST(trigger_syscall.started(j->trigger, j->proc, &e));
	lab_run(&j->lab, &j->ended, PATIENCE);
	trigger_syscall.leave(j->trigger);
	proc_free(j->proc);
	return j->status;
}

static void end(struct joined *j)
{
	trigger_syscall.destroy(j->trigger);
	trigger_syscall.destroy(NULL);
	decoded_free(&j->at);
	if (j->inject)
		rig_end(&j->rig);
	lab_end(&j->lab);
}

/* ---- when ---- */

#define THREE "/bin/mkdir /srv/a; /bin/mkdir /srv/b; /bin/touch /srv/f; /bin/rmdir /srv/b"

static const struct {
	const char *at, *script, *detail; /* NULL: does not strike */
} whens[] = {
	{ "\"mkdir\"", THREE, "call 1 of mkdir: mkdir(/srv/a) by /bin/mkdir (pid " },
	{ "{\"call\":\"mkdir\",\"nth\":2}", THREE, "call 2 of mkdir: mkdir(/srv/b) by " },
	{ "{\"call\":\"mkdir\",\"nth\":3}", THREE, NULL },
	{ "{\"nth\":2}", THREE, "call 2 of any: mkdir(/srv/b) by " },
	{ "{\"path\":\"/srv/b\",\"nth\":2}", THREE, "call 2 of any: rmdir(/srv/b) by " },
	{ "{\"path\":\"/srv/*\",\"nth\":3}", THREE, "call 3 of any: " },
	{ "{\"program\":\"/bin/rmdir\"}", THREE, "call 1 of any: rmdir(/srv/b) by /bin/rmdir" },
	{ "{\"program\":\"/bin/absent\"}", THREE, NULL },
	{ "{\"path\":\"/tmp/**\"}", THREE, NULL },
	{ "{\"call\":\"rename\",\"path\":\"/srv/new\"}", "> /srv/old; /bin/mv /srv/old /srv/new",
	  "call 1 of rename: rename(/srv/old, /srv/new)" },
	{ "{\"call\":\"chmod\",\"argument\":\"1=0700\"}",
	  "> /srv/f; /bin/chmod 600 /srv/f; /bin/chmod 700 /srv/f", "call 1 of chmod: " },
	{ "{\"call\":\"chmod\",\"argument\":\"1=0711\"}", "> /srv/f; /bin/chmod 700 /srv/f", NULL },
	{ "{\"call\":\"chmod\",\"argument\":\"1&0100\",\"nth\":2}",
	  "> /srv/f; /bin/chmod 600 /srv/f; /bin/chmod 700 /srv/f; /bin/chmod 711 /srv/f",
	  "call 2 of chmod: " },
	{ "\"write\"", "echo lost; echo x | /bin/cat; echo kept > /srv/f",
	  "call 1 of write: write(/srv/f) by /bin/sh" },
};

START_TEST(strikes_at_the_call_asked_for)
{
	TEST_NEEDS_ROOT();
	struct joined j;
	begin(&j, whens[_i].at, NULL, NULL);
	ck_assert_ptr_null(trigger_syscall.filter(j.trigger)); /* no step runs */
	ck_assert_int_eq(step(&j, whens[_i].script), 0);
	ck_assert_uint_eq(j.hits, whens[_i].detail != NULL);
	if (whens[_i].detail != NULL)
		ck_assert_msg(strncmp(j.detail, whens[_i].detail, strlen(whens[_i].detail)) == 0,
			      "%s", j.detail);
	ck_assert_ptr_null(trigger_syscall.filter(j.trigger));
	ck_assert_uint_eq(j.notices, 0);
	end(&j);
}
END_TEST

static const struct {
	const char *text;
	bool good;
} arguments[] = {
	{ "0=0", true },  { "5&0x200", true }, { "1&01000", true },
	{ "6=0", false }, { "9=1", false },    { "1", false },
	{ "1=", false },  { "1=x", false },    { "1=-1", false },
	{ "=1", false },  { "1=1 ", false },   { "1=99999999999999999999", false },
};

START_TEST(arguments_are_checked)
{
	struct decoded d;
	char at[64];
	(void)snprintf(at, sizeof(at), "{\"argument\":\"%s\"}", arguments[_i].text);
	const void *params = decode(&d, at);
	ck_assert_int_eq(trigger_syscall.kind.check(params) == NULL, arguments[_i].good);
	decoded_free(&d);
}
END_TEST

/* Steps count anew, what runs apart does not count, and it strikes once for all. */
START_TEST(counts_within_a_step)
{
	TEST_NEEDS_ROOT();
	struct joined j;
	struct err e = { 0 };
	begin(&j, "{\"call\":\"mkdir\",\"nth\":2}", NULL, NULL);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(step(&j, "/bin/mkdir /tmp/x; /bin/rmdir /tmp/x"), 0);
	ck_assert_uint_eq(j.hits, 0);
	ck_assert_int_eq(lab_sh(&j.lab, 0, "/bin/mkdir /tmp/y; /bin/mkdir /tmp/z", NULL), 0);
	ck_assert_uint_eq(j.hits, 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(step(&j, "/bin/mkdir -p /a; /bin/mkdir -p /b; :"), 0);
		ck_assert_uint_eq(j.hits, 1);
	}
	MUST(trigger_syscall.enter(j.trigger, &e));
	ck_assert_ptr_null(trigger_syscall.filter(j.trigger)); /* struck: no filter any more */
	end(&j);
}
END_TEST

/* Side by side the order is the scheduler's; one path's calls keep their numbers. */
START_TEST(narrowed_counts_repeat)
{
	TEST_NEEDS_ROOT();
	struct joined j;
	begin(&j, "{\"call\":\"chmod\",\"path\":\"/srv/w2\",\"nth\":3}", NULL, NULL);
	ck_assert_int_eq(step(&j, "for w in 1 2 3; do (> /srv/w$w; for m in 1 2 3 4; do"
				  " /bin/chmod 70$m /srv/w$w; done) & done; wait"),
			 0);
	ck_assert_uint_eq(j.hits, 1);
	ck_assert_msg(strstr(j.detail, "call 3 of chmod: ") == j.detail &&
			      strstr(j.detail, "(/srv/w2) by /bin/chmod") != NULL,
		      "%s", j.detail);
	end(&j);
}
END_TEST

/* ---- what ---- */

#define MAKE "for d in a b c d; do /bin/mkdir /srv/$d || echo $d >> /srv/failed; done; :"

static const struct {
	const char *at, *injector, *params, *script;
	int status;
	const char *made; /* of a, b, c, d */
	const char *failed, *felt;
} whats[] = {
	{ "{\"call\":\"mkdir\",\"nth\":2}", "syscall.fail", "\"ENOSPC\"", MAKE, 0, "acd", "b\n",
	  "mkdir(/srv/b) of pid" },
	{ "{\"call\":\"mkdir\",\"nth\":2}", "syscall.fail",
	  "{\"errno\":\"EIO\",\"keep\":\"always\"}", MAKE, 0, "a", "b\nc\nd\n", "returned EIO" },
	{ "{\"call\":\"mkdir\",\"path\":\"/srv/[bc]\"}", "syscall.fail", "\"EIO\"", MAKE, 0, "abcd",
	  "", NULL },
	{ "{\"call\":\"mkdir\",\"nth\":2}", "syscall.delay", "\"30ms\"", MAKE, 0, "abcd", "",
	  "(asked for 30 ms)" },
	{ "{\"call\":\"mkdir\",\"nth\":2}", "process.kill", "{\"target\":\"tree\"}", MAKE, SIGKILL,
	  "a", "", "was reaped, killed by SIGKILL" },
	{ "{\"call\":\"mkdir\",\"nth\":2}", "process.kill", "{\"program\":\"/bin/mkdir\"}", MAKE, 0,
	  "acd", "b\n", "was reaped, killed by SIGKILL" },
	{ "{\"call\":\"mkdir\",\"nth\":2}", "process.kill",
	  "{\"program\":\"/bin/mkdir\",\"signal\":\"TERM\"}", MAKE, 0, "acd", "b\n", "SIGTERM" },
	/* The one that is held, not the step's shell, which is older and runs the same program. */
	{ "{\"call\":\"open\"}", "process.kill", "{\"program\":\"/bin/sh\"}",
	  "( > /srv/a; : ) || echo a >> /srv/failed; /bin/mkdir /srv/b; :", 0, "b", "a\n",
	  "was reaped, killed by SIGKILL" },
	/* The one that is held lives on, and finishes its call. */
	{ "{\"call\":\"mkdir\",\"nth\":2}", "process.kill", "{}", MAKE, SIGKILL, "ab", "",
	  "was reaped, killed by SIGKILL" },
};

START_TEST(injectors_answer_the_call)
{
	TEST_NEEDS_ROOT();
	struct joined j;
	struct buf failed = { 0 };
	begin(&j, whats[_i].at, whats[_i].injector, whats[_i].params);
	ck_assert_int_eq(step(&j, whats[_i].script), whats[_i].status);
	lab_run(&j.lab, NULL, 50 * NS_PER_MS); /* a killed one's own child, and the tale of it */
	for (const char *d = "abcd"; *d != '\0'; d++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "/srv/%c", *d);
		bool made = strchr(whats[_i].made, *d) != NULL;
		ck_assert_msg(lab_exists(&j.lab, 0, path) == made, "%s was %smade", path,
			      made ? "not " : "");
	}
	ck_assert_int_eq(lab_sh(&j.lab, 0, "cat /srv/failed 2>/dev/null; :", &failed), 0);
	ck_assert_str_eq(buf_str(&failed), whats[_i].failed);
	buf_free(&failed);
	ck_assert(j.rig.felt == (whats[_i].felt != NULL));
	if (whats[_i].felt != NULL)
		ck_assert_msg(strstr(j.rig.evidence, whats[_i].felt) != NULL, "%s", j.rig.evidence);
	rig_undo(&j.rig);
	end(&j);
}
END_TEST

/* Once the first call has failed the fault is undone, in the middle of the step. */
static void undo_when_felt(void *arg)
{
	struct joined *j = arg;
	if (!j->rig.felt || lab_exists(&j->lab, 0, "/tmp/undone"))
		return;
	rig_undo(&j->rig);
	lab_write(&j->lab, 0, "/tmp/undone", "");
}

START_TEST(undo_ends_always)
{
	TEST_NEEDS_ROOT();
	struct joined j;
	struct err e = { 0 };
	struct loop_src *timer;
	begin(&j, "{\"call\":\"mkdir\"}", "syscall.fail",
	      "{\"errno\":\"EIO\",\"keep\":\"always\"}");
	MUST(loop_add_timer(j.lab.loop, 0, 5 * NS_PER_MS, undo_when_felt, &j, &timer, &e));
	ck_assert_int_eq(step(&j,
			      "/bin/mkdir /srv/a; while [ ! -e /tmp/undone ]; do sleep 0.01; done;"
			      " /bin/mkdir /srv/b"),
			 0);
	loop_remove(timer);
	ck_assert_ptr_nonnull(strstr(j.rig.detail, "1 call(s) failed"));
	ck_assert(!lab_exists(&j.lab, 0, "/srv/a") && lab_exists(&j.lab, 0, "/srv/b"));
	end(&j);
}
END_TEST

static const char *const needy[][2] = { { "syscall.fail", "\"EIO\"" },
					{ "syscall.delay", "\"5ms\"" } };

START_TEST(needs_a_held_call)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	struct err e = { 0 };
	char detail[INJECT_DETAIL_MAX];
	lab_begin(&lab, 1);
	rig_begin(&rig, &lab, needy[_i][0], needy[_i][1]);
	struct strike_target t = { .node = lab.node[0] };
	ck_assert_int_lt(rig.injector->strike(rig.injection, &t, detail, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.why, "needs \"syscall\" in \"at\""));
	err_clear(&e);
	MUST(rig.injector->verify(rig.injection, detail, &e));
	rig_end(&rig);
	lab_end(&lab);
}
END_TEST

Suite *suite_syscall(void);
Suite *suite_syscall(void)
{
	Suite *s = suite_create("syscall");
	TCase *t = tcase_create("syscall");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, arguments_are_checked, 0, sizeof(arguments) / sizeof(arguments[0]));
	tcase_add_loop_test(t, strikes_at_the_call_asked_for, 0, sizeof(whens) / sizeof(whens[0]));
	tcase_add_test(t, counts_within_a_step);
	tcase_add_test(t, narrowed_counts_repeat);
	tcase_add_loop_test(t, injectors_answer_the_call, 0, sizeof(whats) / sizeof(whats[0]));
	tcase_add_test(t, undo_ends_always);
	tcase_add_loop_test(t, needs_a_held_call, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
