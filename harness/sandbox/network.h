/* SPDX-License-Identifier: MIT */
/*
 * A drill's network: private switches in a network namespace of its own, and the nodes that have
 * links (link.h) to them. The host's own network namespace is never changed: network_create()
 * moves the calling process into a new one first.
 *
 * Forwarding entries and neighbours are static, learning and flooding are off; IPv6 is off where no
 * address asks for it, and says nothing by itself where one does: no frame moves that a node did
 * not send. Needs CAP_NET_ADMIN, CAP_SYS_ADMIN.
 */
#ifndef BACKOUT_SANDBOX_NETWORK_H
#define BACKOUT_SANDBOX_NETWORK_H

#include "harness/base/buf.h"
#include "harness/model/ip.h"
#include "harness/sandbox/link.h"

enum { NETWORK_SWITCHES_MAX = 16 };

struct network;

/* unshare(CLONE_NEWNET) for the calling (drill) process. */
int network_create(struct network **ret, struct err *e);
/* Also frees the links. NULL-safe. The switches' namespace goes with the process; each host keeps
 * its node's namespace until then. */
void network_destroy(struct network *n);
/* A bridge; at most NETWORK_SWITCHES_MAX of them. `mtu` in bytes. */
int network_add_switch(struct network *n, const char *name, uint32_t mtu, struct err *e);

struct link_spec {
	const char *on;       /* the switch */
	const struct ip *ips; /* with prefixes; at least one */
	size_t ip_count;
	uint64_t rate; /* bytes per second, each way (tbf); 0: unlimited */
};

struct net_route {
	struct ip to, via; /* `via` has no prefix; to.prefix 0: all the rest */
};

struct host_spec {
	const char *name;              /* of the node */
	int netns_fd;                  /* the node's; stays the caller's */
	bool forward;                  /* packets for others go on, by IPv4 and IPv6 */
	const struct link_spec *links; /* eth0, eth1, ... inside; each on another switch */
	size_t link_count;
	const struct net_route *routes; /* put in by network_seal() */
	size_t route_count;
};

/* A node's links: veths (one segment a packet), addresses, up, rates read back. The node's settings
 * for forwarding are this call's from then on. On failure nothing is left. */
int network_attach(struct network *n, const struct host_spec *spec, struct err *e);
/* After the last network_attach(): in every node static neighbours for all others on its switches,
 * and its routes. */
int network_seal(struct network *n, struct err *e);

/* The node is gone for good: its links and sinks go, our hold on its namespace, and its place among
 * the hosts. No host of that name: nothing is done. */
void network_detach(struct network *n, const char *node);

/* NULL: there is none. `on` NULL: the node's first. */
struct net_link *network_find(struct network *n, const char *node, const char *on);
/* What `from` calls by that name: NODE, or NODE.SWITCH. Of a node with several links the one on the
 * first switch that both are on, else its first. Its IPv4 address if there is one. */
bool network_resolve(const struct network *n, const char *from, const char *name, struct ip *ret);
/* Lines of a hosts file, as network_resolve() sees it, with all addresses. With several switches
 * names of single links come, too. A name for which `known` says so is left out. */
typedef bool (*network_known_fn)(void *arg, const char *name);
void network_hosts(const struct network *n, const char *from, network_known_fn known, void *arg,
		   struct buf *out);

/* All links of a node. The node has gone down: its ports go, and what others send to it is lost and
 * counted as in a cut; twice is as once. And up again, in a new namespace: as network_attach() and
 * network_seal() made it, with counters that go on; a link that is cut meanwhile comes back cut. A
 * node without links is none here: nothing is done. */
int network_node_down(struct network *n, const char *node, struct err *e);
int network_node_up(struct network *n, const char *node, int netns_fd, struct err *e);
/* link_prepare_cut(), link_lost_frames() together, link_is_up() of all. */
int network_node_prepare_cut(struct network *n, const char *node, struct err *e);
int network_node_lost_frames(struct network *n, const char *node, uint64_t *ret, struct err *e);
int network_node_is_up(struct network *n, const char *node, bool *ret, struct err *e);

/* A stream socket whose packets start in that node: socket(2) under its namespace. -1 on error. */
int network_socket(int netns_fd, int domain, int type, struct err *e);

#endif
