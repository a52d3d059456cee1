/* SPDX-License-Identifier: MIT */
/* Switches, and what nodes have on them: addresses that fit together, links that faults mean. */
#include <string.h>

#include "harness/base/guard.h"
#include "harness/model/plan_parts.h"

#define SWITCH_DEFAULT "lan"
#define MTU_DEFAULT    "1500"
enum { MTU_LEAST = 576, MTU_MOST = 9216, MTU_LEAST_IP6 = 1280 }; /* bytes */

const struct param plan_switch_rows[] = {
	{ .name = "mtu",
	  .type = PARAM_UINT,
	  .offset = offsetof(struct switch_plan, mtu),
	  .min = MTU_LEAST,
	  .max = MTU_MOST,
	  .def = MTU_DEFAULT,
	  .help = "largest packet, in bytes" },
	{ 0 },
};

const struct param plan_link_rows[] = {
	{ .name = "address",
	  .type = PARAM_ADDRESSES,
	  .offset = offsetof(struct link_plan, addresses),
	  .required = true,
	  .help = "of the node on this switch: one, or a list, IPv4 and IPv6" },
	{ .name = "rate",
	  .type = PARAM_RATE,
	  .offset = offsetof(struct link_plan, rate),
	  .min = 1,
	  .help = "each way; without it unlimited" },
	{ 0 },
};

int plan_switches(struct compile *c, struct err *e)
{
	struct list *list = &c->plan->switches;
	const struct json *object = plan_top(c, "switches");
	const struct switch_plan *s = list->items;
	if (object == NULL) {
		struct switch_plan *lan = arena_alloc(c->ctx.arena, sizeof(*lan));
		lan->name = SWITCH_DEFAULT;
		*list = (struct list){ .items = lan, .count = 1 };
		return param_defaults(&c->ctx, plan_switch_rows, lan, e);
	}
	if (list->count == 0)
		return json_err(e, c->ctx.doc, object,
				"switches: there is none; name one, or leave the field out");
	if (list->count > PLAN_SWITCHES_MAX)
		return json_err(e, c->ctx.doc, object,
				"switches: %zu of them; at most %d are allowed", list->count,
				PLAN_SWITCHES_MAX);
	const struct json *v = json_first(object);
	for (size_t i = 0; i < list->count; i++, v = json_next(v))
		if (!plan_name_ok(s[i].name, PLAN_HOST_LETTERS, PLAN_NAME_MAX) ||
		    s[i].name[0] == '-')
			return json_key_err(e, c->ctx.doc, v,
					    "\"%s\" is not a switch's name; write letters, digits "
					    "or \"-\", as in a host name",
					    s[i].name);
	return 0;
}

static const char *const *switch_names(struct compile *c)
{
	const struct list *list = &c->plan->switches;
	const char **names = arena_alloc(c->ctx.arena, list->count * sizeof(*names));
	for (size_t i = 0; i < list->count; i++)
		names[i] = ((const struct switch_plan *)list->items)[i].name;
	return names;
}

const struct switch_plan *plan_switch(const struct plan *p, const char *name)
{
	const struct switch_plan *s = p->switches.items;
	for (size_t i = 0; i < p->switches.count; i++)
		if (strcmp(s[i].name, name) == 0)
			return &s[i];
	return NULL;
}

/* --- the links of one node --- */

static int alone(struct compile *c, const struct node_links_file *f, struct node_plan *n,
		 struct err *e)
{
	const struct list *list = &c->plan->switches;
	struct link_plan *l = arena_alloc(c->ctx.arena, sizeof(*l));
	if (list->count > 1)
		return json_err(e, c->ctx.doc, f->address_at,
				"address: there are several switches; write \"links\": {\"%s\": "
				"{\"address\": ...}}",
				switch_names(c)[0]);
	l->on = ((const struct switch_plan *)list->items)[0].name;
	l->addresses = f->address;
	l->rate = f->rate;
	n->links = (struct list){ .items = l, .count = 1 };
	return 0;
}

static int check_switch(struct compile *c, const struct json *at, const struct link_plan *l,
			struct err *e)
{
	if (plan_switch(c->plan, l->on) == NULL)
		return json_key_err(
			e, c->ctx.doc, at, "links: there is no switch \"%s\"; %s", l->on,
			plan_suggest(c, l->on, switch_names(c), c->plan->switches.count));
	return 0;
}

