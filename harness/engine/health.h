/* SPDX-License-Identifier: MIT */
/*
 * Steady state, watched: every probe of the plan that belongs to the present phase is asked
 * every `every`, and its changes go to the journal. A probe's answer counts only when the
 * question was begun in this phase. In the DURING phase drill_steady_lost() is told once a probe
 * that held has failed beyond its tolerance.
 */
#ifndef BACKOUT_ENGINE_HEALTH_H
#define BACKOUT_ENGINE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/model/plan.h"

struct drill;
struct health;

int health_create(struct health **ret, struct drill *d, struct err *e);
void health_destroy(struct health *h); /* NULL-safe */

/* Begin a phase: earlier answers are forgotten, every probe of it is asked at once. */
int health_phase(struct health *h, enum probe_when phase, struct err *e);
/* The phase behind a rollback, or where it was left out: PROBE_AFTER; of one that goes forward the
 * goal's probes take part. */
int health_end_phase(struct health *h, struct err *e);
/* Ask nothing more, and wait until no question is under way. */
int health_quiet(struct health *h, struct err *e);

/* Wait until all probes of the phase have held for `settle` without a failure; of a probe whose
 * `every` is longer one good answer, no older than that, is enough. 1: *ret_since
 * (CLOCK_MONOTONIC) is the start of that interval; 0: not by `deadline`, *ret_why names a probe
 * and its last answer (belongs to the health object); -1: stopped, or our own trouble. */
int health_wait(struct health *h, int64_t settle, int64_t deadline, int64_t *ret_since,
		const char **ret_why, struct err *e);
/* The coarsest probe interval: the resolution of `since`. */
int64_t health_resolution(const struct health *h);

/* Ask the goal's probes, again and again within each one's tolerance. 1: all hold; 0: missed,
 * with the probe and its last answer; -1: stopped, or our own trouble. */
int health_goal(struct drill *d, const char **ret_probe, char *why, struct err *e);

#endif
