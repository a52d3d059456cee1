/* SPDX-License-Identifier: MIT */
/* dpkg's database below a root, read from its own files: no dpkg is run. */
#ifndef BACKOUT_SANDBOX_DPKG_H
#define BACKOUT_SANDBOX_DPKG_H

#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/mem.h"

#define DPKG_DIR   "/var/lib/dpkg"
#define DPKG_LISTS DPKG_DIR "/info" /* where it says which package owns a path */
#define DPKG_LIST  ".list"          /* of the names of those files */
enum { DPKG_FILE_MAX = 64 << 20 };  /* bytes of a status or list file */

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

#endif
