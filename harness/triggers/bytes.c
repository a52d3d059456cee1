/* SPDX-License-Identifier: MIT */
/* Strikes when a node has sent so many bytes since the step's begin. The counter is read in
 * turns, so that the strike comes a little late: the detail says by how much. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/triggers/trigger.h"

enum { DETAIL_MAX = 160 };
static const int64_t POLL_EVERY = NS_PER_MS;

struct bytes_params {
	const char *link, *on;
	uint64_t over;
};

static const struct param bytes_params[] = {
	{ .name = "link",
	  .type = PARAM_NODE,
	  .offset = offsetof(struct bytes_params, link),
	  .required = true,
	  .linked = true,
	  .help = "the node whose sent bytes count" },
	{ .name = "switch",
	  .type = PARAM_NAME,
	  .offset = offsetof(struct bytes_params, on),
	  .is_switch = true,
	  .help = "over which link, where the node has several" },
	{ .name = "over",
	  .type = PARAM_SIZE,
	  .offset = offsetof(struct bytes_params, over),
	  .required = true,
	  .min = 1,
	  .help = "strike when it has sent this much" },
	{ 0 },
};

struct trigger {
	struct trigger_env env;
	struct net_link *link;
	uint64_t over, base; /* base: sent before the step */
	bool armed;
	struct loop_src *timer;
};

static int bytes_create(struct trigger **ret, const struct trigger_env *env, const void *params,
			struct err *e)
{
	const struct bytes_params *p = params;
	struct net_link *link = env->net != NULL ? network_find(env->net, p->link, p->on) : NULL;
	if (link == NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "trigger 'bytes': node '%s' has no link; give it an address",
			      p->link);
	struct trigger *t = mem_alloc(sizeof(*t));
	t->env = *env;
	t->link = link;
	t->over = p->over;
	t->armed = true;
	*ret = t;
	return 0;
}

static void bytes_leave(struct trigger *t)
{
	loop_remove(t->timer);
	t->timer = NULL;
}

static void bytes_poll(void *arg)
{
	struct trigger *t = arg;
	char detail[DETAIL_MAX];
	uint64_t sent, received;
	struct err why = { 0 };
	if (link_bytes(t->link, &sent, &received, &why) < 0) {
		bytes_leave(t);
		t->armed = false;
		t->env.notice(t->env.arg, why.why);
		return;
	}
	if (sent - t->base < t->over)
		return;
	bytes_leave(t);
	t->armed = false;
	(void)snprintf(detail, sizeof(detail),
		       "'%s' had sent %llu bytes since the step's begin (asked for %llu)",
		       link_name(t->link), (unsigned long long)(sent - t->base),
		       (unsigned long long)t->over);
	struct strike_site site = { .detail = detail, .node = t->env.node };
	trigger_fire(&t->env, &site);
}

static int bytes_enter(struct trigger *t, struct err *e)
{
	uint64_t received;
	if (!t->armed)
		return 0;
	if (link_bytes(t->link, &t->base, &received, e) < 0)
		return -1;
	return loop_add_timer(t->env.loop, POLL_EVERY, POLL_EVERY, bytes_poll, t, &t->timer, e);
}

static void bytes_destroy(struct trigger *t)
{
	if (t == NULL)
		return;
	bytes_leave(t);
	free(t);
}

const struct trigger_kind trigger_bytes = {
	.kind = { .name = "bytes",
		  .help = "when a node has sent so many bytes over its link",
		  .params = bytes_params,
		  .size = sizeof(struct bytes_params),
		  .exact = false },
	.create = bytes_create,
	.enter = bytes_enter,
	.leave = bytes_leave,
	.destroy = bytes_destroy,
};
