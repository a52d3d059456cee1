/* SPDX-License-Identifier: MIT */
/* Network namespaces from within: entering one for a moment, and its settings. */
#ifndef BACKOUT_SANDBOX_NETNS_H
#define BACKOUT_SANDBOX_NETNS_H

#include <stdbool.h>

#include "harness/base/err.h"

int netns_own(struct err *e); /* a descriptor of the calling thread's; -1 */
int netns_enter(int fd, struct err *e);
void netns_return(int fd); /* aborts when it cannot */
/* A new one, for good: who is root of a user namespace alone (userns.h) cannot return to the host's
 * as the above do. Nothing for others. */
int netns_leave(struct err *e);

/* In the calling thread's namespace: no interface speaks IPv6. */
int netns_no_ip6(struct err *e);
/* A node's namespace without interfaces but lo. Forwarding is off unless asked for, whatever the
 * host has; later interfaces speak no IPv6 before netns_ip6(), and then say nothing by themselves:
 * no addresses of their own, no duplicate detection, no router solicitation. */
struct netns_spec {
	bool ip6, forward;
};
int netns_prepare(const struct netns_spec *spec, struct err *e);
int netns_ip6(int netns_fd, const char *interface, struct err *e);

#endif
