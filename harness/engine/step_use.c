/* SPDX-License-Identifier: MIT */
#include "harness/engine/step_use.h"

#include <inttypes.h>
#include <stdio.h>

#include "harness/sandbox/cgroup.h"

void step_uses(struct node *n, struct step_before *ret)
{
	ret->anew = cgroup_node_anew(node_cgroup(n));
	cgroup_node_use(node_cgroup(n), &ret->use);
}

/* Of a count that only grows. */
static const char *more(char text[24], uint64_t now, uint64_t before)
{
	if (now == UINT64_MAX || before == UINT64_MAX || now < before)
		return NULL;
	(void)snprintf(text, 24, "%" PRIu64, now - before);
	return text;
}

bool step_killed(struct node *n, char *ret, size_t size)
{
	char who[400];
	const uint64_t limit = node_limits(n)->memory;
	if (cgroup_node_killed(node_cgroup(n), who, sizeof(who)) == 0)
		return false;
	(void)snprintf(ret, size, "the memory limit of node '%s', %.1f MiB, killed %s",
		       node_name(n), (double)limit / (1 << 20), who);
	return true;
}

void step_used(struct node *n, const struct step_before *before, struct step_use *ret)
{
	const struct cgroup_use *was = &before->use;
	struct cgroup_use now;
	cgroup_node_use(node_cgroup(n), &now);
	/* A peak that could not begin anew is the step's own only when the step raised it. */
	bool own = before->anew || now.memory_peak > was->memory_peak;
	ret->killed = step_killed(n, ret->kills, sizeof(ret->kills)) ? ret->kills : NULL;
	ret->memory_peak = own ? more(ret->text[0], now.memory_peak, 0) : NULL;
	ret->cpu = more(ret->text[1], now.cpu, was->cpu);
	ret->io_read = more(ret->text[2], now.io_read, was->io_read);
	ret->io_written = more(ret->text[3], now.io_written, was->io_written);
}
