/* SPDX-License-Identifier: MIT */
/*
 * A branch: a drill that does not run its workflow up to the strike again, but begins with the
 * state that a recording kept at that very point. What the recording did until then stands in the
 * branch's journal as its own past, with the recording's times; the rest happens. Right for
 * strikes that leave nothing but what is written: the whole workflow killed, or its node.
 */
#ifndef BACKOUT_ENGINE_BRANCH_H
#define BACKOUT_ENGINE_BRANCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"

struct drill;
struct judged_controls;

struct branch_spec {
	const char *dir;  /* as offer.h has it; its node folders are used up */
	const char *from; /* the recording's name, and its folder */
	const char *from_dir;
	const char *key, *detail, *state; /* of the point */
	bool in_rollback;
	size_t step; /* index of the step that was struck */
	int64_t t;   /* of the point in the recording's journal; ns */
	bool reboot; /* the struck node dies and boots again; else the workflow is killed */
	/* A folder for the knock-out, which is the same state without a rollback; NULL: none. */
	const char *knockout_dir;
	const struct judged_controls *controls; /* by which the knock-out is looked at */
};

int branch_play(struct drill *d, struct err *e);

#endif
