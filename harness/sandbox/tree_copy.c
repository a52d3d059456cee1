/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/tree_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/base/tree.h"
#include "harness/sandbox/hardlinks.h"
#include "harness/sandbox/xattrs.h"

enum {
	BLOCK = 512,         /* bytes: the unit of st_blocks */
	PART_MAX = 64 << 20, /* bytes of one call */
};

struct tree_copy {
	int base_fd;
	struct hardlinks links; /* paths below base_fd */
	const char *to;         /* the tree that is being filled */
	char skip;
	bool cannot_clone, cannot_range; /* this pair of file systems */
	int fd;                          /* the folder in the copy that is being filled */
};

struct tree_copy *tree_copy_create(int base_fd)
{
	struct tree_copy *c = mem_alloc(sizeof(*c));
	c->base_fd = base_fd;
	return c;
}

void tree_copy_destroy(struct tree_copy *c)
{
	if (c == NULL)
		return;
	hardlinks_free(&c->links);
	free(c);
}

/* ---- content ---- */

/* Between two kinds of file systems copy_file_range(2) says EXDEV. sendfile(2) writes where the
 * target stands, so that is where both continue. */
static ssize_t copy_part(struct tree_copy *c, int from, int to, off_t at, size_t len)
{
	if (!c->cannot_range) {
		off_t in = at, out = at;
		ssize_t n = copy_file_range(from, &in, to, &out, len, 0);
		if (n >= 0 ||
		    (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS))
			return n;
		c->cannot_range = true;
	}
	off_t in = at;
	if (lseek(to, at, SEEK_SET) < 0)
		return -1;
	return sendfile(to, from, &in, len);
}

static int copy_range(struct tree_copy *c, int from, int to, off_t at, off_t end)
{
	while (at < end) {
		size_t len = end - at < PART_MAX ? (size_t)(end - at) : PART_MAX;
		ssize_t n = copy_part(c, from, to, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0) /* it got shorter meanwhile */
			break;
		at += n;
	}
	return 0;
}

/* -1 with errno. */
static int copy_content(struct tree_copy *c, int from, int to, const struct stat *st)
{
	if (st->st_size == 0)
		return 0;
	if (!c->cannot_clone) {
		if (ioctl(to, FICLONE, from) == 0)
			return 0;
		c->cannot_clone = true;
	}
	if (st->st_blocks * BLOCK >= st->st_size)
		return copy_range(c, from, to, 0, st->st_size);
	off_t at = 0;
	while (at < st->st_size) {
		off_t data = lseek(from, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO) /* only a hole is left */
			break;
		off_t hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
		if (hole < 0)
			return -1;
		if (hole > st->st_size)
			hole = st->st_size;
		if (copy_range(c, from, to, data, hole) < 0)
			return -1;
		at = hole;
	}
	return ftruncate(to, st->st_size);
}

