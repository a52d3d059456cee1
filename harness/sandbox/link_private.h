/* SPDX-License-Identifier: MIT */
/* Private to link.c and network.c. */
#ifndef BACKOUT_SANDBOX_LINK_PRIVATE_H
#define BACKOUT_SANDBOX_LINK_PRIVATE_H

#include "harness/sandbox/link_nl.h"
#include "harness/sandbox/network.h"

enum { NETWORK_HOSTS_MAX = 64 };

struct net_switch {
	char *name;
	uint32_t mtu;
	int bridge;
};

struct net_link {
	struct network *net;
	const struct net_switch *on;
	struct net_host *host;
	char *label;   /* link_name() */
	char *eth;     /* the interface's name in the node */
	size_t number; /* of its port */
	struct ip *ips;
	size_t ip_count;
	uint64_t rate;
	uint8_t mac[MAC_BYTES];
	int port, eth_index; /* interface indexes: in the switch, in the node */
	int sink;            /* the port that swallows frames for it; 0: not made yet */
	uint64_t sink_base;  /* frames that the sink had sent when it was made */
	bool cut;
	bool detached;           /* the node is down: no port, no interface, nobody inside */
	uint64_t sent, received; /* by ports that are gone */
	uint64_t drop_base;      /* frames that the interface had dropped when it was cut */
	uint64_t dropped;        /* by it in cuts that are over */
};

struct net_host {
	char *name;
	bool forward, ip6, several;
	struct nl_sock *inside; /* speaks to the node's namespace, and keeps that alive */
	struct net_link *link[NETWORK_SWITCHES_MAX];
	size_t links;
	struct net_route *routes;
	size_t route_count;
};

struct network {
	struct nl_sock *nl;
	struct net_switch sw[NETWORK_SWITCHES_MAX];
	size_t switches;
	struct net_host *host[NETWORK_HOSTS_MAX];
	size_t hosts, ports;
	unsigned sinks;
};

/* --- link.c --- */
struct net_link *link_new(struct net_host *h, const struct net_switch *on,
			  const struct link_spec *spec, struct network *net);
void link_free(struct net_link *l);
/* The veth, its addresses, up and forwarding; the host's `inside` is open. On failure the link is
 * unplugged again. */
int link_connect(struct net_link *l, int netns_fd, struct err *e);
void link_unplug(struct net_link *l);
/* What the links of a host that goes down have seen is kept. */
int link_detach(struct net_link *l, struct err *e);

#endif
