/* SPDX-License-Identifier: MIT */
/* Names of nodes in a node's own /etc/hosts. */
#ifndef BACKOUT_SANDBOX_HOSTS_H
#define BACKOUT_SANDBOX_HOSTS_H

#include "harness/sandbox/network.h"
#include "harness/sandbox/node.h"

/* Appends what is not named there yet (it is made when there is none): from then on it is a file of
 * the node as any other. 1: done; 0: it cannot be written, and *ret_why (a static text) says so;
 * -1. */
int hosts_write(const struct node *at, const struct network *n, const char **ret_why,
		struct err *e);

#endif
