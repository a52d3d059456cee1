/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/unpack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "harness/base/archive.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/rooted.h"

enum { SHOWN_MAX = 200 /* bytes of a name in an error */ };
static const char whiteout[] = ".wh.", opaque[] = ".wh..wh..opq", aufs[] = ".wh..wh.";

/* Folders get their times when nothing is put in them any more. */
struct folder {
	char *path;
	struct timespec mtime;
};

struct work {
	const struct unpack *u;
	struct archive_in *in;
	struct folder *folders;
	size_t folder_count;
};

/* One entry: where it goes. */
struct target {
	const char *shown; /* as the archive has it */
	char path[PATH_MAX];
	const char *name; /* the last part, in `path` */
	int at;           /* its folder */
};

static int refuse(const struct work *w, const char *name, const char *why, struct err *e)
{
	return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s': the entry '%.*s%s' %s", w->u->shown,
		      SHOWN_MAX, name, strlen(name) > SHOWN_MAX ? "..." : "", why);
}

static int failed(const struct work *w, const char *name, int code, struct err *e)
{
	return ERR_AS(e, code == ENOSPC || code == EDQUOT ? EXIT_UNAVAILABLE : EXIT_BAD_SCENARIO,
		      code, "'%s': unpack '%.*s'", w->u->shown, SHOWN_MAX, name);
}

/* "./usr//bin/" -> "usr/bin"; the root itself is "". */
static int clean(const struct work *w, const char *name, char ret[PATH_MAX], struct err *e)
{
	size_t out = 0;
	int depth = 0;
	if (name[0] == '/')
		return refuse(w, name, "has an absolute name", e);
	for (const char *p = name; *p != '\0';) {
		size_t len = strcspn(p, "/");
		if (len == 2 && p[0] == '.' && p[1] == '.')
			return refuse(w, name, "leads out of its root (\"..\")", e);
		if (len > NAME_MAX || out + len + 2 > PATH_MAX)
			return refuse(w, name, "has a name that is too long for a file system", e);
		if (len > 0 && !(len == 1 && p[0] == '.')) {
			if (++depth > UNPACK_DEPTH_MAX)
				return refuse(w, name, "lies more than 128 folders deep", e);
			if (out > 0)
				ret[out++] = '/';
			memcpy(ret + out, p, len);
			out += len;
		}
		p += len + (p[len] == '/');
	}
	ret[out] = '\0';
	return 0;
}

static int open_folder(const struct work *w, const char *path)
{
	return rooted_open(w->u->root_fd, path, O_RDONLY | O_DIRECTORY, ROOTED_FOLLOW);
}

/* mkdir -p, each part as the root resolves it. */
static int make_folder(const struct work *w, const char *path)
{
	GUARD(mem) char *part = mem_strdup(path);
	GUARD(fd) int at = open_folder(w, "");
	for (char *slash = part, *end; at >= 0 && *slash != '\0'; slash = end) {
		end = strchrnul(slash, '/');
		bool more = *end == '/';
		*end = '\0';
		(void)mkdirat(at, slash, 0755); /* what is wrong with it the next line says */
		int next = open_folder(w, part), cause = errno;
		(void)close(at);
		at = next;
		errno = cause;
		if (more)
			*end++ = '/';
	}
	return take_fd(&at);
}

/* -1 with errno when the folder is not there and `make` is not set. */
static int open_target(const struct work *w, struct target *t, bool make)
{
	char *slash = strrchr(t->path, '/');
	t->name = slash != NULL ? slash + 1 : t->path;
	GUARD(mem)
	char *folder = mem_printf("%.*s", slash != NULL ? (int)(slash - t->path) : 0, t->path);
	t->at = open_folder(w, folder);
	if (t->at < 0 && errno == ENOENT && make)
		t->at = make_folder(w, folder);
	return t->at;
}

/* ---- whiteouts ---- */

