/* SPDX-License-Identifier: MIT */
/* Nodes that boot their root's own systemd: the first of their services, and in the journal one. */
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/engine/drill_private.h"

static const int64_t boot_max = 60 * NS_PER_S; /* until the default target is reached */
#define SERVICE "systemd"

/* Reached all the same: what has failed is told, and whether it matters is for health to say. */
static void tell_failed(struct drill *d, const char *node, struct buf *failed)
{
	if (failed->len == 0)
		return;
	for (size_t i = 0; i + 1 < failed->len; i++)
		if (failed->data[i] == '\n')
			failed->data[i] = ' ';
	GUARD(mem)
	char *text = mem_printf("node %s: systemd is up, but degraded; failed units: %.*s", node,
				(int)failed->len - 1, failed->data);
	journal_put(d->journal, EVENT_NOTICE, F_STR("what", text));
}

/* 1: up. 0: it is not, and that is told. */
static int wait_up(struct drill *d, const struct drill_node *at, int64_t begin,
		   enum event_kind otherwise, struct err *e)
{
	const char *node = at->plan->name;
	GUARD_BUF struct buf failed = { 0 };
	struct err why = { 0 };
	if (node_system_wait(at->node, boot_max, &failed, &why) < 0) {
		if (loop_stopped(d->loop))
			return ERR(e, 0, "%s", why.why);
		journal_put(d->journal, otherwise, F_STR("node", node), F_STR("service", SERVICE),
			    F_STR("why", why.why));
		return 0;
	}
	tell_failed(d, node, &failed);
	journal_put(d->journal, EVENT_SERVICE_READY, F_STR("node", node), F_STR("service", SERVICE),
		    F_INT("took", clock_now() - begin));
	return 1;
}

int drill_systems_up(struct drill *d, struct err *e)
{
	int64_t begin = clock_now();
	int up = 1;
	for (size_t i = 0; i < d->plan->node_count; i++) /* side by side */
		if (d->nodes[i].plan->init == INIT_SYSTEMD &&
		    node_start_system(d->nodes[i].node, e) < 0)
			return -1;
	for (size_t i = 0; up == 1 && i < d->plan->node_count; i++)
		if (d->nodes[i].plan->init == INIT_SYSTEMD)
			up = wait_up(d, &d->nodes[i], begin, EVENT_SERVICE_FAILED, e);
	return up;
}

int drill_system_again(struct drill *d, const struct drill_node *at, struct err *e)
{
	if (at->plan->init != INIT_SYSTEMD || d->stopped)
		return 0;
	if (node_start_system(at->node, e) < 0)
		return -1;
	return wait_up(d, at, clock_now(), EVENT_SERVICE_DOWN, e) < 0 ? -1 : 0;
}
