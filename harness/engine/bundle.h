/* SPDX-License-Identifier: MIT */
/*
 * One drill with all that a replay elsewhere needs, as one file:
 *
 *	RUN/bundle.json    {"format":1,"drill":"drills/x","images":[DIGEST...],"directories":[...]}
 *	RUN/run.json  scenario.json  plan.json  host.json  control-a/  control-b/  drills/x/
 *	RUN/knockouts/x/   when there is one
 *	images/DIGEST.erofs, .json
 */
#ifndef BACKOUT_ENGINE_BUNDLE_H
#define BACKOUT_ENGINE_BUNDLE_H

#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/engine/replay.h"

struct bundle_note {
	void (*fn)(void *arg, const char *line);
	void *arg;
};

/* `note` is told what the other machine must have itself: images left out, roots that are plain
 * folders. An image that is not in the cache any more is exit 69. */
int bundle_write(const struct replay *r, const char *file, const char *state_dir, bool images,
		 const struct bundle_note *note, struct err *e);
/* Below the owner's work folder, and gone with it; images go into the cache. *ret_run: the run's
 * folder, *ret_drill: the drill's label; free(). */
int bundle_open(struct owner *o, const char *file, char **ret_run, char **ret_drill, struct err *e);

#endif
