/* SPDX-License-Identifier: MIT */
/* Strikes some time after a step has begun. Where the step is by then differs from run to run. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/triggers/trigger.h"

enum { DETAIL_MAX = 128, TIME_TEXT = 32 };

struct elapsed_params {
	int64_t after; /* ns */
};

static const struct param elapsed_params[] = {
	{ .name = "after",
	  .type = PARAM_DURATION,
	  .offset = offsetof(struct elapsed_params, after),
	  .required = true,
	  .help = "time from the step's begin to the strike" },
	{ 0 },
};

struct trigger {
	struct trigger_env env;
	int64_t after, entered;
	bool armed;
	struct loop_src *timer;
};

static int elapsed_create(struct trigger **ret, const struct trigger_env *env, const void *params,
			  struct err *e)
{
	const struct elapsed_params *p = params;
	(void)e;
	struct trigger *t = mem_alloc(sizeof(*t));
	t->env = *env;
	t->after = p->after;
	t->armed = true;
	*ret = t;
	return 0;
}

static void elapsed_leave(struct trigger *t)
{
	loop_remove(t->timer);
	t->timer = NULL;
}

static void elapsed_now(void *arg)
{
	struct trigger *t = arg;
	char detail[DETAIL_MAX], asked[TIME_TEXT], real[TIME_TEXT];
	elapsed_leave(t);
	t->armed = false;
	(void)snprintf(detail, sizeof(detail), "%s after the step's begin (asked for %s)",
		       clock_text(clock_now() - t->entered, real, sizeof(real)),
		       clock_text(t->after, asked, sizeof(asked)));
	struct strike_site site = { .detail = detail, .node = t->env.node };
	trigger_fire(&t->env, &site);
}

static int elapsed_enter(struct trigger *t, struct err *e)
{
	if (!t->armed)
		return 0;
	t->entered = clock_now();
	return loop_add_timer(t->env.loop, t->after, 0, elapsed_now, t, &t->timer, e);
}

static void elapsed_destroy(struct trigger *t)
{
	if (t == NULL)
		return;
	elapsed_leave(t);
	free(t);
}

const struct trigger_kind trigger_elapsed = {
	.kind = { .name = "elapsed",
		  .help = "some time after the step's begin",
		  .params = elapsed_params,
		  .shorthand = "after",
		  .size = sizeof(struct elapsed_params),
		  .exact = false },
	.create = elapsed_create,
	.enter = elapsed_enter,
	.leave = elapsed_leave,
	.destroy = elapsed_destroy,
};
