/* SPDX-License-Identifier: MIT */
/*
 * This host's own / as a root: its root file system's mount alone, and what an upper over it begins
 * with, to hide folders and files of it. That holds a folder for each on the way, like the
 * host's, and an opaque one (or a whiteout) at its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/image_internal.h"
#include "harness/sandbox/userns.h"

static const char opaque[] = "trusted.overlay.opaque";

static int like(const char *of, const char *to, struct err *e)
{
	struct stat st;
	if (stat(of, &st) < 0)
		return ERR(e, errno, "look at '%s'", of);
	const struct timespec times[] = { st.st_atim, st.st_mtim };
	if (chown(to, st.st_uid, st.st_gid) < 0 || chmod(to, st.st_mode & 07777) < 0 ||
	    utimensat(AT_FDCWD, to, times, 0) < 0)
		return ERR(e, errno, "make '%s' like '%s'", to, of);
	return 0;
}

/* 1: what lies there is hidden already. */
static int is_hidden(const char *path)
{
	char c;
	return getxattr(path, opaque, &c, 1) == 1;
}

/* Folders' times last: what is put into them changes those. */
static int hide_one(const char *mask, const char *path, struct err *e)
{
	GUARD(mem) char *to = mem_printf("%s%s", mask, path);
	struct stat st;
	if (lstat(path, &st) < 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "hide '%s' of the host", path);
	for (char *slash = strchr(to + strlen(mask) + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int made = mkdir(to, 0700);
		if (made < 0 && errno != EEXIST)
			return ERR(e, errno, "make '%s'", to);
		bool hidden = is_hidden(to);
		*slash = '/';
		if (hidden)
			return 0;
	}
	if (!S_ISDIR(st.st_mode))
		return mknod(to, S_IFCHR, 0) < 0 && errno != EEXIST
			       ? ERR(e, errno, "make the whiteout '%s'", to)
			       : 0;
	if (mkdir(to, 0700) < 0 && errno != EEXIST)
		return ERR(e, errno, "make '%s'", to);
	return setxattr(to, opaque, "y", 1, 0) < 0 ? ERR(e, errno, "make '%s' opaque", to) : 0;
}

static int like_on_the_way(const char *mask, const char *path, struct err *e)
{
	GUARD(mem) char *at = mem_strdup(path);
	for (char *end = at + strlen(at);; end = strrchr(at, '/')) {
		*end = '\0';
		GUARD(mem) char *to = mem_printf("%s%s", mask, at);
		struct stat st;
		if (lstat(to, &st) == 0 && S_ISDIR(st.st_mode) &&
		    like(at[0] != '\0' ? at : "/", to, e) < 0)
			return -1;
		if (at[0] == '\0')
			return 0;
	}
}

/* Real paths on the root's own file system: anything else is not in the root anyway. */
static int resolve(const char *const *hide, size_t count, char **ret, struct err *e)
{
	struct stat root, st;
	if (stat("/", &root) < 0)
		return ERR(e, errno, "look at /");
	for (size_t i = 0, n = 0; i < count; i++) {
		char *real = realpath(hide[i], NULL);
		if (real == NULL || stat(real, &st) < 0) {
			free(real);
			return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "hide '%s' of the host",
				      hide[i]);
		}
		if (st.st_dev != root.st_dev || strcmp(real, "/") == 0)
			free(real);
		else
			ret[n++] = real;
	}
	return 0;
}

int image_host(struct owner *o, const char *const *hide, size_t count, struct image *ret,
	       struct err *e)
{
	if (userns_kind() != USERNS_HOST)
		return ERR_AS(
			e, EXIT_UNAVAILABLE, 0,
			"an ordinary user cannot read all of the host's own root: run as root, "
			"or take another root");
	GUARD(mem) char *mask = NULL;
	char **paths = mem_array(count + 1, sizeof(*paths));
	int result = resolve(hide, count, paths, e);
	for (unsigned i = 0; result == 0; i++) {
		/* One a call: nodes may hide different things. */
		free(mask);
		mask = mem_printf("%s/host-mask-%u", owner_work_dir(o), i);
		if (mkdir(mask, 0755) == 0)
			break;
		if (errno != EEXIST)
			result = ERR(e, errno, "make '%s'", mask);
	}
	for (size_t i = 0; result == 0 && paths[i] != NULL; i++)
		result = hide_one(mask, paths[i], e);
	for (size_t i = 0; result == 0 && paths[i] != NULL; i++)
		result = like_on_the_way(mask, paths[i], e);
	if (result == 0)
		result = like("/", mask, e);
	for (size_t i = 0; paths[i] != NULL; i++)
		free(paths[i]);
	free(paths);
	if (result < 0)
		return -1;
	memset(ret, 0, sizeof(*ret));
	hash_text("host /", strlen("host /"), ret->digest);
	memcpy(ret->key, ret->digest, HASH_TEXT);
	ret->path = mem_strdup("/");
	ret->mask = take_ptr(&mask);
	ret->is_dir = true;
	return 0;
}
