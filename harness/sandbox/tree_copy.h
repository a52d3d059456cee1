/* SPDX-License-Identifier: MIT */
/*
 * Copying trees whole: content (shared where the file system can, holes kept), type, mode, owner,
 * times, extended attributes, hard links, devices (an overlay's whiteouts), fifos and sockets.
 * Needs root.
 */
#ifndef BACKOUT_SANDBOX_TREE_COPY_H
#define BACKOUT_SANDBOX_TREE_COPY_H

#include "harness/base/err.h"

struct tree_copy;
/* Several trees below one folder: hard links from one into another are kept. `base_fd` stays the
 * caller's, and open as long as the copier lives. */
struct tree_copy *tree_copy_create(int base_fd);
void tree_copy_destroy(struct tree_copy *c); /* NULL-safe */

/* All that is in the folder `from_fd` (which stays the caller's) into the folder `to`, which
 * exists; its path is below base_fd. Files whose names begin with `skip` ('\0': none) are left out,
 * and what vanishes meanwhile. */
int tree_copy_below(struct tree_copy *c, int from_fd, const char *to, char skip, struct err *e);
/* The folder's own mode, owner, times and extended attributes; after its content. */
int tree_copy_self(struct tree_copy *c, int from_fd, const char *to, struct err *e);

/* The folder `from`, itself as well, as the folder `to` below `base`, which exists. */
int tree_copy_folder(const char *from, const char *base, const char *to, struct err *e);

#endif
