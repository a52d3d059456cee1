/* SPDX-License-Identifier: MIT */
#include "injectors/crash.h"

#include <stdio.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"

#define LOST_POLL (5 * NS_PER_MS)

static void find_link(struct crash *c)
{
	c->linked =
		c->env.net != NULL && network_find(c->env.net, node_name(c->node), NULL) != NULL;
}

int crash_begin(struct crash *c, const struct inject_env *env, const char *name, struct err *e)
{
	c->env = *env;
	if (name == NULL)
		return 0;
	c->node = env->find_node(env->arg, name);
	if (c->node == NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "there is no node '%s'", name);
	find_link(c);
	return c->linked ? network_node_prepare_cut(c->env.net, node_name(c->node), e) : 0;
}

int crash_aim(struct crash *c, const struct strike_target *t, struct err *e)
{
	if (c->node == NULL) {
		c->node = t->node;
		find_link(c);
	}
	if (!node_alive(c->node))
		return ERR(e, 0, "node %s is down already", node_name(c->node));
	if (c->linked && network_node_lost_frames(c->env.net, node_name(c->node), &c->lost, e) < 0)
		return -1;
	c->processes = node_processes(c->node, NULL, 0, e);
	c->runner = c->node == t->node && t->runner != 0 ? node_inside_pid(t->runner) : 0;
	return c->processes < 0 ? -1 : 0;
}

static void tell(struct crash *c, const char *evidence)
{
	c->told = true;
	c->env.felt(c->env.arg, evidence);
}

/* Nothing ran there: then somebody else may miss it. */
static void look_for_lost_frames(void *arg)
{
	struct crash *c = arg;
	uint64_t lost = 0;
	struct err e = { 0 };
	if (c->told)
		return;
	if (network_node_lost_frames(c->env.net, node_name(c->node), &lost, &e) < 0) {
		c->told = true;
		c->env.notice(c->env.arg, e.why);
		return;
	}
	uint64_t more = lost - c->lost;
	c->lost = lost;
	if (more == 0 || !c->env.step_running(c->env.arg))
		return;
	GUARD(mem)
	char *text = mem_printf("%llu frame(s) for node %s lost while a step ran",
				(unsigned long long)more, node_name(c->node));
	tell(c, text);
}

/* Its namespace has been waited for to its end: whoever was in it is reaped. */
static void tell_dead(struct crash *c)
{
	GUARD(mem) char *text = NULL;
	if (c->runner != 0)
		text = mem_printf("the step's program (pid %d) died with its node, and so did %d "
				  "other process(es)",
				  (int)c->runner, c->processes - 1);
	else
		text = mem_printf("%d process(es) of node %s died with it", c->processes,
				  node_name(c->node));
	tell(c, text);
}

int crash_struck(struct crash *c, const char *how, struct err *e)
{
	GUARD(mem) char *why = mem_printf("%s (by the fault)", how);
	c->down = true;
	c->env.down(c->env.arg, c->node, why);
	if (c->processes > 0)
		tell_dead(c);
	if (c->told || !c->linked)
		return 0;
	if (loop_add_timer(c->env.loop, LOST_POLL, LOST_POLL, look_for_lost_frames, c, &c->timer,
			   e) == 0)
		return 0;
	struct err ignored = { 0 };
	(void)crash_boot(c, &ignored);
	return -1;
}

int crash_boot(struct crash *c, struct err *e)
{
	if (!c->down)
		return 0;
	if (c->timer != NULL)
		look_for_lost_frames(c);
	loop_remove(c->timer);
	c->timer = NULL;
	if (!c->told && node_refused(c->node) > 0) {
		GUARD(mem)
		char *text = mem_printf("%u program(s) of the workflow could not start on node %s",
					node_refused(c->node), node_name(c->node));
		tell(c, text);
	}
	c->down = false;
	return c->env.boot(c->env.arg, c->node, e);
}

int crash_verify(struct crash *c, char detail[INJECT_DETAIL_MAX], struct err *e)
{
	if (c->node == NULL) {
		(void)snprintf(detail, INJECT_DETAIL_MAX, "no node was struck");
		return 0;
	}
	if (node_answers(c->node, e) < 0)
		return -1;
	bool up = true;
	if (c->linked && network_node_is_up(c->env.net, node_name(c->node), &up, e) < 0)
		return -1;
	(void)snprintf(detail, INJECT_DETAIL_MAX, "node %s is up, its init answers%s",
		       node_name(c->node),
		       !c->linked ? ""
		       : up       ? ", its link forwards"
				  : "; its link is cut");
	return 0;
}

void crash_end(struct crash *c)
{
	loop_remove(c->timer);
	c->timer = NULL;
}
