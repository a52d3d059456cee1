/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/link.h"

#include <assert.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/link_private.h"
#include "harness/sandbox/netns.h"

/* How long a port may take to forward again, and how often to ask. Measured: 0.1 to 3 ms. */
static const int64_t UP_WAIT_MAX = 2 * NS_PER_S;
static const int64_t UP_POLL = NS_PER_MS / 10;

struct net_link *link_new(struct net_host *h, const struct net_switch *on,
			  const struct link_spec *spec, struct network *net)
{
	struct net_link *l = mem_alloc(sizeof(*l));
	l->net = net;
	l->on = on;
	l->host = h;
	l->eth = mem_printf("eth%zu", h->links);
	l->label = h->several ? mem_printf("%s on %s", h->name, on->name) : mem_strdup(h->name);
	l->number = net->ports++;
	l->ips = mem_array(spec->ip_count, sizeof(*l->ips));
	memcpy(l->ips, spec->ips, spec->ip_count * sizeof(*l->ips));
	l->ip_count = spec->ip_count;
	l->rate = spec->rate;
	return l;
}

void link_free(struct net_link *l)
{
	free(l->eth);
	free(l->label);
	free(l->ips);
	free(l);
}

static const struct ip *first_ip4(const struct net_link *l)
{
	for (size_t i = 0; i < l->ip_count; i++)
		if (l->ips[i].len == IP4_BYTES)
			return &l->ips[i];
	return NULL;
}

/* Locally administered, from the address, else from the port: the same in every drill. */
static void choose_mac(struct net_link *l)
{
	const struct ip *ip = first_ip4(l);
	memcpy(l->mac, (const uint8_t[]){ 0x02, ip != NULL ? 0x00 : 0x01, 0, 0, 0, 0 }, MAC_BYTES);
	if (ip != NULL) {
		memcpy(l->mac + 2, ip->bytes, IP4_BYTES);
		return;
	}
	l->mac[4] = (uint8_t)(l->number >> 8);
	l->mac[5] = (uint8_t)l->number;
}

/* veth, both ends known by index; nothing is up yet. */
static int make_pair(struct net_link *l, int netns_fd, struct err *e)
{
	struct network *s = l->net;
	uint8_t port_mac[MAC_BYTES];
	char name[IFNAMSIZ];
	(void)snprintf(name, sizeof(name), "port-%zu", l->number);
	choose_mac(l);
	memcpy(port_mac, l->mac, sizeof(port_mac));
	port_mac[1] = 0xFF;

	struct lnl_end port = { name, port_mac, l->on->mtu }, eth = { l->eth, l->mac, l->on->mtu };
	struct lnl_info info;
	if (lnl_veth(s->nl, &port, &eth, netns_fd, e) < 0 || lnl_info(s->nl, 0, name, &info, e) < 0)
		return -1;
	l->port = info.ifindex;
	if (lnl_info(l->host->inside, 0, l->eth, &info, e) < 0)
		return -1;
	l->eth_index = info.ifindex;
	if (info.gso_segs != 1)
		return ERR(e, 0, "the kernel keeps %u segments a packet on %s, not 1",
			   info.gso_segs, l->eth);
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
	    lnl_info(l->host->inside, l->eth_index, NULL, &eth, e) < 0)
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
			return ERR(e, ETIMEDOUT, "the link of '%s' does not forward", l->label);
		nap(UP_POLL);
	}
}

/* The switch and the neighbours are static, so that nobody has to be asked for; and only an
 * interface without address resolution joins no multicast groups for its IPv6 addresses, which it
 * would report, again after every cut. */
static int give_addresses(struct net_link *l, int netns_fd, struct err *e)
{
	struct nl_sock *inside = l->host->inside;
	bool ip6 = false;
	for (size_t i = 0; i < l->ip_count; i++)
		ip6 = ip6 || l->ips[i].len == IP6_BYTES;
	if (ip6 && (lnl_no_arp(inside, l->eth_index, e) < 0 || netns_ip6(netns_fd, l->eth, e) < 0))
		return -1;
	for (size_t i = 0; i < l->ip_count; i++)
		if (lnl_address(inside, l->eth_index, &l->ips[i], e) < 0)
			return -1;
	return 0;
}

