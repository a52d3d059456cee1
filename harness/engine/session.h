/* SPDX-License-Identifier: MIT */
/*
 * What every command that makes drills sets up, in this order: the owner, the plan, the roots, a
 * run folder with its inputs. run.c, replay.c and what else makes drills share it.
 */
#ifndef BACKOUT_ENGINE_SESSION_H
#define BACKOUT_ENGINE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/engine/pool.h"
#include "harness/engine/run_folder.h"
#include "harness/sandbox/image.h"
#include "harness/sandbox/owner.h"

enum { SEED_TEXT = 17 }; /* 16 characters and the NUL */

/* What a live view is told, in this order for each drill. All may be NULL. */
struct run_progress {
	void (*note)(void *arg, const char *line);
	void (*begin)(void *arg, const char *label, size_t index, size_t total);
	void (*line)(void *arg, const char *line, size_t len); /* of its journal */
	void (*tick)(void *arg);                               /* five times a second */
	void (*end)(void *arg, const struct run_item *item);   /* twice when a knock-out decides */
	void *arg;
};

/* Zero-initialise, fill in the first part, end with session_close(). */
struct session {
	const char *state_dir, *runs_dir;
	const struct run_progress *progress;
	bool keep;           /* of a drill that did not pass, what its nodes have written */
	int *interrupted;    /* gets the number of the signal that ends it early */
	struct owner *owner; /* session_own(), or the caller's */

	struct plan_doc *doc; /* until the run has taken it over */
	const struct plan *plan;
	struct image *roots; /* one a node */
	char seed[SEED_TEXT];
	char *host_json, *dir;
	struct run *run;
	struct pool *pool;   /* from session_folder() to session_disown() */
	size_t index, total; /* drills begun, and to come, as far as known */
	bool unsynced;       /* drills; see drill.h. The controls are synced all the same */
};

/* For image_progress_fn and its like; `arg` is the session. */
void session_note(void *arg, const char *line);
/* Collects what dead harnesses left, and makes an owner: *s->owner. */
int session_own(struct session *s, struct err *e);
/* Ends the owner. What cannot be removed turns a good `result` into an error. */
int session_disown(struct session *s, int result, struct err *e);
/* NULL: one is drawn. */
int session_seed(struct session *s, const char *seed, struct err *e);
/* A new folder RUNS/TIME-SLUG-XXXX; *ret is free()d by the caller. */
int run_folder_make(const char *runs_dir, const char *slug, char **ret, struct err *e);
/* Behind doc, plan, roots and seed: the folder (s->dir where the caller has set it) with run.json,
 * scenario.json, plan.json and host.json, and s->run, which takes the plan over. `more` (may be
 * NULL): further members of run.json. */
int session_folder(struct session *s, const char *more, struct err *e);
/* The same for a folder that is there, behind plan, roots, seed and s->run. */
int session_reopen(struct session *s, const char *dir, struct err *e);
/* Frees all but the owner and s->run, which may be NULL. */
void session_close(struct session *s);

#endif
