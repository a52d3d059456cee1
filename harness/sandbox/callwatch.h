/* SPDX-License-Identifier: MIT */
/*
 * System calls, stopped exactly: the answers to what a filter (filter.h) holds. A call is told
 * before it has any effect, and waits in the kernel until it is answered: it goes on, fails with
 * an errno, or goes on later. A process that was killed meanwhile gets no answer at all, for
 * going on would still carry out the call; one that got another signal makes the call anew once
 * that signal is dealt with. What a call that goes on returns is not seen.
 *
 * Only programs that were spawned with the filter, and what they start, are told; nothing that
 * runs apart is. Calls of processes side by side are told in the order in which they come.
 * Paths are read from the caller's memory when asked for, and a second thread may change them.
 */
#ifndef BACKOUT_SANDBOX_CALLWATCH_H
#define BACKOUT_SANDBOX_CALLWATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/base/loop.h"
#include "harness/sandbox/filter.h"
#include "harness/sandbox/node.h"

struct call_stop; /* a call that is held; valid until it is answered */
struct call_watch;

/* What a held call is told instead of going on at once. It belongs to the one who gives it and
 * lives as long as the watch does. */
struct call_answer {
	int error;     /* errno; 0: the call goes on */
	int64_t delay; /* ns from being held to being answered */
	bool always;   /* meant for every later call as well: the one who watches sees to that */
	/* The kernel has taken the answer (delivered), or the caller was gone. `held` in ns. */
	void (*answered)(void *arg, bool delivered, int64_t held);
	void *arg;
	/* The watch's. */
	bool over;
	size_t waiting; /* calls that are held for its delay */
	struct call_watch *watch;
};
/* Only inside the callback; the last one given counts. */
void call_stop_answer(struct call_stop *c, struct call_answer *a);
struct call_answer *call_stop_given(const struct call_stop *c); /* NULL: none */
/* It is given to none any more; those that still wait for it go on now. */
void call_answer_end(struct call_answer *a);

const struct call_row *call_stop_row(const struct call_stop *c);
uint64_t call_stop_arg(const struct call_stop *c, size_t which); /* which < CALL_ARGS, raw */
pid_t call_stop_task(const struct call_stop *c); /* host id of the thread that calls */
/* The same call as one that was told before: a signal came first, and it is made anew. */
bool call_stop_again(const struct call_stop *c);
/* Host pid of the process (not of the thread) that calls; 0: it is gone. */
pid_t call_stop_pid(const struct call_stop *c);
/* The program that calls, inside the node; "" when it cannot be read. Valid with the stop. */
const char *call_stop_program(struct call_stop *c);
/* Absolute inside the node's root, without . and .. (by their names, links are not followed);
 * NULL: it has none. which < CALL_PATHS_MAX: old and new name of a rename. */
const char *call_stop_path(struct call_stop *c, size_t which);
/* "renameat2(/a, /b)" */
void call_stop_text(struct call_stop *c, char *ret, size_t size);

/* True: the processes may have got a signal meanwhile (which is then looked for). */
typedef bool (*call_fn)(void *arg, struct call_stop *c);

struct call_watch *call_watch_create(struct loop *loop, call_fn fn, void *arg);
/* Serves one more listener, which belongs to the watch from now on (also on failure) and is closed
 * when the last of its processes has ended. */
int call_watch_add(struct call_watch *w, int listener, struct err *e);
/* From now on all calls go on untold. Programs that outlive their step need that: without a
 * listener their calls would fail. Again with true: tells again. */
void call_watch_tell(struct call_watch *w, bool on);
/* NULL-safe; not inside the callback. Held calls go on; later ones of processes that still have
 * the filter fail with ENOSYS. */
void call_watch_destroy(struct call_watch *w);

#endif
