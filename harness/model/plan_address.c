/* SPDX-License-Identifier: MIT */
/* Addresses: all in one link, each a host's, no two alike. */
#include <arpa/inet.h>

#include "harness/model/plan_parts.h"

static const char *text_of(struct compile *c, uint32_t host_order)
{
	return arena_printf(c->ctx.arena, "%u.%u.%u.%u", host_order >> 24, host_order >> 16 & 255,
			    host_order >> 8 & 255, host_order & 255);
}

/* Is `node` fit to stand beside `first`, the first node that has an address? */
static int check_one(struct compile *c, const struct node_plan *node, const struct node_plan *first,
		     const struct json *at, struct err *e)
{
	uint32_t mask = UINT32_MAX << (32 - node->address.prefix);
	uint32_t addr = ntohl(node->address.addr);
	uint32_t net = ntohl(first->address.addr) & (UINT32_MAX << (32 - first->address.prefix));
	if (node->address.prefix != first->address.prefix || (addr & mask) != net)
		return json_err(e, c->ctx.doc, at,
				"%s/%u is not in the link %s/%u of node \"%s\"; all "
				"nodes share one link",
				text_of(c, addr), node->address.prefix, text_of(c, net),
				first->address.prefix, first->name);
	if (addr == net || addr == (net | ~mask))
		return json_err(e, c->ctx.doc, at,
				"%s/%u is the link's own %s address; write a host's, "
				"such as \"%s/%u\"",
				text_of(c, addr), node->address.prefix,
				addr == net ? "network" : "broadcast", text_of(c, net + 1),
				node->address.prefix);
	return 0;
}

int plan_addresses(struct compile *c, const struct json *const *addresses, struct err *e)
{
	const struct plan *p = c->plan;
	const struct node_plan *first = NULL;
	c->pd->linked.items = arena_alloc(c->ctx.arena, (p->node_count + 1) * sizeof(char *));
	for (size_t i = 0; i < p->node_count; i++) {
		const struct node_plan *n = &p->nodes[i];
		if (!n->address.set)
			continue;
		if (first == NULL)
			first = n;
		if (check_one(c, n, first, addresses[i], e) < 0)
			return -1;
		for (size_t k = 0; k < i; k++)
			if (p->nodes[k].address.set && p->nodes[k].address.addr == n->address.addr)
				return json_err(e, c->ctx.doc, addresses[i],
						"node \"%s\" and node \"%s\" both "
						"have %s; give each its own address",
						p->nodes[k].name, n->name,
						text_of(c, ntohl(n->address.addr)));
		c->pd->linked.items[c->pd->linked.count++] = n->name;
	}
	c->ctx.linked = &c->pd->linked;
	return 0;
}
