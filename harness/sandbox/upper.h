/* SPDX-License-Identifier: MIT */
/*
 * What a node has written so far: the overlay's upper folder and its memory file systems (/run,
 * /tmp, /dev/shm). Cheap to name and to copy while the node runs, so that a state met in
 * mid-workflow can be kept, and another node can begin with it. Needs root.
 */
#ifndef BACKOUT_SANDBOX_UPPER_H
#define BACKOUT_SANDBOX_UPPER_H

#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/hash.h"
#include "harness/sandbox/node.h"

struct upper_cache; /* content hashes of one node's files, as in capture.h */
struct upper_cache *upper_cache_create(void);
void upper_cache_destroy(struct upper_cache *c); /* NULL-safe */

struct upper_size {
	size_t entries;
	uint64_t bytes; /* of file data */
};

/* A name for the written state: equal names mean equal fingerprints of all that lies on these
 * file systems (content, type, mode, owner, extended attributes, links; no times, no inode
 * numbers). Different names may still be the same merged state. `ret_size` may be NULL. */
int upper_digest(const struct node *n, struct upper_cache *c, char ret[HASH_TEXT],
		 struct upper_size *ret_size, struct err *e);

/* Copy it into `dir` (an existing empty folder): what node_spec.from takes. Reflinks where the
 * file system has them. */
int upper_copy(const struct node *n, const char *dir, struct err *e);

#endif
