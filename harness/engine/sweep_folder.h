/* SPDX-License-Identifier: MIT */
/* A sweep as its folder has it. */
#ifndef BACKOUT_ENGINE_SWEEP_FOLDER_H
#define BACKOUT_ENGINE_SWEEP_FOLDER_H

#include "harness/base/err.h"
#include "harness/engine/run_folder.h"
#include "harness/engine/sweep.h"

#define SWEEP_FILE "sweep.json"

/* The sweep's values for a run that has just been read; nothing for one that was no sweep. */
int sweep_folder_read(struct run *r, struct err *e);
/* What was asked, from run.json; texts live in `arena`. `seed` too. Exit 65 when it was no sweep.
 */
int sweep_folder_ask(const char *dir, struct arena *arena, struct sweep_ask *ret,
		     const char **ret_seed, struct err *e);
/* Removes a drill's folder, and its knock-out's, when one of them did not come to its end. */
int sweep_folder_prune_one(const char *dir, const char *slug, bool *ret_whole, struct err *e);
/* Likewise all of those, and the controls. */
int sweep_folder_prune(const char *dir, struct err *e);

#endif
