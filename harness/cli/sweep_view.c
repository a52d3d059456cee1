/* SPDX-License-Identifier: MIT */
#include "harness/cli/sweep_view.h"

#include "harness/cli/live_view.h"

static void progress(void *arg, const struct sweep_progress *p)
{
	live_view_sweep(arg, p);
}

int sweep_view_execute(struct run **ret, const struct sweep_options *o, int *interrupted,
		       struct err *e)
{
	struct run_progress in;
	struct live_view *view = live_view_open(&in);
	const struct sweep_watch watch = { &in, progress, view };
	int result = sweep_execute(ret, o, &watch, interrupted, e);
	live_view_close(view);
	return result;
}
