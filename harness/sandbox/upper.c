/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/upper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/rooted.h"
#include "harness/sandbox/tree_copy.h"
#include "harness/sandbox/upper_internal.h"

enum { MOUNTS_MAX = 4 << 20 /* bytes of mountinfo */ };

const struct upper_memory upper_memory[] = {
	{ "run", "/run" },
	{ "tmp", "/tmp" },
	{ "shm", "/dev/shm" },
	{ NULL, NULL },
};

int upper_open(const struct node *n, const char *below, struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/%s", node_work_dir(n), below);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
	return fd >= 0 ? fd : ERR(e, errno, "open '%s'", path);
}

/* The overlay's index: of a file with several links in the root, what all of them show once one was
 * written to, though only that one lies in the upper folder. */
static int each_disk(const struct node *n, upper_fn fn, void *arg, struct err *e)
{
	GUARD(fd) int upper = upper_open(n, "upper", e);
	if (upper < 0 || fn(arg, "upper", upper, e) < 0)
		return -1;
	if (node_is_copy(n))
		return 0;
	GUARD(fd) int index = upper_open(n, "work/index", e);
	return index < 0 ? -1 : fn(arg, UPPER_INDEX, index, e);
}

static int each_memory(const struct node *n, upper_fn fn, void *arg, struct err *e)
{
	for (const struct upper_memory *m = upper_memory; m->name != NULL; m++) {
		GUARD(fd)
		int fd = rooted_open(node_root_fd(n), m->path, O_RDONLY | O_DIRECTORY | O_NOATIME,
				     ROOTED_REFUSE);
		if (fd < 0)
			return ERR(e, errno, "open '%s' of the node", m->path);
		if (fn(arg, m->name, fd, e) < 0)
			return -1;
	}
	return 0;
}

int upper_each(const struct node *n, upper_fn fn, void *arg, struct err *e)
{
	return each_disk(n, fn, arg, e) < 0 ? -1 : each_memory(n, fn, arg, e);
}

int upper_mounts(const struct node *n, struct upper_mounts *ret, struct err *e)
{
	char path[64], point[PATH_MAX];
	GUARD_BUF struct buf text = { 0 };
	(void)snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)node_init_pid(n));
	if (io_read_file(AT_FDCWD, path, MOUNTS_MAX, &text, e) < 0)
		return -1;
	*ret = (struct upper_mounts){ 0 };
	for (char *line, *rest = text.data; (line = strsep(&rest, "\n")) != NULL;) {
		/* ID PARENT DEV ROOT POINT OPTIONS...: ids differ from node to node */
		if (sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1)
			continue;
		ret->count++;
		if (!node_own_mount(point) || ret->count > node_own_mounts(n)) {
			buf_puts(&ret->others, point);
			buf_putc(&ret->others, '\n');
		}
	}
	ret->changed = ret->others.len > 0 || ret->count != node_own_mounts(n);
	return 0;
}

/* ---- copying ---- */

struct copying {
	int base_fd;
	struct tree_copy *copy;
};

static int copy_part(void *arg, const char *name, int fd, struct err *e)
{
	struct copying *c = arg;
	bool index = strcmp(name, UPPER_INDEX) == 0;
	if (mkdirat(c->base_fd, name, 0700) < 0)
		return ERR(e, errno, "make folder '%s' in the copy", name);
	/* The index folder's own attributes tie it to its upper folder: the kernel makes them
	 * anew. */
	if (tree_copy_below(c->copy, fd, name, index ? UPPER_INDEX_TEMPORARY : '\0', e) < 0)
		return -1;
	return index ? 0 : tree_copy_self(c->copy, fd, name, e);
}

static int refuse_mounts(const struct node *n, struct err *e)
{
	struct upper_mounts m;
	if (upper_mounts(n, &m, e) < 0)
		return -1;
	int ret = 0;
	if (m.others.len > 0)
		ret = ERR(e, ENOTSUP,
			  "the workflow has mounted something at '%.*s', which no copy carries",
			  (int)strcspn(buf_str(&m.others), "\n"), buf_str(&m.others));
	else if (m.changed)
		ret = ERR(e, ENOTSUP,
			  "the workflow has unmounted something, which no copy carries");
	buf_free(&m.others);
	return ret;
}

static int copy_root(const struct node *n, struct copying *c, const char *dir, struct err *e)
{
	if (!node_on_disk(n))
		return each_disk(n, copy_part, c, e);
	GUARD(mem) char *disk = mem_printf("%s/" UPPER_DISK, dir);
	return node_disk_copy(n, disk, e);
}

int upper_copy(const struct node *n, const char *dir, struct err *e)
{
	GUARD(fd) int base = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (base < 0)
		return ERR(e, errno, "open '%s'", dir);
	if (refuse_mounts(n, e) < 0)
		return err_prefix(e, "state of node '%s'", node_name(n));
	struct copying c = { .base_fd = base, .copy = tree_copy_create(base) };
	int ret = copy_root(n, &c, dir, e);
	if (ret == 0)
		ret = each_memory(n, copy_part, &c, e);
	tree_copy_destroy(c.copy);
	return ret < 0 ? err_prefix(e, "state of node '%s'", node_name(n)) : 0;
}
