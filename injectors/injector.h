/* SPDX-License-Identifier: MIT */
/*
 * Injectors: the code that breaks one kind of thing and can undo it. An injector knows nothing
 * of triggers. One file a kind, one const descriptor, one row in list.h.
 *
 * Life: create (before the patch: everything slow, and the copies that undo needs) -> strike
 * (at the trigger) -> felt (reported as soon as it is seen) -> undo -> verify -> destroy. Undo
 * does not depend on the faulted thing co-operating, is called at most once after a strike, and
 * verify asks the kernel or the disk anew. An injector that never struck has nothing to undo,
 * but verify must still hold.
 */
#ifndef INJECTORS_INJECTOR_H
#define INJECTORS_INJECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/base/loop.h"
#include "harness/model/kind.h"
#include "harness/sandbox/callwatch.h"
#include "harness/sandbox/network.h"
#include "harness/sandbox/node.h"

enum { INJECT_DETAIL_MAX = 240 };

struct inject_env {
	/* create() copies the struct; what it points to outlives the injection. */
	struct loop *loop;
	struct network *net;                                    /* NULL in a drill without links */
	struct node *(*find_node)(void *arg, const char *name); /* NULL: none */
	const struct node *const *nodes;                        /* all nodes of the drill */
	size_t node_count;
	const char *work_dir; /* existing folder on the host for saved copies */
	/* The effect was met. Only the first call counts; may come before strike() returns. */
	void (*felt)(void *arg, const char *evidence);
	void (*notice)(void *arg, const char *text);
	bool (*step_running)(void *arg); /* a step of the workflow runs at this moment */
	/* How often so far a step has failed, the goal was missed or steady state was lost. */
	unsigned (*troubles)(void *arg);
	/* The injector has taken this node down; and: boot it, with its link and its services. */
	void (*down)(void *arg, struct node *n, const char *why);
	int (*boot)(void *arg, struct node *n, struct err *e);
	void *arg;
};

/* Where and at whom to strike: the engine fills it from the trigger's site and the step. */
struct strike_target {
	struct node *node;      /* of the step */
	pid_t runner;           /* host pid of the step's program; 0: none runs */
	pid_t stopped;          /* host pid of a process held right now, or 0 */
	const char *program;    /* what it is about to start, or NULL */
	struct call_stop *call; /* the system call in which it is held, or NULL */
};

struct injection; /* each kind has its own, behind this */

struct injector {
	struct kind kind;
	/* `params` may go when it returns. It may run programs in nodes, and leaves them as they
	 * were. */
	int (*create)(struct injection **ret, const struct inject_env *env, const void *params,
		      struct err *e);
	/* At most once. Applied when it returns 0, with one line about what was done in `detail`;
	 * after -1 nothing is left to undo, but what verify then says holds all the same. */
	int (*strike)(struct injection *i, const struct strike_target *target,
		      char detail[INJECT_DETAIL_MAX], struct err *e);
	/* After every strike that was applied, also of kinds that are not `lasting`: a process that
	 * got SIGSTOP must go on. */
	int (*undo)(struct injection *i, struct err *e);
	/* 0: the effect is gone, and detail says how that was seen. */
	int (*verify)(struct injection *i, char detail[INJECT_DETAIL_MAX], struct err *e);
	void (*destroy)(struct injection *i); /* NULL-safe */
};

extern const struct injector *const injectors[]; /* NULL-terminated; list.c */

#endif
