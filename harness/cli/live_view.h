/* SPDX-License-Identifier: MIT */
/* What a run tells while it goes on, on stderr: the live view fed from the engine's progress. */
#ifndef BACKOUT_CLI_LIVE_VIEW_H
#define BACKOUT_CLI_LIVE_VIEW_H

#include "harness/engine/session.h"
#include "harness/model/sweep.h"

struct live_view;

/* `progress` tells the view, and is good as long as it. */
struct live_view *live_view_open(struct run_progress *progress);
void live_view_sweep(struct live_view *v, const struct sweep_progress *p);
void live_view_close(struct live_view *v); /* NULL-safe */

#endif
