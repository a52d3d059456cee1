/* SPDX-License-Identifier: MIT */
#include "harness/engine/strike.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/drill_private.h"
#include "harness/triggers/trigger.h"
#include "injectors/injector.h"

struct strike {
	struct strike *next; /* of the same drill */
	struct drill *drill;
	const struct fault_plan *fault;
	const struct trigger_kind *when;
	const struct injector *what;
	struct trigger *trigger;
	struct injection *injection;
	const struct node **nodes;
	char *saved_dir; /* the injector's copies */
	struct loop_src *timer;
	bool entered; /* the trigger watches a step now */
	bool struck, applied, felt, undone;
	char *evidence;           /* of a fault that was felt within its strike: told behind it */
	struct strike_site later; /* its trigger fired before the step's program was known */
	char *later_detail;       /* NULL: it did not */
};

static void undo(struct strike *s)
{
	struct journal_file *j = s->drill->journal;
	if (!s->applied || s->undone)
		return;
	s->undone = true;
	loop_remove(s->timer);
	s->timer = NULL;
	struct err e = { 0 };
	char detail[INJECT_DETAIL_MAX] = "";
	bool gone = s->what->undo(s->injection, &e) == 0;
	/* Ask anew even when undo itself complained: the journal tells the truth of the effect. */
	struct err v = { 0 };
	bool verified = s->what->verify(s->injection, detail, &v) == 0;
	const char *text = !gone ? e.why : !verified ? v.why : detail;
	journal_put(j, EVENT_FAULT_UNDONE, F_STR("fault", s->fault->name),
		    F_BOOL("verified", gone && verified), F_STR("detail", text));
}

static void undo_later(void *arg)
{
	undo(arg);
}

static void felt(void *arg, const char *evidence)
{
	struct strike *s = arg;
	if (s->felt)
		return;
	if (!s->applied) {
		if (s->evidence == NULL)
			s->evidence = mem_strdup(evidence);
		return;
	}
	s->felt = true;
	journal_put(s->drill->journal, EVENT_FAULT_FELT, F_STR("fault", s->fault->name),
		    F_STR("evidence", evidence));
}

static void notice(void *arg, const char *text)
{
	struct strike *s = arg;
	journal_put(s->drill->journal, EVENT_NOTICE, F_STR("what", text));
}

static bool step_running(void *arg)
{
	const struct strike *s = arg;
	return s->drill->runner != 0 || s->drill->starting;
}

static unsigned troubles(void *arg)
{
	const struct strike *s = arg;
	return s->drill->troubles;
}

static void node_down(void *arg, struct node *n, const char *why)
{
	const struct strike *s = arg;
	drill_node_crashed(s->drill, n, why);
}

static int node_boot_again(void *arg, struct node *n, struct err *e)
{
	const struct strike *s = arg;
	return drill_node_boot(s->drill, n, e);
}

static struct node *find_node(void *arg, const char *name)
{
	struct strike *s = arg;
	struct drill_node *at = drill_node(s->drill, name);
	return at != NULL ? at->node : NULL;
}

/* The step's program may make others before node_spawn() has returned and told its pid. */
static pid_t runner_at(const struct drill *d, const struct strike_site *site)
{
	if (d->runner != 0 || site->stopped == 0)
		return d->runner;
	pid_t spawned = node_spawned_pid(site->node, site->stopped);
	return spawned != 0 ? spawned : site->stopped;
}

static void fire(void *arg, const struct strike_site *site)
{
	struct strike *s = arg;
	struct journal_file *j = s->drill->journal;
	if (s->struck || s->later_detail != NULL)
		return;
	/* Where nothing is held, it is of the whole step: wait until its program is known. */
	if (s->drill->starting && site->stopped == 0) {
		s->later_detail = mem_strdup(site->detail);
		s->later = *site;
		s->later.detail = s->later_detail;
		return;
	}
	s->struck = true;
	journal_put(j, EVENT_TRIGGER_HIT, F_STR("fault", s->fault->name),
		    F_STR("kind", s->when->kind.name), F_BOOL("exact", s->when->kind.exact),
		    F_STR("detail", site->detail));
	struct strike_target target = {
		.node = site->node,
		.runner = runner_at(s->drill, site),
		.stopped = site->stopped,
		.program = site->program,
		.call = site->call,
	};
	char detail[INJECT_DETAIL_MAX] = "";
	struct err e = { 0 };
	/* applied comes first in the journal, though `felt` may be called within strike(). */
	if (s->what->strike(s->injection, &target, detail, &e) < 0) {
		journal_put(j, EVENT_FAULT_FAILED, F_STR("fault", s->fault->name),
			    F_STR("why", e.why));
		return;
	}
	s->applied = true;
	journal_put(j, EVENT_FAULT_APPLIED, F_STR("fault", s->fault->name),
		    F_STR("detail", detail));
	drill_stand(s->drill, DRILL_STOP_STRIKE, target.runner);
	if (s->fault->until == UNTIL_DURATION &&
	    loop_add_timer(s->drill->loop, s->fault->until_ns, 0, undo_later, s, &s->timer, &e) < 0)
		undo(s); /* too early is seen in the journal; never is not acceptable */
	if (s->evidence != NULL)
		felt(s, s->evidence);
}

