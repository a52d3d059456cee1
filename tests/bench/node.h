/* SPDX-License-Identifier: MIT */
/*
 * The bench of nodes: who makes them (makers), and the processes in which each does so (lanes).
 * One "node" is the same for all: an overlay root, six namespaces, a veth to a switch, limits of
 * memory and processes; run `true`; all of it gone.
 */
#ifndef TESTS_BENCH_NODE_H
#define TESTS_BENCH_NODE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/sandbox/network.h"
#include "harness/sandbox/node.h"

enum {
	MEMORY_LIMIT = 256 << 20, /* bytes, of each node */
	PIDS_LIMIT = 64,
	ROUNDS_MAX = 4096, /* of a lane in one go */
};
#define SWITCH "sw0" /* the first bridge of a network */

/* What a lane's process works with; made by it, and gone with it. */
struct site {
	const char *root;    /* the folder that is the lower */
	const char *state;   /* ours: for owners */
	const char *scripts; /* the folder of the peers' */
	char *dir;           /* of this lane alone, on the file system of `state` */
	char *mark;          /* in every name that outlives a process: "bench<pid>-<lane>" */
	unsigned serial;     /* of the next node */
	struct network *net; /* the process's own network, with the one switch */
	struct loop *loop;   /* ours alone */
	struct owner *owner;
	struct ip ip;
};

/* How nodes are made. begin() is not timed, and ends with its process. */
struct maker {
	const char *name;
	int (*begin)(struct site *s, struct err *e);
	int (*once)(struct site *s, struct err *e);
	const char *script; /* of a peer, in `scripts`; NULL: in this program */
	bool no_v2;         /* a peer that refuses cgroup v2 beside v1: it does not see v2 */
	unsigned rounds;    /* for one that takes long fewer, as a part of 100 */
};

int ours_begin(struct site *s, struct err *e);
int ours_once(struct site *s, struct err *e);
/* One that stays, until node_destroy(). `n`: its number on the switch. */
int ours_up(struct site *s, unsigned n, struct node **ret, struct err *e);

int floor_begin(struct site *s, struct err *e);
int floor_once(struct site *s, struct err *e);
int floor_socket(void); /* of netlink, in the present namespace */
void floor_link(int inside, int netns_fd, int bridge, unsigned serial);

/* In a mount namespace of the lane's own, so that what a peer that fails leaves mounted goes. */
int peer_begin(struct site *s, bool no_v2, struct err *e);
int peer_once(struct site *s, const char *script, struct err *e);

/* ---- lanes: node_lane.c ---- */

struct lane;
/* Forks the process of a lane, in a memory group of its own where v1 counts. On failure *ret is
 * untouched and e has what the process said. */
int lane_start(struct lane **ret, const struct maker *m, const struct site *base, unsigned number,
	       struct err *e);
/* Begins `count` rounds; lane_wait() ends them: their times in ns, valid until the next. */
void lane_go(struct lane *l, size_t count);
int lane_wait(struct lane *l, const int64_t **ret, struct err *e);
/* The most memory that one more round took beyond what the lane has at rest; 0: not counted. */
int lane_peak(struct lane *l, uint64_t *ret, struct err *e);
void lane_end(struct lane *l); /* NULL-safe */
/* In a new fork: of all but stdio it keeps this descriptor alone; its new number. */
int fork_keeps(int fd);

/* ---- nodes that only live ---- */

struct crowd;
int crowd_start(struct crowd **ret, const struct site *base, unsigned count, struct err *e);
int crowd_end(struct crowd *c, struct err *e); /* NULL-safe */

/* How many things with this mark are left on the host, named in `ret`: processes of this one,
 * control groups, mounts, named network namespaces, interfaces. */
struct buf;
unsigned left_over(const char *mark, struct buf *ret);
/* Of a peer that has failed: its control groups and named namespaces go. */
void left_remove(const char *mark);
unsigned host_interfaces(void);

#endif
