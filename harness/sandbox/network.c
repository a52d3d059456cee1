/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/network.h"

#include <assert.h>
#include <errno.h>
#include <linux/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/link_private.h"
#include "harness/sandbox/netns.h"

int network_create(struct network **ret, struct err *e)
{
	GUARD(fd) int own = netns_own(e);
	if (own < 0)
		return -1;
	if (unshare(CLONE_NEWNET) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno,
			      "a network namespace of its own for the drill (needs root)");
	struct network *n = mem_alloc(sizeof(*n));
	if (netns_no_ip6(e) < 0 || lnl_open(&n->nl, e) < 0) {
		network_destroy(n);
		netns_return(own);
		return -1;
	}
	*ret = n;
	return 0;
}

static void host_free(struct net_host *h)
{
	for (size_t i = 0; i < h->links; i++)
		link_free(h->link[i]);
	lnl_close(h->inside);
	free(h->routes);
	free(h->name);
	free(h);
}

void network_destroy(struct network *n)
{
	if (n == NULL)
		return;
	for (size_t i = 0; i < n->hosts; i++)
		host_free(n->host[i]);
	for (size_t i = 0; i < n->switches; i++)
		free(n->sw[i].name);
	lnl_close(n->nl);
	free(n);
}

int network_add_switch(struct network *n, const char *name, uint32_t mtu, struct err *e)
{
	char bridge[IFNAMSIZ];
	if (n->switches == NETWORK_SWITCHES_MAX)
		return ERR(e, 0, "a drill has at most %d switches", NETWORK_SWITCHES_MAX);
	struct net_switch *s = &n->sw[n->switches];
	(void)snprintf(bridge, sizeof(bridge), "sw%zu", n->switches);
	if (lnl_bridge(n->nl, bridge, &s->bridge, e) < 0)
		return err_prefix(e, "switch '%s'", name);
	s->name = mem_strdup(name);
	s->mtu = mtu;
	n->switches++;
	return 0;
}

/* --- hosts --- */

/* The node's namespace from inside: its settings, and a socket that speaks to it. */
static int open_inside(struct net_host *h, int netns_fd, struct err *e)
{
	const struct netns_spec spec = { .ip6 = h->ip6, .forward = h->forward };
	GUARD(fd) int own = netns_own(e);
	if (own < 0 || netns_enter(netns_fd, e) < 0)
		return -1;
	int rc = netns_prepare(&spec, e);
	if (rc == 0)
		rc = lnl_open(&h->inside, e);
	netns_return(own);
	return rc;
}

static void unplug(struct net_host *h)
{
	for (size_t i = 0; i < h->links; i++)
		link_unplug(h->link[i]);
	lnl_close(h->inside);
	h->inside = NULL;
}

static int plug(struct net_host *h, int netns_fd, struct err *e)
{
	int rc = open_inside(h, netns_fd, e);
	for (size_t i = 0; rc == 0 && i < h->links; i++)
		rc = link_connect(h->link[i], netns_fd, e);
	if (rc < 0)
		unplug(h);
	return rc;
}

static struct net_host *host_new(const struct host_spec *spec)
{
	struct net_host *h = mem_alloc(sizeof(*h));
	h->name = mem_strdup(spec->name);
	h->forward = spec->forward;
	h->several = spec->link_count > 1;
	h->routes = mem_array(spec->route_count, sizeof(*h->routes));
	h->route_count = spec->route_count;
	if (spec->route_count > 0)
		memcpy(h->routes, spec->routes, spec->route_count * sizeof(*h->routes));
	for (size_t i = 0; i < spec->link_count; i++)
		for (size_t k = 0; k < spec->links[i].ip_count; k++)
			h->ip6 = h->ip6 || spec->links[i].ips[k].len == IP6_BYTES;
	return h;
}

static const struct net_switch *find_switch(const struct network *n, const char *name)
{
	for (size_t i = 0; i < n->switches; i++)
		if (strcmp(n->sw[i].name, name) == 0)
			return &n->sw[i];
	return NULL;
}

