/* SPDX-License-Identifier: MIT */
/* Files of a node, seen from outside: opened inside its root, whatever its links say. */
#ifndef INJECTORS_WALK_H
#define INJECTORS_WALK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "harness/base/err.h"
#include "harness/base/tree.h"
#include "harness/sandbox/node.h"

/* open(2) of a path inside the node; -1 with errno. */
int walk_open(const struct node *n, const char *path, int flags);
/* The folder of `path`, and its last component. */
int walk_open_parent(const struct node *n, const char *path, const char **ret_name, struct err *e);

/* Everything below `folder`, told with its path inside the node: see tree_walk(). */
int walk_tree(const struct node *n, const char *folder, const struct tree_visitor *v,
	      struct err *e);

/* The one regular file that matches the pattern; anything but one is an error (exit 65). *ret is
 * the caller's to free(). */
int walk_find_one(const struct node *n, const char *pattern, char **ret, struct err *e);

#endif
