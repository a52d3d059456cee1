/* SPDX-License-Identifier: MIT */
/*
 * Links: a private switch (a bridge in a network namespace of its own) and a veth from it to
 * each node, by libnl-3 (named in link.c alone). The host's own network namespace is never
 * changed: switch_create() moves the calling process into a new one first.
 *
 * Forwarding entries and neighbours are static, learning and flooding are off, IPv6 is off: no
 * frame moves that a node did not send. Needs CAP_NET_ADMIN, CAP_SYS_ADMIN.
 */
#ifndef BACKOUT_SANDBOX_LINK_H
#define BACKOUT_SANDBOX_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"

struct net_switch;
struct net_link;

/* unshare(CLONE_NEWNET) for the calling (drill) process, then the bridge in there. */
int switch_create(struct net_switch **ret, struct err *e);
/* Also frees the links. NULL-safe. The switch's namespace goes with the process; each link keeps
 * its node's namespace until then. */
void switch_destroy(struct net_switch *s);

struct link_spec {
	const char *name; /* of the node */
	int netns_fd;     /* the node's; stays the caller's */
	uint32_t addr;    /* network byte order */
	uint8_t prefix;
	uint64_t rate; /* bytes per second, each way (tbf); 0: unlimited */
};

/* veth (eth0 inside, one segment a packet), address, up, rate read back; returns a link that the
 * switch owns. On failure nothing is left. */
int link_attach(struct net_switch *s, const struct link_spec *spec, struct net_link **ret,
		struct err *e);
/* After the last link_attach: static neighbours in every node for every other. */
int switch_seal(struct net_switch *s, struct err *e);
struct net_link *switch_find(struct net_switch *s, const char *name); /* NULL: none */
const char *link_name(const struct net_link *l);
uint32_t link_addr(const struct net_link *l);

/* Cutting a link: its switch port goes down, so the node loses its carrier, and frames sent to
 * it by others go into a counting sink. link_prepare_cut() makes the sink beforehand (else the
 * cut does). Mending waits (two seconds at most) until frames pass again, so that the first one
 * is not lost; it needs nothing from the node. Asked for twice, both do nothing the second time. */
int link_prepare_cut(struct net_link *l, struct err *e);
int link_set_up(struct net_link *l, bool up, struct err *e);
/* The node has gone down: its port goes, and what others send to it is lost and counted as in a
 * cut; twice is as once. And up again, in a new namespace: as link_attach() and switch_seal() made
 * it, with its counters going on; a link that is cut meanwhile comes back cut. */
int link_detach(struct net_link *l, struct err *e);
int link_reattach(struct net_link *l, int netns_fd, struct err *e);
/* Asked of the kernel anew: port up, carrier, forwarding, the forwarding entry in place. A carrier
 * that is missing because the node itself took its eth0 down does not count against the link. */
int link_is_up(struct net_link *l, bool *ret, struct err *e);
/* Frames that cuts have swallowed so far: for this node (by the sink) and from it (by its eth0). */
int link_lost_frames(struct net_link *l, uint64_t *ret, struct err *e);
/* Bytes that the node has sent and received over its link, counted at the switch's port. */
int link_bytes(struct net_link *l, uint64_t *sent, uint64_t *received, struct err *e);

/* A stream socket whose packets start in that node: socket(2) under its namespace. -1 on error. */
int link_socket(int netns_fd, int domain, int type, struct err *e);

#endif
