/* SPDX-License-Identifier: MIT */
#include "harness/base/io.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"

enum {
	IO_CHUNK = 32 * 1024,    /* bytes of one read(2) */
	IO_COPY_CHUNK = 1 << 20, /* bytes of one sendfile(2) */
	IO_DEPTH_OPEN = 64,      /* folders below each other, one descriptor each; then none */
};

int io_read_file(int dirfd, const char *path, size_t max, struct buf *ret, struct err *e)
{
	GUARD(fd) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ERR(e, errno, "open '%s'", path);
	GUARD(mem) char *chunk = mem_alloc(IO_CHUNK);
	size_t total = 0;
	for (;;) {
		ssize_t n = read(fd, chunk, IO_CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR(e, errno, "read '%s'", path);
		if (n == 0)
			return 0;
		total += (size_t)n;
		if (total > max)
			return ERR(e, EFBIG, "read '%s': more than %zu bytes", path, max);
		buf_add(ret, chunk, (size_t)n);
	}
}

int io_write_all(int fd, const void *data, size_t len, struct err *e)
{
	const char *p = data;
	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR(e, errno, "write");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int io_copy(int from, int to)
{
	for (;;) {
		ssize_t n = sendfile(to, from, NULL, IO_COPY_CHUNK);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -1;
	}
}

struct new_file {
	const void *data;
	size_t len;
	mode_t mode;
	bool sync;
};

static int write_new(int dirfd, const char *temp, const struct new_file *f, struct err *e)
{
	GUARD(fd) int fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, f->mode);
	if (fd < 0)
		return ERR(e, errno, "create '%s'", temp);
	if (io_write_all(fd, f->data, f->len, e) < 0)
		return err_prefix(e, "'%s'", temp);
	if (f->sync && fsync(fd) < 0)
		return ERR(e, errno, "fsync '%s'", temp);
	return 0;
}

static int put_file(int dirfd, const char *path, const struct new_file *f, struct err *e)
{
	GUARD(mem) char *temp = mem_printf("%s.new-%d", path, (int)getpid());
	if (write_new(dirfd, temp, f, e) < 0) {
		(void)unlinkat(dirfd, temp, 0);
		return -1;
	}
	if (renameat(dirfd, temp, dirfd, path) < 0) {
		(void)ERR(e, errno, "rename '%s' to '%s'", temp, path);
		(void)unlinkat(dirfd, temp, 0);
		return -1;
	}
	return 0;
}

int io_write_file(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
		  struct err *e)
{
	return put_file(dirfd, path, &(struct new_file){ data, len, mode, true }, e);
}

int io_write_file_unsynced(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
			   struct err *e)
{
	return put_file(dirfd, path, &(struct new_file){ data, len, mode, false }, e);
}

int io_write_knob(int dirfd, const char *path, const char *text, struct err *e)
{
	GUARD(fd) int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return ERR(e, errno, "open '%s'", path);
	size_t len = strlen(text);
	if (write(fd, text, len) != (ssize_t)len)
		return ERR(e, errno, "write '%s' to '%s'", text, path);
	return 0;
}

int io_mkdirs(const char *path, mode_t mode, struct err *e)
{
	GUARD(mem) char *p = mem_strdup(path);
	for (char *s = p + 1;; s++) {
		if (*s != '/' && *s != '\0')
			continue;
		bool last = *s == '\0';
		*s = '\0';
		if (mkdir(p, mode) < 0 && errno != EEXIST)
			return ERR(e, errno, "make folder '%s'", p);
		if (last)
			break;
		*s = '/';
	}
	struct stat st;
	if (stat(path, &st) < 0)
		return ERR(e, errno, "look at '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return ERR(e, ENOTDIR, "make folder '%s'", path);
	return 0;
}

/* ---- removing ---- */

struct removal {
	dev_t dev;
	struct buf names; /* of the folders on the way to the deepest, each behind a NUL */
};

/* 1: a folder that holds something, in `ret`; 0: the folder is empty now. */
static int clear_folder(const struct removal *r, int fd, char ret[NAME_MAX + 1], struct err *e)
{
	struct stat st;
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	GUARD(dir) DIR *d = again >= 0 ? fdopendir(again) : NULL;
	if (d == NULL)
		return ERR(e, errno, "open a folder to remove it");
	for (struct dirent *de; (de = readdir(d)) != NULL;) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 ||
		    fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && st.st_dev != r->dev)
			return ERR(e, EXDEV, "remove '%s': a mount is still there", de->d_name);
		if (unlinkat(fd, de->d_name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) == 0 ||
		    errno == ENOENT)
			continue;
		if (!S_ISDIR(st.st_mode) || (errno != ENOTEMPTY && errno != EEXIST))
			return ERR(e, errno, "remove '%s'", de->d_name);
		(void)snprintf(ret, NAME_MAX + 1, "%s", de->d_name);
		return 1;
	}
	return 0;
}