static int add_links(struct network *n, struct net_host *h, const struct host_spec *spec,
		     struct err *e)
{
	for (size_t i = 0; i < spec->link_count; i++) {
		const struct net_switch *on = find_switch(n, spec->links[i].on);
		if (on == NULL)
			return ERR(e, 0, "link of '%s': there is no switch '%s'", spec->name,
				   spec->links[i].on);
		struct net_link *l = link_new(h, on, &spec->links[i], n);
		h->link[h->links++] = l;
	}
	return 0;
}

int network_attach(struct network *n, const struct host_spec *spec, struct err *e)
{
	assert(spec->netns_fd >= 0);
	assert(spec->link_count <= NETWORK_SWITCHES_MAX);
	size_t ports = n->ports;
	if (n->hosts == NETWORK_HOSTS_MAX)
		return ERR(e, 0, "a network has at most %d hosts", NETWORK_HOSTS_MAX);
	struct net_host *h = host_new(spec);
	if (add_links(n, h, spec, e) < 0 || plug(h, spec->netns_fd, e) < 0) {
		host_free(h);
		n->ports = ports;
		return -1;
	}
	n->host[n->hosts++] = h;
	return 0;
}

static bool speaks(const struct net_link *l, uint8_t family_len)
{
	for (size_t i = 0; i < l->ip_count; i++)
		if (l->ips[i].len == family_len)
			return true;
	return false;
}

static int meet(struct net_link *l, const struct net_link *other, struct err *e)
{
	if (other->on != l->on)
		return 0;
	for (size_t i = 0; i < other->ip_count; i++)
		if (speaks(l, other->ips[i].len) &&
		    lnl_neighbour(l->host->inside, l->eth_index, &other->ips[i], other->mac, e) < 0)
			return err_prefix(e, "link of '%s'", l->label);
	return 0;
}

static int meet_neighbours(struct network *n, struct net_host *h, struct err *e)
{
	for (size_t i = 0; i < n->hosts; i++) {
		const struct net_host *other = n->host[i];
		for (size_t k = 0; other != h && k < other->links; k++)
			for (size_t m = 0; m < h->links; m++)
				if (meet(h->link[m], other->link[k], e) < 0)
					return -1;
	}
	return 0;
}

static int seal(struct network *n, struct net_host *h, struct err *e)
{
	char text[IP_TEXT_MAX];
	if (meet_neighbours(n, h, e) < 0)
		return -1;
	for (size_t i = 0; i < h->route_count; i++)
		if (lnl_route(h->inside, &h->routes[i].to, &h->routes[i].via, e) < 0)
			return err_prefix(e, "route of '%s' to %s", h->name,
					  ip_prefix_text(&h->routes[i].to, text));
	return 0;
}

int network_seal(struct network *n, struct err *e)
{
	for (size_t i = 0; i < n->hosts; i++)
		if (seal(n, n->host[i], e) < 0)
			return -1;
	return 0;
}

/* --- names --- */

static struct net_host *find_host(const struct network *n, const char *name)
{
	for (size_t i = 0; n != NULL && i < n->hosts; i++)
		if (strcmp(n->host[i]->name, name) == 0)
			return n->host[i];
	return NULL;
}

static struct net_link *link_on(const struct net_host *h, const char *on)
{
	for (size_t i = 0; h != NULL && i < h->links; i++)
		if (on == NULL || strcmp(h->link[i]->on->name, on) == 0)
			return h->link[i];
	return NULL;
}

struct net_link *network_find(struct network *n, const char *node, const char *on)
{
	return link_on(find_host(n, node), on);
}

/* The veths go with the node's namespace, once nobody holds that. */
void network_detach(struct network *n, const char *node)
{
	size_t i = 0;
	while (i < n->hosts && strcmp(n->host[i]->name, node) != 0)
		i++;
	if (i == n->hosts)
		return;
	struct net_host *h = n->host[i];
	for (size_t k = 0; k < h->links; k++)
		if (h->link[k]->sink != 0)
			lnl_delete(n->nl, h->link[k]->sink);
	host_free(h);
	n->hosts--;
	memmove(n->host + i, n->host + i + 1, (n->hosts - i) * sizeof(n->host[0]));
}

/* The link by which `from` would call `h`. */
static const struct net_link *link_towards(const struct net_host *h, const struct net_host *from)
{
	for (size_t i = 0; from != NULL && from != h && i < h->links; i++)
		if (link_on(from, h->link[i]->on->name) != NULL)
			return h->link[i];
	return link_on(h, NULL);
}

