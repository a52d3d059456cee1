/* SPDX-License-Identifier: MIT */
/* Plain files in a .tar.zst (libarchive, named in archive.c alone). */
#ifndef BACKOUT_BASE_ARCHIVE_H
#define BACKOUT_BASE_ARCHIVE_H

#include <stdint.h>

#include "harness/base/err.h"

enum { ARCHIVE_ENTRIES_MAX = 1 << 20 };
#define ARCHIVE_BYTES_MAX (UINT64_C(64) << 30) /* of file data, unpacked */

struct archive_out;

/* Appears under `path` only when it is whole: archive_finish(). */
int archive_create(struct archive_out **ret, const char *path, struct err *e);
/* One file (read from `from`) or a text under a relative name. */
int archive_add_file(struct archive_out *a, const char *name, const char *from, struct err *e);
int archive_add_text(struct archive_out *a, const char *name, const char *text, struct err *e);
/* The folder's plain files, and those of its folders, below `name`. Anything else in it is an
 * error. What is called `but` in the folder itself is left out; NULL: nothing. */
int archive_add_tree(struct archive_out *a, const char *name, const char *from, const char *but,
		     struct err *e);
/* Frees, whatever it returns; on failure nothing is left. */
int archive_finish(struct archive_out *a, struct err *e);
void archive_discard(struct archive_out *a); /* NULL-safe */

/* Into `dir`, an existing empty folder. Absolute names, names with "..", links, devices and what
 * comes twice are refused (exit 65), and nothing is ever written outside. */
int archive_extract(const char *path, const char *dir, struct err *e);

#endif
