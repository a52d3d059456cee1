/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/base/mutate.h"
#include "harness/base/tree.h"
#include "harness/sandbox/capture_delta.h"
#include "harness/sandbox/capture_internal.h"
#include "harness/sandbox/dpkg_owners.h"
#include "harness/sandbox/hardlinks.h"
#include "harness/sandbox/rooted.h"
#include "harness/sandbox/xattrs.h"

enum {
	READ_CHUNK = 256 * 1024, /* bytes */
	PID_FILE_MAX = 16,       /* bytes */
	XATTR_HEX_MAX = 64,      /* bytes of a value that is shown whole */
	XATTRS_MAX = 512,        /* of one file */
};

struct walkers {
	struct capture *c;
	const struct dpkg_owners *owners; /* the image's, or what was read now */
	struct hardlinks links;
	struct hash *hash;
	char *chunk;
	struct buf names, value; /* of extended attributes */
};

/* ---- content ---- */

/* At most the size it had when it was opened: a log that grows must not keep us here. */
static int read_content(struct walkers *w, int fd, const char *path, int64_t *size,
			char ret[HASH_TEXT], struct err *e)
{
	int64_t want = *size, got = 0;
	hash_reset(w->hash);
	while (got < want) {
		size_t part = want - got < READ_CHUNK ? (size_t)(want - got) : READ_CHUNK;
		ssize_t n = read(fd, w->chunk, part);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR(e, errno, "read '%s' of the node", path);
		if (n == 0)
			break;
		hash_add(w->hash, w->chunk, (size_t)n);
		got += n;
	}
	*size = got;
	hash_text_of(w->hash, ret);
	return 0;
}

/* "/x/y.pid", or below /run with "pid" in its name. */
static bool names_pid(const char *path)
{
	size_t len = strlen(path);
	if (len > 4 && strcmp(path + len - 4, ".pid") == 0)
		return true;
	return strncmp(path, "/run/", 5) == 0 && strstr(strrchr(path, '/'), "pid") != NULL;
}

/* 0: the content is no number. */
static pid_t parse_pid(const char *text, size_t len)
{
	if (len > 0 && text[len - 1] == '\n')
		len--;
	int64_t pid = 0;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return 0;
		pid = pid * 10 + (text[i] - '0');
		if (pid > INT_MAX)
			return 0;
	}
	return (pid_t)pid;
}

/* Two runs give a daemon two numbers; what counts is whether it names the daemon. */
static bool write_pid(struct walkers *w, int fd, const char *path)
{
	char text[PID_FILE_MAX + 1], link[64], exe[PATH_MAX];
	ssize_t n = names_pid(path) ? pread(fd, text, sizeof(text), 0) : 0;
	pid_t inside = n > 0 && n <= PID_FILE_MAX ? parse_pid(text, (size_t)n) : 0;
	if (inside <= 0)
		return false;
	pid_t host = node_host_pid(w->c->node, inside);
	(void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)host);
	ssize_t len = host > 0 ? readlink(link, exe, sizeof(exe) - 1) : -1;
	if (len > 0) {
		exe[len] = '\0';
		GUARD(mem) char *live = mem_printf("live:%s", exe);
		state_line_str(&w->c->out, "pid", live);
	} else {
		state_line_str(&w->c->out, "pid", "stale");
	}
	return true;
}

static int write_content(struct walkers *w, int fd, const char *path, const struct stat *st,
			 struct err *e)
{
	struct capture *c = w->c;
	char text[HASH_TEXT];
	int64_t size = st->st_size;
	if (size > 0 && size <= PID_FILE_MAX && write_pid(w, fd, path))
		return 0;
	if (c->cache == NULL || !capture_cache_find(c->cache, st, text)) {
		if (read_content(w, fd, path, &size, text, e) < 0)
			return -1;
		if (c->cache != NULL && size == st->st_size)
			capture_cache_add(c->cache, st, c->started, text);
	}
	if (MUTANT(fingerprint_blind))
		return 0;
	state_line_int(&c->out, "size", size);
	state_line_str(&c->out, "xxh3", text);
	return 0;
}

