/* SPDX-License-Identifier: MIT */
/*
 * Injector link.down: a node's link is cut at its switch. The node loses its carrier; what
 * others send to it is lost without an error, and counted.
 */
#include <stdio.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/base/mutate.h"
#include "injectors/injector.h"

#define LOST_POLL (5 * NS_PER_MS)

struct link_down {
	const char *node, *on;
};

static const struct param link_down_params[] = {
	{ .name = "node",
	  .type = PARAM_NODE,
	  .offset = offsetof(struct link_down, node),
	  .linked = true,
	  .required = true,
	  .help = "whose link to cut" },
	{ .name = "switch",
	  .type = PARAM_NAME,
	  .offset = offsetof(struct link_down, on),
	  .is_switch = true,
	  .help = "which one, where the node has several" },
	{ 0 },
};

struct injection {
	struct inject_env env;
	struct net_link *link; /* the switch's */
	struct loop_src *timer;
	uint64_t lost; /* frames, at the last look */
	bool told;
};

static void look_for_lost_frames(void *arg)
{
	struct injection *i = arg;
	uint64_t lost = 0;
	struct err e = { 0 };
	if (i->told)
		return;
	if (link_lost_frames(i->link, &lost, &e) < 0) {
		i->told = true;
		i->env.notice(i->env.arg, e.why);
		return;
	}
	uint64_t more = lost - i->lost;
	i->lost = lost;
	if (more == 0 || !i->env.step_running(i->env.arg))
		return;
	i->told = true;
	GUARD(mem)
	char *evidence = mem_printf("%llu frame(s) for node %s lost while a step ran",
				    (unsigned long long)more, link_name(i->link));
	i->env.felt(i->env.arg, evidence);
}

static void link_down_destroy(struct injection *i)
{
	if (i == NULL)
		return;
	loop_remove(i->timer);
	free(i);
}

static int link_down_create(struct injection **ret, const struct inject_env *env,
			    const void *params, struct err *e)
{
	const struct link_down *p = params;
	struct net_link *link = env->net != NULL ? network_find(env->net, p->node, p->on) : NULL;
	if (link == NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "node '%s' has no link to cut%s%s; give it an \"address\"", p->node,
			      p->on != NULL ? " on switch " : "", p->on != NULL ? p->on : "");
	if (link_prepare_cut(link, e) < 0)
		return -1;
	struct injection *i = mem_alloc(sizeof(*i));
	i->env = *env;
	i->link = link;
	*ret = i;
	return 0;
}

static int cut(struct injection *i, struct err *e)
{
	bool up = true;
	if (link_set_up(i->link, false, e) < 0 || link_is_up(i->link, &up, e) < 0)
		return -1;
	return up ? ERR(e, 0, "the link of node %s is still up", link_name(i->link)) : 0;
}

static int link_down_strike(struct injection *i, const struct strike_target *target,
			    char detail[INJECT_DETAIL_MAX], struct err *e)
{
	(void)target;
	if (link_lost_frames(i->link, &i->lost, e) < 0)
		return -1;
	if (loop_add_timer(i->env.loop, LOST_POLL, LOST_POLL, look_for_lost_frames, i, &i->timer,
			   e) < 0)
		return -1;
	if (cut(i, e) < 0) {
		struct err unused = { 0 };
		(void)link_set_up(i->link, true, &unused);
		loop_remove(i->timer);
		i->timer = NULL;
		return -1;
	}
	(void)snprintf(detail, INJECT_DETAIL_MAX, "the link of node %s is down",
		       link_name(i->link));
	return 0;
}

static int link_down_undo(struct injection *i, struct err *e)
{
	if (i->timer != NULL)
		look_for_lost_frames(i);
	loop_remove(i->timer);
	i->timer = NULL;
	if (MUTANT(undo_noop))
		return 0;
	return link_set_up(i->link, true, e);
}

static int link_down_verify(struct injection *i, char detail[INJECT_DETAIL_MAX], struct err *e)
{
	bool up = false;
	if (link_is_up(i->link, &up, e) < 0)
		return -1;
	if (!up)
		return ERR(e, 0, "the link of node %s is down", link_name(i->link));
	(void)snprintf(detail, INJECT_DETAIL_MAX, "the kernel says that the link of node %s is up",
		       link_name(i->link));
	return 0;
}

const struct injector injector_link_down = {
	.kind = { .name = "link.down",
		  .help = "cut a node's link; what others send to it is lost without an error",
		  .applied = "the kernel says that the link is down",
		  .felt = "a frame for the node was lost while a step ran",
		  .params = link_down_params,
		  .shorthand = "node",
		  .size = sizeof(struct link_down),
		  .exact = true,
		  .lasting = true },
	.create = link_down_create,
	.strike = link_down_strike,
	.undo = link_down_undo,
	.verify = link_down_verify,
	.destroy = link_down_destroy,
};