static int empty_folder(int at, struct err *e)
{
	GUARD(fd) int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	GUARD(dir) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (dir == NULL)
		return ERR(e, errno, "open a folder of the root");
	(void)take_fd(&fd);
	struct dirent *d;
	while ((d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
		    io_remove_tree(dirfd(dir), d->d_name, e) < 0)
			return -1;
	return 0;
}

static bool is_whiteout(const char *name)
{
	return strncmp(name, whiteout, sizeof(whiteout) - 1) == 0;
}

static int take_away(const struct work *w, const char *shown, struct err *e)
{
	struct target t = { .shown = shown, .at = -1 };
	if (clean(w, shown, t.path, e) < 0)
		return -1;
	GUARD(fd) int at = open_target(w, &t, false);
	if (!is_whiteout(t.name))
		return 0;
	const char *victim = t.name + sizeof(whiteout) - 1;
	bool all = strcmp(t.name, opaque) == 0;
	if (!all && strncmp(t.name, aufs, sizeof(aufs) - 1) == 0)
		return 0;
	if (victim[0] == '\0' || strcmp(victim, ".") == 0 || strcmp(victim, "..") == 0)
		return refuse(w, shown, "takes away what has no name of its own", e);
	if (at < 0) /* nothing below has that folder */
		return errno == ENOENT || errno == ENOTDIR ? 0 : failed(w, shown, errno, e);
	return all ? empty_folder(at, e) : io_remove_tree(at, victim, e);
}

/* All of a layer's first: they mean what lies below it, wherever they stand in it. */
static int take_away_all(struct work *w, struct err *e)
{
	struct archive_item item;
	int got;
	while ((got = archive_next(w->in, &item, e)) > 0)
		if (take_away(w, item.name, e) < 0)
			return -1;
	return got;
}

/* ---- entries ---- */

static int set_xattrs(const struct work *w, int fd, const char *shown, struct err *e)
{
	const char *name;
	const void *value;
	size_t len;
	while (archive_xattr(w->in, &name, &value, &len)) {
		if (strncmp(name, "trusted.overlay.", strlen("trusted.overlay.")) == 0 ||
		    strncmp(name, "user.overlay.", strlen("user.overlay.")) == 0) {
			w->u->count->xattrs++;
		} else if (fsetxattr(fd, name, value, len, 0) < 0) {
			if (errno != EOPNOTSUPP)
				return failed(w, shown, errno, e);
			w->u->count->xattrs++;
		}
	}
	return 0;
}

/* The owner first: changing it takes set-uid bits and capabilities away. */
static int finish(const struct work *w, int fd, const struct archive_item *i, struct err *e)
{
	const struct timespec times[] = { i->mtime, i->mtime };
	if (fchown(fd, i->uid, i->gid) < 0 || fchmod(fd, i->mode & 07777) < 0)
		return failed(w, i->name, errno, e);
	if (set_xattrs(w, fd, i->name, e) < 0)
		return -1;
	return futimens(fd, times) < 0 ? failed(w, i->name, errno, e) : 0;
}

static int put_file(const struct work *w, const struct archive_item *i, const struct target *t,
		    struct err *e)
{
	struct unpack_count *c = w->u->count;
	GUARD(fd)
	int fd = openat(t->at, t->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return failed(w, i->name, errno, e);
	if (archive_data(w->in, fd, i->size, e) < 0)
		return err_prefix(e, "unpack '%.*s'", SHOWN_MAX, i->name);
	c->bytes -= i->size;
	return finish(w, fd, i, e);
}

static int put_folder(struct work *w, const struct archive_item *i, const struct target *t,
		      struct err *e)
{
	bool root = t->path[0] == '\0';
	struct stat st;
	if (!root &&
	    (fstatat(t->at, t->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))) {
		if (io_remove_tree(t->at, t->name, e) < 0)
			return -1;
		if (mkdirat(t->at, t->name, 0700) < 0)
			return failed(w, i->name, errno, e);
	}
	GUARD(fd)
	int fd = openat(t->at, root ? "." : t->name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return failed(w, i->name, errno, e);
	w->folders = mem_grow(w->folders, w->folder_count + 1, sizeof(*w->folders));
	w->folders[w->folder_count++] = (struct folder){ mem_strdup(t->path), i->mtime };
	return finish(w, fd, i, e);
}

static int put_link(const struct work *w, const struct archive_item *i, const struct target *t,
		    struct err *e)
{
	const struct timespec times[] = { i->mtime, i->mtime };
	if (symlinkat(i->link, t->at, t->name) < 0 ||
	    fchownat(t->at, t->name, i->uid, i->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(t->at, t->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(w, i->name, errno, e);
	return 0;
}

/* Opened before its new name is cleared: it may be that very one, and is then an error. */
static int put_hard(const struct work *w, const struct archive_item *i, const struct target *t,
		    struct err *e)
{
	char path[PATH_MAX];
	struct stat st;
	if (clean(w, i->link, path, e) < 0)
		return -1;
	GUARD(fd) int fd = rooted_open(w->u->root_fd, path, O_PATH | O_NOFOLLOW, ROOTED_FOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
		return refuse(w, i->name, "is a hard link to a file that is not there", e);
	if (io_remove_tree(t->at, t->name, e) < 0)
		return -1;
	return linkat(fd, "", t->at, t->name, AT_EMPTY_PATH) < 0 ? failed(w, i->name, errno, e) : 0;
}

static int put_fifo(const struct work *w, const struct archive_item *i, const struct target *t,
		    struct err *e)
{
	if (mkfifoat(t->at, t->name, 0600) < 0 ||
	    fchownat(t->at, t->name, i->uid, i->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(t->at, t->name, i->mode & 07777, 0) < 0)
		return failed(w, i->name, errno, e);
	return 0;
}

static int put(struct work *w, const struct archive_item *i, const struct target *t, struct err *e)
{
	if (i->hard)
		return put_hard(w, i, t, e);
	if (S_ISDIR(i->mode))
		return put_folder(w, i, t, e);
	if (io_remove_tree(t->at, t->name, e) < 0)
		return -1;
	if (S_ISREG(i->mode))
		return put_file(w, i, t, e);
	return S_ISLNK(i->mode) ? put_link(w, i, t, e) : put_fifo(w, i, t, e);
}

static int check_limits(const struct work *w, const struct archive_item *i, struct err *e)
{
	struct unpack_count *c = w->u->count;
	if (c->entries == 0)
		return refuse(w, i->name, "is one too many: a root has at most 1048576 entries", e);
	c->entries--;
	if (!i->hard && S_ISREG(i->mode) && i->size > c->bytes)
		return refuse(w, i->name,
			      "is too large: the files of a root have at most 32 GiB together", e);
	return 0;
}

static int entry(struct work *w, const struct archive_item *i, struct err *e)
{
	struct unpack_count *c = w->u->count;
	struct target t = { .shown = i->name, .at = -1 };
	if (clean(w, i->name, t.path, e) < 0 || check_limits(w, i, e) < 0)
		return -1;
	c->acls += i->has_acl;
	if (!i->hard && (S_ISCHR(i->mode) || S_ISBLK(i->mode) || S_ISSOCK(i->mode))) {
		*(S_ISSOCK(i->mode) ? &c->sockets : &c->devices) += 1;
		return 0;
	}
	const char *slash = strrchr(t.path, '/');
	if (w->u->layer && is_whiteout(slash != NULL ? slash + 1 : t.path))
		return 0;
	if (t.path[0] == '\0' && !S_ISDIR(i->mode))
		return refuse(w, i->name, "has the root's name and is no folder", e);
	GUARD(fd) int at = open_target(w, &t, true);
	return at < 0 ? failed(w, i->name, errno, e) : put(w, i, &t, e);
}

static int entries(struct work *w, struct err *e)
{
	struct archive_item item;
	int got;
	while ((got = archive_next(w->in, &item, e)) > 0)
		if (entry(w, &item, e) < 0)
			return -1;
	return got;
}

static int set_times(const struct work *w, struct err *e)
{
	for (size_t i = w->folder_count; i > 0; i--) {
		const struct folder *f = &w->folders[i - 1];
		const struct timespec times[] = { f->mtime, f->mtime };
		GUARD(fd)
		int fd = rooted_open(w->u->root_fd, f->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
				     ROOTED_FOLLOW);
		/* A later entry may have put a file there. */
		if (fd >= 0 && futimens(fd, times) < 0)
			return failed(w, f->path, errno, e);
	}
	return 0;
}

static int pass(struct work *w, int (*fn)(struct work *w, struct err *e), struct err *e)
{
	if (lseek(w->u->tar_fd, 0, SEEK_SET) < 0)
		return ERR(e, errno, "'%s': rewind", w->u->shown);
	if (archive_open(&w->in, w->u->tar_fd, w->u->shown, e) < 0)
		return -1;
	int ret = fn(w, e);
	archive_close(w->in);
	return ret;
}

int unpack_tar(const struct unpack *u, struct err *e)
{
	struct work w = { .u = u };
	int ret = u->layer ? pass(&w, take_away_all, e) : 0;
	if (ret == 0)
		ret = pass(&w, entries, e);
	if (ret == 0)
		ret = set_times(&w, e);
	for (size_t i = 0; i < w.folder_count; i++)
		free(w.folders[i].path);
	free(w.folders);
	return ret;
}
