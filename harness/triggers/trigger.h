/* SPDX-License-Identifier: MIT */
/*
 * Triggers: the code that says *now*. A trigger knows nothing of injectors. One file a kind, one
 * const descriptor, one row in list.h.
 *
 * Life: create (before the patch) -> enter (just before its step is spawned) -> [fire] ->
 * leave (its step ended) -> ... -> destroy. A trigger without a step is entered with the first
 * step of its section and left after the last.
 */
#ifndef BACKOUT_TRIGGERS_TRIGGER_H
#define BACKOUT_TRIGGERS_TRIGGER_H

#include <stdbool.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/base/loop.h"
#include "harness/base/mutate.h"
#include "harness/model/kind.h"
#include "harness/sandbox/callwatch.h"
#include "harness/sandbox/network.h"
#include "harness/sandbox/node.h"

/* Where it struck; valid during fire(). */
struct strike_site {
	const char *detail;     /* one line: "start 2 of /usr/bin/dpkg-deb (pid 41)" */
	struct node *node;      /* the step's node */
	pid_t stopped;          /* host pid of a process held at this very point, or 0 */
	const char *program;    /* what it is about to start, or NULL */
	struct call_stop *call; /* the system call in which it is held, or NULL */
};

/* The engine's side. */
struct trigger_env {
	struct loop *loop;
	struct node *node;   /* of its step */
	struct network *net; /* NULL in a drill without links */
	/* Strikes before it returns. At most once a trigger: it disarms itself first. */
	void (*fire)(void *arg, const struct strike_site *site);
	/* Something a reader should know (not an error). */
	void (*notice)(void *arg, const char *text);
	void *arg;
};

/* The one way in which a trigger calls the engine. The trigger has disarmed itself before. */
static inline void trigger_fire(const struct trigger_env *env, const struct strike_site *site)
{
	if (!MUTANT(trigger_never))
		env->fire(env->arg, site);
}

enum trigger_edge { EDGE_STEP_START, EDGE_STEP_END };

struct trigger; /* each kind has its own, behind this */

struct trigger_kind {
	struct kind kind;
	/* Everything that may fail or take time is done here. */
	int (*create)(struct trigger **ret, const struct trigger_env *env, const void *params,
		      struct err *e);
	int (*enter)(struct trigger *t, struct err *e); /* the step is about to start */
	/* What the step's program has to be spawned with, asked for behind `enter`; NULL: no
	 * filter. May be NULL itself. */
	const struct filter *(*filter)(struct trigger *t);
	/* It has started, with that filter: the listener is the trigger's to take. May be NULL. */
	int (*started)(struct trigger *t, struct proc *step, struct err *e);
	/* It has printed a line (without the newline); only while entered. May be NULL. */
	void (*line)(struct trigger *t, const char *text);
	void (*leave)(struct trigger *t);   /* it has ended */
	void (*destroy)(struct trigger *t); /* NULL-safe */
};

extern const struct trigger_kind *const trigger_kinds[]; /* NULL-terminated; list.c */

#endif