static int copy_file(struct tree_copy *c, const struct tree_entry *at, int to_dir, struct err *e)
{
	struct stat st;
	GUARD(fd)
	int from = openat(at->dirfd, at->name,
			  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME | O_CLOEXEC);
	if (from < 0)
		return ERR(e, errno, "open '%s'", at->path);
	if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
		return ERR(e, ESTALE, "'%s' was replaced while it was copied", at->path);
	GUARD(fd) int to = openat(to_dir, at->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return ERR(e, errno, "create the copy of '%s'", at->path);
	if (copy_content(c, from, to, &st) < 0)
		return ERR(e, errno, "copy '%s'", at->path);
	return 0;
}

/* ---- all but content ---- */

static int copy_link(const struct tree_entry *at, int to_dir, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(at->dirfd, at->name, target, sizeof(target) - 1);
	if (n < 0)
		return ERR(e, errno, "read link '%s'", at->path);
	target[n] = '\0';
	if (symlinkat(target, to_dir, at->name) < 0)
		return ERR(e, errno, "create the copy of '%s'", at->path);
	return 0;
}

struct target {
	int dirfd;
	const char *name;
};

static int set_xattr(void *arg, const char *name, const struct buf *value, struct err *e)
{
	const struct target *to = arg;
	return xattrs_set(to->dirfd, to->name, name, value, e);
}

/* In this order: changing the owner clears the mode's s bits and file capabilities, an ACL sets the
 * group's part of the mode, and all of them move the times. */
static int copy_about(const struct tree_entry *at, int to_dir, const char *name, struct err *e)
{
	struct target to = { to_dir, name };
	const struct timespec times[2] = { at->st.st_atim, at->st.st_mtim };
	if (fchownat(to_dir, name, at->st.st_uid, at->st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return ERR(e, errno, "set the owner of the copy of '%s'", at->path);
	if (!S_ISLNK(at->st.st_mode) && fchmodat(to_dir, name, at->st.st_mode & 07777, 0) < 0)
		return ERR(e, errno, "set the mode of the copy of '%s'", at->path);
	if (xattrs_each(at->dirfd, at->name, set_xattr, &to, e) < 0)
		return err_prefix(e, "copy '%s'", at->path);
	if (utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return ERR(e, errno, "set the times of the copy of '%s'", at->path);
	return 0;
}

/* ---- the walk ---- */

static int enter_folder(struct tree_copy *c, const struct tree_entry *at, int to_dir, struct err *e)
{
	if (mkdirat(to_dir, at->name, 0700) < 0)
		return ERR(e, errno, "create the copy of '%s'", at->path);
	int fd = openat(to_dir, at->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return ERR(e, errno, "open the copy of '%s'", at->path);
	(void)close(c->fd);
	c->fd = fd;
	return 0;
}

static int leave_folder(void *arg, const struct tree_entry *at, struct err *e)
{
	struct tree_copy *c = arg;
	/* Nobody else moves anything in the copy. */
	int above = openat(c->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (above < 0)
		return ERR(e, errno, "go on above the copy of '%s'", at->path);
	(void)close(c->fd);
	c->fd = above;
	return at->dirfd < 0 ? 0 : copy_about(at, c->fd, at->name, e);
}

static int copy_one(struct tree_copy *c, const struct tree_entry *at, int to_dir, struct err *e)
{
	mode_t type = at->st.st_mode & S_IFMT;
	int ret = 0;
	if (type == S_IFREG)
		ret = copy_file(c, at, to_dir, e);
	else if (type == S_IFLNK)
		ret = copy_link(at, to_dir, e);
	else if (mknodat(to_dir, at->name, type | 0600, at->st.st_rdev) < 0)
		ret = ERR(e, errno, "create the copy of '%s'", at->path);
	return ret < 0 ? -1 : copy_about(at, to_dir, at->name, e);
}

/* An overlay's whiteouts are links of one inode, which means nothing and has a limit. */
static bool is_linked(const struct stat *st)
{
	return st->st_nlink > 1 && !(S_ISCHR(st->st_mode) && st->st_rdev == 0);
}

static bool is_gone(const struct tree_entry *at)
{
	struct stat now;
	return fstatat(at->dirfd, at->name, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
	       now.st_ino != at->st.st_ino;
}

static int enter(void *arg, const struct tree_entry *at, struct err *e)
{
	struct tree_copy *c = arg;
	int to_dir = c->fd;
	if (c->skip != '\0' && at->name[0] == c->skip && !S_ISDIR(at->st.st_mode))
		return 0;
	if (S_ISDIR(at->st.st_mode))
		return enter_folder(c, at, to_dir, e);
	if (is_linked(&at->st)) {
		GUARD(mem) char *path = mem_printf("%s%s", c->to, at->path);
		const char *first = hardlinks_first(&c->links, &at->st, path);
		if (first != NULL && linkat(c->base_fd, first, to_dir, at->name, 0) == 0)
			return 0;
		/* The first one vanished before it was copied, or lies too deep to be named. */
		if (first != NULL && errno != ENOENT && errno != ENAMETOOLONG)
			return ERR(e, errno, "link the copy of '%s' to '%s'", at->path, first);
	}
	struct err why = { 0 };
	if (copy_one(c, at, to_dir, &why) == 0)
		return 0;
	/* Gone since it was listed: life in /run and /tmp. */
	if ((why.code == ENOENT || why.code == ESTALE) && is_gone(at)) {
		(void)unlinkat(to_dir, at->name, 0);
		return 0;
	}
	*e = why;
	return -1;
}

static int open_again(int fd, const char *what, struct err *e)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
	return again >= 0 ? again : ERR(e, errno, "open '%s' to copy it", what);
}

static int open_target(const struct tree_copy *c, const char *to, struct err *e)
{
	int fd = openat(c->base_fd, to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : ERR(e, errno, "open the copy's folder '%s'", to);
}

int tree_copy_below(struct tree_copy *c, int from_fd, const char *to, char skip, struct err *e)
{
	const struct tree_visitor v = { enter, leave_folder, c };
	int from = open_again(from_fd, to, e);
	if (from < 0)
		return -1;
	c->fd = open_target(c, to, e);
	c->to = to;
	c->skip = skip;
	c->cannot_clone = c->cannot_range = false;
	int ret = -1;
	if (c->fd < 0)
		(void)close(from);
	else
		ret = tree_walk(from, "", &v, e);
	guard_fd(&c->fd);
	return ret < 0 ? err_prefix(e, "copy '%s'", to) : 0;
}

int tree_copy_self(struct tree_copy *c, int from_fd, const char *to, struct err *e)
{
	GUARD(fd) int from = open_again(from_fd, to, e);
	GUARD(fd) int fd = from < 0 ? -1 : open_target(c, to, e);
	struct tree_entry at = { .path = to, .dirfd = from, .name = "." };
	if (fd < 0)
		return -1;
	if (fstat(from, &at.st) < 0)
		return ERR(e, errno, "look at '%s'", to);
	return copy_about(&at, fd, ".", e);
}

int tree_copy_folder(const char *from, const char *base, const char *to, struct err *e)
{
	GUARD(fd) int from_fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	GUARD(fd) int base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from_fd < 0 || base_fd < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "copy '%s' to '%s/%s'", from, base, to);
	struct tree_copy *c = tree_copy_create(base_fd);
	int ret = tree_copy_below(c, from_fd, to, '\0', e) < 0 ? -1
							       : tree_copy_self(c, from_fd, to, e);
	tree_copy_destroy(c);
	return ret < 0 ? err_prefix(e, "'%s'", from) : 0;
}
