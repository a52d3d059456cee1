/* SPDX-License-Identifier: MIT */
/*
 * The view while a run goes on, fed with journal lines as they are written. On a terminal each
 * drill has one status line that is redrawn (phase, elapsed) until its verdict takes its place;
 * elsewhere each important event is one plain line, so that a log reads well.
 */
#ifndef REPORTS_LIVE_H
#define REPORTS_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "harness/model/sweep.h"
#include "harness/model/verdict.h"

struct live;

/* `out` stays the caller's. `terminal`: redraw (the caller asked isatty()). */
struct live *live_create(FILE *out, bool terminal, bool colour);
void live_destroy(struct live *l); /* NULL-safe; ends a status line with a newline */

/* A drill begins: its name as a reader knows it. */
void live_begin(struct live *l, const char *name);
/* One whole journal line of the drill that runs. What cannot be read is ignored: the journal
 * itself is judged elsewhere. */
void live_line(struct live *l, const char *line, size_t len);
/* Redraw with the time that has passed; call it a few times a second on a terminal. */
void live_tick(struct live *l);
/* The drill's verdict; NULL for a knock-out, which has none of its own. */
void live_verdict(struct live *l, const struct verdict *v);
/* How a sweep stands: on a terminal one line that is redrawn at each call, elsewhere a plain line
 * at the first call, then at most one in ten seconds (by p->now). The last state, with all drills
 * done, is told once and stays. */
void live_sweep(struct live *l, const struct sweep_progress *p);
/* A message in between that does not spoil the status line. */
void live_say(struct live *l, const char *text);

#endif
