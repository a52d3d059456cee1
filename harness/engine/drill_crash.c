/* SPDX-License-Identifier: MIT */
/* A node that went down in mid-drill, and its boot: what the drill holds of it is made anew. */
#include <string.h>

#include "harness/base/clock.h"
#include "harness/engine/drill_private.h"

static struct drill_node *node_of(struct drill *d, const struct node *n)
{
	for (size_t i = 0; i < d->plan->node_count; i++)
		if (d->nodes[i].node == n)
			return &d->nodes[i];
	return NULL;
}

void drill_node_crashed(struct drill *d, const struct node *n, const char *why)
{
	struct drill_node *at = node_of(d, n);
	struct err e = { 0 };
	at->down = true;
	journal_put(d->journal, EVENT_NODE_DOWN, F_STR("node", at->plan->name), F_STR("why", why));
	if (network_node_down(d->net, at->plan->name, &e) < 0)
		journal_put(d->journal, EVENT_NOTICE, F_STR("what", e.why));
	/* Numbers and times of files may come again with other content. */
	capture_cache_destroy(at->cache);
	at->cache = capture_cache_create();
}

void drill_nodes_look(struct drill *d)
{
	for (size_t i = 0; i < d->plan->node_count; i++) {
		const struct drill_node *at = &d->nodes[i];
		if (at->node != NULL && !at->down && !node_alive(at->node))
			drill_node_crashed(d, at->node, node_end(at->node));
	}
}

int drill_node_needed(struct drill *d, struct drill_node *at, struct err *e)
{
	drill_nodes_look(d);
	if (node_alive(at->node))
		return 0;
	return node_kill(at->node, e) < 0 ? -1 : drill_node_boot(d, at->node, e);
}

static void forget_program(struct drill_service *s)
{
	proc_free(s->proc);
	s->proc = NULL;
	s->ended = false;
	s->status = 0;
}

/* In their order. After a stop nobody asks for them any more. */
static int services_again(struct drill *d, const struct drill_node *at, struct err *e)
{
	for (size_t i = 0; i < d->service_count; i++) {
		struct drill_service *s = &d->services[i];
		if (s->at != at || d->stopped)
			continue;
		forget_program(s);
		if (drill_service_up(s, e) < 0)
			return loop_stopped(d->loop) ? 0 : -1;
	}
	return 0;
}

int drill_node_boot(struct drill *d, struct node *n, struct err *e)
{
	struct drill_node *at = node_of(d, n);
	int64_t begin = clock_now();
	if (node_boot(n, e) < 0)
		return -1;
	at->down = false;
	journal_put(d->journal, EVENT_NODE_UP, F_STR("node", at->plan->name),
		    F_STR("mount", node_mount_options(n)), F_INT("took", clock_now() - begin),
		    F_BOOL("again", true));
	if (network_node_up(d->net, at->plan->name, node_netns_fd(n), e) < 0)
		return -1;
	if (drill_system_again(d, at, e) < 0)
		return loop_stopped(d->loop) ? 0 : -1;
	return services_again(d, at, e);
}
