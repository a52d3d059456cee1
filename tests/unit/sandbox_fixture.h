/* SPDX-License-Identifier: MIT */
/* What the tests of nodes share: a state folder, an owner, a loop, nodes over busybox. */
#ifndef TESTS_UNIT_SANDBOX_FIXTURE_H
#define TESTS_UNIT_SANDBOX_FIXTURE_H

#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/base/loop.h"
#include "harness/sandbox/node.h"
#include "harness/sandbox/owner.h"

struct bench {
	char state[300]; /* the state folder */
	struct owner *owner;
	struct loop *loop;
	unsigned nodes; /* made so far: each has a work folder of its own */
	bool may_mount; /* those that bench_node() will make */
};

void bench_open(struct bench *b);
/* Fails the test when anything is left: objects, groups, folders, mounts, network devices. */
void bench_close(struct bench *b);
/* Destroys the node, which must leave nothing either, before. */
void bench_close_with(struct bench *b, struct node *n);

/* A node over the busybox root; limits may be NULL. Fails the test when it cannot be made. */
struct node *bench_node(struct bench *b, const char *name, const struct cgroup_limits *limits);
/* A new work folder, to be copied. */
const char *bench_work(struct bench *b);
/* An erofs image of the busybox root, made once. */
const char *bench_image(void);

/* sh -c in the node, at most 10 s. The wait status; `out` may be NULL. */
int bench_sh(struct node *n, const char *script, struct buf *out);
/* The same, without the last newline, and it must end with 0. Valid until the next call. */
const char *bench_ask(struct node *n, const char *script);
/* Until `pid` is gone or a zombie; false after 5 s. */
bool bench_gone(pid_t pid);
/* How many control groups on this host have `part` in their name. */
unsigned bench_groups(const char *part);

#endif
