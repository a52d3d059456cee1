/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"

enum { DENTS_CHUNK = 32 * 1024 /* bytes of one getdents64(2) */ };

/* The names of all folders that are open now lie in one buffer, the innermost folder's last. */
struct walk {
	const struct tree_visitor *v;
	dev_t dev;
	struct buf path, names;
	uint32_t *items; /* offsets into names */
	size_t count, cap;
	char *chunk;
};

static void add_name(struct walk *w, const char *name)
{
	if (w->count == w->cap) {
		w->cap = w->cap == 0 ? 256 : w->cap * 2;
		w->items = mem_grow(w->items, w->cap, sizeof(*w->items));
	}
	w->items[w->count++] = (uint32_t)w->names.len;
	buf_add(&w->names, name, strlen(name) + 1);
}

static int by_name(const void *a, const void *b, void *names)
{
	return strcmp((const char *)names + *(const uint32_t *)a,
		      (const char *)names + *(const uint32_t *)b);
}

static int read_names(struct walk *w, int fd, struct err *e)
{
	size_t first = w->count;
	for (;;) {
		ssize_t got = getdents64(fd, w->chunk, DENTS_CHUNK);
		if (got < 0 && errno != ENOENT) /* ENOENT: the folder was removed */
			return ERR(e, errno, "read folder '%s'", buf_str(&w->path));
		if (got <= 0)
			break;
		for (ssize_t at = 0; at < got;) {
			const struct dirent64 *d = (const struct dirent64 *)(w->chunk + at);
			if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
				add_name(w, d->d_name);
			at += d->d_reclen;
		}
	}
	if (w->names.len > UINT32_MAX)
		return ERR(e, EFBIG, "more than 4 GiB of names");
	if (w->count - first > 1)
		qsort_r(w->items + first, w->count - first, sizeof(*w->items), by_name,
			w->names.data);
	return 0;
}

static int walk_folder(struct walk *w, int fd, int depth, struct err *e);

static int walk_inner(struct walk *w, const struct tree_entry *at, int depth, struct err *e)
{
	if (at->st.st_dev != w->dev)
		return 0;
	int fd = openat(at->dirfd, at->name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
	if (fd >= 0)
		return walk_folder(w, fd, depth + 1, e);
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return 0;
	return ERR(e, errno, "open folder '%s'", at->path);
}

/* The path of the entry stands in w->path. Buffers move while inner folders are read. */
static int walk_entry(struct walk *w, int fd, size_t item, int depth, struct err *e)
{
	struct tree_entry at = { .dirfd = fd, .name = w->names.data + w->items[item] };
	at.path = buf_str(&w->path);
	if (fstatat(fd, at.name, &at.st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : ERR(e, errno, "look at '%s'", at.path);
	if (w->v->enter(w->v->arg, &at, e) < 0)
		return -1;
	if (!S_ISDIR(at.st.st_mode))
		return 0;
	if (walk_inner(w, &at, depth, e) < 0)
		return -1;
	at.name = w->names.data + w->items[item];
	at.path = buf_str(&w->path);
	return w->v->leave != NULL ? w->v->leave(w->v->arg, &at, e) : 0;
}

/* Takes `fd`. */
static int walk_folder(struct walk *w, int fd, int depth, struct err *e)
{
	GUARD(fd) int own = fd;
	size_t first = w->count, names = w->names.len, len = w->path.len;
	if (depth > TREE_DEPTH_MAX)
		return ERR(e, ELOOP, "'%s': more than %d folders in folders", buf_str(&w->path),
			   TREE_DEPTH_MAX);
	if (read_names(w, own, e) < 0)
		return -1;
	for (size_t i = first, last = w->count; i < last; i++) {
		buf_putc(&w->path, '/');
		buf_puts(&w->path, w->names.data + w->items[i]);
		int ret = walk_entry(w, own, i, depth, e);
		w->path.len = len;
		w->path.data[len] = '\0';
		if (ret < 0)
			return -1;
	}
	w->count = first;
	w->names.len = names;
	return 0;
}

int tree_walk(int fd, const char *path, const struct tree_visitor *v, struct err *e)
{
	GUARD(fd) int own = fd;
	struct walk w = { .v = v };
	struct stat st;
	if (fstat(own, &st) < 0)
		return ERR(e, errno, "look at '%s'", path);
	w.dev = st.st_dev;
	w.chunk = mem_alloc(DENTS_CHUNK);
	buf_puts(&w.path, path);
	int ret = walk_folder(&w, take_fd(&own), 0, e);
	buf_free(&w.path);
	buf_free(&w.names);
	free(w.items);
	free(w.chunk);
	return ret;
}
