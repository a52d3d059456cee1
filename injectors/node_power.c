/* SPDX-License-Identifier: MIT */
/*
 * Injector node.power: a crash that also loses what was not durable. What the file system had not
 * handed to its disk at the strike is gone after the boot, which replays the journal. It models
 * the loss of memory, not of a disk's own cache.
 */
#include <fcntl.h>
#include <stdio.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/base/mutate.h"
#include "injectors/crash.h"

struct node_power {
	const char *node;
};

static const struct param node_power_params[] = {
	{ .name = "node",
	  .type = PARAM_NODE,
	  .offset = offsetof(struct node_power, node),
	  .on_disk = true,
	  .help = "which, with a disk of its own; without it the step's" },
	{ 0 },
};

struct injection {
	struct crash crash;
};

static void node_power_destroy(struct injection *i)
{
	if (i == NULL)
		return;
	crash_end(&i->crash);
	free(i);
}

/* What was there before the patch is on disk: only what comes behind it is at stake. */
static int make_durable(const struct node *n, struct err *e)
{
	if (!node_on_disk(n))
		return 0;
	GUARD(fd) int fd = openat(node_root_fd(n), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || syncfs(fd) < 0)
		return ERR(e, errno, "sync the disk of node %s", node_name(n));
	return 0;
}

static int node_power_create(struct injection **ret, const struct inject_env *env,
			     const void *params, struct err *e)
{
	const struct node_power *p = params;
	struct injection *i = mem_alloc(sizeof(*i));
	int result = crash_begin(&i->crash, env, p->node, e);
	for (size_t k = 0; result == 0 && k < env->node_count; k++)
		result = make_durable(env->nodes[k], e);
	if (result < 0) {
		node_power_destroy(i);
		return -1;
	}
	*ret = i;
	return 0;
}

static int node_power_strike(struct injection *i, const struct strike_target *target,
			     char detail[INJECT_DETAIL_MAX], struct err *e)
{
	struct crash *c = &i->crash;
	struct node_cut cut;
	if (crash_aim(c, target, e) < 0 || node_power_cut(c->node, &cut, e) < 0)
		return -1;
	(void)snprintf(detail, INJECT_DETAIL_MAX,
		       "node %s lost its power: %llu KiB of its disk were in memory only, %d "
		       "process(es) died; its disk was copied in %lld ms (copy %u%s)",
		       node_name(c->node), (unsigned long long)(cut.lost >> 10), c->processes,
		       (long long)(cut.took / NS_PER_MS), cut.tries,
		       cut.steady ? ", no write came meanwhile" : ", WRITES CAME MEANWHILE");
	return crash_struck(c, "lost its power", e);
}

static int node_power_undo(struct injection *i, struct err *e)
{
	return MUTANT(undo_noop) ? 0 : crash_boot(&i->crash, e);
}

static int node_power_verify(struct injection *i, char detail[INJECT_DETAIL_MAX], struct err *e)
{
	return crash_verify(&i->crash, detail, e);
}

const struct injector injector_node_power = {
	.kind = { .name = "node.power",
		  .help = "a node loses its power: a crash after which only that is left which its "
			  "file system had written to its disk",
		  .applied = "the disk was copied as it was with all processes standing, the "
			     "node's init was reaped, and the copy is its disk now",
		  .felt = CRASH_FELT,
		  .params = node_power_params,
		  .shorthand = "node",
		  .size = sizeof(struct node_power),
		  .exact = true,
		  .lasting = true,
		  .on_disk = true },
	.create = node_power_create,
	.strike = node_power_strike,
	.undo = node_power_undo,
	.verify = node_power_verify,
	.destroy = node_power_destroy,
};
