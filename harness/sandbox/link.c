/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/link.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/link_nl.h"

enum { SWITCH_LINKS_MAX = 64 };

/* How long a port may take to forward again, and how often to ask. Measured: 0.1 to 3 ms. */
static const int64_t UP_WAIT_MAX = 2 * NS_PER_S;
static const int64_t UP_POLL = NS_PER_MS / 10;

struct net_link {
	struct net_switch *net;
	char *name;
	size_t number; /* of its port */
	uint32_t addr;
	uint8_t prefix;
	uint64_t rate;
	uint8_t mac[MAC_BYTES];
	struct nl_sock *inside; /* speaks to the node's namespace, and keeps that alive */
	int port, eth;          /* interface indexes: in the switch, in the node */
	int sink;               /* the port that swallows frames for it; 0: not made yet */
	uint64_t sink_base;     /* frames that the sink had sent when it was made */
	bool cut;
	bool detached;           /* the node is down: no port, no eth0, nobody inside */
	uint64_t sent, received; /* by ports that are gone */
	uint64_t drop_base;      /* frames that eth0 had dropped when the link was cut */
	uint64_t dropped;        /* by eth0 in cuts that are over */
};

struct net_switch {
	struct nl_sock *nl;
	int bridge;
	struct net_link *link[SWITCH_LINKS_MAX];
	size_t count;
	unsigned sinks;
};

static int open_own_netns(struct err *e)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ERR(e, errno, "open the own network namespace");
	return fd;
}

static int enter_netns(int fd, struct err *e)
{
	if (setns(fd, CLONE_NEWNET) < 0)
		return ERR(e, errno, "enter a node's network namespace");
	return 0;
}

/* In the wrong namespace every later request would hit somebody else's interfaces. */
static void return_to_netns(int fd)
{
	int saved_errno = errno;
	if (setns(fd, CLONE_NEWNET) < 0)
		abort();
	errno = saved_errno;
}

/* IPv6 would send frames (router and neighbour discovery) that no node asked for. */
static int disable_ipv6(struct err *e)
{
	static const char *const knobs[] = {
		"/proc/sys/net/ipv6/conf/all/disable_ipv6",
		"/proc/sys/net/ipv6/conf/default/disable_ipv6",
	};
	for (size_t i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++) {
		struct err why = { 0 };
		if (io_write_knob(AT_FDCWD, knobs[i], "1", &why) == 0 || why.code == ENOENT)
			continue;
		return err_set(e, why.where, 0, why.exit, "%s", why.why);
	}
	return 0;
}

int switch_create(struct net_switch **ret, struct err *e)
{
	GUARD(fd) int own = open_own_netns(e);
	if (own < 0)
		return -1;
	if (unshare(CLONE_NEWNET) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno,
			      "a network namespace of its own for the drill (needs root)");
	struct net_switch *s = mem_alloc(sizeof(*s));
	if (disable_ipv6(e) < 0 || lnl_open(&s->nl, e) < 0 ||
	    lnl_bridge(s->nl, "sw0", &s->bridge, e) < 0) {
		switch_destroy(s);
		return_to_netns(own);
		return -1;
	}
	*ret = s;
	return 0;
}

static void link_free(struct net_link *l)
{
	lnl_close(l->inside);
	free(l->name);
	free(l);
}

void switch_destroy(struct net_switch *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		link_free(s->link[i]);
	lnl_close(s->nl);
	free(s);
}

/* The node's namespace from inside: no IPv6 there, and a socket that speaks to it. */
static int open_inside(struct net_link *l, int netns_fd, struct err *e)
{
	GUARD(fd) int own = open_own_netns(e);
	if (own < 0 || enter_netns(netns_fd, e) < 0)
		return -1;
	int rc = disable_ipv6(e);
	if (rc == 0)
		rc = lnl_open(&l->inside, e);
	return_to_netns(own);
	return rc;
}