/* What says something of links that a node does not have would be without effect. */
static int check_unlinked(struct compile *c, const struct node_links_file *f,
			  const struct node_plan *n, struct err *e)
{
	const struct {
		const char *name;
		const struct json *at;
	} of_links[] = {
		{ "rate", f->rate_at },
		{ "routes", n->routes.count > 0 ? f->routes_at : NULL },
		{ "forward", n->forward ? f->forward_at : NULL },
	};
	for (size_t i = 0; i < sizeof(of_links) / sizeof(of_links[0]); i++)
		if (of_links[i].at != NULL)
			return json_key_err(e, c->ctx.doc, of_links[i].at,
					    "%s: node \"%s\" has no link; give it an \"address\"",
					    of_links[i].name, n->name);
	return 0;
}

int plan_node_links(struct compile *c, const struct node_links_file *f, struct node_plan *n,
		    struct err *e)
{
	if (f->address_at != NULL && f->links_at != NULL)
		return json_key_err(e, c->ctx.doc, f->address_at,
				    "both \"address\" and \"links\"; write all in \"links\"");
	if (f->address_at != NULL)
		return alone(c, f, n, e);
	if (n->links.count == 0)
		return check_unlinked(c, f, n, e);
	if (f->rate_at != NULL)
		return json_key_err(e, c->ctx.doc, f->rate_at,
				    "rate: the node has \"links\"; write it into one of these");
	const struct link_plan *l = n->links.items;
	const struct json *v = json_first(f->links_at);
	for (size_t i = 0; i < n->links.count; i++, v = json_next(v))
		if (check_switch(c, v, &l[i], e) < 0)
			return -1;
	return 0;
}

/* --- all addresses together --- */

/* One address, where it stands, and whose it is. */
struct placed {
	const struct ip *ip;
	const struct link_plan *link;
	const struct node_plan *node;
	const struct json *at;
};

static const struct json *address_at(const struct node_links_file *f, const struct link_plan *l,
				     size_t i)
{
	const struct json *v = f->address_at;
	if (v == NULL) {
		v = json_get(f->links_at, l->on);
		v = json_type(v) == JSON_OBJECT ? json_get(v, "address") : v;
	}
	return json_type(v) == JSON_ARRAY ? plan_element(v, i) : v;
}

static int check_host(struct compile *c, const struct placed *a, struct err *e)
{
	char text[IP_TEXT_MAX], fit[IP_TEXT_MAX];
	struct ip net = ip_network(a->ip, false), last = ip_network(a->ip, true), host = net;
	bool is_net = ip_same(a->ip, &net);
	host.bytes[host.len - 1] |= 1;
	if (!is_net && (a->ip->len == IP6_BYTES || !ip_same(a->ip, &last)))
		return 0;
	return json_err(e, c->ctx.doc, a->at,
			"%s is the link's own %s address; write a host's, such as \"%s\"",
			ip_prefix_text(a->ip, text), is_net ? "network" : "broadcast",
			ip_prefix_text(&host, fit));
}

static int check_pair(struct compile *c, const struct placed *a, const struct placed *o,
		      struct err *e)
{
	char text[IP_TEXT_MAX], other[IP_TEXT_MAX];
	struct ip net = ip_network(o->ip, false);
	bool together = strcmp(a->link->on, o->link->on) == 0;
	if (ip_same(a->ip, o->ip) && a->node == o->node)
		return json_err(e, c->ctx.doc, a->at, "node \"%s\" has %s twice; remove one",
				a->node->name, ip_text(a->ip, text));
	if (ip_same(a->ip, o->ip))
		return json_err(e, c->ctx.doc, a->at,
				"node \"%s\" and node \"%s\" both have %s; give each its own "
				"address",
				o->node->name, a->node->name, ip_text(a->ip, text));
	if (together && a->ip->len == o->ip->len &&
	    (a->ip->prefix != o->ip->prefix || !ip_within(a->ip, o->ip)))
		return json_err(e, c->ctx.doc, a->at,
				"%s is not in the network %s of node \"%s\"; all nodes on the "
				"switch \"%s\" share one",
				ip_prefix_text(a->ip, text), ip_prefix_text(&net, other),
				o->node->name, o->link->on);
	if (!together && ip_overlap(a->ip, o->ip))
		return json_err(e, c->ctx.doc, a->at,
				"%s is in the network %s of the switch \"%s\" (node \"%s\"); give "
				"the switch \"%s\" a network of its own",
				ip_prefix_text(a->ip, text), ip_prefix_text(&net, other),
				o->link->on, o->node->name, a->link->on);
	return 0;
}

