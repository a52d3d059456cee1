/* SPDX-License-Identifier: MIT */
/*
 * A prepared exchange of files in a node: a folder's files as they are ("original"), and as they
 * shall be during the strike ("altered"). Preparing may take its time; the exchange itself only
 * copies what differs. Each file is written under another name and renamed: a reader sees one or
 * the other, never half. All access is from outside, resolved inside the node's root.
 *
 * Only regular files may differ between the two; a new folder, a changed link, a file with hard
 * links or extended attributes that changes is refused. Needs root.
 */
#ifndef INJECTORS_SWAP_H
#define INJECTORS_SWAP_H

#include <stddef.h>

#include "harness/base/err.h"
#include "harness/sandbox/node.h"

enum swap_side { SWAP_ORIGINAL, SWAP_ALTERED, SWAP_SIDES };

enum {
	SWAP_FILES_MAX = 16384,    /* entries in the folder */
	SWAP_COPY_MAX = 256 << 20, /* bytes of copies, all together */
};

struct swap;

/* Records every file under `folder` (a path inside the node), and copies all but the packages
 * (*.deb) other than `deb` below work_dir. Nothing in the node is changed. */
int swap_begin(struct swap **ret, const struct node *n, const char *folder, const char *deb,
	       const char *work_dir, struct err *e);
/* Puts the file `from` of this host in the place of `path` in the node, which must be one of the
 * recorded; keeps its mode and owner. */
int swap_put(struct swap *s, const char *path, const char *from, struct err *e);
/* What differs now is the altered side: copies it, restores the original (times, too), and checks
 * that every byte is back. */
int swap_prepared(struct swap *s, struct err *e);
/* Brings one side about. So that a client which asks "modified since?" notices each exchange, an
 * altered file is one second newer than its original, a restored one two. */
int swap_apply(struct swap *s, enum swap_side side, struct err *e);
/* Reads all files that differ, and compares them with that side. */
int swap_verify(struct swap *s, enum swap_side side, struct err *e);

/* How many files differ between the sides. */
size_t swap_changed(const struct swap *s);
/* On this host: a folder of its own below work_dir; the saved copy of the original `deb`. */
const char *swap_dir(const struct swap *s);
const char *swap_deb_copy(const struct swap *s);
void swap_free(struct swap *s); /* NULL-safe; removes the copies, leaves the node as it is */

/* The folder of the index that lists `deb`: its nearest ancestor that holds "dists", Packages or
 * Release; without one the package's own folder. The caller's to free(). */
char *swap_index_folder(const struct node *n, const char *deb);

#endif
