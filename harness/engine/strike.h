/* SPDX-License-Identifier: MIT */
/*
 * The fault of one drill: trigger and injector joined, from prepared to undone; and those that are
 * joined with it. A NULL strike is a control's: every call does nothing.
 */
#ifndef BACKOUT_ENGINE_STRIKE_H
#define BACKOUT_ENGINE_STRIKE_H

#include <stdbool.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/sandbox/node.h"

struct drill;
struct strike;

/* Everything slow: the injector's copies, the trigger's objects. Journals fault.prepared. */
int strike_create(struct strike **ret, struct drill *d, struct err *e);
void strike_destroy(struct strike *s); /* NULL-safe; undoes nothing */

/* Around each step, in this order; `in_rollback` and `index` say which. */
int strike_enter(struct strike *s, bool in_rollback, int index, struct err *e);
/* What to spawn the step's program with, behind strike_enter(); NULL: no filter. */
const struct filter *strike_filter(struct strike *s);
int strike_started(struct strike *s, struct proc *step, struct err *e);
/* The step's program is known, or could not be started: what fired meanwhile strikes now. */
void strike_spawned(struct strike *s);
void strike_line(void *s, const char *text); /* the step has printed this line */
int strike_leave(struct strike *s, struct err *e);

/* A strike in the rollback was made that asks for it to run once more. */
bool strike_calls_again(const struct strike *s);

enum strike_moment { STRIKE_PATCH_END, STRIKE_ROLLBACK, STRIKE_ROLLBACK_END, STRIKE_DRILL_END };
/* Undo what is due by then (the fault's `until`); everything still on at DRILL_END. An undo that
 * cannot be verified is journalled as such; it never stops the drill. */
void strike_moment(struct strike *s, enum strike_moment m);

#endif
