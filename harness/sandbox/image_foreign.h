/* SPDX-License-Identifier: MIT */
/* What roots made of somebody else's files share. Only image_foreign.c, image_oci.c and
 * image_layout.c include this. */
#ifndef BACKOUT_SANDBOX_IMAGE_FOREIGN_H
#define BACKOUT_SANDBOX_IMAGE_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/sha256.h"
#include "harness/sandbox/image.h"
#include "harness/sandbox/image_internal.h"
#include "harness/sandbox/unpack.h"

enum { FOREIGN_FORMAT = 1 /* part of every key: bump when what is unpacked changes */ };

/* A plain file for reading; exit 65 for anything else. */
int image_open_source(const char *path, struct err *e);
/* An empty folder SCRATCH/tree, opened. */
int image_make_tree(const struct image_slot *s, struct err *e);
/* One line on stdout, which a job's parent reads, for each kind of thing that was left out. */
void image_say_left_out(const struct unpack_count *c);

struct image_recipe {
	const char *kind, *text;             /* as in struct image_about */
	int (*fn)(void *arg, struct err *e); /* in a child: fills SCRATCH/tree */
	void *arg;
	bool published; /* fn also publishes it */
};
/* From the cache, or by fn. */
int image_build_in_job(const struct image_slot *s, const struct image_recipe *r,
		       const struct image_progress_to *to, struct image *ret, struct err *e);

/* ---- container images ---- */

struct layout_layer {
	char *path;                 /* in the layout */
	char digest[SHA256_TEXT];   /* of that file; "": not told */
	char unpacked[SHA256_TEXT]; /* of what it unpacks to */
	int64_t size;               /* bytes of the file; -1: not told */
};
struct layout {
	int fd; /* the folder; the caller's */
	const char *shown;
	const char *tag; /* NULL: any */
	/* layout_choose() fills the rest. */
	char identity[SHA256_TEXT]; /* of the manifest, which names all of the content */
	struct layout_layer *layers;
	size_t layer_count;
	char *unused; /* what its configuration asks for, for a person; NULL: nothing */
};
/* The one image that is for this machine (and has the tag). Exit 65 for what is damaged or is no
 * layout, or where several would do; 69 where none is for this machine. */
int layout_choose(struct layout *l, struct err *e);
void layout_free(struct layout *l);

#endif
