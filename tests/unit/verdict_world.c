/* SPDX-License-Identifier: MIT */
#include "tests/unit/verdict_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/hash.h"
#include "harness/model/event.h"
#include "tests/unit/runner.h"

#define FILE_LINE(key, rest) "{\"kind\":\"file\",\"key\":\"" key "\",\"type\":\"file\"" rest "}\n"
#define NGINX(v)             "{\"kind\":\"package\",\"key\":\"nginx\",\"version\":\"" v "\"}\n"
const char STATE_B[] = FILE_LINE("/etc/hosts", "") FILE_LINE("/usr/sbin/nginx", ",\"xxh3\":\"1\"")
	FILE_LINE("/var/log/w.log", ",\"size\":1") NGINX("1");
const char STATE_P[] = FILE_LINE("/etc/hosts", "") FILE_LINE("/usr/sbin/nginx", ",\"xxh3\":\"2\"")
	FILE_LINE("/var/log/w.log", ",\"size\":2") NGINX("2");
/* The new program below the old package; a stray file. */
const char STATE_HALF[] = FILE_LINE("/etc/hosts", "")
	FILE_LINE("/usr/sbin/nginx", ",\"xxh3\":\"2\"") FILE_LINE("/usr/sbin/nginx.dpkg-new", "")
		FILE_LINE("/var/log/w.log", ",\"size\":2") NGINX("1");
/* P, but for what two clean runs need not have in common. */
const char STATE_NOISY_P[] =
	FILE_LINE("/etc/hosts", ",\"xxh3\":\"9\"") FILE_LINE("/usr/sbin/nginx", ",\"xxh3\":\"2\"")
		FILE_LINE("/var/log/w.log", ",\"size\":2") NGINX("2");

static struct step_plan patch_steps[] = { { .name = "refresh" }, { .name = "install" } };
static struct step_plan back_steps[] = { { .name = "repair" }, { .name = "reinstall" } };
static struct rollback_plan rollbacks[] = { { "reinstall-old", back_steps, 2 } };
static struct node_plan nodes[] = { { .name = "web" }, { .name = "mirror" } };
static struct probe_plan steady[] = { { .name = "serves" } };
static struct probe_plan goal[] = { { .name = "new version" } };
static const char *state_nodes[] = { "web", NULL };
static struct ignore_plan ignore[] = { { "/var/log/**", "logs", COMPARE_NOTHING } };

static void add(struct script *s, int64_t ms, enum event_kind k, const char *fields)
{
	ck_assert_uint_lt(s->count, SCRIPT_LINES_MAX);
	struct script_line *l = &s->lines[s->count++];
	*l = (struct script_line){ .ms = ms, .kind = k };
	(void)snprintf(l->fields, sizeof(l->fields), "%s", fields);
}

static void step(struct script *s, int64_t ms, const char *section, const char *name, int index,
		 const char *result)
{
	char fields[SCRIPT_TEXT_MAX];
	(void)snprintf(fields, sizeof(fields),
		       "\"section\":\"%s\",\"step\":\"%s\",\"index\":%d%s%s", section, name, index,
		       result != NULL ? "," : "", result != NULL ? result : "");
	add(s, ms, result != NULL ? EVENT_STEP_END : EVENT_STEP_BEGIN, fields);
}

static void capture(struct script *s, int64_t ms, enum state_phase phase, const char *text)
{
	char fields[SCRIPT_TEXT_MAX];
	s->state[phase] = text;
	(void)snprintf(fields, sizeof(fields), "\"node\":\"web\",\"phase\":\"%s\"",
		       state_phase_names[phase]);
	add(s, ms, EVENT_STATE_CAPTURED, fields);
}

