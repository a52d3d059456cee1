/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/base/tree.h"
#include "harness/sandbox/capture_internal.h"
#include "harness/sandbox/hardlinks.h"
#include "harness/sandbox/upper_internal.h"
#include "harness/sandbox/xattrs.h"

enum {
	READ_CHUNK = 128 * 1024, /* bytes */
	DEVICES_MAX = 8,         /* file systems of one node's state: the work folder's, tmpfs */
	PROBES = 16,             /* changes with a look between them */
	YOUNG_MS = 20,           /* the kernel's coarse clock ticks each 1 to 10 ms */
};

struct device {
	dev_t dev;
	bool unique; /* no two changes with a look between them have one ctime */
};

struct upper_cache {
	struct capture_cache *bodies;
	struct device devices[DEVICES_MAX];
	size_t device_count;
};

struct upper_cache *upper_cache_create(void)
{
	struct upper_cache *c = mem_alloc(sizeof(*c));
	c->bodies = capture_cache_create();
	return c;
}

void upper_cache_destroy(struct upper_cache *c)
{
	if (c == NULL)
		return;
	capture_cache_destroy(c->bodies);
	free(c);
}

/* A nameless file in this folder is changed and looked at, much faster than a clock ticks. */
static bool probe_unique(int dirfd)
{
	GUARD(fd) int fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct stat last = { 0 }, now;
	for (int i = 0; i < PROBES; i++) {
		if (fd < 0 || fchmod(fd, i % 2 == 0 ? 0600 : 0400) < 0 || fstat(fd, &now) < 0)
			return false;
		if (now.st_ctim.tv_sec == last.st_ctim.tv_sec &&
		    now.st_ctim.tv_nsec == last.st_ctim.tv_nsec)
			return false;
		last = now;
	}
	return true;
}

static int learn_device(struct upper_cache *c, int dirfd, struct err *e)
{
	struct stat st;
	if (fstat(dirfd, &st) < 0)
		return ERR(e, errno, "look at the node's files");
	for (size_t i = 0; i < c->device_count; i++)
		if (c->devices[i].dev == st.st_dev)
			return 0;
	if (c->device_count < DEVICES_MAX)
		c->devices[c->device_count++] = (struct device){ st.st_dev, probe_unique(dirfd) };
	return 0;
}

struct digest {
	struct upper_cache *cache;
	struct hash *sum, *body;
	const char *part;
	bool is_index;
	int64_t old; /* CLOCK_REALTIME, ns: an older ctime is not given again */
	struct hardlinks links;
	char *chunk;
	struct upper_size size;
};

/* ---- what is in an entry ---- */

static bool is_final(const struct digest *d, const struct stat *st)
{
	for (size_t i = 0; i < d->cache->device_count; i++)
		if (d->cache->devices[i].dev == st->st_dev && d->cache->devices[i].unique)
			return true;
	return st->st_ctim.tv_sec * NS_PER_S + st->st_ctim.tv_nsec < d->old;
}

static bool is_bookkeeping(const char *name)
{
	static const char *const names[] = { "origin", "impure", "nlink", "uuid", "upper" };
	static const char space[] = "trusted.overlay.";
	if (strncmp(name, space, sizeof(space) - 1) != 0)
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name + sizeof(space) - 1, names[i]) == 0)
			return true;
	return false;
}

static int add_xattr(void *arg, const char *name, const struct buf *value, struct err *e)
{
	struct digest *d = arg;
	(void)e;
	if (is_bookkeeping(name))
		return 0;
	hash_add(d->body, name, strlen(name) + 1);
	hash_add(d->body, &value->len, sizeof(value->len));
	hash_add(d->body, buf_str(value), value->len);
	return 0;
}

