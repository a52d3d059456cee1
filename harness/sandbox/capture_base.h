/* SPDX-License-Identifier: MIT */
/*
 * What a fingerprint says of a root that never changes: the lines of an image's files, taken once
 * from a pristine node and kept beside the image. A later fingerprint looks only at what the node
 * has written (its upper folder and memory file systems), at the image's hard links (one that is
 * written to shows in its siblings) and pid files, and copies the other lines. The text is the
 * same to the last byte as if all had been looked at.
 *
 * The file: {"format":N,"owners":BYTES,"image":DIGEST,"xxh3":of the rest}, which package owns which
 * path (for this host alone), then the lines.
 */
#ifndef BACKOUT_SANDBOX_CAPTURE_BASE_H
#define BACKOUT_SANDBOX_CAPTURE_BASE_H

#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/sandbox/node.h"

struct capture_base;

/* `n` has run nothing yet. The file is complete or absent. */
int capture_base_write(struct node *n, const char *image_digest, const char *path, struct err *e);
/* 1: *ret is the caller's, constant, and shared with processes forked later; 0: there is none, or
 * not of this image or of this version, or it is damaged: to be written anew. */
int capture_base_open(struct capture_base **ret, const char *path, const char *image_digest,
		      struct err *e);
/* Does the image have this path (no link on the way)? */
bool capture_base_has(const struct capture_base *b, const char *path);
void capture_base_close(struct capture_base *b); /* NULL-safe */

#endif