bool network_resolve(const struct network *n, const char *from, const char *name, struct ip *ret)
{
	GUARD(mem) char *node = mem_strdup(name);
	const struct net_host *h = find_host(n, node);
	const struct net_link *l = NULL;
	char *dot = strchr(node, '.');
	if (h != NULL) {
		l = link_towards(h, find_host(n, from));
	} else if (dot != NULL) {
		*dot = '\0';
		l = link_on(find_host(n, node), dot + 1);
	}
	if (l == NULL)
		return false;
	*ret = l->ips[0];
	for (size_t i = l->ip_count; i-- > 0;)
		if (l->ips[i].len == IP4_BYTES)
			*ret = l->ips[i];
	return true;
}

static void host_lines(const struct net_link *l, const char *name, struct buf *out)
{
	char text[IP_TEXT_MAX];
	for (size_t i = 0; i < l->ip_count; i++)
		buf_printf(out, "%s\t%s\n", ip_text(&l->ips[i], text), name);
}

void network_hosts(const struct network *n, const char *from, network_known_fn known, void *arg,
		   struct buf *out)
{
	const struct net_host *self = find_host(n, from);
	for (size_t i = 0; i < n->hosts; i++) {
		const struct net_host *h = n->host[i];
		if (!known(arg, h->name))
			host_lines(link_towards(h, self), h->name, out);
		for (size_t k = 0; n->switches > 1 && k < h->links; k++) {
			const struct net_link *l = h->link[k];
			GUARD(mem) char *name = mem_printf("%s.%s", h->name, l->on->name);
			if (!known(arg, name))
				host_lines(l, name, out);
		}
	}
}

/* --- all links of a node --- */

int network_node_down(struct network *n, const char *node, struct err *e)
{
	struct net_host *h = find_host(n, node);
	int result = 0;
	for (size_t i = 0; h != NULL && i < h->links; i++)
		if (link_detach(h->link[i], e) < 0)
			result = -1;
	if (h != NULL && result == 0) {
		lnl_close(h->inside);
		h->inside = NULL;
	}
	return result;
}

int network_node_up(struct network *n, const char *node, int netns_fd, struct err *e)
{
	struct net_host *h = find_host(n, node);
	if (h == NULL)
		return 0;
	if (network_node_down(n, node, e) < 0 || plug(h, netns_fd, e) < 0)
		return -1;
	for (size_t i = 0; i < h->links; i++)
		h->link[i]->detached = false;
	if (seal(n, h, e) < 0)
		return -1;
	for (size_t i = 0; i < h->links; i++) {
		bool was_cut = h->link[i]->cut;
		h->link[i]->cut = false;
		if (was_cut && link_set_up(h->link[i], false, e) < 0)
			return -1;
	}
	return 0;
}

int network_node_prepare_cut(struct network *n, const char *node, struct err *e)
{
	struct net_host *h = find_host(n, node);
	for (size_t i = 0; h != NULL && i < h->links; i++)
		if (link_prepare_cut(h->link[i], e) < 0)
			return -1;
	return 0;
}

int network_node_lost_frames(struct network *n, const char *node, uint64_t *ret, struct err *e)
{
	struct net_host *h = find_host(n, node);
	uint64_t lost = 0, all = 0;
	for (size_t i = 0; h != NULL && i < h->links; i++) {
		if (link_lost_frames(h->link[i], &lost, e) < 0)
			return -1;
		all += lost;
	}
	*ret = all;
	return 0;
}

int network_node_is_up(struct network *n, const char *node, bool *ret, struct err *e)
{
	struct net_host *h = find_host(n, node);
	bool up = true;
	for (size_t i = 0; up && h != NULL && i < h->links; i++)
		if (link_is_up(h->link[i], &up, e) < 0)
			return -1;
	*ret = up;
	return 0;
}

int network_socket(int netns_fd, int domain, int type, struct err *e)
{
	GUARD(fd) int own = netns_own(e);
	if (own < 0 || netns_enter(netns_fd, e) < 0)
		return -1;
	int fd = socket(domain, type | SOCK_CLOEXEC, 0);
	int code = errno;
	netns_return(own);
	if (fd < 0)
		return ERR(e, code, "socket in a node");
	return fd;
}
