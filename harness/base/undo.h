/* SPDX-License-Identifier: MIT */
/*
 * The undo stack: register the way back before stepping forward. Runs newest first; one failure
 * never stops the rest. The text and the argument belong to the caller and outlive the stack.
 */
#ifndef BACKOUT_BASE_UNDO_H
#define BACKOUT_BASE_UNDO_H

#include <stddef.h>

#include "harness/base/err.h"

enum { UNDO_MAX = 32 };

typedef int (*undo_fn)(void *arg, struct err *e); /* 0, or -1 with e set */

struct undo {
	size_t len;
	struct {
		undo_fn fn;
		void *arg;
		const char *what; /* names the object for the failure text */
	} step[UNDO_MAX];
};

void undo_push(struct undo *u, undo_fn fn, void *arg, const char *what);
/* Runs all and empties the stack. Returns how many failed; `e` has the first cause. */
unsigned undo_run(struct undo *u, struct err *e);
/* Forget everything: what was built now belongs to somebody else. */
void undo_forget(struct undo *u);

#endif
