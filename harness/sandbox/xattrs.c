/* SPDX-License-Identifier: MIT */
/* Through /proc/self/fd: the calls that take a folder and a name are newer than our kernels. */
#include "harness/sandbox/xattrs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "harness/base/mem.h"

enum {
	FIRST_ROOM = 512, /* bytes: most files' attributes fit */
	NAMES_MAX = 512,  /* attributes of one file */
	PATH_ROOM = NAME_MAX + 64,
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void name_in(int dirfd, const char *name, char ret[PATH_ROOM])
{
	(void)snprintf(ret, PATH_ROOM, "/proc/self/fd/%d/%s", dirfd, name);
}

/* Grows as far as the kernel may ask for: both limits are 64 KiB. */
static ssize_t read_into(struct buf *b, const char *path, const char *attr)
{
	for (size_t room = FIRST_ROOM;; room = XATTR_SIZE_MAX) {
		if (b->cap < room + 1) {
			b->data = mem_grow(b->data, room + 1, 1);
			b->cap = room + 1;
		}
		ssize_t n = attr == NULL ? llistxattr(path, b->data, room)
					 : lgetxattr(path, attr, b->data, room);
		if (n < 0 && errno == ERANGE && room < XATTR_SIZE_MAX)
			continue;
		b->len = n > 0 ? (size_t)n : 0;
		b->data[b->len] = '\0';
		return n;
	}
}

static_assert(XATTR_LIST_MAX <= XATTR_SIZE_MAX, "one limit serves both");

int xattrs_each(int dirfd, const char *name, xattr_fn fn, void *arg, struct err *e)
{
	char path[PATH_ROOM];
	GUARD_BUF struct buf list = { 0 };
	GUARD_BUF struct buf value = { 0 };
	name_in(dirfd, name, path);
	ssize_t len = read_into(&list, path, NULL);
	if (len == 0 || (len < 0 && (errno == ENOTSUP || errno == EPERM)))
		return 0;
	if (len < 0 && errno == ENOENT && faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (len < 0)
		return ERR(e, errno, "list extended attributes of '%s' (needs /proc)", name);
	const char *names[NAMES_MAX];
	size_t count = 0;
	for (const char *at = list.data; at < list.data + list.len; at += strlen(at) + 1) {
		if (count == NAMES_MAX)
			return ERR(e, E2BIG, "'%s': more than %d extended attributes", name,
				   NAMES_MAX);
		names[count++] = at;
	}
	if (count > 1)
		qsort(names, count, sizeof(names[0]), by_text);
	for (size_t i = 0; i < count; i++) {
		if (read_into(&value, path, names[i]) < 0) {
			if (errno == ENODATA || errno == ENOENT)
				continue;
			return ERR(e, errno, "read extended attribute '%s' of '%s'", names[i],
				   name);
		}
		if (fn(arg, names[i], &value, e) < 0)
			return -1;
	}
	return 0;
}

int xattrs_set(int dirfd, const char *name, const char *attr, const struct buf *value,
	       struct err *e)
{
	char path[PATH_ROOM];
	name_in(dirfd, name, path);
	if (lsetxattr(path, attr, buf_str(value), value->len, 0) < 0)
		return ERR(e, errno, "set extended attribute '%s' of '%s'", attr, name);
	return 0;
}
