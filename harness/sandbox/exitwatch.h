/* SPDX-License-Identifier: MIT */
/*
 * How a process that is not our child ends, exactly: ptrace(PTRACE_SEIZE) without stopping it,
 * then its own wait status, before its real parent gets it. Also sees each signal as it is
 * delivered to its main thread. A process that somebody else traces cannot be watched (EPERM).
 * Stopping and continuing it works as without. Needs CAP_SYS_PTRACE.
 */
#ifndef BACKOUT_SANDBOX_EXITWATCH_H
#define BACKOUT_SANDBOX_EXITWATCH_H

#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/base/loop.h"

struct exit_watch;
enum exit_what { EXITWATCH_SIGNAL, EXITWATCH_EXITED };
/* SIGNAL: `value` is the signal about to be delivered (it is passed on). EXITED: a wait status;
 * last call. The watch may be destroyed inside. */
typedef void (*exit_watch_fn)(void *arg, pid_t pid, enum exit_what what, int value);
int exit_watch_create(struct exit_watch **ret, struct loop *loop, pid_t host_pid, exit_watch_fn fn,
		      void *arg, struct err *e);
/* NULL-safe; detaches: the process goes on (or stays stopped) and keeps its pending signals. */
void exit_watch_destroy(struct exit_watch *w);

#endif
