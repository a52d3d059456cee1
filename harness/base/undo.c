/* SPDX-License-Identifier: MIT */
#include "harness/base/undo.h"

#include <assert.h>

void undo_push(struct undo *u, undo_fn fn, void *arg, const char *what)
{
	assert(u->len < UNDO_MAX);
	assert(fn != NULL);
	u->step[u->len].fn = fn;
	u->step[u->len].arg = arg;
	u->step[u->len].what = what;
	u->len++;
}

unsigned undo_run(struct undo *u, struct err *e)
{
	unsigned failed = 0;
	while (u->len > 0) {
		u->len--;
		struct err why = { 0 };
		if (u->step[u->len].fn(u->step[u->len].arg, &why) < 0) {
			failed++;
			(void)err_set(e, why.where, 0, EXIT_HARNESS, "undo %s: %s",
				      u->step[u->len].what, why.why);
		}
	}
	return failed;
}

void undo_forget(struct undo *u)
{
	u->len = 0;
}