static int plug(struct net_link *l, int netns_fd, struct err *e)
{
	struct nl_sock *nl = l->net->nl;
	if (lnl_enslave(nl, l->port, l->on->bridge, LNL_PORT_NODE, e) < 0 ||
	    give_addresses(l, netns_fd, e) < 0 ||
	    lnl_set_up(l->host->inside, l->eth_index, true, e) < 0 ||
	    lnl_set_up(nl, l->port, true, e) < 0 || lnl_fdb_set(nl, l->port, l->mac, e) < 0)
		return -1;
	if (l->rate > 0 && (lnl_rate(nl, l->port, l->rate, e) < 0 ||
			    lnl_rate(l->host->inside, l->eth_index, l->rate, e) < 0))
		return -1;
	return wait_ready(l, e);
}

void link_unplug(struct net_link *l)
{
	if (l->port != 0)
		lnl_delete(l->net->nl, l->port);
	l->port = l->eth_index = 0;
}

int link_connect(struct net_link *l, int netns_fd, struct err *e)
{
	if (make_pair(l, netns_fd, e) == 0 && plug(l, netns_fd, e) == 0)
		return 0;
	link_unplug(l);
	return err_prefix(e, "link of '%s'", l->label);
}

const char *link_node(const struct net_link *l)
{
	return l->host->name;
}

const char *link_switch(const struct net_link *l)
{
	return l->on->name;
}

const char *link_name(const struct net_link *l)
{
	return l->label;
}

const struct ip *link_ips(const struct net_link *l, size_t *ret_count)
{
	*ret_count = l->ip_count;
	return l->ips;
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
	struct lnl_end sink = { in_name, NULL, l->on->mtu }, drain = { out_name, NULL, l->on->mtu };
	if (lnl_veth(nl, &sink, &drain, -1, e) < 0 || lnl_info(nl, 0, in_name, &in, e) < 0 ||
	    lnl_info(nl, 0, out_name, &out, e) < 0 ||
	    lnl_enslave(nl, in.ifindex, l->on->bridge, LNL_PORT_SINK, e) < 0 ||
	    lnl_set_up(nl, out.ifindex, true, e) < 0 || lnl_set_up(nl, in.ifindex, true, e) < 0)
		return err_prefix(e, "sink for the link of '%s'", l->label);

	int64_t deadline = clock_now() + UP_WAIT_MAX;
	while (in.port_state != BR_STATE_FORWARDING) {
		if (clock_now() >= deadline)
			return ERR(e, ETIMEDOUT, "the sink for the link of '%s' does not forward",
				   l->label);
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
	if (lnl_info(l->host->inside, l->eth_index, NULL, &eth, e) < 0)
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
		return err_prefix(e, "cut the link of '%s'", l->label);
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
		return err_prefix(e, "mend the link of '%s'", l->label);
	if (l->cut && drops_since(l, &drops, e) < 0)
		return -1;
	l->dropped += drops;
	l->cut = false;
	if (lnl_rate_get(l->net->nl, l->port, &rate, e) < 0)
		return -1;
	if (rate != l->rate)
		return ERR(e, 0, "the link of '%s' lost its rate limit in the cut", l->label);
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
	    lnl_fdb_get(l->net->nl, l->on->bridge, l->mac, &port, e) < 0)
		return err_prefix(e, "link of '%s'", l->label);
	*ret = ready && port == l->port;
	return 0;
}

int link_lost_frames(struct net_link *l, uint64_t *ret, struct err *e)
{
	struct lnl_info sink = { 0 };
	uint64_t drops = 0;
	if ((l->sink != 0 && lnl_info(l->net->nl, l->sink, NULL, &sink, e) < 0) ||
	    (l->cut && !l->detached && drops_since(l, &drops, e) < 0))
		return err_prefix(e, "link of '%s'", l->label);
	*ret = sink.tx_packets - l->sink_base + l->dropped + drops;
	return 0;
}

int link_bytes(struct net_link *l, uint64_t *sent, uint64_t *received, struct err *e)
{
	struct lnl_info port = { 0 };
	if (!l->detached && lnl_info(l->net->nl, l->port, NULL, &port, e) < 0)
		return err_prefix(e, "link of '%s'", l->label);
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
		return err_prefix(e, "take down the link of '%s'", l->label);
	l->dropped += drops;
	l->sent = sent;
	l->received = received;
	l->detached = true;
	link_unplug(l);
	return 0;
}
