/* SPDX-License-Identifier: MIT */
#include "harness/base/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "harness/base/guard.h"

enum { COPY_CHUNK = 1 << 24 };

static int copy_file(int from_dir, int to_dir, const char *name, mode_t mode, struct err *e)
{
	GUARD(fd) int in = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0)
		return ERR(e, errno, "open '%s'", name);
	GUARD(fd)
	int out = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 07777);
	if (out < 0)
		return ERR(e, errno, "create '%s'", name);
	for (;;) {
		ssize_t n = sendfile(out, in, NULL, COPY_CHUNK);
		if (n < 0)
			return ERR(e, errno, "copy '%s'", name);
		if (n == 0)
			return 0;
	}
}

static int link_file(int from_dir, int to_dir, const char *name, mode_t mode, struct err *e)
{
	if (linkat(from_dir, name, to_dir, name, 0) == 0)
		return 0;
	/* Another file system, one without links, one file with too many, or protected ones. */
	if (errno != EXDEV && errno != EPERM && errno != EMLINK && errno != ENOSYS &&
	    errno != EOPNOTSUPP)
		return ERR(e, errno, "link '%s'", name);
	return copy_file(from_dir, to_dir, name, mode, e);
}

static int link_entry(int from, int to, const char *name, unsigned depth, struct err *e);

/* Both descriptors are taken over. */
static int link_entries(int from, int to, unsigned depth, struct err *e)
{
	GUARD(fd) int target = to;
	GUARD(dir) DIR *dir = fdopendir(from);
	if (dir == NULL)
		return ERR(e, errno, "read a folder");
	for (struct dirent *d; (d = readdir(dir)) != NULL;) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (link_entry(dirfd(dir), target, d->d_name, depth, e) < 0)
			return err_prefix(e, "%s", d->d_name);
	}
	return 0;
}

static int link_folder(int from, int to, const char *name, unsigned depth, struct err *e)
{
	if (depth > TREE_DEPTH_MAX)
		return ERR(e, ELOOP, "more than %d folders below each other", TREE_DEPTH_MAX);
	GUARD(fd) int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (in < 0 || fstat(in, &st) < 0)
		return ERR(e, errno, "open the folder '%s'", name);
	if (mkdirat(to, name, st.st_mode & 07777) < 0)
		return ERR(e, errno, "make the folder '%s'", name);
	GUARD(fd) int out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return ERR(e, errno, "open the folder '%s'", name);
	return link_entries(take_fd(&in), take_fd(&out), depth, e);
}

static int link_entry(int from, int to, const char *name, unsigned depth, struct err *e)
{
	struct stat st;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ERR(e, errno, "look at '%s'", name);
	if (S_ISDIR(st.st_mode))
		return link_folder(from, to, name, depth + 1, e);
	if (S_ISREG(st.st_mode))
		return link_file(from, to, name, st.st_mode, e);
	return ERR(e, 0, "'%s' is neither a file nor a folder", name);
}

int tree_link(const char *from, const char *to, struct err *e)
{
	GUARD(fd) int in = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (in < 0)
		return ERR(e, errno, "open the folder '%s'", from);
	if (mkdir(to, 0755) < 0)
		return ERR(e, errno, "make the folder '%s'", to);
	GUARD(fd) int out = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out < 0)
		return ERR(e, errno, "open the folder '%s'", to);
	return link_entries(take_fd(&in), take_fd(&out), 0, e);
}