/* ---- extended attributes ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A descriptor opened with O_PATH has no f*xattr calls; its name in /proc leads to the very same
 * inode, a symbolic link's too. */
static ssize_t list_xattr(int fd, const char *proc, struct buf *ret)
{
	char probe[1024];
	buf_clear(ret);
	ssize_t n = proc == NULL ? flistxattr(fd, probe, sizeof(probe))
				 : listxattr(proc, probe, sizeof(probe));
	if (n > 0)
		buf_add(ret, probe, (size_t)n);
	if (n >= 0 || errno != ERANGE)
		return n;
	GUARD(mem) char *big = mem_alloc(XATTR_LIST_MAX);
	n = proc == NULL ? flistxattr(fd, big, XATTR_LIST_MAX)
			 : listxattr(proc, big, XATTR_LIST_MAX);
	if (n > 0)
		buf_add(ret, big, (size_t)n);
	return n;
}

static int write_one_xattr(struct walkers *w, int fd, const char *proc, const char *name,
			   struct err *e)
{
	GUARD(mem) char *attr = mem_printf("xattr:%s", name);
	ssize_t n = proc == NULL ? fgetxattr(fd, name, w->chunk, READ_CHUNK)
				 : getxattr(proc, name, w->chunk, READ_CHUNK);
	if (n < 0)
		return errno == ENODATA ? 0 : ERR(e, errno, "read extended attribute '%s'", name);
	buf_clear(&w->value);
	if (n <= XATTR_HEX_MAX) {
		for (ssize_t i = 0; i < n; i++)
			buf_printf(&w->value, "%02x", (unsigned char)w->chunk[i]);
	} else {
		char text[HASH_TEXT];
		hash_text(w->chunk, (size_t)n, text);
		buf_printf(&w->value, "xxh3:%s", text);
	}
	state_line_str(&w->c->out, attr, buf_str(&w->value));
	return 0;
}

static int write_xattrs(struct walkers *w, int fd, bool is_path, struct err *e)
{
	char link[64];
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	const char *proc = is_path ? link : NULL;
	ssize_t len = list_xattr(fd, proc, &w->names);
	if (len == 0 || (len < 0 && (errno == ENOTSUP || errno == EPERM)))
		return 0;
	if (len < 0)
		return ERR(e, errno, "list extended attributes");
	const char *names[XATTRS_MAX];
	size_t count = 0;
	for (const char *at = w->names.data; at < w->names.data + len; at += strlen(at) + 1) {
		if (strncmp(at, "trusted.overlay.", 16) == 0)
			continue;
		if (count == XATTRS_MAX)
			return ERR(e, E2BIG, "more than %d extended attributes", XATTRS_MAX);
		names[count++] = at;
	}
	qsort(names, count, sizeof(names[0]), by_text);
	for (size_t i = 0; i < count; i++)
		if (write_one_xattr(w, fd, proc, names[i], e) < 0)
			return -1;
	return 0;
}

/* ---- what lies too deep for lines of its own ---- */

struct deep {
	struct walkers *w;
	struct hash *sum;
};

static int add_deep_xattr(void *arg, const char *name, const struct buf *value, struct err *e)
{
	struct deep *d = arg;
	(void)e;
	if (strncmp(name, "trusted.overlay.", 16) == 0)
		return 0;
	hash_add(d->sum, name, strlen(name) + 1);
	hash_add(d->sum, buf_str(value), value->len);
	return 0;
}

