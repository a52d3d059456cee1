/* SPDX-License-Identifier: MIT */
/*
 * A drill once more, from the folder that a run has left: its scenario, rollback, seed, fault and
 * root images by their content. Judged against the controls of that run, which the new run folder
 * gets as hard links.
 */
#ifndef BACKOUT_ENGINE_REPLAY_H
#define BACKOUT_ENGINE_REPLAY_H

#include "harness/base/err.h"
#include "harness/engine/run_folder.h"
#include "harness/engine/session.h"

struct replay;

/* `run_dir`: a run's folder. `drill`: label, slug or fault's name; NULL: the first that failed, or
 * the only one. Exit 64 when there is none such. */
int replay_open(struct replay **ret, const char *run_dir, const char *drill, struct err *e);
void replay_close(struct replay *r); /* NULL-safe */
const struct run_view *replay_view(const struct replay *r);
const struct pairs *replay_roots(const struct replay *r);       /* node to digest, of run.json */
const struct run_item *replay_recorded(const struct replay *r); /* judged from the old folder */

/* The plan and the roots of the recorded run, into s with its first part filled in. *ret is the
 * fault. */
int replay_prepare(const struct replay *r, struct session *s, const struct fault_plan **ret,
		   struct err *e);
/* That, and a run folder with the scenario, seed and controls of the recorded run, the same roots,
 * and no drill yet. */
int replay_begin(const struct replay *r, struct session *s, const struct fault_plan **ret,
		 struct err *e);
/* That, and the drill, with a knock-out when its verdict asks for one; s->run has what came of it.
 * The drill's index there, or -1. */
int replay_once(const struct replay *r, struct session *s, struct err *e);

#endif
