/* SPDX-License-Identifier: MIT */
/*
 * Root for who is not: an ordinary user's harness works in a user namespace of its own, where the
 * user is root, and with newuidmap(1), newgidmap(1) and a range in /etc/subuid and /etc/subgid
 * also everybody else. All capabilities are of that namespace: the kernel has no overlay with
 * index=on, no erofs, no loop devices and no fanotify permission events for it, and makes no
 * devices. user_namespaces(7), newuidmap(1), subuid(5).
 */
#ifndef BACKOUT_SANDBOX_USERNS_H
#define BACKOUT_SANDBOX_USERNS_H

#include <stdbool.h>

#include "harness/base/err.h"

enum userns {
	USERNS_HOST,   /* not in one: the host's own ids */
	USERNS_RANGES, /* in one with the ids that systems use, 0 to 65533 at least */
	USERNS_ONE,    /* in one with root alone: no file can belong to anybody else */
};

/* Once, in a process of one thread, before it makes anything; forks are in it from there. Nothing
 * for who is root already. -1: all stays as it was, and userns_refusal() says why. */
int userns_enter(void);
/* Why userns_enter() failed; NULL: it did not, or was not asked. */
const char *userns_refusal(void);
/* Where this process is, entered or born there (as root of a rootless container). */
enum userns userns_kind(void);
/* Was an ordinary user's until userns_enter(). */
bool userns_entered(void);
/* What differs then, in a line for a person; NULL on the host. */
const char *userns_notice(void);

#endif
