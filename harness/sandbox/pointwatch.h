/* SPDX-License-Identifier: MIT */
/*
 * Points: the places of a workflow at which a fault can strike, each told with a key that names
 * it in the next run as well, and held meanwhile. A step's calls and program starts are watched
 * together; what probes, services and the harness itself do is none of them.
 *
 * A key: what is about to happen, by whom, and the how-manieth of its kind within the step:
 *
 *	start /usr/bin/dpkg-deb, in sh>dpkg, #2
 *	renameat2 /etc/x.new /etc/x, in sh>dpkg, #1
 *
 * "by whom" is the program and its ancestry by parentage up to the step's own program, as the
 * base names of their files (links resolved); "-" is the step itself, before its program starts.
 * A start is told as the doing of the program before it. Paths are absolute in the node, without
 * . and ..; what mktemp(3) and its like draw is replaced by `*`, a number that is a process id by
 * `PID` (pointkey.h). Occurrences count within (what, whom): processes side by side do not shift
 * each other's, and neither do the kinds that are told.
 *
 * Calls that fail or change nothing are points as well; writes to pipes, sockets and terminals
 * are none. A call that is made anew behind a signal is told once.
 */
#ifndef BACKOUT_SANDBOX_POINTWATCH_H
#define BACKOUT_SANDBOX_POINTWATCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/base/loop.h"
#include "harness/sandbox/callwatch.h"
#include "harness/sandbox/filter.h"
#include "harness/sandbox/node.h"
#include "harness/sandbox/pointkey.h"

/* Bits: which kinds are told. */
enum point_kinds { POINTS_CALLS = 1, POINTS_PROGRAMS = 2 };

struct point_event {
	const char *key;        /* valid during the callback */
	const char *detail;     /* for people: the real names and the pid inside */
	pid_t pid;              /* host pid of the process that is held */
	struct call_stop *call; /* the call, or NULL */
	const char *program;    /* what is about to start, or NULL */
};

/* The process goes on when this returns, unless it was killed or the call was answered. True: the
 * processes may have got a signal meanwhile. It may run the loop; other points may then be told
 * inside it. */
typedef bool (*point_fn)(void *arg, const struct point_event *ev);

struct point_watch;

/* One for a drill and node. Needs root, and the kernel what filter.h and execwatch.h need. */
int point_watch_create(struct point_watch **ret, struct loop *loop, struct node *n, unsigned kinds,
		       point_fn fn, void *arg, struct err *e);
/* Around each step, in this order. Counting begins anew at each enter. */
int point_watch_enter(struct point_watch *w, struct err *e);
const struct filter *point_watch_filter(struct point_watch *w); /* NULL: none */
int point_watch_started(struct point_watch *w, struct proc *step, struct err *e);
/* What outlives the step goes on untold. */
void point_watch_leave(struct point_watch *w);
/* Tell nothing more in this step (calls go on at once), or again. What happens in between is not
 * counted. */
void point_watch_tell(struct point_watch *w, bool on);
/* NULL-safe; not inside the callback. Calls of programs that still run fail from then on. */
void point_watch_destroy(struct point_watch *w);

#endif
