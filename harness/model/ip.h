/* SPDX-License-Identifier: MIT */
/* Addresses of both families as plain values. No resolver, no system calls. */
#ifndef BACKOUT_MODEL_IP_H
#define BACKOUT_MODEL_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IP4_BYTES = 4, IP6_BYTES = 16, IP_TEXT_MAX = 64 };

struct ip {
	uint8_t bytes[IP6_BYTES]; /* network order; what the family does not need is 0 */
	uint8_t len;              /* IP4_BYTES or IP6_BYTES; 0: none */
	uint8_t prefix;           /* bits of its network; 0 where none was given */
};

/* "10.0.0.2" or "fd00::2". */
bool ip_parse(const char *text, struct ip *ret);
/* "10.0.0.2/24" or "fd00::2/64": the prefix in plain digits, at most the family's bits. */
bool ip_parse_prefix(const char *text, struct ip *ret);
const char *ip_text(const struct ip *a, char buf[IP_TEXT_MAX]);
const char *ip_prefix_text(const struct ip *a, char buf[IP_TEXT_MAX]);

unsigned ip_bits(const struct ip *a);                 /* 32 or 128 */
bool ip_same(const struct ip *a, const struct ip *b); /* the prefixes apart */
/* Is `a` in the network that `net` lies in? Never across families. */
bool ip_within(const struct ip *a, const struct ip *net);
/* Do the two networks have an address in common? */
bool ip_overlap(const struct ip *a, const struct ip *b);
/* The same with all host bits 0, or (`ones`) 1. */
struct ip ip_network(const struct ip *a, bool ones);
/* What a host can have: no loopback, multicast, link-local, unspecified or mapped address. */
bool ip_for_hosts(const struct ip *a);
/* A network all of whose addresses are such. */
bool ip_none_for_hosts(const struct ip *net);

#endif