/* Gone by now, or another: as it is told. */
static int add_deep_body(struct deep *d, const struct tree_entry *at, struct err *e)
{
	char text[PATH_MAX] = "";
	if (S_ISREG(at->st.st_mode)) {
		int64_t size = at->st.st_size;
		GUARD(fd)
		int fd = openat(at->dirfd, at->name,
				O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC);
		if (fd >= 0 && read_content(d->w, fd, at->name, &size, text, e) < 0)
			return -1;
	} else if (S_ISLNK(at->st.st_mode)) {
		ssize_t n = readlinkat(at->dirfd, at->name, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
	}
	hash_add(d->sum, text, strlen(text) + 1);
	return 0;
}

static int enter_deep(void *arg, const struct tree_entry *at, struct err *e)
{
	struct deep *d = arg;
	const uint64_t about[] = { at->st.st_mode, at->st.st_uid, at->st.st_gid, at->st.st_rdev };
	struct err gone = { 0 };
	hash_add(d->sum, at->name, strlen(at->name) + 1);
	hash_add(d->sum, about, sizeof(about));
	if (xattrs_each(at->dirfd, at->name, add_deep_xattr, d, &gone) < 0 && gone.code != ENOENT) {
		*e = gone;
		return -1;
	}
	return add_deep_body(d, at, e);
}

static int leave_deep(void *arg, const struct tree_entry *at, struct err *e)
{
	const struct deep *d = arg;
	(void)at;
	(void)e;
	hash_add(d->sum, "", 1);
	return 0;
}

static int write_deep(struct walkers *w, int fd, const char *path, struct err *e)
{
	struct deep d = { .w = w, .sum = hash_begin() };
	const struct tree_visitor v = { enter_deep, leave_deep, &d };
	char text[HASH_TEXT];
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
	int ret = again < 0 ? ERR(e, errno, "open '%s' of the node", path)
			    : tree_walk(again, "", &v, e);
	hash_text_of(d.sum, text);
	hash_free(d.sum);
	if (ret == 0)
		state_line_str(&w->c->out, "below", text);
	return ret;
}

/* ---- a line ---- */

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "dir";
	case S_IFLNK:
		return "link";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	case S_IFCHR:
		return "char";
	case S_IFBLK:
		return "block";
	default:
		return "unknown";
	}
}

static int write_kind(struct walkers *w, int fd, const char *path, const struct stat *st,
		      struct err *e)
{
	char text[PATH_MAX];
	if (S_ISREG(st->st_mode))
		return write_content(w, fd, path, st, e);
	if (S_ISDIR(st->st_mode) && path_is_deep(path))
		return write_deep(w, fd, path, e);
	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlinkat(fd, "", text, sizeof(text) - 1);
		if (n < 0)
			return ERR(e, errno, "read link '%s' of the node", path);
		text[n] = '\0';
		state_line_str(&w->c->out, "target", text);
	} else if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		(void)snprintf(text, sizeof(text), "%u:%u", major(st->st_rdev), minor(st->st_rdev));
		state_line_str(&w->c->out, "rdev", text);
	}
	return 0;
}

static int write_line(struct walkers *w, int fd, const char *path, bool is_path, struct err *e)
{
	struct buf *out = &w->c->out;
	struct stat st;
	char mode[16];
	if (fstat(fd, &st) < 0)
		return ERR(e, errno, "look at '%s' of the node", path);
	(void)snprintf(mode, sizeof(mode), "%04o", st.st_mode & 07777);
	state_line_begin(out, STATE_FILE, path);
	state_line_str(out, "type", type_name(st.st_mode));
	state_line_str(out, "mode", mode);
	state_line_int(out, "uid", st.st_uid);
	state_line_int(out, "gid", st.st_gid);
	if (write_kind(w, fd, path, &st, e) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) {
		state_line_int(out, "nlink", (int64_t)st.st_nlink);
		const char *first = hardlinks_first(&w->links, &st, path);
		/* Paths come sorted: a group's first is its smallest. */
		state_line_str(out, "links", first != NULL ? first : path);
	}
	if (write_xattrs(w, fd, is_path, e) < 0)
		return err_prefix(e, "'%s' of the node", path);
	const char *owner = S_ISDIR(st.st_mode) ? NULL : dpkg_owner(w->owners, path);
	if (owner != NULL)
		state_line_str(out, "@owner", owner);
	state_line_end(out);
	return capture_line(w->c, e);
}

/* By its content where the listing promised a file or a folder; what has become something else
 * since then is opened as what it is now, without touching it. */
