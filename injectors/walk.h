/* SPDX-License-Identifier: MIT */
/* Files of a node, seen from outside: opened inside its root, whatever its links say. */
#ifndef INJECTORS_WALK_H
#define INJECTORS_WALK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "harness/base/err.h"
#include "harness/sandbox/node.h"

enum { WALK_DEPTH_MAX = 32 /* folders in folders */ };

/* open(2) of a path inside the node; -1 with errno. */
int walk_open(const struct node *n, const char *path, int flags);
/* The folder of `path`, and its last component. */
int walk_open_parent(const struct node *n, const char *path, const char **ret_name, struct err *e);

struct walk_entry {
	const char *path; /* inside the node */
	int dirfd;        /* its folder, and its name there */
	const char *name;
	struct stat st;
};
typedef int (*walk_fn)(void *arg, const struct walk_entry *w, struct err *e); /* -1 ends the walk */
/* Everything below `folder`, folders before what they hold; never into links or other
 * mounts. */
int walk_tree(const struct node *n, const char *folder, walk_fn fn, void *arg, struct err *e);

/* The one regular file that matches the pattern; anything but one is an error (exit 65). *ret is
 * the caller's to free(). */
int walk_find_one(const struct node *n, const char *pattern, char **ret, struct err *e);

#endif
