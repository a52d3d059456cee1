/* SPDX-License-Identifier: MIT */
/* The built program, run as a user would run it. */
#ifndef TESTS_DRILL_PROGRAM_H
#define TESTS_DRILL_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "harness/base/buf.h"
#include "harness/model/json.h"

struct program {
	int exit; /* exit code, or 128 + signal */
	struct buf out, err;
};

/* BACKOUT_BIN (default build/backout) with these arguments, NULL-terminated; aborts the test when
 * it cannot be started. program_free(). */
void program_run(struct program *p, const char *const *args);
#define PROGRAM(p, ...) program_run((p), (const char *const[]){ __VA_ARGS__, NULL })
void program_free(struct program *p);
/* Aborts the test unless it ended with `exit` and said `text` somewhere. */
void program_expect(const struct program *p, int exit, const char *text);
/* Starts it and returns at once, output to /dev/null; the caller kills and reaps. */
pid_t program_start(const char *const *args);
/* The same, traced by the caller and stopped before its exec. */
pid_t program_start_traced(const char *const *args);

/* An ordinary user: not one of this host. */
enum { PROGRAM_USER = 61234 };

/* How what is started from here on lives; NULL fields: as this test does. */
struct program_life {
	unsigned long descriptors; /* at most; 0: no change */
	const char *output;        /* "": closed */
	const char *terminal;      /* of a session of its own */
	const char *group;         /* a control group's folder */
	const char *etc;           /* as PROGRAM_USER, with these files over those of /etc; HOME is
				      this folder, which the user has to be able to enter */
	const char *path;          /* then: PATH; NULL: as it is */
};
void program_lives(const struct program_life *how); /* NULL: no change again */

/* Does this text begin with the "PID-STARTTIME" of a process that this test has started? That is
 * what its owner's tag holds. */
bool program_is_ours(const char *tag);
const char *program_binary(void);

/* stdout as JSON; aborts the test when it is not. */
struct json_doc *program_json(const struct program *p);
/* The drill of that name in a report's `drills`; aborts when there is none. */
const struct json *report_drill(const struct json_doc *report, const char *name);

#endif
