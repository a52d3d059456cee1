/* SPDX-License-Identifier: MIT */
/* What the RUN and DRILL of a command line name: a run's folder, or a bundle's file. */
#ifndef BACKOUT_CLI_RECORDED_H
#define BACKOUT_CLI_RECORDED_H

#include "harness/engine/replay.h"

struct recorded {
	const char *run, *drill; /* as given; drill: NULL when it was not */
	/* recorded_open() */
	char *dir;
	struct replay *replay;
};

/* `common` has state_dir and runs_dir; it gets an owner, for recorded_close() to end. On failure
 * there is nothing to close. */
int recorded_open(struct recorded *r, struct session *common, struct err *e);
/* A good `result` becomes -1 when something could not be removed. */
int recorded_close(struct recorded *r, struct session *common, int result, struct err *e);

#endif