static int create_parts(struct strike *s, struct err *e)
{
	struct drill *d = s->drill;
	struct drill_node *at = drill_node(d, plan_fault_step(d->plan, s->fault)->node);
	struct inject_env env = {
		.loop = d->loop,
		.net = d->net,
		.find_node = find_node,
		.nodes = s->nodes,
		.node_count = d->plan->node_count,
		.work_dir = s->saved_dir,
		.felt = felt,
		.notice = notice,
		.step_running = step_running,
		.troubles = troubles,
		.down = node_down,
		.boot = node_boot_again,
		.arg = s,
	};
	if (io_mkdirs(s->saved_dir, 0700, e) < 0)
		return -1;
	if (s->what->create(&s->injection, &env, s->fault->inject, e) < 0)
		return err_prefix(e, "prepare '%s'", s->what->kind.name);
	struct trigger_env when = {
		.loop = d->loop,
		.node = at->node,
		.net = d->net,
		.fire = fire,
		.notice = notice,
		.arg = s,
	};
	if (s->when->create(&s->trigger, &when, s->fault->at, e) < 0)
		return err_prefix(e, "prepare trigger '%s'", s->when->kind.name);
	return 0;
}

static int create_one(struct strike **ret, struct drill *d, const struct fault_plan *fault,
		      size_t nth, struct err *e)
{
	int64_t begin = clock_now();
	struct strike *s = mem_alloc(sizeof(*s));
	s->drill = d;
	s->fault = fault;
	/* `kind` is the first member of its descriptor (see kind.h). */
	s->when = (const struct trigger_kind *)s->fault->trigger;
	s->what = (const struct injector *)s->fault->injector;
	s->nodes = mem_array(d->plan->node_count, sizeof(*s->nodes));
	for (size_t i = 0; i < d->plan->node_count; i++)
		s->nodes[i] = d->nodes[i].node;
	s->saved_dir = mem_printf("%s/saved-%zu", d->nodes[0].base_dir, nth);
	*ret = s; /* the drill destroys it, however far this gets */
	if (create_parts(s, e) < 0)
		return -1;
	journal_put(d->journal, EVENT_FAULT_PREPARED, F_STR("fault", s->fault->name),
		    F_INT("took", clock_now() - begin));
	return 0;
}

int strike_create(struct strike **ret, struct drill *d, struct err *e)
{
	size_t n = 0;
	for (const struct fault_plan *f = d->spec->fault; f != NULL; f = f->next) {
		if (create_one(ret, d, f, n++, e) < 0)
			return -1;
		ret = &(*ret)->next;
	}
	return 0;
}

void strike_destroy(struct strike *s)
{
	if (s == NULL)
		return;
	strike_destroy(s->next);
	loop_remove(s->timer);
	if (s->trigger != NULL)
		s->when->destroy(s->trigger);
	if (s->injection != NULL)
		s->what->destroy(s->injection);
	free(s->nodes);
	free(s->evidence);
	free(s->later_detail);
	free(s->saved_dir);
	free(s);
}

static int enter(struct strike *s, bool in_rollback, int index, struct err *e)
{
	if (s->struck || s->entered || in_rollback != s->fault->in_rollback)
		return 0;
	if (s->fault->step != PLAN_ANY_STEP && s->fault->step != index)
		return 0;
	s->entered = true;
	return s->when->enter(s->trigger, e);
}

int strike_enter(struct strike *s, bool in_rollback, int index, struct err *e)
{
	for (; s != NULL; s = s->next)
		if (enter(s, in_rollback, index, e) < 0)
			return -1;
	return 0;
}

/* The plan sees to it that no two of a step have one. */
const struct filter *strike_filter(struct strike *s)
{
	const struct filter *f = NULL;
	for (; s != NULL && f == NULL; s = s->next)
		if (s->entered && s->when->filter != NULL)
			f = s->when->filter(s->trigger);
	return f;
}

int strike_started(struct strike *s, struct proc *step, struct err *e)
{
	for (; s != NULL; s = s->next)
		if (s->entered && s->when->started != NULL &&
		    s->when->started(s->trigger, step, e) < 0)
			return -1;
	return 0;
}

void strike_spawned(struct strike *s)
{
	for (; s != NULL; s = s->next) {
		GUARD(mem) char *detail = s->later_detail; /* what `later` refers to */
		s->later_detail = NULL;
		if (detail != NULL)
			fire(s, &s->later);
	}
}

void strike_line(void *arg, const char *text)
{
	for (struct strike *s = arg; s != NULL; s = s->next)
		if (s->entered && s->when->line != NULL)
			s->when->line(s->trigger, text);
}

static void leave(struct strike *s)
{
	s->entered = false;
	s->when->leave(s->trigger);
}

int strike_leave(struct strike *s, struct err *e)
{
	(void)e;
	for (; s != NULL; s = s->next) {
		if (s->entered && s->fault->step != PLAN_ANY_STEP)
			leave(s);
		if (s->fault->until == UNTIL_STEP_END)
			undo(s);
	}
	return 0;
}

bool strike_calls_again(const struct strike *s)
{
	for (; s != NULL; s = s->next)
		if (s->applied && s->fault->again)
			return true;
	return false;
}

static bool is_due(const struct strike *s, enum strike_moment m)
{
	return m == STRIKE_DRILL_END ||
	       (m == STRIKE_ROLLBACK_END && s->fault->until != UNTIL_DURATION) ||
	       (m == STRIKE_ROLLBACK && s->fault->until == UNTIL_ROLLBACK &&
		!s->fault->in_rollback);
}

/* Newest first: the list is short. */
void strike_moment(struct strike *s, enum strike_moment m)
{
	if (s == NULL)
		return;
	strike_moment(s->next, m);
	if (s->entered && m != STRIKE_ROLLBACK)
		leave(s);
	if (is_due(s, m))
		undo(s);
}