static void start(struct script *s, const char *name, const char *role)
{
	char fields[SCRIPT_TEXT_MAX];
	bool control = strcmp(role, "control") == 0;
	*s = (struct script){ .name = name };
	(void)snprintf(fields, sizeof(fields), "\"format\":1,\"role\":\"%s\"%s", role,
		       control ? "" : ",\"fault\":\"cut\"");
	add(s, 0, EVENT_DRILL_BEGIN, fields);
	add(s, 10, EVENT_NODE_UP, "\"node\":\"web\"");
	add(s, 20, EVENT_LINK_UP, "\"node\":\"web\"");
	add(s, 30, EVENT_SERVICE_READY, "\"node\":\"web\",\"service\":\"web\"");
	add(s, 40, EVENT_STEADY_BEFORE, "\"ok\":true");
	capture(s, 50, PHASE_BEFORE, STATE_B);
	if (!control)
		add(s, 60, EVENT_FAULT_PREPARED, "\"fault\":\"cut\"");
	add(s, 100, EVENT_PATCH_BEGIN, "");
	step(s, 100, "patch", "refresh", 0, NULL);
	step(s, 200, "patch", "refresh", 0, "\"ok\":true");
	step(s, 200, "patch", "install", 1, NULL);
}

static void strike(struct script *s)
{
	add(s, 300, EVENT_TRIGGER_HIT,
	    "\"fault\":\"cut\",\"kind\":\"bytes\",\"detail\":\"204800 bytes\"");
	add(s, 300, EVENT_FAULT_APPLIED, "\"fault\":\"cut\",\"detail\":\"link of mirror is down\"");
	add(s, 310, EVENT_FAULT_FELT, "\"fault\":\"cut\",\"evidence\":\"7 frames dropped\"");
}

static void fail_patch(struct script *s)
{
	strike(s);
	step(s, 320, "patch", "install", 1, "\"ok\":false,\"exit\":100,\"why\":\"exit 100\"");
	add(s, 320, EVENT_PATCH_END, "\"ok\":false,\"why\":\"step 'install' failed\"");
	add(s, 330, EVENT_DETECTED, "\"by\":\"step_failed\",\"why\":\"step 'install' failed\"");
	add(s, 340, EVENT_FAULT_UNDONE, "\"fault\":\"cut\",\"verified\":true,\"detail\":\"up\"");
}

static void succeed(struct script *s)
{
	step(s, 320, "patch", "install", 1, "\"ok\":true");
	add(s, 320, EVENT_PATCH_END, "\"ok\":true");
	add(s, 330, EVENT_GOAL, "\"ok\":true");
}

static void roll_back(struct script *s, bool clean)
{
	add(s, 350, EVENT_ROLLBACK_BEGIN,
	    clean ? "\"rollback\":\"reinstall-old\",\"clean\":true"
		  : "\"rollback\":\"reinstall-old\"");
	step(s, 350, "rollback", "repair", 0, NULL);
	step(s, 400, "rollback", "repair", 0, "\"ok\":false,\"may_fail\":true");
	step(s, 400, "rollback", "reinstall", 1, NULL);
	step(s, 600, "rollback", "reinstall", 1, "\"ok\":true");
	add(s, 600, EVENT_ROLLBACK_END, "\"ok\":true");
}

static void finish(struct script *s, const char *after)
{
	add(s, 1700, EVENT_HEALTHY, "\"since\":700000000,\"resolution\":50000000");
	capture(s, 1800, PHASE_AFTER, after);
	add(s, 1900, EVENT_TEARDOWN, "\"leftovers\":0");
	add(s, 1950, EVENT_SEALED, "");
}

static void control(struct script *s, const char *name)
{
	start(s, name, "control");
	succeed(s);
	capture(s, 340, PHASE_PATCHED, STATE_P);
	roll_back(s, true);
	finish(s, STATE_B);
}

static void knockout(struct script *s)
{
	start(s, "knockout", "knockout");
	fail_patch(s);
	add(s, 350, EVENT_ROLLBACK_SKIPPED, "\"why\":\"knock-out\"");
	finish(s, STATE_HALF);
}

