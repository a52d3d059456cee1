/* SPDX-License-Identifier: MIT */
#include "harness/base/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"

enum {
	DENTS_CHUNK = 32 * 1024, /* bytes of one getdents64(2) */
	TREE_OPEN_MAX = 64,      /* folders above each other that stay open */
	LINK_DEPTH_MAX = 400,    /* folders in folders of a second tree, one descriptor each */
};

/* A folder that is being read. */
struct level {
	int fd;      /* -1: given back, and found again from the folder below */
	size_t next; /* of its names, the first not yet told */
	size_t first, names, path_len;
	struct stat st; /* as it was told */
};

/* The names of all folders that are open now lie in one buffer, the innermost folder's last. */
struct walk {
	const struct tree_visitor *v;
	dev_t dev;
	struct buf path, names;
	uint32_t *items; /* offsets into names */
	size_t count, cap;
	struct level *levels;
	size_t depth, level_cap;
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

/* Takes `fd`; the folder's path stands in w->path. */
static int push(struct walk *w, int fd, const struct stat *st, struct err *e)
{
	if (w->depth == w->level_cap) {
		w->level_cap = w->level_cap == 0 ? 64 : w->level_cap * 2;
		w->levels = mem_grow(w->levels, w->level_cap, sizeof(*w->levels));
	}
	/* A deep tree must not use up the descriptors. */
	struct level *above = w->depth > 0 ? &w->levels[w->depth - 1] : NULL;
	if (w->depth > TREE_OPEN_MAX) {
		(void)close(above->fd);
		above->fd = -1;
	}
	w->levels[w->depth++] = (struct level){ .fd = fd,
						.next = w->count,
						.first = w->count,
						.names = w->names.len,
						.path_len = w->path.len,
						.st = *st };
	return read_names(w, fd, e);
}

/* Back to the folder above, from the one that is done. It may have been moved meanwhile, and then
 * leads elsewhere: what is left above it is not told. */
static void reopen(struct level *above, int below)
{
	struct stat st;
	GUARD(fd)
	int fd = openat(below, "..", O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == above->st.st_dev &&
	    st.st_ino == above->st.st_ino)
		above->fd = take_fd(&fd);
}

static void cut_path(struct walk *w, size_t len)
{
	w->path.len = len;
	w->path.data[len] = '\0';
}

static int leave(struct walk *w, const struct tree_entry *at, struct err *e)
{
	return w->v->leave != NULL ? w->v->leave(w->v->arg, at, e) : 0;
}

static int pop(struct walk *w, struct err *e)
{
	struct level done = w->levels[--w->depth];
	GUARD(fd) int fd = done.fd;
	w->count = done.first;
	w->names.len = done.names;
	if (w->depth == 0)
		return 0;
	struct level *above = &w->levels[w->depth - 1];
	if (above->fd < 0 && fd >= 0)
		reopen(above, fd);
	if (above->fd < 0)
		above->next = done.first; /* its last name's end */
	const char *slash = strrchr(buf_str(&w->path), '/');
	const struct tree_entry at = { buf_str(&w->path), above->fd, slash + 1, done.st };
	int ret = leave(w, &at, e);
	cut_path(w, above->path_len);
	return ret;
}

/* Buffers move while inner folders are read. */
static int enter_next(struct walk *w, struct err *e)
{
	struct level *l = &w->levels[w->depth - 1];
	struct tree_entry at = { .dirfd = l->fd, .name = w->names.data + w->items[l->next++] };
	const size_t len = l->path_len;
	int ret = 0;
	buf_putc(&w->path, '/');
	buf_puts(&w->path, at.name);
	at.path = buf_str(&w->path);
	if (fstatat(at.dirfd, at.name, &at.st, AT_SYMLINK_NOFOLLOW) < 0)
		ret = errno == ENOENT ? 0 : ERR(e, errno, "look at '%s'", at.path);
	else if (w->v->enter(w->v->arg, &at, e) < 0)
		ret = -1;
	else if (S_ISDIR(at.st.st_mode)) {
		int fd = -1;
		if (at.st.st_dev == w->dev)
			fd = openat(at.dirfd, at.name,
				    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
		if (fd >= 0)
			return push(w, fd, &at.st, e);
		if (at.st.st_dev == w->dev && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
			ret = ERR(e, errno, "open folder '%s'", at.path);
		else
			ret = leave(w, &at, e);
	}
	cut_path(w, len);
	return ret;
}

static int walk_all(struct walk *w, struct err *e)
{
	while (w->depth > 0) {
		/* The names of a folder end where those of the one below it begin. */
		bool done = w->levels[w->depth - 1].next == w->count;
		if ((done ? pop(w, e) : enter_next(w, e)) < 0)
			return -1;
	}
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
	int ret = push(&w, take_fd(&own), &st, e);
	if (ret == 0)
		ret = walk_all(&w, e);
	while (w.depth > 0)
		guard_fd(&w.levels[--w.depth].fd);
	buf_free(&w.path);
	buf_free(&w.names);
	free(w.levels);
	free(w.items);
	free(w.chunk);
	return ret;
}

/* ---- a second tree of the same files ---- */

struct linker {
	dev_t dev;               /* of the tree that is walked */
	int fds[LINK_DEPTH_MAX]; /* the folders that are open in the new tree */
	size_t depth;
};

static int copy_file(const struct tree_entry *at, int to, struct err *e)
{
	GUARD(fd) int in = openat(at->dirfd, at->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0)
		return ERR(e, errno, "open '%s'", at->path);
	GUARD(fd)
	int out = openat(to, at->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			 at->st.st_mode & 07777);
	if (out < 0)
		return ERR(e, errno, "create '%s'", at->path);
	return io_copy(in, out) == 0 ? 0 : ERR(e, errno, "copy '%s'", at->path);
}

static int link_file(const struct tree_entry *at, int to, struct err *e)
{
	if (linkat(at->dirfd, at->name, to, at->name, 0) == 0)
		return 0;
	/* Another file system, one without links, one file with too many, or protected ones. */
	if (errno != EXDEV && errno != EPERM && errno != EMLINK && errno != ENOSYS &&
	    errno != EOPNOTSUPP)
		return ERR(e, errno, "link '%s'", at->path);
	return copy_file(at, to, e);
}

static int link_folder(struct linker *l, const struct tree_entry *at, int to, struct err *e)
{
	if (at->st.st_dev != l->dev) /* it would be left empty */
		return ERR(e, 0, "'%s' is a mount", at->path);
	if (l->depth == LINK_DEPTH_MAX)
		return ERR(e, ELOOP, "'%s': more than %d folders in folders", at->path,
			   LINK_DEPTH_MAX - 1);
	if (mkdirat(to, at->name, at->st.st_mode & 07777) < 0)
		return ERR(e, errno, "make the folder '%s'", at->path);
	int fd = openat(to, at->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return ERR(e, errno, "open the folder '%s'", at->path);
	l->fds[l->depth++] = fd;
	return 0;
}

static int link_enter(void *arg, const struct tree_entry *at, struct err *e)
{
	struct linker *l = arg;
	struct tree_entry shown = *at;
	shown.path++; /* not the slash before it */
	if (S_ISDIR(at->st.st_mode))
		return link_folder(l, &shown, l->fds[l->depth - 1], e);
	if (S_ISREG(at->st.st_mode))
		return link_file(&shown, l->fds[l->depth - 1], e);
	return ERR(e, 0, "'%s' is neither a file nor a folder", shown.path);
}

static int link_leave(void *arg, const struct tree_entry *at, struct err *e)
{
	struct linker *l = arg;
	(void)at;
	(void)e;
	(void)close(l->fds[--l->depth]);
	return 0;
}

int tree_link(const char *from, const char *to, struct err *e)
{
	struct linker l = { 0 };
	const struct tree_visitor v = { link_enter, link_leave, &l };
	struct stat st;
	GUARD(fd) int in = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (in < 0 || fstat(in, &st) < 0)
		return ERR(e, errno, "open the folder '%s'", from);
	if (mkdir(to, 0755) < 0)
		return ERR(e, errno, "make the folder '%s'", to);
	int out = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out < 0)
		return ERR(e, errno, "open the folder '%s'", to);
	l.dev = st.st_dev;
	l.fds[l.depth++] = out;
	int ret = tree_walk(take_fd(&in), "", &v, e);
	while (l.depth > 0)
		guard_fd(&l.fds[--l.depth]);
	return ret;
}
