/* SPDX-License-Identifier: MIT */
/* Routes: each by a node that stands on one of the same switches. */
#include <string.h>

#include "harness/base/guard.h"
#include "harness/model/plan_parts.h"

const struct param plan_route_rows[] = {
	{ .name = "to",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct route_plan, to_text),
	  .required = true,
	  .help = "a network such as \"10.1.0.0/24\", or \"default\"" },
	{ .name = "via",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct route_plan, via_text),
	  .required = true,
	  .help = "the address of a node on one of its switches" },
	{ 0 },
};

/* The node's own network that holds `a`; NULL: none. */
static const struct ip *own_network(const struct node_plan *n, const struct ip *a,
				    const struct link_plan **ret)
{
	const struct link_plan *l = n->links.items;
	for (size_t i = 0; i < n->links.count; i++) {
		const struct ip *ips = l[i].addresses.items;
		for (size_t k = 0; k < l[i].addresses.count; k++) {
			if (!ip_within(a, &ips[k]))
				continue;
			*ret = &l[i];
			return &ips[k];
		}
	}
	return NULL;
}

static const char *networks(const struct node_plan *n, struct buf *out)
{
	const struct link_plan *l = n->links.items;
	char text[IP_TEXT_MAX];
	for (size_t i = 0; i < n->links.count; i++) {
		const struct ip *ips = l[i].addresses.items;
		for (size_t k = 0; k < l[i].addresses.count; k++) {
			struct ip net = ip_network(&ips[k], false);
			buf_printf(out, "%s%s", out->len > 0 ? ", " : "",
				   ip_prefix_text(&net, text));
		}
	}
	return buf_str(out);
}

/* Has another node than `n` this address on that switch? An example of one is in `ret`. */
static bool has_gateway(const struct plan *p, const struct node_plan *n, const struct link_plan *on,
			const struct ip *via, struct ip *ret)
{
	for (size_t i = 0; i < p->node_count; i++) {
		const struct link_plan *l = p->nodes[i].links.items;
		for (size_t k = 0; &p->nodes[i] != n && k < p->nodes[i].links.count; k++) {
			const struct ip *ips = l[k].addresses.items;
			for (size_t m = 0; m < l[k].addresses.count; m++) {
				if (strcmp(l[k].on, on->on) != 0)
					continue;
				if (ip_same(&ips[m], via))
					return true;
				if (ips[m].len == via->len && ret->len == 0)
					*ret = ips[m];
			}
		}
	}
	return false;
}

static int check_via(struct compile *c, const struct json *at, const struct node_plan *n,
		     struct route_plan *r, struct err *e)
{
	char text[IP_TEXT_MAX];
	struct ip other = { 0 };
	GUARD_BUF struct buf own = { 0 };
	const struct link_plan *on = NULL;
	if (!ip_parse(r->via_text, &r->via) && plan_node(c->plan, r->via_text) != NULL)
		return json_err(e, c->ctx.doc, at,
				"via: \"%s\" is a node's name; write its address on one of the "
				"switches of node \"%s\"",
				r->via_text, n->name);
	if (r->via.len == 0)
		return json_err(e, c->ctx.doc, at,
				"via: \"%s\" is not an address; write a node's, such as "
				"\"10.0.0.1\"",
				r->via_text);
	if (own_network(n, &r->via, &on) == NULL)
		return json_err(e, c->ctx.doc, at,
				"via: %s is in none of the networks of node \"%s\" (%s); write the "
				"address of a node in one of these",
				r->via_text, n->name, networks(n, &own));
	if (has_gateway(c->plan, n, on, &r->via, &other))
		return 0;
	if (other.len == 0)
		return json_err(e, c->ctx.doc, at,
				"via: no other node is on the switch \"%s\"; give the router a "
				"link there",
				on->on);
	return json_err(e, c->ctx.doc, at,
			"via: no other node on the switch \"%s\" has %s; write one's address, such "
			"as \"%s\"",
			on->on, r->via_text, ip_text(&other, text));
}

static int check_to(struct compile *c, const struct json *at, const struct node_plan *n,
		    struct route_plan *r, struct err *e)
{
	char text[IP_TEXT_MAX], fit[IP_TEXT_MAX];
	const struct link_plan *on = NULL;
	if (strcmp(r->to_text, "default") == 0) {
		r->to = (struct ip){ .len = r->via.len };
		return 0;
	}
	if (!ip_parse_prefix(r->to_text, &r->to))
		return json_err(e, c->ctx.doc, at,
				"to: \"%s\" is not a network; write one such as \"10.1.0.0/24\", "
				"or \"default\"",
				r->to_text);
	struct ip net = ip_network(&r->to, false);
	if (!ip_same(&net, &r->to))
		return json_err(e, c->ctx.doc, at, "to: %s is in a network, not one; write \"%s\"",
				ip_prefix_text(&r->to, text), ip_prefix_text(&net, fit));
	if (ip_none_for_hosts(&r->to))
		return json_err(e, c->ctx.doc, at,
				"to: %s is no network of hosts; write one such as \"10.1.0.0/24\", "
				"or \"default\"",
				r->to_text);
	if (r->to.len != r->via.len)
		return json_err(e, c->ctx.doc, at,
				"to: %s and via %s are not of one family; write two IPv4 or two "
				"IPv6 ones",
				r->to_text, r->via_text);
	const struct ip *own = own_network(n, &r->to, &on);
	if (own != NULL && own->prefix == r->to.prefix)
		return json_err(e, c->ctx.doc, at,
				"to: %s is the node's own network, on the switch \"%s\"; remove "
				"the route",
				r->to_text, on->on);
	return 0;
}

static int check_routes(struct compile *c, const struct node_plan *n, const struct json *list,
			struct err *e)
{
	struct route_plan *r = n->routes.items;
	const struct json *v = list != NULL ? json_first(list) : NULL;
	for (size_t i = 0; i < n->routes.count; i++, v = json_next(v)) {
		if (check_via(c, json_get(v, "via"), n, &r[i], e) < 0 ||
		    check_to(c, json_get(v, "to"), n, &r[i], e) < 0)
			return -1;
		for (size_t k = 0; k < i; k++)
			if (ip_same(&r[k].to, &r[i].to) && r[k].to.prefix == r[i].to.prefix)
				return json_err(e, c->ctx.doc, json_get(v, "to"),
						"to: \"%s\" has a route already, by %s; remove one",
						r[i].to_text, r[k].via_text);
	}
	return 0;
}

int plan_routes(struct compile *c, struct err *e)
{
	const struct plan *p = c->plan;
	for (size_t i = 0; i < p->node_count; i++)
		if (check_routes(c, &p->nodes[i], c->pd->link_files[i].routes_at, e) < 0)
			return -1;
	return 0;
}
