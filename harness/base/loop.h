/* SPDX-License-Identifier: MIT */
/*
 * The one event loop of a process: epoll over descriptors, timerfds, one signalfd and child
 * processes. No threads. Callbacks run inside loop_wait(); they may add and remove sources,
 * their own too. loop_wait() may nest (a callback may wait). A descriptor's callback may come
 * although an inner wait has drained it already: descriptors are non-blocking, EAGAIN is normal.
 */
#ifndef BACKOUT_BASE_LOOP_H
#define BACKOUT_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/base/err.h"

struct loop;
struct loop_src; /* belongs to the loop; loop_remove() ends it */

typedef void (*loop_fd_fn)(void *arg, uint32_t epoll_events);
typedef void (*loop_timer_fn)(void *arg);
/* `status` as waitpid(2) gives it. A traced process may report several times (stops), a child
 * once; `gone` is true when the process is reaped and the source has been removed. */
#define LOOP_STATUS_LOST (-1) /* reaped by somebody else: neither exited nor signalled */
typedef void (*loop_child_fn)(void *arg, pid_t pid, int status, bool gone);
typedef void (*loop_signal_fn)(void *arg, int signo);

/* Blocks SIGCHLD (and what loop_on_signal adds) in this process; loop_destroy unblocks. Children
 * must reset their signal mask before exec: see loop_child_reset(). */
int loop_create(struct loop **ret, struct err *e);
void loop_destroy(struct loop *l); /* NULL-safe; removes all sources, closes no caller's fd */

/* The descriptor stays the caller's: remove the source before closing it. */
int loop_add_fd(struct loop *l, int fd, uint32_t epoll_events, loop_fd_fn fn, void *arg,
		struct loop_src **ret, struct err *e);
/* First after `first_ns` (>= 0), then every `every_ns` (0: once; the source stays until removed).
 */
int loop_add_timer(struct loop *l, int64_t first_ns, int64_t every_ns, loop_timer_fn fn, void *arg,
		   struct loop_src **ret, struct err *e);
/* Our own child, or a process that we trace (waited for by its own pid only: no stealing). */
int loop_add_child(struct loop *l, pid_t pid, loop_child_fn fn, void *arg, struct loop_src **ret,
		   struct err *e);
int loop_on_signal(struct loop *l, int signo, loop_signal_fn fn, void *arg, struct err *e);
void loop_remove(struct loop_src *s); /* NULL-safe */

/* Runs callbacks until *done (1), the deadline (0; CLOCK_MONOTONIC ns, INT64_MAX: none), or
 * loop_stop() (-1 with e set from the stop's reason: ECANCELED). */
int loop_wait(struct loop *l, const bool *done, int64_t deadline, struct err *e);
/* Makes this and every later loop_wait() return -1 until loop_resume(). First reason wins. */
void loop_stop(struct loop *l, const char *why);
bool loop_stopped(const struct loop *l);
void loop_resume(struct loop *l); /* teardown has to wait, too */

/* Readable while a callback is due: for a callback that waits for its own descriptor a moment. */
int loop_ready_fd(const struct loop *l);

/* In a forked child before exec: default mask and dispositions. Async-signal-safe. */
void loop_child_reset(void);

#endif
