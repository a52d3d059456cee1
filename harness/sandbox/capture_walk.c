/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/capture_internal.h"
#include "harness/sandbox/rooted.h"

enum {
	DEEP_FOLDERS = 256,                    /* above each other, one descriptor each */
	DEEP_BYTES = PATH_MAX - NAME_MAX - 64, /* of a path; another name fits behind it */
};

bool path_is_deep(const char *folder)
{
	size_t folders = 0;
	for (const char *p = strchr(folder, '/'); p != NULL; p = strchr(p + 1, '/'))
		folders++;
	return folders >= DEEP_FOLDERS || strlen(folder) > DEEP_BYTES;
}

/* The kernel's own file systems: not what a patch changes. */
static const char *const skipped[] = { "proc", "sys", "dev" };

void path_list_add(struct path_list *l, unsigned char type, const char *path)
{
	size_t need = strlen(path) + 2;
	if (l->len + need > l->cap) {
		l->cap = (l->len + need) * 2;
		l->text = mem_grow(l->text, l->cap, 1);
	}
	if (l->count == l->item_cap) {
		l->item_cap = l->item_cap == 0 ? 1024 : l->item_cap * 2;
		l->items = mem_grow(l->items, l->item_cap, sizeof(*l->items));
	}
	l->items[l->count++] = (uint32_t)l->len;
	l->text[l->len] = (char)type;
	memcpy(l->text + l->len + 1, path, need - 1);
	l->len += need;
}

static bool is_skipped(const struct buf *path, const char *name)
{
	if (path->len != 0)
		return false;
	for (size_t i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++)
		if (strcmp(name, skipped[i]) == 0)
			return true;
	return false;
}

static int walk(int fd, struct buf *path, struct path_list *l, struct err *e);

/* Gone or something else by now: normal life in /run and /var. Its line is decided later. */
static int walk_child(int at, const char *name, struct buf *path, struct path_list *l,
		      struct err *e)
{
	if (path_is_deep(buf_str(path)))
		return 0;
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
	if (fd >= 0)
		return walk(fd, path, l, e);
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return 0;
	return ERR(e, errno, "read folder '%s' of the node", buf_str(path));
}

/* Takes fd. `path` is the folder's own, without a slash behind it, and is the same afterwards. */
static int walk(int fd, struct buf *path, struct path_list *l, struct err *e)
{
	GUARD(dir) DIR *dir = fdopendir(fd);
	size_t len = path->len;
	if (dir == NULL) {
		int cause = errno;
		(void)close(fd);
		return ERR(e, cause, "read folder '%s' of the node", buf_str(path));
	}
	for (;;) {
		errno = 0;
		struct dirent *d = readdir(dir);
		if (d == NULL && errno != 0 && errno != ENOENT)
			return ERR(e, errno, "read folder '%s' of the node", buf_str(path));
		if (d == NULL)
			return 0;
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
		    is_skipped(path, d->d_name))
			continue;
		unsigned char type = d->d_type;
		struct stat st;
		if (type == DT_UNKNOWN &&
		    fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			type = (unsigned char)IFTODT(st.st_mode);
		buf_putc(path, '/');
		buf_puts(path, d->d_name);
		path_list_add(l, type, buf_str(path));
		int ret = type == DT_DIR ? walk_child(dirfd(dir), d->d_name, path, l, e) : 0;
		path->len = len;
		path->data[len] = '\0';
		if (ret < 0)
			return -1;
	}
}

static int by_path(const void *a, const void *b, void *text)
{
	return strcmp((const char *)text + *(const uint32_t *)a + 1,
		      (const char *)text + *(const uint32_t *)b + 1);
}

struct start {
	const char *path, *prefix;
};
static const struct start all[] = { { "/", "" }, { "/dev/shm", "/dev/shm" } };
static const struct start memory[] = {
	{ "/run", "/run" },
	{ "/tmp", "/tmp" },
	{ "/dev/shm", "/dev/shm" },
};

static int read_start(int root_fd, const struct start *from, struct path_list *ret, struct err *e)
{
	GUARD_BUF struct buf path = { 0 };
	int fd =
		rooted_open(root_fd, from->path, O_RDONLY | O_DIRECTORY | O_NOATIME, ROOTED_REFUSE);
	if (fd < 0)
		return errno == ENOENT ? 0 : ERR(e, errno, "open '%s' of the node", from->path);
	path_list_add(ret, DT_DIR, from->path);
	buf_puts(&path, from->prefix);
	return walk(fd, &path, ret, e);
}

int path_list_read(int root_fd, enum path_scope scope, struct path_list *ret, struct err *e)
{
	const struct start *starts = scope == PATHS_ALL ? all : memory;
	size_t count = scope == PATHS_ALL ? sizeof(all) / sizeof(all[0])
					  : sizeof(memory) / sizeof(memory[0]);
	*ret = (struct path_list){ 0 };
	for (size_t i = 0; i < count; i++) {
		if (read_start(root_fd, &starts[i], ret, e) < 0) {
			path_list_free(ret);
			return -1;
		}
	}
	if (ret->len > UINT32_MAX) {
		path_list_free(ret);
		return ERR(e, EFBIG, "the node's paths: more than 4 GiB of names");
	}
	return 0;
}

void path_list_sort(struct path_list *l)
{
	if (l->count > 1)
		qsort_r(l->items, l->count, sizeof(*l->items), by_path, l->text);
}

void path_list_free(struct path_list *l)
{
	free(l->text);
	free(l->items);
	*l = (struct path_list){ 0 };
}
