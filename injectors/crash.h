/* SPDX-License-Identifier: MIT */
/* What the ways of taking a whole node down share: who is meant, what felt it, the boot. */
#ifndef INJECTORS_CRASH_H
#define INJECTORS_CRASH_H

#include "injectors/injector.h"

#define CRASH_FELT                                                                                 \
	"a process that ran on the node died with it (the step's program, or a service), a step "  \
	"could not start on it, or a frame for it was lost while a step ran"

struct crash {
	struct inject_env env;
	struct node *node; /* NULL until the strike: the step's */
	bool linked;       /* the node has links */
	struct loop_src *timer;
	uint64_t lost; /* frames, at the last look */
	int processes; /* that ran on it at the strike */
	pid_t runner;  /* the step's program, if it ran there: inside */
	bool down, told;
};

/* In create(): `name` may be NULL. */
int crash_begin(struct crash *c, const struct inject_env *env, const char *name, struct err *e);
/* In strike(), before the node is killed: it is up, and what runs on it is counted. */
int crash_aim(struct crash *c, const struct strike_target *t, struct err *e);
/* Behind it. On failure the node boots again. */
int crash_struck(struct crash *c, const char *how, struct err *e);
/* In undo(); a node that is not down by us stays as it is. */
int crash_boot(struct crash *c, struct err *e);
/* Asks the node's init and the kernel anew. */
int crash_verify(struct crash *c, char detail[INJECT_DETAIL_MAX], struct err *e);
void crash_end(struct crash *c); /* in destroy(): the node stays as it is */

#endif