static int open_entry(int root_fd, const char *path, unsigned char type, bool *is_path)
{
	const int common = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME;
	int fd = -1;
	*is_path = false;
	if (type == DT_REG)
		fd = rooted_open(root_fd, path, common, ROOTED_REFUSE);
	else if (type == DT_DIR)
		fd = rooted_open(root_fd, path, common | O_DIRECTORY, ROOTED_REFUSE);
	if (fd >= 0 || ((type == DT_REG || type == DT_DIR) && errno != ELOOP && errno != ENXIO &&
			errno != ENOTDIR))
		return fd;
	*is_path = true;
	return rooted_open(root_fd, path, O_PATH | O_NOFOLLOW, ROOTED_REFUSE);
}

/* Retried once, as a file that is replaced by rename is never really absent. */
static int write_entry(struct walkers *w, const char *entry, struct err *e)
{
	const char *path = entry + 1;
	unsigned char type = (unsigned char)entry[0];
	for (int i = 0; i < 2; i++) {
		bool is_path;
		GUARD(fd) int fd = open_entry(node_root_fd(w->c->node), path, type, &is_path);
		struct stat st;
		if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
			return ERR(e, errno, "open '%s' of the node", path);
		if (fd < 0)
			continue;
		/* A file in the place of a link or a fifo: open it again for its content. */
		if (is_path && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
			type = DT_REG;
			continue;
		}
		return write_line(w, fd, path, is_path, e);
	}
	return 0;
}

static int write_all(struct walkers *w, const struct path_list *paths, struct err *e)
{
	for (size_t i = 0; i < paths->count; i++)
		if (write_entry(w, paths->text + paths->items[i], e) < 0)
			return -1;
	return 0;
}

/* The lines of the image, and between them those of what was written. */
static int write_merged(struct walkers *w, struct delta *d, const struct dpkg_owners *moved,
			struct err *e)
{
	const struct path_list *paths = &d->paths;
	const char *last = "";
	for (size_t i = 0; i < paths->count; i++) {
		const char *entry = paths->text + paths->items[i];
		if (strcmp(entry + 1, last) ==
		    0) /* written to, and in the image a link or pid file */
			continue;
		last = entry + 1;
		if (delta_copy_until(d, w->c, moved, last, e) < 0)
			return -1;
		if (entry[0] != DT_WHT && write_entry(w, entry, e) < 0)
			return -1;
	}
	return delta_copy_until(d, w->c, moved, NULL, e);
}

/* 1: done; 0: the image's lines do not do. */
static int write_delta(struct walkers *w, struct err *e)
{
	struct dpkg_owners *read_now = NULL;
	struct delta d;
	int ret = delta_open(&d, w->c->base, w->c->node, e);
	if (ret > 0)
		ret = delta_owners(&d, w->c->node, &read_now, e) < 0 ? -1 : 1;
	w->owners = read_now != NULL ? read_now : w->c->base->owners;
	if (ret > 0)
		ret = write_merged(w, &d, read_now, e) < 0 ? -1 : 1;
	delta_close(&d);
	dpkg_owners_free(read_now);
	return ret;
}

static int write_files(struct walkers *w, struct err *e)
{
	int root_fd = node_root_fd(w->c->node);
	int done = w->c->base != NULL ? write_delta(w, e) : 0;
	if (done != 0)
		return done < 0 ? -1 : 0;
	struct path_list paths;
	struct dpkg_owners *owners = NULL;
	if (path_list_read(root_fd, PATHS_ALL, &paths, e) < 0)
		return -1;
	path_list_sort(&paths);
	int ret = dpkg_owners_read(root_fd, &owners, e);
	w->owners = owners;
	if (ret == 0)
		ret = write_all(w, &paths, e);
	dpkg_owners_free(owners);
	path_list_free(&paths);
	return ret;
}

int capture_files(struct capture *c, struct err *e)
{
	struct walkers w = { .c = c, .hash = hash_begin(), .chunk = mem_alloc(READ_CHUNK) };
	int ret = write_files(&w, e);
	hash_free(w.hash);
	hardlinks_free(&w.links);
	free(w.chunk);
	buf_free(&w.names);
	buf_free(&w.value);
	return ret;
}