/* veth, both ends known by index; nothing is up yet. */
static int make_pair(struct net_link *l, int netns_fd, struct err *e)
{
	struct net_switch *s = l->net;
	uint8_t port_mac[MAC_BYTES];
	char name[IFNAMSIZ];
	(void)snprintf(name, sizeof(name), "port-%zu", l->number);
	/* Locally administered, from the address: the same in every drill. */
	memcpy(l->mac, (const uint8_t[]){ 0x02, 0x00 }, 2);
	memcpy(l->mac + 2, &l->addr, sizeof(l->addr));
	memcpy(port_mac, l->mac, sizeof(port_mac));
	port_mac[1] = 0xFF;

	struct lnl_end port = { name, port_mac }, eth = { "eth0", l->mac };
	struct lnl_info info;
	if (lnl_veth(s->nl, &port, &eth, netns_fd, e) < 0 || lnl_info(s->nl, 0, name, &info, e) < 0)
		return -1;
	l->port = info.ifindex;
	if (lnl_info(l->inside, 0, "eth0", &info, e) < 0)
		return -1;
	l->eth = info.ifindex;
	if (info.gso_segs != 1)
		return ERR(e, 0, "the kernel keeps %u segments a packet on eth0, not 1",
			   info.gso_segs);
	return 0;
}

static void nap(int64_t ns)
{
	struct timespec ts = { ns / NS_PER_S, ns % NS_PER_S };
	(void)nanosleep(&ts, NULL);
}

/* Whether the switch does its part: the port is up, has a carrier and forwards. A carrier that
 * is missing because the node itself took eth0 down is not ours to bring back. */
static int port_ready(struct net_link *l, bool *ret, struct err *e)
{
	struct lnl_info port, eth;
	*ret = false;
	if (lnl_info(l->net->nl, l->port, NULL, &port, e) < 0 ||
	    lnl_info(l->inside, l->eth, NULL, &eth, e) < 0)
		return -1;
	if ((port.flags & IFF_UP) == 0)
		return 0;
	if ((eth.flags & IFF_UP) == 0) {
		*ret = true;
		return 0;
	}
	*ret = (port.flags & IFF_LOWER_UP) != 0 && port.operstate == IF_OPER_UP &&
	       port.port_state == BR_STATE_FORWARDING && (eth.flags & IFF_LOWER_UP) != 0 &&
	       eth.operstate == IF_OPER_UP;
	return 0;
}

/* The kernel tells carriers on in a work queue: until then the first frames would be dropped. */
static int wait_ready(struct net_link *l, struct err *e)
{
	int64_t deadline = clock_now() + UP_WAIT_MAX;
	bool ready = false;
	for (;;) {
		if (port_ready(l, &ready, e) < 0)
			return -1;
		if (ready)
			return 0;
		if (clock_now() >= deadline)
			return ERR(e, ETIMEDOUT, "the link of '%s' does not forward", l->name);
		nap(UP_POLL);
	}
}

static int plug(struct net_link *l, struct err *e)
{
	struct nl_sock *nl = l->net->nl;
	if (lnl_enslave(nl, l->port, l->net->bridge, LNL_PORT_NODE, e) < 0 ||
	    lnl_address(l->inside, l->eth, l->addr, l->prefix, e) < 0 ||
	    lnl_set_up(l->inside, l->eth, true, e) < 0 || lnl_set_up(nl, l->port, true, e) < 0 ||
	    lnl_fdb_set(nl, l->port, l->mac, e) < 0)
		return -1;
	if (l->rate > 0 &&
	    (lnl_rate(nl, l->port, l->rate, e) < 0 || lnl_rate(l->inside, l->eth, l->rate, e) < 0))
		return -1;
	return wait_ready(l, e);
}

/* The port goes, and eth0 with it. */
static void unplug(struct net_link *l)
{
	if (l->port != 0)
		lnl_delete(l->net->nl, l->port);
	lnl_close(l->inside);
	l->inside = NULL;
	l->port = l->eth = 0;
}

static int connect_node(struct net_link *l, int netns_fd, struct err *e)
{
	if (open_inside(l, netns_fd, e) == 0 && make_pair(l, netns_fd, e) == 0 && plug(l, e) == 0)
		return 0;
	unplug(l);
	return err_prefix(e, "link of '%s'", l->name);
}

