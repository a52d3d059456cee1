/* SPDX-License-Identifier: MIT */
/* The root image of every node of a plan, from the cache or built. */
#ifndef BACKOUT_ENGINE_ROOTS_H
#define BACKOUT_ENGINE_ROOTS_H

#include "harness/base/err.h"
#include "harness/model/plan.h"
#include "harness/sandbox/image.h"
#include "harness/sandbox/node.h"

struct roots_note {
	image_progress_fn fn; /* may be NULL */
	void *arg;
	const char *runs_dir; /* where runs are kept: no node of "host" sees it; NULL: nowhere */
};

/* `*ret` has one image a node, in the plan's order; roots_free(). */
int roots_prepare(struct owner *o, const struct plan *p, const struct roots_note *note,
		  struct image **ret, struct err *e);
/* The same, but with the content that a run has recorded (node to digest). What is not in the cache
 * is built again where that can be done; another content than recorded is exit 69. */
int roots_again(struct owner *o, const struct plan *p, const struct pairs *recorded,
		const struct roots_note *note, struct image **ret, struct err *e);
/* A node's root, in the words of its spec. */
void roots_into(const struct image *root, struct node_spec *spec);
void roots_free(struct image *roots, size_t count); /* NULL-safe */

#endif
