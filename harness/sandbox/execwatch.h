/* SPDX-License-Identifier: MIT */
/*
 * Program starts, stopped exactly: fanotify FAN_OPEN_EXEC_PERM on a node's file systems (also
 * through mount namespaces that the workflow makes). The process waits in the kernel until the
 * callback returns. The file is the resolved one, without PATH noise; the dynamic loader and
 * script interpreters that the kernel opens behind it are told apart and not reported. An
 * execve that fails behind the open (no such interpreter) is reported. Needs CAP_SYS_ADMIN.
 */
#ifndef BACKOUT_SANDBOX_EXECWATCH_H
#define BACKOUT_SANDBOX_EXECWATCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/base/loop.h"
#include "harness/sandbox/node.h"

struct exec_event {
	pid_t pid;        /* host pid of the process about to become the program; it is stopped */
	const char *path; /* inside the node */
	int fd;           /* the file, open for reading; the watch's */
};

struct exec_watch;
/* The process goes on when this returns; a process killed meanwhile never starts the program.
 * The callback may run the loop but must not wait for the node's own programs. */
typedef void (*exec_fn)(void *arg, const struct exec_event *ev);

int exec_watch_create(struct exec_watch **ret, struct loop *loop, const struct node *n, exec_fn fn,
		      void *arg, struct err *e);
/* NULL-safe; lets all waiting go on. Inside the callback: the process it is about stays until the
 * callback returns. */
void exec_watch_destroy(struct exec_watch *w);

/* Inside a callback, for a process that it holds: lets it through its execve and stops it there
 * (SIGSTOP), before the first instruction of the program. 1: done, or the process is dead; 0: no
 * start of this process is held. Its parent is told of the stop, if it cares. */
int exec_watch_park(pid_t pid, struct err *e);

/* Reads of one file (FAN_ACCESS on what `path` resolves to now): told when bytes of it were read
 * by a process, also by sendfile, splice or copy_file_range; not by this one. Opening alone is
 * not told, and a reader that only maps the file is not seen. */
struct read_watch;
typedef void (*read_fn)(void *arg, pid_t pid);
int read_watch_create(struct read_watch **ret, struct loop *loop, const struct node *n,
		      const char *path, read_fn fn, void *arg, struct err *e);
void read_watch_destroy(struct read_watch *w); /* NULL-safe; also inside the callback */

#endif