int link_attach(struct net_switch *s, const struct link_spec *spec, struct net_link **ret,
		struct err *e)
{
	assert(spec->netns_fd >= 0);
	assert(spec->prefix <= 32);
	if (s->count == SWITCH_LINKS_MAX)
		return ERR(e, 0, "a switch has at most %d links", SWITCH_LINKS_MAX);
	struct net_link *l = mem_alloc(sizeof(*l));
	l->net = s;
	l->name = mem_strdup(spec->name);
	l->number = s->count;
	l->addr = spec->addr;
	l->prefix = spec->prefix;
	l->rate = spec->rate;
	if (connect_node(l, spec->netns_fd, e) < 0) {
		link_free(l);
		return -1;
	}
	s->link[s->count++] = l;
	*ret = l;
	return 0;
}

static int meet_neighbours(struct net_link *l, struct err *e)
{
	for (size_t i = 0; i < l->net->count; i++) {
		const struct net_link *other = l->net->link[i];
		if (other != l && lnl_neighbour(l->inside, l->eth, other->addr, other->mac, e) < 0)
			return err_prefix(e, "link of '%s'", l->name);
	}
	return 0;
}

int switch_seal(struct net_switch *s, struct err *e)
{
	for (size_t i = 0; i < s->count; i++)
		if (meet_neighbours(s->link[i], e) < 0)
			return -1;
	return 0;
}

struct net_link *switch_find(struct net_switch *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->link[i]->name, name) == 0)
			return s->link[i];
	return NULL;
}

const char *link_name(const struct net_link *l)
{
	return l->name;
}

uint32_t link_addr(const struct net_link *l)
{
	return l->addr;
}

int link_prepare_cut(struct net_link *l, struct err *e)
{
	struct nl_sock *nl = l->net->nl;
	struct lnl_info in, out;
	char in_name[IFNAMSIZ], out_name[IFNAMSIZ];
	if (l->sink != 0)
		return 0;
	(void)snprintf(in_name, sizeof(in_name), "sink-%u", l->net->sinks);
	(void)snprintf(out_name, sizeof(out_name), "drain-%u", l->net->sinks);
	l->net->sinks++;
	struct lnl_end sink = { in_name, NULL }, drain = { out_name, NULL };
	if (lnl_veth(nl, &sink, &drain, -1, e) < 0 || lnl_info(nl, 0, in_name, &in, e) < 0 ||
	    lnl_info(nl, 0, out_name, &out, e) < 0 ||
	    lnl_enslave(nl, in.ifindex, l->net->bridge, LNL_PORT_SINK, e) < 0 ||
	    lnl_set_up(nl, out.ifindex, true, e) < 0 || lnl_set_up(nl, in.ifindex, true, e) < 0)
		return err_prefix(e, "sink for the link of '%s'", l->name);

	int64_t deadline = clock_now() + UP_WAIT_MAX;
	while (in.port_state != BR_STATE_FORWARDING) {
		if (clock_now() >= deadline)
			return ERR(e, ETIMEDOUT, "the sink for the link of '%s' does not forward",
				   l->name);
		nap(UP_POLL);
		if (lnl_info(nl, in.ifindex, NULL, &in, e) < 0)
			return -1;
	}
	l->sink = in.ifindex;
	l->sink_base = in.tx_packets;
	return 0;
}

/* Frames of the node's own that eth0 has dropped since the cut began. */
static int drops_since(struct net_link *l, uint64_t *ret, struct err *e)
{
	struct lnl_info eth;
	if (lnl_info(l->inside, l->eth, NULL, &eth, e) < 0)
		return -1;
	*ret = eth.tx_dropped - l->drop_base;
	return 0;
}

