/* SPDX-License-Identifier: MIT */
/*
 * What a node has written so far: the overlay's upper folder and its memory file systems (/run,
 * /tmp, /dev/shm). Cheap to name and to copy while the node runs, so that a state met in
 * mid-workflow can be kept, and another node can begin with it. Needs root.
 *
 * What is seen: all that system calls have done before. A store into a page that a process has
 * mapped shared is seen with the file's next change by a call, and not before where its content is
 * known from an earlier look: such a store moves a file's ctime once in a while, on tmpfs only at
 * the first one. (Fingerprints look again at what is younger than CAPTURE_RACY_S.)
 */
#ifndef BACKOUT_SANDBOX_UPPER_H
#define BACKOUT_SANDBOX_UPPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/hash.h"
#include "harness/sandbox/node.h"

/* Hashes of one node's files by (device, inode, size, ctime). Where the kernel never gives one
 * ctime to two changes with a look between them (Linux 6.13; each file system is probed once) a
 * file is read again only when it has changed; else also when its ctime is younger than 20 ms. */
struct upper_cache;
struct upper_cache *upper_cache_create(void);
void upper_cache_destroy(struct upper_cache *c); /* NULL-safe */

struct upper_size {
	size_t entries;
	uint64_t bytes; /* of file data */
	/* The workflow has mounted or unmounted something. What lies on a mount of its own is no
	 * part of the name. */
	bool mounts_changed;
};

/* A name for the written state: equal names mean equal fingerprints of all that lies on these
 * file systems (content, type, mode, owner, extended attributes, links; no times, no inode
 * numbers), and the same mounts. Different names may still be the same merged state. Of an
 * overlay's attributes those count that say what is seen (opaque, whiteout, redirect, ...); its
 * bookkeeping does not (origin, impure, nlink, uuid, upper). `ret_size` may be NULL. */
int upper_digest(const struct node *n, struct upper_cache *c, char ret[HASH_TEXT],
		 struct upper_size *ret_size, struct err *e);

/* Copy it into `dir` (an existing empty folder): what node_spec.from takes. Reflinks where the
 * file system has them. Of a node on a disk the image is copied, with its processes stopped
 * meanwhile and all written back, under the name UPPER_DISK. ENOTSUP, with the place in words,
 * where the workflow has mounted or unmounted something: a copy does not carry mounts. */
int upper_copy(const struct node *n, const char *dir, struct err *e);

#define UPPER_DISK "disk.img"

/* The memory file systems of a node, and their names in a copy; the last row is empty. */
struct upper_memory {
	const char *name, *path;
};
extern const struct upper_memory upper_memory[];

#endif
