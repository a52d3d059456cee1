/* SPDX-License-Identifier: MIT */
/* A shell inside a node of a drill that stands still. */
#ifndef BACKOUT_ENGINE_SHELL_H
#define BACKOUT_ENGINE_SHELL_H

#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/engine/drill.h"
#include "harness/engine/replay.h"

struct shell_spec {
	enum drill_stop_at at;
	const char *node;    /* NULL: the struck step's */
	const char *command; /* a line for sh -ec; NULL: a shell on the terminal */
	/* The caller's: `in` and `out` are a terminal unless there is a command. */
	int in, out, err;
};

struct shell_end {
	bool reached; /* false: the drill ended without coming to that place */
	int status;   /* as waitpid(2) gives it */
};

/* Repeats the recorded drill up to that place, gives the shell, tears down when it has ended. The
 * drill's process has the terminal meanwhile; the caller restores its modes. s as for
 * replay_once(). */
int shell_in_replay(const struct replay *r, struct session *s, const struct shell_spec *spec,
		    struct shell_end *ret, struct err *e);
/* A node alone, in a copy of what is kept of the recorded drill (run with --keep-on-fail): no
 * program of the scenario runs in it, and it has no link. s->interrupted as for replay_once(); exit
 * 64 when nothing is kept. */
int shell_in_kept(const struct replay *r, struct session *s, const struct shell_spec *spec,
		  struct shell_end *ret, struct err *e);

#endif
