/* SPDX-License-Identifier: MIT */
/*
 * Injector node.crash: a host dies as by a panic. All processes of the node end at once, its
 * memory file systems and connections are lost; its root stays as the kernel has it. Undoing it is
 * the boot.
 */
#include <stdio.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/base/mutate.h"
#include "injectors/crash.h"

struct node_crash {
	const char *node;
};

static const struct param node_crash_params[] = {
	{ .name = "node",
	  .type = PARAM_NODE,
	  .offset = offsetof(struct node_crash, node),
	  .help = "which; without it the step's" },
	{ 0 },
};

struct injection {
	struct crash crash;
};

static void node_crash_destroy(struct injection *i)
{
	if (i == NULL)
		return;
	crash_end(&i->crash);
	free(i);
}

static int node_crash_create(struct injection **ret, const struct inject_env *env,
			     const void *params, struct err *e)
{
	const struct node_crash *p = params;
	struct injection *i = mem_alloc(sizeof(*i));
	if (crash_begin(&i->crash, env, p->node, e) < 0) {
		node_crash_destroy(i);
		return -1;
	}
	*ret = i;
	return 0;
}

static int node_crash_strike(struct injection *i, const struct strike_target *target,
			     char detail[INJECT_DETAIL_MAX], struct err *e)
{
	struct crash *c = &i->crash;
	if (crash_aim(c, target, e) < 0 || node_kill(c->node, e) < 0)
		return -1;
	(void)snprintf(detail, INJECT_DETAIL_MAX,
		       "node %s is down: its init was reaped, %d process(es) died with it",
		       node_name(c->node), c->processes);
	return crash_struck(c, "crashed", e);
}

static int node_crash_undo(struct injection *i, struct err *e)
{
	return MUTANT(undo_noop) ? 0 : crash_boot(&i->crash, e);
}

static int node_crash_verify(struct injection *i, char detail[INJECT_DETAIL_MAX], struct err *e)
{
	return crash_verify(&i->crash, detail, e);
}

const struct injector injector_node_crash = {
	.kind = { .name = "node.crash",
		  .help = "a node dies with all that runs on it, and boots again when this is "
			  "undone; what it wrote to its root stays",
		  .applied = "the node's init was reaped, and with it all its processes",
		  .felt = CRASH_FELT,
		  .params = node_crash_params,
		  .shorthand = "node",
		  .size = sizeof(struct node_crash),
		  .exact = true,
		  .lasting = true },
	.create = node_crash_create,
	.strike = node_crash_strike,
	.undo = node_crash_undo,
	.verify = node_crash_verify,
	.destroy = node_crash_destroy,
};
