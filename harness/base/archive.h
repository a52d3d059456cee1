/* SPDX-License-Identifier: MIT */
/* Plain files in a .tar.zst, and any tar entry by entry (libarchive, named in archive.c alone). */
#ifndef BACKOUT_BASE_ARCHIVE_H
#define BACKOUT_BASE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

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

/* ---- a tar of somebody else's, entry by entry ---- */

/* Plain or packed by gzip, bzip2, xz or zstd, found out by its content. Nothing is checked but that
 * it can be read: names and links are as they stand there. */
struct archive_in;
struct archive_item {
	const char *name; /* both until the next item */
	const char *link; /* of what S_IFLNK or `hard` names; else NULL */
	bool hard;        /* another name of the file `link` */
	bool has_acl;
	mode_t mode; /* type and permissions */
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
	uint64_t size; /* bytes, unpacked, as it claims */
};
/* Reads from where `fd` stands; the fd stays the caller's, and open. `shown` is for errors. What is
 * no such archive, or damaged, is exit 65 here and below. */
int archive_open(struct archive_in **ret, int fd, const char *shown, struct err *e);
void archive_close(struct archive_in *a); /* NULL-safe */
/* 1: *ret filled; 0: the end. An archive that stops without its end mark is an error. */
int archive_next(struct archive_in *a, struct archive_item *ret, struct err *e);
/* The item's content into `fd`, an empty file; EFBIG when it has more than `max` bytes. */
int archive_data(struct archive_in *a, int fd, uint64_t max, struct err *e);
/* The item's next extended attribute; false: no more. */
bool archive_xattr(struct archive_in *a, const char **name, const void **value, size_t *len);
/* What it is when no packing is left, into `to`, and told to `see` (may be NULL) on the way. EFBIG
 * when that is more than `max` bytes. */
typedef void (*archive_see_fn)(void *arg, const void *data, size_t len);
struct archive_sink {
	int to;
	uint64_t max; /* bytes */
	archive_see_fn see;
	void *arg;
};
int archive_unpacked(int fd, const char *shown, const struct archive_sink *sink, struct err *e);

#endif
