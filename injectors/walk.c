/* SPDX-License-Identifier: MIT */
#include "injectors/walk.h"

#include <fcntl.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/model/state.h"
#include "harness/sandbox/rooted.h"

int walk_open(const struct node *n, const char *path, int flags)
{
	return rooted_open(node_root_fd(n), path, flags | O_CLOEXEC, ROOTED_FOLLOW);
}

int walk_open_parent(const struct node *n, const char *path, const char **ret_name, struct err *e)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;
	GUARD(mem) char *parent = mem_printf("%.*s", len > 0 ? (int)len : 1, len > 0 ? path : "/");
	int fd = walk_open(n, parent, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return ERR(e, errno, "open %s in node %s", parent, node_name(n));
	*ret_name = slash != NULL ? slash + 1 : path;
	return fd;
}

struct walk {
	dev_t dev; /* never into another mount: /proc has no end */
	walk_fn fn;
	void *arg;
};

/* Takes `fd`. */
static int walk_folder(const struct walk *w, int fd, const char *path, int depth, struct err *e)
{
	GUARD(dir) DIR *d = fdopendir(fd);
	if (d == NULL) {
		guard_fd(&fd);
		return ERR(e, errno, "read %s", path);
	}
	if (depth > WALK_DEPTH_MAX)
		return ERR(e, 0, "%s: more than %d folders in folders", path, WALK_DEPTH_MAX);
	for (;;) {
		errno = 0;
		const struct dirent *ent = readdir(d);
		if (ent == NULL)
			return errno != 0 ? ERR(e, errno, "read %s", path) : 0;
		if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0)
			continue;
		GUARD(mem)
		char *child = mem_printf("%s/%s", strcmp(path, "/") == 0 ? "" : path, ent->d_name);
		struct walk_entry entry = { .path = child, .dirfd = dirfd(d), .name = ent->d_name };
		if (fstatat(dirfd(d), ent->d_name, &entry.st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT) /* gone since it was listed */
				continue;
			return ERR(e, errno, "stat %s", child);
		}
		if (w->fn(w->arg, &entry, e) < 0)
			return -1;
		if (!S_ISDIR(entry.st.st_mode) || entry.st.st_dev != w->dev)
			continue;
		int sub = openat(dirfd(d), ent->d_name,
				 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0)
			return ERR(e, errno, "open %s", child);
		if (walk_folder(w, sub, child, depth + 1, e) < 0)
			return -1;
	}
}

int walk_tree(const struct node *n, const char *folder, walk_fn fn, void *arg, struct err *e)
{
	struct walk w = { .fn = fn, .arg = arg };
	GUARD(fd) int fd = walk_open(n, folder, O_RDONLY | O_DIRECTORY);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return ERR(e, errno, "open %s in node %s", folder, node_name(n));
	w.dev = st.st_dev;
	return walk_folder(&w, take_fd(&fd), folder, 0, e);
}

struct finding {
	const char *pattern;
	char *first, *second;
};

static int find_entry(void *arg, const struct walk_entry *w, struct err *e)
{
	struct finding *f = arg;
	(void)e;
	if (!S_ISREG(w->st.st_mode) || !state_path_match(f->pattern, w->path))
		return 0;
	if (f->first == NULL)
		f->first = mem_strdup(w->path);
	else if (f->second == NULL)
		f->second = mem_strdup(w->path);
	return 0;
}

int walk_find_one(const struct node *n, const char *pattern, char **ret, struct err *e)
{
	/* Search below the last folder that is written without wildcards. */
	size_t fixed = strcspn(pattern, "*?");
	while (fixed > 1 && pattern[fixed - 1] != '/')
		fixed--;
	GUARD(mem) char *folder = mem_printf("%.*s", fixed > 1 ? (int)fixed - 1 : 1, pattern);
	struct finding f = { .pattern = pattern };
	int found = walk_tree(n, folder, find_entry, &f, e);
	GUARD(mem) char *first = f.first;
	GUARD(mem) char *second = f.second;
	if (found < 0)
		return -1;
	if (first == NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "no file in node %s matches %s",
			      node_name(n), pattern);
	if (second != NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "more than one file in node %s matches %s: %s, %s; name one",
			      node_name(n), pattern, first, second);
	*ret = take_ptr(&first);
	return 0;
}
