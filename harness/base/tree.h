/* SPDX-License-Identifier: MIT */
/* Walking a tree of files by descriptors: in the order of the names' bytes in each folder, never
 * into links or other mounts, as deep as it goes. What vanishes or moves meanwhile is not told. */
#ifndef BACKOUT_BASE_TREE_H
#define BACKOUT_BASE_TREE_H

#include <sys/stat.h>

#include "harness/base/err.h"

struct tree_entry {
	const char *path; /* behind the start's own */
	int dirfd;        /* its folder, and its name there; -1 in leave(): it was moved away */
	const char *name;
	struct stat st;
};
struct tree_visitor {
	/* Each entry, a folder before what it holds. -1 ends the walk. */
	int (*enter)(void *arg, const struct tree_entry *at, struct err *e);
	/* Each folder that was entered, after what it holds; also one that vanished since, and
	 * a mount point. May be NULL. */
	int (*leave)(void *arg, const struct tree_entry *at, struct err *e);
	void *arg;
};

/* Below `fd` (an open folder, which this closes), whose own path is `path`, without a slash at its
 * end. */
int tree_walk(int fd, const char *path, const struct tree_visitor *v, struct err *e);

/* `to` (made; it must not exist) gets the folders and files of `from`: files as hard links, or as
 * copies where the file system has no link for them. For files that nobody changes any more.
 * Anything but folders and plain files is an error, a mount too. */
int tree_link(const char *from, const char *to, struct err *e);

#endif
