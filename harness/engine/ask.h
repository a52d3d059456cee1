/* SPDX-License-Identifier: MIT */
/* One probe of the plan, asked and waited for: what readiness and goals need. */
#ifndef BACKOUT_ENGINE_ASK_H
#define BACKOUT_ENGINE_ASK_H

#include "harness/base/err.h"
#include "harness/model/plan.h"
#include "harness/probes/probe.h"

struct drill;

/* The descriptor behind a plan's kind, and where it asks from. */
const struct probe_kind *ask_kind(const struct probe_plan *p);
struct probe_env ask_env(struct drill *d, const struct probe_plan *p);

/* One question, answered. 0, or -1: stopped, or our own trouble. */
int ask_once(struct drill *d, const struct probe_plan *p, struct probe_result *ret, struct err *e);
/* Until it holds or `deadline`; `*give_up` (may be NULL) becoming true ends it, too. 1: holds;
 * 0: does not, *ret is the last answer; -1: stopped, or our own trouble. */
int ask_until(struct drill *d, const struct probe_plan *p, int64_t deadline, const bool *give_up,
	      struct probe_result *ret, struct err *e);
/* Let the loop run for a while; `*done` (may be NULL) ends it early. */
int ask_pause(struct drill *d, int64_t ns, const bool *done, struct err *e);

#endif
