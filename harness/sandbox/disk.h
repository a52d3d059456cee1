/* SPDX-License-Identifier: MIT */
/*
 * File systems in image files: made by their own tools (packages e2fsprogs, xfsprogs,
 * btrfs-progs), mounted by loop devices that clear themselves at their last close, so that none
 * outlives a node or the harness. Mounted with the options that keep the most in memory: what
 * a workflow did not make durable is lost in a power cut. Needs root.
 */
#ifndef BACKOUT_SANDBOX_DISK_H
#define BACKOUT_SANDBOX_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/hash.h"
#include "harness/model/disk.h"

enum { DISK_DEVICE_MAX = 32 }; /* bytes of "/dev/loop4711" */

/* A loop device on `path`, read-only or not. Returns its descriptor, its name in ret[]. */
int disk_attach(const char *path, bool writable, char ret[DISK_DEVICE_MAX], struct err *e);

/* The program that makes one in `image`, a file of the right size: argv, NULL-terminated; `image`
 * and the array are valid until the next call. And the package that has it. */
const char *const *disk_mkfs(enum disk_fs fs, const char *image);
const char *disk_package(enum disk_fs fs);

/* Mounts image on folder `where` of the calling process's mount namespace; waits (two seconds at
 * most) for another mount of the same file system to go. `device` may be NULL. */
int disk_mount(enum disk_fs fs, const char *image, const char *where, char device[DISK_DEVICE_MAX],
	       struct err *e);
/* NULL: `options` (a mount's, as the kernel shows them) has all that was asked for; else the first
 * one that lacks. */
const char *disk_lacks(enum disk_fs fs, const char *options);

/* How large a file system for `bytes` of file data in `entries` files and folders should be. */
uint64_t disk_size_for(enum disk_fs fs, uint64_t bytes, uint64_t entries);

/* A copy of an image that is not synced: what its file has in memory counts. By reflink where the
 * file system has them, else holes and zeros stay holes. */
int disk_copy(const char *from, const char *to, struct err *e);
/* A name for what an image holds, synced or not. */
int disk_name(const char *image, char ret[HASH_TEXT], struct err *e);
/* In how many bytes, by blocks of 4 KiB, two images of one size differ. */
int disk_differ(const char *a, const char *b, uint64_t *ret, struct err *e);

/* The device's write requests so far, and whether any is under way; false: it is not there. */
bool disk_writes(const char *device, uint64_t *count, bool *busy);
/* Until the device has let go of this file (at most two seconds). */
void disk_wait_free(const char *device, const char *image);

#endif
