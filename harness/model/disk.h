/* SPDX-License-Identifier: MIT */
/* File systems that a node's root can have for itself. */
#ifndef BACKOUT_MODEL_DISK_H
#define BACKOUT_MODEL_DISK_H

#include <stdint.h>

/* id, name, smallest size in MiB */
/* clang-format off */
#define DISK_FS(X) X(EXT4, "ext4", 16) X(XFS, "xfs", 300) X(BTRFS, "btrfs", 128)
enum disk_fs {
#define X(id, name, least) DISK_##id,
	DISK_FS(X)
#undef X
	DISK_FS_COUNT
};
/* clang-format on */

extern const char *const disk_fs_names[]; /* NULL-terminated; plan_disk.c */
extern const uint64_t disk_fs_least[];    /* bytes */

#endif
