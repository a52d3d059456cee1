/* SPDX-License-Identifier: MIT */
/* Merging what a node has written with the lines of its image. For capture_*.c alone. */
#ifndef BACKOUT_SANDBOX_CAPTURE_DELTA_H
#define BACKOUT_SANDBOX_CAPTURE_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/mem.h"
#include "harness/sandbox/capture_base.h"
#include "harness/sandbox/capture_internal.h"
#include "harness/sandbox/dpkg.h"
#include "harness/sandbox/dpkg_owners.h"

struct base_line {
	const char *path;
	const char *text;    /* with its newline */
	uint32_t len, owner; /* where ,"@owner" begins; 0: nobody's */
	uint64_t hash;       /* for dpkg_owners_moved() */
	bool is_dir, is_file;
	bool moves; /* may change though its file does not: a link of several, a pid file */
};

struct capture_base {
	const char *map;
	size_t size;
	struct arena *arena;
	struct dpkg_owners *owners; /* by the lists of the image */
	struct base_line *lines;    /* sorted by path */
	size_t count;
	bool odd_lists; /* dpkg's lists lie behind a link: owners have to be asked for each time */
};

/* On a memory file system of every node, or one itself. */
bool capture_in_memory(const char *path);

struct delta {
	const struct capture_base *base;
	struct path_list paths;   /* to be looked at, sorted; of type DT_WHT: absent */
	struct path_list hidden;  /* folders of the image whose content is hidden, "/a/", sorted */
	size_t next, next_hidden; /* line of the base */
	bool owners_moved;        /* dpkg's lists are not where the image has them */
	struct path_list
		lists; /* those of them that were written to, by the names of their files */
};

/* 1: usable; 0: the image's lines tell too little (something is mounted, a folder is redirected):
 * all has to be looked at. delta_close() in any case. */
int delta_open(struct delta *d, const struct capture_base *base, const struct node *n,
	       struct err *e);
void delta_close(struct delta *d);
/* Who owns what now. NULL: as the image has it. */
int delta_owners(const struct delta *d, const struct node *n, struct dpkg_owners **ret,
		 struct err *e);
/* Copies the lines of the image that stand before `path` (NULL: all that are left), and passes over
 * its own. `owners`: what delta_owners() gave. */
int delta_copy_until(struct delta *d, struct capture *c, const struct dpkg_owners *owners,
		     const char *path, struct err *e);

#endif
