/* SPDX-License-Identifier: MIT */
/* Which package of dpkg's lists a path. Keeps hashes of the paths, not the paths: it only informs.
 */
#ifndef BACKOUT_SANDBOX_DPKG_OWNERS_H
#define BACKOUT_SANDBOX_DPKG_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"

struct dpkg_owners;
/* From the lists below a root. No database: nobody owns anything. */
int dpkg_owners_read(int root_fd, struct dpkg_owners **ret, struct err *e);
/* As `base`, which has to outlive it, but for these files of DPKG_LISTS, which are read anew; one
 * that is no longer there counts no more. The top folders have to be those of `base`. */
int dpkg_owners_patch(const struct dpkg_owners *base, int root_fd, const char *const *files,
		      size_t count, struct dpkg_owners **ret, struct err *e);
const char *dpkg_owner(const struct dpkg_owners *o, const char *path); /* NULL: nobody's */

/* Of a path, the same in a patch as in its base. */
uint64_t dpkg_owners_hash(const struct dpkg_owners *o, const char *path);
/* Of a patch: false means that the path's owner is that of the base. */
bool dpkg_owners_moved(const struct dpkg_owners *o, uint64_t hash);

/* A file of DPKG_LISTS that says what a package owns, by its name. */
bool dpkg_is_list(const char *file);

/* All of it in one piece, for later processes of this host; -1 when `data` is not that. No patches.
 */
void dpkg_owners_save(const struct dpkg_owners *o, struct buf *ret);
int dpkg_owners_load(const char *data, size_t len, struct dpkg_owners **ret);
void dpkg_owners_free(struct dpkg_owners *o); /* NULL-safe */

#endif
