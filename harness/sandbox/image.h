/* SPDX-License-Identifier: MIT */
/*
 * Root images: built once, cached under STATE/images/ by their recipe's digest, as erofs.
 *
 *	STATE/images/KEY.erofs   the image; KEY.ext4, .xfs, .btrfs: a root with a disk of its own;
 *				 KEY.tree: a folder with the same, of an ordinary user (userns.h)
 *	STATE/images/KEY.json    what it is:
 *{"kind":"debian"|"tar"|"oci"|...|"layer"|"disk","recipe":..., "digest":XXH3-128 of the
 *image,"size":...,"packages":{...}, "built":...} STATE/images/KEY.lines   the fingerprint of its
 *files (capture_base.h), made on first need Concurrent builders of one key wait for each other
 *(flock). An image is complete or absent: written under another name and renamed. Needs root,
 *mmdebstrap, mkfs.erofs.
 */
#ifndef BACKOUT_SANDBOX_IMAGE_H
#define BACKOUT_SANDBOX_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/loop.h"
#include "harness/model/disk.h"
#include "harness/sandbox/node.h"
#include "harness/sandbox/owner.h"

struct image {
	char key[33];    /* of the recipe, hex */
	char digest[33]; /* of the content, hex; for a directory root: of its path; for a disk,
			    whose bytes hold ids drawn by chance: the key */
	char *path;      /* the erofs file, or the directory */
	bool is_dir;     /* a folder of somebody else's, which may change */
	bool is_tree;    /* a folder of the cache: in a user namespace no erofs can be mounted */
	char *mask;      /* NULL; or a folder over it that hides parts of it (image_host) */
	bool on_disk;    /* a file system that is to be written: each node needs a copy */
	enum disk_fs fs;
	char *mounted; /* where it is mounted for all nodes (node_mount_image); NULL: each does */
	struct capture_base *lines; /* NULL: not asked for, or a directory */
};
void image_free(struct image *i);
enum node_root image_node_root(const struct image *i);

struct image_file {
	const char *dest; /* absolute path inside */
	const char *from; /* file or directory on this host, or NULL */
	const char *text; /* or this */
	int mode;         /* -1: the source's, 0644 for text */
};

typedef void (*image_progress_fn)(void *arg, const char *line);

/* {"debian": suite, "include": [...]}: from the cache, or built by mmdebstrap with this host's
 * apt sources (exit 69 with mmdebstrap's own last words when it cannot be). */
int image_debian(struct owner *o, const char *suite, const char *const *include, size_t count,
		 image_progress_fn progress, void *arg, struct image *ret, struct err *e);
/* {"dir": path} */
int image_dir(const char *path, struct image *ret, struct err *e);
/* {"host": true}: the host's root file system as it is now, without what is mounted on it, and
 * without the existing paths of `hide`. Needs no building. */
int image_host(struct owner *o, const char *const *hide, size_t count, struct image *ret,
	       struct err *e);
/* Files of somebody else's; the image that is made of each is keyed by its content. */
struct image_progress_to {
	image_progress_fn fn; /* may be NULL */
	void *arg;
};
/* {"tar": path}: plain or packed by gzip, bzip2, xz or zstd; see unpack.h for what is refused. */
int image_tar(struct owner *o, const char *path, const struct image_progress_to *to,
	      struct image *ret, struct err *e);
/* {"erofs": path}, {"squashfs": path}: mounted read-only to be read; exit 69 where the kernel has
 * not the file system. */
struct image_fs_file {
	enum { IMAGE_FS_EROFS, IMAGE_FS_SQUASHFS } fs;
	const char *path;
};
int image_filesystem(struct owner *o, const struct image_fs_file *file,
		     const struct image_progress_to *to, struct image *ret, struct err *e);
/* {"oci": path, "tag": tag}: an OCI image layout or `docker save`'s, as a folder or a tar. `tag`
 * may be NULL. Digests are checked. */
struct image_oci_source {
	const char *path, *tag;
};
int image_oci(struct owner *o, const struct image_oci_source *source,
	      const struct image_progress_to *to, struct image *ret, struct err *e);
/* files copied in (owner root), then the set-up commands run once in a node over `base` without
 * network; the merged tree becomes an image of its own. No files and no commands: `base` again.
 * A failing command is exit 65 with its last output. */
int image_layer(struct owner *o, const struct image *base, const struct image_file *files,
		size_t file_count, const char *const *setup, size_t setup_count,
		image_progress_fn progress, void *arg, struct image *ret, struct err *e);

/* `base` as a file system of this size: exit 65 when it is too small, with a size that will do. */
struct image_disk_spec {
	enum disk_fs fs;
	uint64_t size; /* bytes */
};
int image_disk(struct owner *o, const struct image *base, const struct image_disk_spec *spec,
	       const struct image_progress_to *to, struct image *ret, struct err *e);
/* What images' names end with: "erofs", and the file systems of disks; NULL-terminated. */
extern const char *const image_suffixes[];
const char *image_suffix(const struct image *i); /* NULL: of one without a disk */
/* The cached image with this digest. 1: *ret filled; 0: there is none. */
int image_find(const char *state_dir, const char *digest, struct image *ret, struct err *e);

/* Takes an image from elsewhere into the cache, once its content is seen to be the one that `meta`
 * describes, and for an erofs to have that digest (exit 65 when it has not; a disk's digest names
 * what it was made of). The name of `file` ends with one of image_suffixes. An erofs, which must
 * lie below the state folder, is moved, a disk copied with its holes; one that the cache has
 * already stays. 1: it was there; 0: taken. */
int image_import(struct owner *o, const char *file, const char *meta, const char *digest,
		 struct err *e);
/* Fills i->lines, which then belongs to the image; nothing to do for a directory, for that may
 * change. */
int image_lines(struct owner *o, struct image *i, struct err *e);

struct image_info {
	char key[33];
	char digest[33];     /* of the content */
	char *kind, *recipe; /* recipe: one line for a person */
	uint64_t size;
	int64_t built; /* seconds since the epoch */
};
/* Sorted by age. Returns the count; *ret and its strings by image_list_free(). */
int image_list(const char *state_dir, struct image_info **ret, struct err *e);
void image_list_free(struct image_info *list, int count);
/* By key or unique prefix of it; "all" removes all. Returns how many, -1 on error. */
int image_remove(const char *state_dir, const char *key, struct err *e);

#endif