static int cut(struct net_link *l, struct err *e)
{
	if (l->cut || l->detached) {
		l->cut = true;
		return 0;
	}
	l->drop_base = 0;
	if (link_prepare_cut(l, e) < 0 || drops_since(l, &l->drop_base, e) < 0 ||
	    lnl_fdb_set(l->net->nl, l->sink, l->mac, e) < 0 ||
	    lnl_set_up(l->net->nl, l->port, false, e) < 0)
		return err_prefix(e, "cut the link of '%s'", l->name);
	l->cut = true;
	return 0;
}

static int mend(struct net_link *l, struct err *e)
{
	uint64_t drops = 0, rate;
	if (l->detached) {
		l->cut = false;
		return 0;
	}
	if (lnl_set_up(l->net->nl, l->port, true, e) < 0 || wait_ready(l, e) < 0 ||
	    lnl_fdb_set(l->net->nl, l->port, l->mac, e) < 0)
		return err_prefix(e, "mend the link of '%s'", l->name);
	if (l->cut && drops_since(l, &drops, e) < 0)
		return -1;
	l->dropped += drops;
	l->cut = false;
	if (lnl_rate_get(l->net->nl, l->port, &rate, e) < 0)
		return -1;
	if (rate != l->rate)
		return ERR(e, 0, "the link of '%s' lost its rate limit in the cut", l->name);
	return 0;
}

int link_set_up(struct net_link *l, bool up, struct err *e)
{
	return up ? mend(l, e) : cut(l, e);
}

int link_is_up(struct net_link *l, bool *ret, struct err *e)
{
	bool ready;
	int port;
	*ret = false;
	if (l->detached)
		return 0;
	if (port_ready(l, &ready, e) < 0 ||
	    lnl_fdb_get(l->net->nl, l->net->bridge, l->mac, &port, e) < 0)
		return err_prefix(e, "link of '%s'", l->name);
	*ret = ready && port == l->port;
	return 0;
}

int link_lost_frames(struct net_link *l, uint64_t *ret, struct err *e)
{
	struct lnl_info sink = { 0 };
	uint64_t drops = 0;
	if ((l->sink != 0 && lnl_info(l->net->nl, l->sink, NULL, &sink, e) < 0) ||
	    (l->cut && !l->detached && drops_since(l, &drops, e) < 0))
		return err_prefix(e, "link of '%s'", l->name);
	*ret = sink.tx_packets - l->sink_base + l->dropped + drops;
	return 0;
}

int link_bytes(struct net_link *l, uint64_t *sent, uint64_t *received, struct err *e)
{
	struct lnl_info port = { 0 };
	if (!l->detached && lnl_info(l->net->nl, l->port, NULL, &port, e) < 0)
		return err_prefix(e, "link of '%s'", l->name);
	*sent = l->sent + port.rx_bytes;
	*received = l->received + port.tx_bytes;
	return 0;
}

int link_detach(struct net_link *l, struct err *e)
{
	uint64_t drops = 0, sent = 0, received = 0;
	if (l->detached)
		return 0;
	if (link_prepare_cut(l, e) < 0 || (l->cut && drops_since(l, &drops, e) < 0) ||
	    lnl_fdb_set(l->net->nl, l->sink, l->mac, e) < 0 ||
	    link_bytes(l, &sent, &received, e) < 0)
		return err_prefix(e, "take down the link of '%s'", l->name);
	l->dropped += drops;
	l->sent = sent;
	l->received = received;
	l->detached = true;
	unplug(l);
	return 0;
}

int link_reattach(struct net_link *l, int netns_fd, struct err *e)
{
	bool was_cut = l->cut;
	if (link_detach(l, e) < 0 || connect_node(l, netns_fd, e) < 0)
		return -1;
	l->detached = l->cut = false;
	if (meet_neighbours(l, e) < 0)
		return -1;
	return was_cut ? cut(l, e) : 0;
}

int link_socket(int netns_fd, int domain, int type, struct err *e)
{
	GUARD(fd) int own = open_own_netns(e);
	if (own < 0 || enter_netns(netns_fd, e) < 0)
		return -1;
	int fd = socket(domain, type | SOCK_CLOEXEC, 0);
	int code = errno;
	return_to_netns(own);
	if (fd < 0)
		return ERR(e, code, "socket in a node");
	return fd;
}
