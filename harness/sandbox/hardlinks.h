/* SPDX-License-Identifier: MIT */
/* Which names are links of one file: the first name of each inode that was seen. */
#ifndef BACKOUT_SANDBOX_HARDLINKS_H
#define BACKOUT_SANDBOX_HARDLINKS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct hardlink;                /* one inode */
struct hardlinks {              /* zero-initialise; hardlinks_free() */
	struct hardlink *items; /* open addressing */
	size_t count, slots;
};

/* The first path of the inode; NULL: this is it, and a copy of it is kept. */
const char *hardlinks_first(struct hardlinks *h, const struct stat *st, const char *path);
void hardlinks_free(struct hardlinks *h);

#endif
