/* SPDX-License-Identifier: MIT */
/* A scenario's files: into a root, and into a key. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/image_internal.h"
#include "harness/sandbox/rooted.h"

enum {
	FILES_DEPTH_MAX = 64, /* folders below each other */
	TEXT_MODE = 0644,
};

/* What the two walks over the sources share: the place of one source. */
struct source {
	int dirfd;
	const char *name;  /* below dirfd */
	const char *shown; /* for errors */
	int mode;          /* of regular files; -1: their own */
	int depth;
};

static int open_dir(const struct source *s, DIR **ret, struct err *e)
{
	if (s->depth > FILES_DEPTH_MAX)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s': more than %d folders deep", s->shown,
			      FILES_DEPTH_MAX);
	GUARD(fd) int fd = openat(s->dirfd, s->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*ret = fd >= 0 ? fdopendir(fd) : NULL;
	if (*ret == NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "open '%s'", s->shown);
	(void)take_fd(&fd);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
	char **items;
	size_t count;
};

static void names_free(struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->items[i]);
	free(n->items);
}

/* Sorted: a folder's order on disk must not decide a key. */
static void names_read(DIR *dir, struct names *ret)
{
	struct dirent *d;
	while ((d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		ret->items = mem_grow(ret->items, ret->count + 1, sizeof(*ret->items));
		ret->items[ret->count++] = mem_strdup(d->d_name);
	}
	if (ret->count > 1)
		qsort(ret->items, ret->count, sizeof(*ret->items), by_name);
}

static int read_link(const struct source *s, char target[PATH_MAX], struct err *e)
{
	ssize_t n = readlinkat(s->dirfd, s->name, target, PATH_MAX - 1);
	if (n < 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "read the link '%s'", s->shown);
	target[n] = '\0';
	return 0;
}

/* The scenario's own names may be links on this host; those inside a folder are kept as links. */
static int look_at(const struct source *s, struct stat *st, struct err *e)
{
	if (fstatat(s->dirfd, s->name, st, s->depth == 0 ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "the file '%s'", s->shown);
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode) && !S_ISLNK(st->st_mode))
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s' is no file, folder or link", s->shown);
	return 0;
}

static mode_t mode_of(const struct source *s, const struct stat *st)
{
	return s->mode >= 0 && S_ISREG(st->st_mode) ? (mode_t)s->mode : st->st_mode & 07777;
}

/* ---- into a key ---- */

static void hash_word(struct hash *h, const char *word)
{
	hash_add(h, word, strlen(word) + 1);
}

static int hash_source(struct hash *h, const struct source *s, struct err *e)
{
	struct stat st;
	char text[PATH_MAX];
	if (look_at(s, &st, e) < 0)
		return -1;
	(void)snprintf(text, sizeof(text), "%o %o", st.st_mode & S_IFMT, mode_of(s, &st));
	hash_word(h, text);
	if (S_ISLNK(st.st_mode)) {
		if (read_link(s, text, e) < 0)
			return -1;
		hash_word(h, text);
		return 0;
	}
	if (S_ISREG(st.st_mode)) {
		GUARD(fd) int fd = openat(s->dirfd, s->name, O_RDONLY | O_CLOEXEC);
		char digest[HASH_TEXT];
		if (fd < 0)
			return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "open '%s'", s->shown);
		if (hash_fd(fd, s->shown, digest, e) < 0)
			return -1;
		hash_word(h, digest);
		return 0;
	}
	GUARD(dir) DIR *dir = NULL;
	if (open_dir(s, &dir, e) < 0)
		return -1;
	struct names names = { 0 };
	names_read(dir, &names);
	int ret = 0;
	for (size_t i = 0; i < names.count && ret == 0; i++) {
		GUARD(mem) char *shown = mem_printf("%s/%s", s->shown, names.items[i]);
		const struct source below = { dirfd(dir), names.items[i], shown, s->mode,
					      s->depth + 1 };
		hash_word(h, names.items[i]);
		ret = hash_source(h, &below, e);
	}
	hash_word(h, "/"); /* no name: the folder's end */
	names_free(&names);
	return ret;
}

