/* SPDX-License-Identifier: MIT */
/* dpkg's database below a root, read from its own files: no dpkg is run. */
#ifndef BACKOUT_SANDBOX_DPKG_H
#define BACKOUT_SANDBOX_DPKG_H

#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/mem.h"

struct dpkg_package {
	const char *key;     /* "name:arch" */
	const char *version; /* "" when it has none */
	const char *status;  /* "install ok installed" */
};

struct dpkg_db {
	struct dpkg_package *items; /* sorted by key bytes */
	size_t count;
};

/* status, then updates/NNNN in order, as dpkg merges them. Packages that are not installed at all
 * are left out. No database: no packages. Strings live in the arena. */
int dpkg_read(int root_fd, struct arena *arena, struct dpkg_db *ret, struct err *e);

/* Which package lists a path. Keeps hashes of the paths, not the paths: it only informs. */
struct dpkg_owners;
int dpkg_owners_read(int root_fd, struct dpkg_owners **ret, struct err *e);
const char *dpkg_owner(const struct dpkg_owners *o, const char *path); /* NULL: nobody's */
/* All of it in one piece, for later processes of this host; -1 when `data` is not that. `data` has
 * to outlive what is made of it. */
struct buf;
void dpkg_owners_save(const struct dpkg_owners *o, struct buf *ret);
int dpkg_owners_load(const char *data, size_t len, struct dpkg_owners **ret);
void dpkg_owners_free(struct dpkg_owners *o); /* NULL-safe */

#endif
