/* SPDX-License-Identifier: MIT */
/*
 * A tar of somebody else's, into a folder, as a file system's root. Nothing is ever written outside
 * of the folder: names that are absolute or have ".." are refused, and links on the way are
 * resolved as a process inside would see them. Needs root (owners, attributes).
 */
#ifndef BACKOUT_SANDBOX_UNPACK_H
#define BACKOUT_SANDBOX_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/base/err.h"

enum {
	UNPACK_ENTRIES_MAX = 1 << 20, /* of one root, all layers together */
	UNPACK_DEPTH_MAX = 128,       /* folders below each other */
};
#define UNPACK_BYTES_MAX (UINT64_C(32) << 30) /* of one root's file data, unpacked */

/* What a root may still take, and what was left out of it so far. */
struct unpack_count {
	uint64_t bytes, entries;                 /* left; begin with the limits above */
	unsigned devices, sockets, xattrs, acls; /* left out */
};

struct unpack {
	int root_fd;       /* of the folder */
	int tar_fd;        /* at its beginning; read from there, more than once for a layer */
	const char *shown; /* for errors */
	bool layer; /* a layer of an image: ".wh.NAME" takes away what layers below put there */
	struct unpack_count *count;
};
/* Device nodes and sockets are left out and counted. Set-uid files, owners, times and extended
 * attributes are as the archive has them; overlayfs's own attributes are left out. On failure
 * (exit 65 for what the archive is) the folder is half full. */
int unpack_tar(const struct unpack *u, struct err *e);

#endif
