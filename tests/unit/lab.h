/* SPDX-License-Identifier: MIT */
/* Real nodes on the busybox root for tests of what watches, cuts and strikes them. */
#ifndef TESTS_UNIT_LAB_H
#define TESTS_UNIT_LAB_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/base/loop.h"
#include "harness/sandbox/network.h"
#include "harness/sandbox/node.h"
#include "harness/sandbox/owner.h"

enum { LAB_NODES_MAX = 3 };

struct lab {
	struct loop *loop;
	struct owner *owner;
	struct node *node[LAB_NODES_MAX]; /* "n0", "n1", ... */
	size_t count;
	struct network *net; /* lab_links() */
	struct net_link *link[LAB_NODES_MAX];
};

/* Fails the test when it cannot. The caller's network namespace changes with lab_links(). */
void lab_begin(struct lab *lab, size_t nodes);
/* One node, whose programs may mount. */
void lab_begin_mounting(struct lab *lab);
/* The same with disks of their own: image_disk() of the busybox root. */
void lab_begin_disks(struct lab *lab, size_t nodes, enum disk_fs fs, uint64_t size);
/* 10.9.0.1/24 and up, each with this rate (0: none). */
void lab_links(struct lab *lab, uint64_t rate);
/* Its IPv4 address, in network byte order. */
uint32_t lab_addr(const struct net_link *l);
/* Fails the test when anything is left. */
void lab_end(struct lab *lab);

/* Copy a file of this host into a node (folders are made), mode 0755. */
void lab_copy(struct lab *lab, size_t node, const char *from, const char *to);
void lab_write(struct lab *lab, size_t node, const char *to, const char *text);
bool lab_exists(struct lab *lab, size_t node, const char *path);

/* sh -c in a node: its wait status; what it printed when `out` is not NULL. */
int lab_sh(struct lab *lab, size_t node, const char *script, struct buf *out);
/* The same as a step of the workflow would run it: not apart. Without output. */
int lab_step(struct lab *lab, size_t node, const char *script);
/* Runs the loop for this long, or until *done when that is not NULL (then failing to become
 * true fails the test). */
void lab_run(struct lab *lab, const bool *done, int64_t ns);

#endif
