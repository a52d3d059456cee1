/* SPDX-License-Identifier: MIT */
/* One node and its steps, as the engine runs them, for what is measured. */
#ifndef TESTS_BENCH_RIG_H
#define TESTS_BENCH_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/loop.h"
#include "harness/base/mem.h"
#include "harness/model/json.h"
#include "harness/sandbox/node.h"
#include "harness/triggers/trigger.h"

struct rig {
	struct loop *loop;
	struct owner *owner;
	struct node *node;
};

/* ROOT is a folder or an image; the files are copied to /srv; down() after failure as well. */
int rig_up(struct rig *r, const char *root, const char *state, char *const *files, struct err *e);
void rig_down(struct rig *r);

struct rig_proc {
	struct proc *proc;
	bool done;
	int status;
};
/* sh -ec in the node. */
int rig_start(struct rig *r, const char *script, const struct filter *f, struct rig_proc *p,
	      struct err *e);
int rig_wait(struct rig *r, struct rig_proc *p, struct err *e); /* and frees it */
/* The same, under a trigger (NULL: none); -1 also when it does not end with 0. */
int rig_step(struct rig *r, const char *script, const struct trigger_kind *kind, struct trigger *t,
	     struct err *e);

/* A trigger with its parameters as a scenario would write them. */
struct rig_trigger {
	const struct trigger_kind *kind;
	struct trigger *trigger;
	struct arena *arena;
	struct json_doc *doc;
};
int rig_arm(struct rig *r, struct rig_trigger *t, const struct trigger_kind *kind, const char *at,
	    const struct trigger_env *env, struct err *e);
void rig_disarm(struct rig_trigger *t);

#endif
