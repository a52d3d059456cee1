/* SPDX-License-Identifier: MIT */
/*
 * What a node's init gives up before it serves, and with it all that it starts: the parts of /proc
 * and /sys that speak of the host, capabilities beyond a table, resource limits, system calls
 * (baseline.h). Init keeps no more than its programs get, for whoever may trace processes can be
 * init. In the node, by its init; never undone.
 */
#ifndef BACKOUT_SANDBOX_CONFINE_H
#define BACKOUT_SANDBOX_CONFINE_H

#include <stdbool.h>

#include "harness/base/err.h"

struct sock_fprog;

/* Needs /proc, /sys and /dev/null in their places. */
int confine_mounts(struct err *e);
/* Sockets, descriptors, locked memory and the like; as a login gives, and none may raise them. */
int confine_limits(struct err *e);
/* The last step: without CAP_SYS_ADMIN-like powers nothing above can be done any more. */
int confine_process(const struct sock_fprog *program, bool no_new_privs, struct err *e);

#endif