void world_good(struct world *w)
{
	*w = (struct world){
		.kind = { .name = "link.down", .lasting = true },
		.fault = { .name = "cut",
			   .slug = "cut",
			   .expect = OUTCOME_BIT(OUTCOME_RESTORED) | OUTCOME_BIT(OUTCOME_HARMLESS) |
				     OUTCOME_BIT(OUTCOME_TOLERATED) },
		.plan = { .title = "t",
			  .window = { .target = 60 * NS_PER_S,
				      .recovery = 20 * NS_PER_S,
				      .settle = NS_PER_S },
			  .nodes = nodes,
			  .node_count = 2,
			  .steady = steady,
			  .steady_count = 1,
			  .goal = goal,
			  .goal_count = 1,
			  .state = { .nodes = { state_nodes, 1 }, .ignore = { ignore, 1 } },
			  .patch = patch_steps,
			  .patch_count = 2,
			  .rollbacks = rollbacks,
			  .rollback_count = 1 },
	};
	w->fault.injector = &w->kind;
	control(&w->control_a, "control-a");
	control(&w->control_b, "control-b");
	start(&w->drill, "drill", "drill");
	fail_patch(&w->drill);
	roll_back(&w->drill, false);
	finish(&w->drill, STATE_B);
	knockout(&w->knockout);
}

void world_tolerated(struct world *w)
{
	struct script *s = &w->drill;
	world_good(w);
	start(s, "drill", "drill");
	strike(s);
	succeed(s);
	add(s, 340, EVENT_FAULT_UNDONE, "\"fault\":\"cut\",\"verified\":true,\"detail\":\"up\"");
	add(s, 1700, EVENT_NO_ROLLBACK, "\"why\":\"nothing called for it\"");
	add(s, 1700, EVENT_HEALTHY, "\"since\":700000000");
	capture(s, 1800, PHASE_PATCHED, STATE_P);
	add(s, 1900, EVENT_TEARDOWN, "\"leftovers\":0");
	add(s, 1950, EVENT_SEALED, "");
	w->no_knockout = true;
}

void world_in_rollback(struct world *w)
{
	struct script *s = &w->drill;
	world_good(w);
	start(s, "drill", "drill");
	succeed(s);
	roll_back(s, true);
	finish(s, STATE_B);
	script_add(s, EVENT_STEP_BEGIN, "reinstall", EVENT_FAULT_FELT,
		   "\"fault\":\"cut\",\"evidence\":\"3 frames dropped\"");
	script_add(s, EVENT_STEP_BEGIN, "reinstall", EVENT_FAULT_APPLIED,
		   "\"fault\":\"cut\",\"detail\":\"down\"");
	script_add(s, EVENT_ROLLBACK_END, NULL, EVENT_FAULT_UNDONE,
		   "\"fault\":\"cut\",\"verified\":true");
	w->fault.in_rollback = true;
	w->no_knockout = true;
}

struct script_line *script_find(struct script *s, enum event_kind k, const char *needle)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->lines[i].kind == k &&
		    (needle == NULL || strstr(s->lines[i].fields, needle) != NULL))
			return &s->lines[i];
	ck_abort_msg("%s has no %s with %s", s->name, event_name(k), needle);
	return NULL;
}

void script_set(struct script *s, enum event_kind k, const char *needle, const char *fields)
{
	struct script_line *l = script_find(s, k, needle);
	(void)snprintf(l->fields, sizeof(l->fields), "%s", fields);
}

void script_drop(struct script *s, size_t i)
{
	memmove(&s->lines[i], &s->lines[i + 1], (s->count - i - 1) * sizeof(s->lines[0]));
	s->count--;
}

void script_drop_kind(struct script *s, enum event_kind k, const char *needle)
{
	script_drop(s, (size_t)(script_find(s, k, needle) - s->lines));
}

void script_add(struct script *s, enum event_kind after, const char *needle, enum event_kind k,
		const char *fields)
{
	size_t i = (size_t)(script_find(s, after, needle) - s->lines) + 1;
	ck_assert_uint_lt(s->count, SCRIPT_LINES_MAX);
	memmove(&s->lines[i + 1], &s->lines[i], (s->count - i) * sizeof(s->lines[0]));
	s->count++;
	s->lines[i] = (struct script_line){ .ms = s->lines[i - 1].ms, .kind = k };
	(void)snprintf(s->lines[i].fields, sizeof(s->lines[i].fields), "%s", fields);
}

void script_delay(struct script *s, enum event_kind k, const char *needle, int64_t ms)
{
	for (struct script_line *l = script_find(s, k, needle); l < &s->lines[s->count]; l++) {
		l->ms += ms;
		if (l->kind == EVENT_HEALTHY)
			(void)snprintf(l->fields, sizeof(l->fields), "\"since\":%" PRId64,
				       (l->ms - 1000) * NS_PER_MS);
	}
}