int image_files_hash(const struct image_file *files, size_t count, struct hash *h, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		const struct image_file *f = &files[i];
		hash_word(h, f->dest);
		if (f->from == NULL) {
			char mode[32];
			(void)snprintf(mode, sizeof(mode), "text %o",
				       f->mode >= 0 ? f->mode : TEXT_MODE);
			hash_word(h, mode);
			hash_word(h, f->text != NULL ? f->text : "");
			continue;
		}
		const struct source s = { AT_FDCWD, f->from, f->from, f->mode, 0 };
		if (hash_source(h, &s, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- into a root ---- */

struct place {
	int dirfd;
	const char *name;  /* one name, below dirfd */
	const char *shown; /* the path inside */
};

static int finish_file(int fd, mode_t mode, const struct place *to, struct err *e)
{
	if (fchown(fd, 0, 0) < 0 || fchmod(fd, mode) < 0)
		return ERR(e, errno, "set owner and mode of '%s' in the root", to->shown);
	return 0;
}

/* A new file under its name; what was there (a file or a link, never its target) goes. */
static int create_file(const struct place *to, struct err *e)
{
	if (unlinkat(to->dirfd, to->name, 0) < 0 && errno != ENOENT)
		return errno == EISDIR
			       ? ERR_AS(e, EXIT_BAD_SCENARIO, 0,
					"'%s' is a folder in the root, not a file", to->shown)
			       : ERR(e, errno, "replace '%s' in the root", to->shown);
	int fd = openat(to->dirfd, to->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);
	return fd >= 0 ? fd : ERR(e, errno, "create '%s' in the root", to->shown);
}

static int copy_file(const struct source *s, mode_t mode, const struct place *to, struct err *e)
{
	GUARD(fd) int in = openat(s->dirfd, s->name, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "open '%s'", s->shown);
	GUARD(fd) int out = create_file(to, e);
	if (out < 0)
		return -1;
	if (io_copy(in, out) < 0)
		return ERR(e, errno, "copy '%s' to '%s' in the root", s->shown, to->shown);
	return finish_file(out, mode, to, e);
}

static int copy_link(const struct source *s, const struct place *to, struct err *e)
{
	char target[PATH_MAX];
	if (read_link(s, target, e) < 0)
		return -1;
	if (unlinkat(to->dirfd, to->name, 0) < 0 && errno != ENOENT)
		return ERR(e, errno, "replace '%s' in the root", to->shown);
	if (symlinkat(target, to->dirfd, to->name) < 0)
		return ERR(e, errno, "link '%s' in the root", to->shown);
	return 0;
}

static int copy_source(const struct source *s, const struct place *to, struct err *e);

/* Only a folder that is made here gets the source's mode: one that the root has is the root's. */
static int copy_dir(const struct source *s, mode_t mode, const struct place *to, struct err *e)
{
	GUARD(dir) DIR *dir = NULL;
	if (open_dir(s, &dir, e) < 0)
		return -1;
	bool made = mkdirat(to->dirfd, to->name, 0700) == 0;
	GUARD(fd) int fd = rooted_open(to->dirfd, to->name, O_RDONLY | O_DIRECTORY, ROOTED_REFUSE);
	if (fd < 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "make the folder '%s' in the root",
			      to->shown);
	struct names names = { 0 };
	names_read(dir, &names);
	int ret = 0;
	for (size_t i = 0; i < names.count && ret == 0; i++) {
		GUARD(mem) char *from = mem_printf("%s/%s", s->shown, names.items[i]);
		GUARD(mem) char *dest = mem_printf("%s/%s", to->shown, names.items[i]);
		const struct source below = { dirfd(dir), names.items[i], from, s->mode,
					      s->depth + 1 };
		const struct place inner = { fd, names.items[i], dest };
		ret = copy_source(&below, &inner, e);
	}
	names_free(&names);
	if (ret == 0 && made)
		ret = finish_file(fd, mode, to, e);
	return ret;
}

static int copy_source(const struct source *s, const struct place *to, struct err *e)
{
	struct stat st;
	if (look_at(s, &st, e) < 0)
		return -1;
	if (S_ISDIR(st.st_mode))
		return copy_dir(s, mode_of(s, &st), to, e);
	if (S_ISLNK(st.st_mode))
		return copy_link(s, to, e);
	return copy_file(s, mode_of(s, &st), to, e);
}

static int write_text(const struct image_file *f, const struct place *to, struct err *e)
{
	GUARD(fd) int fd = create_file(to, e);
	const char *text = f->text != NULL ? f->text : "";
	if (fd < 0 || io_write_all(fd, text, strlen(text), e) < 0)
		return -1;
	return finish_file(fd, f->mode >= 0 ? (mode_t)f->mode : TEXT_MODE, to, e);
}

/* The folder of `dest` (made where missing), links resolved as the root's own processes would
 * see them. `name` gets the last part. */
static int open_parent(int root_fd, const char *dest, const char **name, struct err *e)
{
	GUARD(mem) char *path = mem_strdup(dest);
	GUARD(fd) int at = rooted_open(root_fd, "/", O_RDONLY | O_DIRECTORY, ROOTED_FOLLOW);
	*name = strrchr(dest, '/') + 1;
	path[*name - dest] = '\0';
	for (char *slash = strchr(path + 1, '/'); at >= 0 && slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		const char *part = strrchr(path, '/') + 1;
		if (mkdirat(at, part, 0755) == 0 && fchmodat(at, part, 0755, 0) < 0)
			return ERR(e, errno, "make the folder '%s' in the root", path);
		int next = rooted_open(root_fd, path, O_RDONLY | O_DIRECTORY, ROOTED_FOLLOW);
		int cause = errno;
		(void)close(at);
		at = next;
		errno = cause;
		if (at >= 0)
			*slash = '/';
	}
	if (at < 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "open the folder '%s' in the root",
			      path);
	return take_fd(&at);
}

static bool is_plain(const char *dest)
{
	return dest[0] == '/' && dest[strlen(dest) - 1] != '/' && strstr(dest, "//") == NULL &&
	       strstr(dest, "/../") == NULL && strstr(dest, "/./") == NULL &&
	       strcmp(strrchr(dest, '/'), "/..") != 0 && strcmp(strrchr(dest, '/'), "/.") != 0;
}

int image_files_apply(int root_fd, const struct image_file *files, size_t count, struct err *e)
{
	struct stat root, parent;
	if (fstat(root_fd, &root) < 0)
		return ERR(e, errno, "look at the root");
	for (size_t i = 0; i < count; i++) {
		const struct image_file *f = &files[i];
		if (!is_plain(f->dest))
			return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
				      "'%s' is not a plain absolute path of a file in the root",
				      f->dest);
		struct place to = { .shown = f->dest };
		GUARD(fd) int dirfd = open_parent(root_fd, f->dest, &to.name, e);
		if (dirfd < 0)
			return -1;
		to.dirfd = dirfd;
		if (fstat(dirfd, &parent) < 0)
			return ERR(e, errno, "look at the folder of '%s'", f->dest);
		if (parent.st_dev != root.st_dev)
			return ERR_AS(
				e, EXIT_BAD_SCENARIO, 0,
				"'%s' lies on a file system that each start of a node makes anew: "
				"let a service or a step write it",
				f->dest);
		const struct source s = { AT_FDCWD, f->from, f->from, f->mode, 0 };
		if ((f->from == NULL ? write_text(f, &to, e) : copy_source(&s, &to, e)) < 0)
			return -1;
	}
	return 0;
}
