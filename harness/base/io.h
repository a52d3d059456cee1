/* SPDX-License-Identifier: MIT */
/* Bounded file I/O. Paths in errors; O_CLOEXEC always. */
#ifndef BACKOUT_BASE_IO_H
#define BACKOUT_BASE_IO_H

#include <stddef.h>
#include <sys/types.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"

/* Whole file, at most `max` bytes (more is an error). dirfd may be AT_FDCWD. */
int io_read_file(int dirfd, const char *path, size_t max, struct buf *ret, struct err *e);
/* To a temporary name, fsync, rename: the file is old or new, never half. */
int io_write_file(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
		  struct err *e);
/* The same without fsync: whole for every process, but a host that loses power may keep it empty.
 */
int io_write_file_unsynced(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
			   struct err *e);
/* One write(2) to a file that exists (proc, sys, cgroup). */
int io_write_knob(int dirfd, const char *path, const char *text, struct err *e);
int io_write_all(int fd, const void *data, size_t len, struct err *e);
/* The rest of the file `from` to where `to` stands; -1 with errno. */
int io_copy(int from, int to);
/* mkdir -p below AT_FDCWD. */
int io_mkdirs(const char *path, mode_t mode, struct err *e);
/* rm -rf, never following links, never crossing a mount. A missing path is fine. */
int io_remove_tree(int dirfd, const char *path, struct err *e);

#endif