static int check_address(struct compile *c, const struct placed *a, struct list *before,
			 struct err *e)
{
	struct placed *o = before->items;
	const struct switch_plan *s = plan_switch(c->plan, a->link->on);
	if (before->count == PLAN_ADDRESSES_MAX)
		return json_err(e, c->ctx.doc, a->at,
				"more than %d addresses; at most so many are "
				"allowed",
				PLAN_ADDRESSES_MAX);
	if (a->ip->len == IP6_BYTES && s->mtu < MTU_LEAST_IP6)
		return json_err(e, c->ctx.doc, a->at,
				"the switch \"%s\" has an mtu of %llu bytes, and IPv6 needs %d; "
				"raise it, or give the node an IPv4 address there",
				s->name, (unsigned long long)s->mtu, MTU_LEAST_IP6);
	for (size_t i = 0; i < before->count; i++)
		if (check_pair(c, a, &o[i], e) < 0)
			return -1;
	if (check_host(c, a, e) < 0)
		return -1;
	o[before->count++] = *a;
	return 0;
}

static int check_link(struct compile *c, const struct node_plan *n, const struct link_plan *l,
		      struct list *before, struct err *e)
{
	const struct node_links_file *f = &c->pd->link_files[n - c->plan->nodes];
	const struct ip *ips = l->addresses.items;
	if (l->addresses.count == 0)
		return json_err(e, c->ctx.doc,
				f->address_at != NULL ? f->address_at
						      : json_get(f->links_at, l->on),
				"address: an empty list; write one such as \"10.0.0.2/24\"");
	for (size_t i = 0; i < l->addresses.count; i++) {
		const struct placed a = { &ips[i], l, n, address_at(f, l, i) };
		if (check_address(c, &a, before, e) < 0)
			return -1;
	}
	return 0;
}

int plan_addresses(struct compile *c, struct err *e)
{
	const struct plan *p = c->plan;
	struct list all = { .items = arena_alloc(c->ctx.arena,
						 PLAN_ADDRESSES_MAX * sizeof(struct placed)) };
	c->pd->linked.items = arena_alloc(c->ctx.arena, (p->node_count + 1) * sizeof(char *));
	for (size_t i = 0; i < p->node_count; i++) {
		const struct node_plan *n = &p->nodes[i];
		const struct link_plan *links = n->links.items;
		for (size_t k = 0; k < n->links.count; k++)
			if (check_link(c, n, &links[k], &all, e) < 0)
				return -1;
		if (n->links.count > 0)
			c->pd->linked.items[c->pd->linked.count++] = n->name;
	}
	c->ctx.linked = &c->pd->linked;
	return plan_routes(c, e);
}

/* --- which link of a node a fault means --- */

static const void *field(const struct param *row, const void *params)
{
	return row != NULL ? *(const char *const *)((const char *)params + row->offset) : NULL;
}

/* What stands in for the switch: `front` or `back`, in quotes. */
static const char *links_of(struct compile *c, const struct node_plan *n, const char *given)
{
	const struct link_plan *l = n->links.items;
	const char **names = arena_alloc(c->ctx.arena, n->links.count * sizeof(*names));
	for (size_t i = 0; i < n->links.count; i++)
		names[i] = l[i].on;
	return plan_suggest(c, given, names, n->links.count);
}

static int kind_link(struct compile *c, const struct json *v, const struct kind *kind,
		     const void *params, struct err *e)
{
	const struct param *node = NULL, *on = NULL;
	for (const struct param *row = kind->params; row != NULL && row->type != PARAM_END; row++) {
		node = row->type == PARAM_NODE && row->linked ? row : node;
		on = row->is_switch ? row : on;
	}
	const char *name = field(node, params), *given = field(on, params);
	const struct node_plan *n = name != NULL ? plan_node(c->plan, name) : NULL;
	const struct json *at = v != NULL ? json_get(v, kind->name) : NULL;
	if (n == NULL || on == NULL)
		return 0;
	if (given == NULL && n->links.count > 1)
		return json_err(e, c->ctx.doc, at != NULL ? at : v,
				"%s: node \"%s\" has several links; say which by \"%s\": %s",
				kind->name, n->name, on->name, links_of(c, n, ""));
	const struct link_plan *l = n->links.items;
	for (size_t i = 0; given != NULL && i < n->links.count; i++)
		if (strcmp(l[i].on, given) == 0)
			return 0;
	if (given == NULL)
		return 0;
	return json_err(e, c->ctx.doc, json_get(at, on->name),
			"%s: node \"%s\" has no link on a switch \"%s\"; %s", on->name, n->name,
			given, links_of(c, n, given));
}

int plan_fault_links(struct compile *c, const struct json *v, const struct fault_plan *f,
		     struct err *e)
{
	if (kind_link(c, json_get(v, "inject"), f->injector, f->inject, e) < 0)
		return -1;
	const struct json *at = json_get(v, "at");
	return kind_link(c, at, f->trigger, f->at, e);
}
