/* SPDX-License-Identifier: MIT */
/* Folders as a whole. */
#ifndef BACKOUT_BASE_TREE_H
#define BACKOUT_BASE_TREE_H

#include "harness/base/err.h"

enum { TREE_DEPTH_MAX = 256 }; /* folders below each other */

/* `to` (made; it must not exist) gets the folders and files of `from`: files as hard links, or as
 * copies where the file system has no link for them. For files that nobody changes any more.
 * Anything but folders and plain files is an error. */
int tree_link(const char *from, const char *to, struct err *e);

#endif
