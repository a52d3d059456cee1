/* SPDX-License-Identifier: MIT */
/* What a node's root is made of in its work folder, before it is mounted. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/node_private.h"
#include "harness/sandbox/tree_copy.h"
#include "harness/sandbox/upper.h"

static const char *const folders[] = { "lower", "upper", "work" };
enum { FOLDER_COUNT = sizeof(folders) / sizeof(folders[0]) };

void node_root_remove(const char *work_dir)
{
	GUARD(mem) char *disk = mem_printf("%s/" NODE_DISK, work_dir);
	(void)unlink(disk);
	for (size_t i = FOLDER_COUNT; i > 0; i--) {
		GUARD(mem) char *path = mem_printf("%s/%s", work_dir, folders[i - 1]);
		struct err ignored = { 0 };
		(void)io_remove_tree(AT_FDCWD, path, &ignored);
	}
}

static int make_folders(const char *work_dir, struct err *e)
{
	for (size_t i = 0; i < FOLDER_COUNT; i++) {
		GUARD(mem) char *path = mem_printf("%s/%s", work_dir, folders[i]);
		if (mkdir(path, 0755) < 0) {
			(void)ERR_AS(e, EXIT_UNAVAILABLE, errno, "make folder '%s'", path);
			if (e->code != EEXIST)
				node_root_remove(work_dir);
			return -1;
		}
	}
	return 0;
}

/* The overlay's index goes along: it says what the links of a file of the root show once one of
 * them was written to. All else in the overlay's work folder has to be fresh. */
static int take_from(const struct node_spec *spec, struct err *e)
{
	static const struct {
		const char *from, *to;
		bool optional, disk;
	} parts[] = {
		{ "upper", "upper", false, false },
		{ "index", "work/index", true, false },
		{ UPPER_DISK, NODE_DISK, false, true },
	};
	for (size_t i = 0; spec->from != NULL && i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].disk != (spec->root_kind == NODE_ROOT_DISK))
			continue;
		GUARD(mem) char *from = mem_printf("%s/%s", spec->from, parts[i].from);
		GUARD(mem) char *to = mem_printf("%s/%s", spec->work_dir, parts[i].to);
		if (rename(from, to) == 0 || (errno == ENOENT && parts[i].optional))
			continue;
		return ERR(e, errno,
			   errno == EXDEV ? "take '%s' as '%s': not one file system"
					  : "take '%s' as '%s'",
			   from, to);
	}
	return 0;
}

static int copy_disk(const struct node_spec *spec, struct err *e)
{
	GUARD(mem) char *disk = mem_printf("%s/" NODE_DISK, spec->work_dir);
	return disk_copy(spec->root_path, disk, e);
}

static int copy_root(const struct node_spec *spec, struct err *e)
{
	if (spec->from != NULL)
		return 0;
	if (spec->root_kind == NODE_ROOT_DISK)
		return copy_disk(spec, e);
	return spec->root_kind != NODE_ROOT_COPY
		       ? 0
		       : tree_copy_folder(spec->root_path, spec->work_dir, "upper", e);
}

int node_root_make(const struct node_spec *spec, struct err *e)
{
	if (make_folders(spec->work_dir, e) < 0)
		return -1;
	if (take_from(spec, e) == 0 && copy_root(spec, e) == 0)
		return 0;
	node_root_remove(spec->work_dir);
	return -1;
}
