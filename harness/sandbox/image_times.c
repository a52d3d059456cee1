/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/sandbox/image_internal.h"

enum {
	TIMES_DEPTH_MAX = 256,    /* folders below each other */
	SETTLED_TIME = 1672531200 /* 2023-01-01: any day that is the same for every build */
};

static bool is_new(const struct stat *st, const struct timespec *since)
{
	if (st->st_mtim.tv_sec != since->tv_sec)
		return st->st_mtim.tv_sec > since->tv_sec;
	return st->st_mtim.tv_nsec >= since->tv_nsec;
}

static int settle(int at, const char *name, const struct stat *st, const struct timespec *since,
		  struct err *e)
{
	const struct timespec fixed[] = { { .tv_sec = SETTLED_TIME }, { .tv_sec = SETTLED_TIME } };
	if (!is_new(st, since))
		return 0;
	if (utimensat(at, name, fixed, AT_SYMLINK_NOFOLLOW) < 0)
		return ERR(e, errno, "set the time of '%s' in the root", name);
	return 0;
}

static int settle_below(int at, const char *name, int depth, const struct timespec *since,
			struct err *e)
{
	GUARD(fd) int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	GUARD(dir) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (dir == NULL)
		return ERR(e, errno, "read the folder '%s' of the root", name);
	(void)take_fd(&fd);
	if (depth > TIMES_DEPTH_MAX)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0, "the root is more than %d folders deep",
			      TIMES_DEPTH_MAX);
	struct dirent *d;
	while ((d = readdir(dir)) != NULL) {
		struct stat st;
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return ERR(e, errno, "look at '%s' in the root", d->d_name);
		if (S_ISDIR(st.st_mode) &&
		    settle_below(dirfd(dir), d->d_name, depth + 1, since, e) < 0)
			return -1;
		if (settle(dirfd(dir), d->d_name, &st, since, e) < 0)
			return -1;
	}
	return 0;
}

int image_settle_times(const char *tree, const struct timespec *since, struct err *e)
{
	struct stat st;
	if (stat(tree, &st) < 0)
		return ERR(e, errno, "look at the root");
	if (settle_below(AT_FDCWD, tree, 0, since, e) < 0)
		return -1;
	return settle(AT_FDCWD, tree, &st, since, e);
}
