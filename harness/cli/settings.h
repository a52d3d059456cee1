/* SPDX-License-Identifier: MIT */
/* Where things are: an option, else the environment, else the default. */
#ifndef BACKOUT_CLI_SETTINGS_H
#define BACKOUT_CLI_SETTINGS_H

#include <stdbool.h>
#include <stdio.h>

#include "harness/base/err.h"

#define SETTINGS_STATE_DEFAULT "/var/lib/backout"
#define SETTINGS_STATE_USER    ".local/state/backout" /* below XDG_STATE_HOME, where set */
#define SETTINGS_RUNS_DEFAULT  "runs"

/* Option rows that several commands share; `v` is a const char * that starts as NULL. */
#define OPTION_ROW_STATE(v)                                                                        \
	{                                                                                          \
		"state", OPTION_TEXT, &(v), "DIR",                                                 \
			"caches and what is ours (BACKOUT_STATE; default " SETTINGS_STATE_DEFAULT  \
			", or of an ordinary user ~/" SETTINGS_STATE_USER ")"                      \
	}
#define OPTION_ROW_RUNS(v)                                                                         \
	{                                                                                          \
		"runs", OPTION_TEXT, &(v), "DIR",                                                  \
			"where run folders are (BACKOUT_RUNS; default " SETTINGS_RUNS_DEFAULT ")"  \
	}

/* `option` may be NULL. What they return lives as long as the process. */
const char *settings_state(const char *option);
const char *settings_runs(const char *option);

/* The run folder that a reader names by its path, its name, the unique beginning of its name,
 * or "last". *ret is free()d by the caller; exit 64 when there is none such. */
int settings_find_run(const char *runs, const char *name, char **ret, struct err *e);

/* Colour: a terminal that can, and no NO_COLOR in the environment. */
bool settings_colour(FILE *out);

#endif
