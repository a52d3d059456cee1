/* SPDX-License-Identifier: MIT */
/*
 * Probes: one question about health, asked once a call; the engine repeats it. A probe never
 * blocks: it answers through the loop. One file a kind, one const descriptor, one row in list.h.
 */
#ifndef BACKOUT_PROBES_PROBE_H
#define BACKOUT_PROBES_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/loop.h"
#include "harness/model/kind.h"
#include "harness/sandbox/network.h"
#include "harness/sandbox/node.h"

enum { PROBE_DETAIL_MAX = 240 };

struct probe_env {
	struct loop *loop;
	struct node *node;   /* where it asks from */
	struct network *net; /* names of nodes -> addresses; NULL without links */
};

struct probe_result {
	bool ok;
	int64_t started, ended;        /* CLOCK_MONOTONIC ns */
	char detail[PROBE_DETAIL_MAX]; /* "HTTP 200", "connection refused", "exit 1: ..." */
};

typedef void (*probe_done_fn)(void *arg, const struct probe_result *r);

struct probe_call; /* one question under way; each kind has its own, behind this */

struct probe_kind {
	struct kind kind;
	/* `done` is called exactly once, from the loop (never inside start), unless cancelled; it
	 * may call end(). A question that takes longer than timeout_ns (> 0) is answered "no"
	 * (timed out). -1 only for our own trouble (no descriptor left) and for what a scenario
	 * should not say (a host that is no node: exit 65); the world's trouble is an answer.
	 * `params` and `env` may go when start() returns. A probe that starts a program runs the
	 * loop inside start(), for a few ms: the caller must stand being called back there, for
	 * other things. */
	int (*start)(struct probe_call **ret, const struct probe_env *env, const void *params,
		     int64_t timeout_ns, probe_done_fn done, void *arg, struct err *e);
	void (*end)(struct probe_call *c); /* frees it, cancels it first; NULL-safe */
};

extern const struct probe_kind *const probe_kinds[]; /* NULL-terminated; list.c */

#endif
