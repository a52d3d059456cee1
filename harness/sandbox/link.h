/* SPDX-License-Identifier: MIT */
/*
 * One link: a veth from a node to a port of one of the drill's switches (network.h makes them), by
 * libnl-3 (named in link_nl.c alone).
 */
#ifndef BACKOUT_SANDBOX_LINK_H
#define BACKOUT_SANDBOX_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"

struct ip;
struct net_link;

const char *link_node(const struct net_link *l);
const char *link_switch(const struct net_link *l);
/* "node web", or "node web on front" where the node has several; valid while the link is. */
const char *link_name(const struct net_link *l);
const struct ip *link_ips(const struct net_link *l, size_t *ret_count);

/* Cutting a link: its switch port goes down, so the node loses its carrier, and frames sent to
 * it by others go into a counting sink. link_prepare_cut() makes the sink beforehand (else the
 * cut does). Mending waits (two seconds at most) until frames pass again, so that the first one
 * is not lost; it needs nothing from the node. Asked for twice, both do nothing the second time. */
int link_prepare_cut(struct net_link *l, struct err *e);
int link_set_up(struct net_link *l, bool up, struct err *e);
/* Asked of the kernel anew: port up, carrier, forwarding, the forwarding entry in place. A carrier
 * that is missing because the node itself took its interface down does not count against it. */
int link_is_up(struct net_link *l, bool *ret, struct err *e);
/* Frames that cuts have swallowed so far: for this node (by the sink) and from it (by its own
 * interface). */
int link_lost_frames(struct net_link *l, uint64_t *ret, struct err *e);
/* Bytes that the node has sent and received over its link, counted at the switch's port. */
int link_bytes(struct net_link *l, uint64_t *sent, uint64_t *received, struct err *e);

#endif
