/* SPDX-License-Identifier: MIT */
/* Keys of points: text that comes out the same in every run of the same workflow. Pure. */
#ifndef BACKOUT_SANDBOX_POINTKEY_H
#define BACKOUT_SANDBOX_POINTKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "harness/base/buf.h"

enum {
	POINT_KEY_MAX = 1024, /* bytes with the NUL; a longer one ends in the hash of all of it */
	POINT_PID_MIN = 1000, /* lower numbers are versions and counters more often than pids */
};

/* What is drawn or counted up anew in each run, in names: */
struct point_pids {
	const pid_t *pids; /* as the process itself knows them: its own, its ancestors' */
	size_t count;
};
/* One name (no '/'); `in_tmp`: its folder is one for temporary files. Control characters, `\` and
 * bytes that are no UTF-8 become \xNN. */
void pointkey_name(struct buf *out, const char *name, size_t len, bool in_tmp,
		   struct point_pids pids);
/* An absolute path, name by name; also the number below /proc. */
void pointkey_path(struct buf *out, const char *path, struct point_pids pids);

/* "WHAT, in WHOM, #N"; WHAT is the call or "start" and its paths. */
void pointkey_text(char ret[POINT_KEY_MAX], const char *what_and_whom, unsigned long nth);
bool pointkey_is(const char *text); /* it has the form of one */
/* The point is a program's start, not a call. */
bool pointkey_is_start(const char *key);

/* How often each text has been seen. */
struct point_tally;
struct point_tally *point_tally_create(void);
void point_tally_clear(struct point_tally *t);
unsigned long point_tally_next(struct point_tally *t, const char *text); /* from 1 */
void point_tally_destroy(struct point_tally *t);                         /* NULL-safe */

#endif
