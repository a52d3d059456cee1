/* SPDX-License-Identifier: MIT */
/* Which files a process that waits in a system call names: from its memory and descriptors. */
#ifndef BACKOUT_SANDBOX_CALLPATH_H
#define BACKOUT_SANDBOX_CALLPATH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/sandbox/filter.h"

/* The path of the row's file number `which`, normalised by its names; free(). NULL: it names none,
 * something that is no file (a pipe, a socket), or the task is gone. */
char *callpath_read(pid_t task, const struct call_row *row, const uint64_t args[CALL_ARGS],
		    unsigned which);
/* The descriptor leads to a file's content or a disk; not to a pipe, a socket, a terminal. */
bool callpath_keeps(pid_t task, int fd);
/* The flags behind a pointer to struct open_how; false: not readable. */
bool callpath_open_flags(pid_t task, uint64_t how, uint64_t *ret);
/* In place: "/a/./b/../c//d" becomes "/a/c/d". */
void callpath_normalise(char *path);

#endif