static void write_line(struct buf *b, const struct script *s, const struct script_line *l)
{
	char digest[HASH_TEXT];
	if (l->raw[0] != '\0') {
		buf_printf(b, "%s\n", l->raw);
		return;
	}
	buf_printf(b, "{\"t\":%" PRId64 ",\"event\":\"%s\"%s%s", l->ms * NS_PER_MS,
		   event_name(l->kind), l->fields[0] != '\0' ? "," : "", l->fields);
	for (int p = 0; l->kind == EVENT_STATE_CAPTURED && p < PHASE_COUNT; p++) {
		if (strstr(l->fields, state_phase_names[p]) == NULL || s->state[p] == NULL)
			continue;
		hash_text(s->state[p], strlen(s->state[p]), digest);
		buf_printf(b, ",\"digest\":\"%s\"", s->bad_digest ? "0" : digest);
	}
	if (l->kind == EVENT_SEALED && l->fields[0] == '\0')
		buf_printf(b, ",\"events\":%zu", (size_t)(l - s->lines) + (size_t)s->events_off);
	buf_puts(b, "}\n");
}

/* What a record needs to live as long as the judging. */
struct made {
	struct journal *journal;
	struct record_state state;
	struct record record;
};

static int make(struct made *m, const struct script *s, struct err *e)
{
	struct buf b GUARD_BUF = { 0 };
	for (size_t i = 0; i < s->count; i++)
		write_line(&b, s, &s->lines[i]);
	if (s->torn)
		buf_puts(&b, "{\"t\":99");
	*m = (struct made){ .state = { .node = "web" } };
	for (int p = 0; p < PHASE_COUNT && !s->state_missing; p++)
		if (s->state[p] != NULL)
			m->state.phase[p] = (struct state_text){ s->state[p], strlen(s->state[p]) };
	if (journal_parse(&m->journal, s->name, buf_str(&b), b.len, e) < 0)
		return -1;
	m->record = (struct record){ m->journal, &m->state, 1 };
	return 0;
}

int world_try(struct arena *a, struct world *w, struct verdict *ret, struct err *e)
{
	struct made m[4];
	const struct script *scripts[] = { &w->drill, &w->control_a, &w->control_b, &w->knockout };
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(make(&m[i], scripts[i], e), 0);
	const struct judge_input in = {
		.plan = &w->plan,
		.fault = &w->fault,
		.drill = &m[0].record,
		.control_a = w->no_control ? NULL : &m[1].record,
		.control_b = w->no_control_b ? NULL : &m[2].record,
		.knockout = w->no_knockout ? NULL : &m[3].record,
	};
	int rc = verdict_judge(a, &in, ret, e);
	for (size_t i = 0; i < 4; i++)
		journal_free(m[i].journal);
	return rc;
}

struct verdict world_judge(struct arena *a, struct world *w)
{
	struct verdict v;
	struct err e = { 0 };
	MUST(world_try(a, w, &v, &e));
	return v;
}

struct verdict world_judge_control(struct arena *a, struct world *w)
{
	struct made m;
	struct verdict v;
	struct err e = { 0 };
	MUST(make(&m, &w->control_a, &e));
	const struct judge_input in = { .plan = &w->plan, .drill = &m.record };
	MUST(verdict_judge(a, &in, &v, &e));
	journal_free(m.journal);
	return v;
}

struct verdict_run world_controls(struct arena *a, struct world *w)
{
	struct made m[2];
	struct verdict_run run;
	struct err e = { 0 };
	MUST(make(&m[0], &w->control_a, &e));
	MUST(make(&m[1], &w->control_b, &e));
	MUST(verdict_controls(a, &w->plan, &m[0].record, w->no_control_b ? NULL : &m[1].record,
			      &run, &e));
	journal_free(m[0].journal);
	journal_free(m[1].journal);
	return run;
}

bool world_holds(const struct verdict *v, enum outcome o)
{
	for (size_t i = 0; i < v->finding_count; i++)
		if (v->findings[i].outcome == o)
			return true;
	return false;
}
