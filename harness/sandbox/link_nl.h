/* SPDX-License-Identifier: MIT */
/*
 * The rtnetlink requests behind link.c, through libnl-3: private to link*.c. Each call is one
 * request and its answer; a socket speaks to the network namespace in which it was opened.
 */
#ifndef BACKOUT_SANDBOX_LINK_NL_H
#define BACKOUT_SANDBOX_LINK_NL_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/model/ip.h"

enum { MAC_BYTES = 6 };

struct nl_sock;

/* In the calling process's network namespace. */
int lnl_open(struct nl_sock **ret, struct err *e);
void lnl_close(struct nl_sock *sk); /* NULL-safe */

struct lnl_info {
	int ifindex;
	uint32_t flags;    /* IFF_UP, IFF_LOWER_UP ... */
	uint8_t operstate; /* IF_OPER_UP ... */
	int port_state;    /* BR_STATE_FORWARDING ...; -1: not a bridge port */
	uint32_t gso_segs; /* largest number of segments in one packet of its own */
	uint64_t rx_bytes, tx_bytes, tx_packets, tx_dropped;
};
/* By index, or by name when `name` is not NULL. */
int lnl_info(struct nl_sock *sk, int ifindex, const char *name, struct lnl_info *ret,
	     struct err *e);

/* A bridge that neither delays, learns for long, nor listens to multicast groups; up. */
int lnl_bridge(struct nl_sock *sk, const char *name, int *ret_ifindex, struct err *e);

struct lnl_end {
	const char *name;
	const uint8_t *mac; /* MAC_BYTES, or NULL: the kernel's choice */
	uint32_t mtu;       /* bytes; 0: the kernel's choice */
};
/* Both ends of a veth pair; the peer starts its life in `peer_netns` (-1: here). The peer sends
 * one segment a packet, so that counters and rates move in frames and not in lumps of 64 KiB. */
int lnl_veth(struct nl_sock *sk, const struct lnl_end *end, const struct lnl_end *peer,
	     int peer_netns, struct err *e);
int lnl_set_up(struct nl_sock *sk, int ifindex, bool up, struct err *e);

/* As good as it goes: for the way out of a failure. */
void lnl_delete(struct nl_sock *sk, int ifindex);

enum lnl_port {
	LNL_PORT_NODE, /* broadcast goes to it, unknown unicast does not; it does not learn */
	LNL_PORT_SINK, /* gets only what a forwarding entry sends to it */
};
int lnl_enslave(struct nl_sock *sk, int ifindex, int bridge, enum lnl_port kind, struct err *e);
int lnl_port_forward(struct nl_sock *sk, int ifindex, struct err *e);

/* The bridge's static entry: frames to `mac` leave by `port`. Replaces an older one. */
int lnl_fdb_set(struct nl_sock *sk, int port, const uint8_t *mac, struct err *e);
/* By which port frames to `mac` leave; 0: no entry. */
int lnl_fdb_get(struct nl_sock *sk, int bridge, const uint8_t *mac, int *ret_port, struct err *e);

/* No ARP, no neighbour discovery: frames go to the neighbours that are told, and nowhere else. */
int lnl_no_arp(struct nl_sock *sk, int ifindex, struct err *e);
int lnl_address(struct nl_sock *sk, int ifindex, const struct ip *a, struct err *e);
int lnl_neighbour(struct nl_sock *sk, int ifindex, const struct ip *a, const uint8_t *mac,
		  struct err *e);
/* In the main table; to->prefix 0: the default route. */
int lnl_route(struct nl_sock *sk, const struct ip *to, const struct ip *via, struct err *e);

/* tbf as the root qdisc, read back: an error when the kernel holds something else. */
int lnl_rate(struct nl_sock *sk, int ifindex, uint64_t rate, struct err *e);
/* The rate of the root tbf in bytes per second; 0: no tbf there. */
int lnl_rate_get(struct nl_sock *sk, int ifindex, uint64_t *ret, struct err *e);

#endif
