/* SPDX-License-Identifier: MIT */
/* What the image_*.c files share. No other file includes this. */
#ifndef BACKOUT_SANDBOX_IMAGE_INTERNAL_H
#define BACKOUT_SANDBOX_IMAGE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/base/hash.h"
#include "harness/sandbox/image.h"
#include "harness/sandbox/owner.h"

#define IMAGE_TREE "tree" /* suffix of an image that is a folder */

enum {
	IMAGE_META_MAX = 4 << 20, /* bytes of KEY.json */
	IMAGE_FORMAT = 2,         /* part of every key: bump when a build's content changes */
	JOB_LINE_MAX = 2048,      /* bytes of one line passed on; the rest of it is dropped */
	JOB_TAIL_MAX = 420,       /* bytes of last words kept for an error */
};

struct image_progress {
	image_progress_fn fn; /* may be NULL */
	void *arg;
};

/* A child process whose output comes back line by line. It dies with its parent, and with it
 * all that it started where `clone_flags` has CLONE_NEWPID. */
struct job {
	int (*fn)(void *arg, struct err *e); /* runs in the child; 0, or -1 with e set */
	void *arg;
	int clone_flags;
	int stdin_fd; /* -1: /dev/null */
};
/* `tail` gets the last words, oldest first. Returns fn's 0, or -1 with fn's own error. */
int job_run(const struct job *j, const struct image_progress *p, struct buf *tail, struct err *e);
/* Run a program in PID and mount namespaces of its own, `input` (may be NULL) on its stdin.
 * Anything but exit 0 is exit 69 with its last words. */
int job_tool(const char *const *argv, const char *input, const struct image_progress *p,
	     struct err *e);

/* The store: STATE/images. */
struct image_slot {
	char key[HASH_TEXT];
	char *dir;          /* STATE/images */
	char *scratch;      /* an empty folder of the owner's, gone after image_slot_close() */
	const char *suffix; /* of the image's name: "erofs", or the file system of a disk */
	int lock;
};
/* Waits for other builders of this key. */
int image_slot_open(struct owner *o, const char *key, struct image_slot *ret, struct err *e);
void image_slot_close(struct image_slot *s);
/* 1: complete in the cache and *ret filled; 0: to be built. */
int image_slot_find(const struct image_slot *s, struct image *ret, struct err *e);

struct image_about {
	const char *kind;   /* "debian", "layer", "disk" */
	const char *recipe; /* one line for a person */
	const char *tree;   /* the finished tree */
};
/* mkfs.erofs of the tree, digest and KEY.json; both appear by rename, the json last. */
int image_slot_publish(const struct image_slot *s, const struct image_about *about,
		       const struct image_progress *p, struct image *ret, struct err *e);
/* The finished file in place of the tree; `packages` as image_packages_json() gives them. */
int image_slot_store(const struct image_slot *s, const char *temp, const struct image_about *about,
		     const struct buf *packages, struct image *ret, struct err *e);
/* Names, metadata and times of all that is below a folder: it may have changed since. */
int image_stamp_dir(const struct image *folder, struct hash *h, struct err *e);
int image_meta_read(const char *dir, const char *key, struct image_info *ret,
		    char digest[HASH_TEXT], struct err *e);

/* This host's apt sources that offer the suite, as one deb822 text. Exit 69 when none does.
 * `etc_apt` is "/etc/apt" but in tests. */
int image_sources(const char *etc_apt, const char *suite, struct buf *ret, struct err *e);

/* Copy the files below `root_fd`, never leaving it. */
int image_files_apply(int root_fd, const struct image_file *files, size_t count, struct err *e);
/* Gives one fixed time to all below `tree` (no mounts in it) that was written at `since` or later,
 * so that the same work done another day leaves the same tree. */
int image_settle_times(const char *tree, const struct timespec *since, struct err *e);
/* Feed what decides the files' effect into the hash: names, modes, types, content. */
int image_files_hash(const struct image_file *files, size_t count, struct hash *h, struct err *e);

/* "name": "version" of what dpkg has installed below the tree, without the braces. */
int image_packages_json(const char *tree, struct buf *ret, struct err *e);

#endif