/* At most the size it had when it was opened. */
static int add_content(struct digest *d, int fd, int64_t want, const char *path, struct err *e)
{
	while (want > 0) {
		ssize_t n = read(fd, d->chunk, want < READ_CHUNK ? (size_t)want : READ_CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR(e, errno, "read '%s' of the node", path);
		if (n == 0)
			break;
		hash_add(d->body, d->chunk, (size_t)n);
		want -= n;
	}
	return 0;
}

/* What was opened may be another file than the one that was listed: `st` is made true. */
static int add_file(struct digest *d, const struct tree_entry *at, struct stat *st, struct err *e)
{
	GUARD(fd)
	int fd = openat(at->dirfd, at->name,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP || errno == ENXIO
			       ? 0
			       : ERR(e, errno, "open '%s' of the node", at->path);
	if (fstat(fd, st) < 0)
		return ERR(e, errno, "look at '%s' of the node", at->path);
	return S_ISREG(st->st_mode) ? add_content(d, fd, st->st_size, at->path, e) : 0;
}

static int add_target(struct digest *d, const struct tree_entry *at, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(at->dirfd, at->name, target, sizeof(target));
	if (n < 0)
		return errno == ENOENT || errno == EINVAL
			       ? 0
			       : ERR(e, errno, "read link '%s' of the node", at->path);
	hash_add(d->body, target, (size_t)n);
	return 0;
}

/* Content, a link's target, extended attributes: all that a look does not show. */
static int body_of(struct digest *d, const struct tree_entry *at, char ret[HASH_TEXT],
		   struct err *e)
{
	struct stat st = at->st;
	int result = 0;
	if (capture_cache_find(d->cache->bodies, &st, ret))
		return 0;
	hash_reset(d->body);
	if (S_ISREG(st.st_mode))
		result = add_file(d, at, &st, e);
	else if (S_ISLNK(st.st_mode))
		result = add_target(d, at, e);
	if (result < 0 || xattrs_each(at->dirfd, at->name, add_xattr, d, e) < 0)
		return -1;
	hash_text_of(d->body, ret);
	if (is_final(d, &st))
		capture_cache_put(d->cache->bodies, &st, ret);
	return 0;
}

/* ---- entries ---- */

struct about {
	uint64_t rdev, size;
	uint32_t mode, uid, gid, linked;
};

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* A whiteout is just that: one inode serves for many, and its mode and links mean nothing. */
static int add_entry(struct digest *d, const struct tree_entry *at, struct err *e)
{
	char body[HASH_TEXT] = "";
	const char *first = NULL;
	bool white = is_whiteout(&at->st);
	const struct about about = {
		.rdev = at->st.st_rdev,
		.size = S_ISREG(at->st.st_mode) ? (uint64_t)at->st.st_size : 0,
		.mode = white ? S_IFCHR : at->st.st_mode,
		.uid = white ? 0 : at->st.st_uid,
		.gid = white ? 0 : at->st.st_gid,
		.linked = !white && !S_ISDIR(at->st.st_mode) && at->st.st_nlink > 1,
	};
	if (!white && body_of(d, at, body, e) < 0)
		return -1;
	hash_add(d->sum, d->part, strlen(d->part));
	hash_add(d->sum, at->path, strlen(at->path) + 1);
	hash_add(d->sum, &about, sizeof(about));
	hash_add(d->sum, body, sizeof(body));
	if (about.linked) {
		GUARD(mem) char *path = mem_printf("%s%s", d->part, at->path);
		first = hardlinks_first(&d->links, &at->st, path);
		hash_add(d->sum, first != NULL ? first : path,
			 strlen(first != NULL ? first : path) + 1);
	}
	d->size.entries++;
	if (first == NULL)
		d->size.bytes += about.size;
	return 0;
}

static int enter(void *arg, const struct tree_entry *at, struct err *e)
{
	const struct digest *d = arg;
	bool temporary = d->is_index && at->name[0] == UPPER_INDEX_TEMPORARY;
	return temporary ? 0 : add_entry(arg, at, e);
}

static int add_part(void *arg, const char *name, int fd, struct err *e)
{
	struct digest *d = arg;
	const struct tree_visitor v = { .enter = enter, .arg = d };
	struct tree_entry self = { .path = "", .dirfd = fd, .name = "." };
	if (fstat(fd, &self.st) < 0)
		return ERR(e, errno, "look at '%s'", name);
	if (learn_device(d->cache, fd, e) < 0)
		return -1;
	d->part = name;
	d->is_index = strcmp(name, UPPER_INDEX) == 0;
	/* The index folder itself is the kernel's. */
	if (!d->is_index && add_entry(d, &self, e) < 0)
		return -1;
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
	if (again < 0)
		return ERR(e, errno, "open '%s'", name);
	return tree_walk(again, "", &v, e);
}

static int add_mounts(struct digest *d, const struct node *n, struct err *e)
{
	struct upper_mounts m;
	if (upper_mounts(n, &m, e) < 0)
		return -1;
	hash_add(d->sum, &m.count, sizeof(m.count));
	hash_add(d->sum, buf_str(&m.others), m.others.len);
	d->size.mounts_changed = m.changed;
	buf_free(&m.others);
	return 0;
}

int upper_digest(const struct node *n, struct upper_cache *c, char ret[HASH_TEXT],
		 struct upper_size *ret_size, struct err *e)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	struct digest d = {
		.cache = c,
		.sum = hash_begin(),
		.body = hash_begin(),
		.old = now.tv_sec * NS_PER_S + now.tv_nsec - YOUNG_MS * NS_PER_MS,
		.chunk = mem_alloc(READ_CHUNK),
	};
	int result = upper_each(n, add_part, &d, e);
	if (result == 0)
		result = add_mounts(&d, n, e);
	hash_text_of(d.sum, ret);
	if (ret_size != NULL)
		*ret_size = d.size;
	hash_free(d.sum);
	hash_free(d.body);
	hardlinks_free(&d.links);
	free(d.chunk);
	return result < 0 ? err_prefix(e, "written state of node '%s'", node_name(n)) : 0;
}
