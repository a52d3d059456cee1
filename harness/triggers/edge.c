/* SPDX-License-Identifier: MIT */
/* Strikes where a step begins (before its program is started) or ends. */
#include <stdlib.h>

#include "harness/base/mem.h"
#include "harness/triggers/trigger.h"

struct edge_params {
	int at; /* enum trigger_edge */
};

static const char *const edge_names[] = { "start", "end", NULL };

static const struct param edge_params[] = {
	{ .name = "at",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct edge_params, at),
	  .names = edge_names,
	  .def = "start",
	  .help = "which end of the step" },
	{ 0 },
};

struct trigger {
	struct trigger_env env;
	enum trigger_edge at;
	bool armed;
};

static int edge_create(struct trigger **ret, const struct trigger_env *env, const void *params,
		       struct err *e)
{
	const struct edge_params *p = params;
	(void)e;
	struct trigger *t = mem_alloc(sizeof(*t));
	t->env = *env;
	t->at = (enum trigger_edge)p->at;
	t->armed = true;
	*ret = t;
	return 0;
}

static void edge_reached(struct trigger *t, enum trigger_edge at)
{
	static const char *const detail[] = { "before the step's program starts",
					      "after the step has ended" };
	if (!t->armed || t->at != at)
		return;
	t->armed = false;
	struct strike_site site = { .detail = detail[at], .node = t->env.node };
	trigger_fire(&t->env, &site);
}

static int edge_enter(struct trigger *t, struct err *e)
{
	(void)e;
	edge_reached(t, EDGE_STEP_START);
	return 0;
}

static void edge_leave(struct trigger *t)
{
	edge_reached(t, EDGE_STEP_END);
}

static void edge_destroy(struct trigger *t)
{
	free(t);
}

const struct trigger_kind trigger_edge = {
	.kind = { .name = "edge",
		  .help = "where a step starts or ends",
		  .params = edge_params,
		  .shorthand = "at",
		  .size = sizeof(struct edge_params),
		  .exact = true },
	.create = edge_create,
	.enter = edge_enter,
	.leave = edge_leave,
	.destroy = edge_destroy,
};