/* From the folder that is empty to the one above it, which it goes from. */
static int step_up(struct removal *r, int *fd, struct err *e)
{
	size_t at = r->names.len - 1; /* the last name's NUL is in front of it */
	while (r->names.data[at] != '\0')
		at--;
	int above = openat(*fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (above < 0)
		return ERR(e, errno, "go on above '%s'", r->names.data + at + 1);
	(void)close(*fd);
	*fd = above;
	if (unlinkat(above, r->names.data + at + 1, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return ERR(e, errno, "remove folder '%s'", r->names.data + at + 1);
	r->names.len = at;
	return 0;
}

/* All that a folder holds, with one descriptor, however deep: down to the deepest, and up again. */
static int remove_inside(struct removal *r, int folder, struct err *e)
{
	GUARD(fd) int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ERR(e, errno, "open a folder to remove it");
	for (;;) {
		char name[NAME_MAX + 1];
		int found = clear_folder(r, fd, name, e);
		if (found < 0)
			return -1;
		if (found == 0) {
			if (r->names.len == 0)
				return 0;
			if (step_up(r, &fd, e) < 0)
				return -1;
			continue;
		}
		int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below < 0)
			return ERR(e, errno, "open folder '%s'", name);
		(void)close(fd);
		fd = below;
		buf_putc(&r->names, '\0');
		buf_puts(&r->names, name);
	}
}

static int remove_deep(int fd, dev_t dev, struct err *e)
{
	struct removal r = { .dev = dev };
	int ret = remove_inside(&r, fd, e);
	buf_free(&r.names);
	return ret;
}

/* Depth first, one descriptor a level as far as trees go. */
static int remove_at(int dirfd, const char *name, dev_t dev, unsigned depth, struct err *e)
{
	struct stat st;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : ERR(e, errno, "look at '%s'", name);
	if (!S_ISDIR(st.st_mode)) {
		if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
			return ERR(e, errno, "remove '%s'", name);
		return 0;
	}
	if (st.st_dev != dev)
		return ERR(e, EXDEV, "remove '%s': a mount is still there", name);
	GUARD(fd) int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return ERR(e, errno, "open folder '%s'", name);
	GUARD(dir) DIR *d = fdopendir(fd);
	if (d == NULL)
		return ERR(e, errno, "open folder '%s'", name);
	int own = take_fd(&fd);
	if (depth == IO_DEPTH_OPEN && remove_deep(own, dev, e) < 0)
		return -1;
	for (struct dirent *de; (de = readdir(d)) != NULL;) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (remove_at(own, de->d_name, dev, depth + 1, e) < 0)
			return -1;
	}
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return ERR(e, errno, "remove folder '%s'", name);
	return 0;
}

int io_remove_tree(int dirfd, const char *path, struct err *e)
{
	struct stat st;
	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : ERR(e, errno, "look at '%s'", path);
	return remove_at(dirfd, path, st.st_dev, 0, e);
}
