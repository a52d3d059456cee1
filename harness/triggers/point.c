/* SPDX-License-Identifier: MIT */
/* Strikes at one point of the step, named by the key that a recording of the workflow gave it: a
 * system call or a program's start, held meanwhile. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/sandbox/pointwatch.h"
#include "harness/triggers/trigger.h"

struct point_params {
	const char *key;
};

static const struct param point_params[] = {
	{ .name = "key",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct point_params, key),
	  .required = true,
	  .help = "the point as a recording names it: \"rename /etc/x.new /etc/x, in sh>mv, #1\", "
		  "\"start /usr/bin/dpkg, in sh>apt-get, #2\"" },
	{ 0 },
};

static const char *check(const void *params)
{
	const struct point_params *p = params;
	return pointkey_is(p->key) ? NULL
				   : "\"key\" is no point: write it as a recording names it, "
				     "\"WHAT, in WHOM, #N\"";
}

struct trigger {
	struct trigger_env env;
	const char *key;              /* the parameters outlive the trigger */
	bool armed, entered, stepped; /* stepped: it has watched a step since it was entered */
	struct point_watch *watch;
};

static bool on_point(void *arg, const struct point_event *ev)
{
	struct trigger *t = arg;
	if (!t->armed || strcmp(ev->key, t->key) != 0)
		return false;
	t->armed = false;
	point_watch_tell(t->watch, false);
	struct strike_site site = { .detail = ev->detail,
				    .node = t->env.node,
				    .stopped = ev->pid,
				    .program = ev->program,
				    .call = ev->call };
	trigger_fire(&t->env, &site);
	return true;
}

static void point_destroy(struct trigger *t)
{
	if (t == NULL)
		return;
	point_watch_destroy(t->watch);
	free(t);
}

static int point_create(struct trigger **ret, const struct trigger_env *env, const void *params,
			struct err *e)
{
	const struct point_params *p = params;
	struct trigger *t = mem_alloc(sizeof(*t));
	t->env = *env;
	t->key = p->key;
	t->armed = true;
	unsigned kinds = pointkey_is_start(p->key) ? POINTS_PROGRAMS : POINTS_CALLS;
	if (point_watch_create(&t->watch, env->loop, env->node, kinds, on_point, t, e) < 0) {
		point_destroy(t);
		return -1;
	}
	*ret = t;
	return 0;
}

static int point_enter(struct trigger *t, struct err *e)
{
	t->entered = t->armed;
	t->stepped = false;
	return t->armed ? point_watch_enter(t->watch, e) : 0;
}

/* Without a step of its own it is entered once for all; its key counts within each. */
static const struct filter *point_filter(struct trigger *t)
{
	struct err e = { 0 };
	if (t->entered && t->stepped) {
		point_watch_leave(t->watch);
		t->entered = t->armed && point_watch_enter(t->watch, &e) == 0;
		if (err_is_set(&e))
			t->env.notice(t->env.arg, e.why);
	}
	return t->entered ? point_watch_filter(t->watch) : NULL;
}

static int point_started(struct trigger *t, struct proc *step, struct err *e)
{
	t->stepped = true;
	return t->entered ? point_watch_started(t->watch, step, e) : 0;
}

static void point_leave(struct trigger *t)
{
	t->entered = false;
	point_watch_leave(t->watch);
}

const struct trigger_kind trigger_point = {
	.kind = { .name = "point",
		  .help = "at one point of the step, named by its key in a recording; exact",
		  .params = point_params,
		  .shorthand = "key",
		  .size = sizeof(struct point_params),
		  .exact = true,
		  .holds_call = true,
		  .check = check },
	.create = point_create,
	.enter = point_enter,
	.filter = point_filter,
	.started = point_started,
	.leave = point_leave,
	.destroy = point_destroy,
};
