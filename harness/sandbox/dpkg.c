/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/dpkg.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/sandbox/rooted.h"

enum { DPKG_FILE_MAX = 64 << 20 /* bytes of a status or list file */ };

#define DPKG_DIR "/var/lib/dpkg"

/* ---- packages ---- */

struct reading {
	struct arena *arena;
	struct dpkg_db *db;
	size_t cap;
};

/* The fields of a stanza that we want, in the order of `struct stanza`. */
static const char *const fields[] = { "Package", "Architecture", "Version", "Status" };
enum { F_PACKAGE, F_ARCH, F_VERSION, F_STATUS, F_COUNT };
static_assert(sizeof(fields) / sizeof(fields[0]) == F_COUNT, "every field has a name");

struct slice {
	const char *at;
	size_t len;
};

/* A later entry of the same package replaces the earlier one: sorting is stable by `order`. */
static void add_package(struct reading *r, const struct slice f[F_COUNT])
{
	if (f[F_PACKAGE].len == 0)
		return;
	if (r->db->count == r->cap) {
		r->cap = r->cap == 0 ? 128 : r->cap * 2;
		r->db->items = mem_grow(r->db->items, r->cap, sizeof(*r->db->items));
	}
	r->db->items[r->db->count++] = (struct dpkg_package){
		.key = arena_printf(r->arena, "%.*s:%.*s", (int)f[F_PACKAGE].len, f[F_PACKAGE].at,
				    (int)f[F_ARCH].len, f[F_ARCH].at != NULL ? f[F_ARCH].at : ""),
		.version = arena_strndup(r->arena, f[F_VERSION].at != NULL ? f[F_VERSION].at : "",
					 f[F_VERSION].len),
		.status = arena_strndup(r->arena, f[F_STATUS].at != NULL ? f[F_STATUS].at : "",
					f[F_STATUS].len),
	};
}

static void read_field(const char *line, size_t len, struct slice f[F_COUNT])
{
	for (size_t i = 0; i < F_COUNT; i++) {
		size_t n = strlen(fields[i]);
		if (len <= n || line[n] != ':' || memcmp(line, fields[i], n) != 0)
			continue;
		f[i].at = line + n + 1;
		f[i].len = len - n - 1;
		while (f[i].len > 0 && f[i].at[0] == ' ') {
			f[i].at++;
			f[i].len--;
		}
	}
}

static void parse_stanzas(struct reading *r, const char *text)
{
	struct slice f[F_COUNT] = { 0 };
	while (*text != '\0') {
		size_t len = (size_t)(strchrnul(text, '\n') - text);
		if (len == 0) {
			add_package(r, f);
			memset(f, 0, sizeof(f));
		} else if (*text != ' ' && *text != '\t') {
			read_field(text, len, f);
		}
		text += len + (text[len] == '\n');
	}
	add_package(r, f);
}

static int is_update(const struct dirent *d)
{
	return d->d_name[0] != '\0' && d->d_name[strspn(d->d_name, "0123456789")] == '\0';
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct dirent *const *)a)->d_name,
		      (*(const struct dirent *const *)b)->d_name);
}

/* dpkg numbers its updates with leading zeros, and reads them in the order of their names. */
static int read_updates(int root_fd, struct reading *r, struct err *e)
{
	GUARD(fd)
	int fd = rooted_open(root_fd, DPKG_DIR "/updates", O_RDONLY | O_DIRECTORY, ROOTED_FOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : ERR(e, errno, "open '" DPKG_DIR "/updates'");
	struct dirent **names = NULL;
	int count = scandirat(fd, ".", &names, is_update, NULL);
	if (count < 0)
		return ERR(e, errno, "list '" DPKG_DIR "/updates'");
	if (count > 1)
		qsort(names, (size_t)count, sizeof(*names), by_name);
	int ret = 0;
	for (int i = 0; i < count; i++) {
		GUARD_BUF struct buf text = { 0 };
		if (ret == 0 && rooted_read(fd, names[i]->d_name, DPKG_FILE_MAX, &text, e) < 0)
			ret = -1;
		parse_stanzas(r, buf_str(&text));
		free(names[i]);
	}
	free(names);
	return ret;
}

struct numbered {
	struct dpkg_package p;
	size_t order;
};

static int by_key_then_order(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;
	int c = strcmp(x->p.key, y->p.key);
	return c != 0 ? c : x->order < y->order ? -1 : x->order > y->order;
}

static bool absent(const struct dpkg_package *p)
{
	const char *last = strrchr(p->status, ' ');
	return last != NULL && strcmp(last, " not-installed") == 0;
}

/* Sorted, one of each key (the last that was read), into the arena. */
static void settle(struct reading *r)
{
	size_t n = r->db->count, kept = 0;
	GUARD(mem) struct numbered *all = mem_array(n + 1, sizeof(*all));
	for (size_t i = 0; i < n; i++)
		all[i] = (struct numbered){ r->db->items[i], i };
	qsort(all, n, sizeof(*all), by_key_then_order);
	struct dpkg_package *items = arena_alloc(r->arena, (n + 1) * sizeof(*items));
	for (size_t i = 0; i < n; i++) {
		bool last = i + 1 == n || strcmp(all[i].p.key, all[i + 1].p.key) != 0;
		if (last && !absent(&all[i].p))
			items[kept++] = all[i].p;
	}
	free(r->db->items);
	r->db->items = items;
	r->db->count = kept;
}

int dpkg_read(int root_fd, struct arena *arena, struct dpkg_db *ret, struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	struct reading r = { .arena = arena, .db = ret };
	*ret = (struct dpkg_db){ 0 };
	if (rooted_read(root_fd, DPKG_DIR "/status", DPKG_FILE_MAX, &text, e) < 0)
		return -1;
	parse_stanzas(&r, buf_str(&text));
	int failed = read_updates(root_fd, &r, e);
	settle(&r);
	return failed;
}

/* ---- owners of paths ---- */

struct owned {
	uint64_t hash;
	uint32_t package;
};

/* Top folders that a merged /usr turned into links, as this root has them. */
static const char *const merged[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32" };
enum { MERGED_COUNT = sizeof(merged) / sizeof(merged[0]) };

struct dpkg_owners {
	struct arena *arena;
	const char **packages;
	size_t package_count, package_cap;
	struct owned *items; /* sorted by hash */
	size_t count, cap;
	bool is_merged[MERGED_COUNT];
};

/* FNV-1a, 64 bits: a collision would only name a wrong owner in a message. */
static uint64_t hash_bytes(uint64_t h, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)s[i]) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t path_hash(const struct dpkg_owners *o, const char *path, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < MERGED_COUNT; i++) {
		size_t n = strlen(merged[i]);
		if (o->is_merged[i] && len > n + 1 && path[n + 1] == '/' &&
		    memcmp(path + 1, merged[i], n) == 0)
			h = hash_bytes(h, "/usr", 4);
	}
	return hash_bytes(h, path, len);
}

static void find_merged(int root_fd, struct dpkg_owners *o)
{
	for (size_t i = 0; i < MERGED_COUNT; i++) {
		char target[64];
		ssize_t n = readlinkat(root_fd, merged[i], target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = '\0';
		const char *to = target + (target[0] == '/');
		o->is_merged[i] = strncmp(to, "usr/", 4) == 0 && strcmp(to + 4, merged[i]) == 0;
	}
}

static void add_paths(struct dpkg_owners *o, const char *text)
{
	while (*text != '\0') {
		size_t len = (size_t)(strchrnul(text, '\n') - text);
		if (len > 1 && text[0] == '/') {
			if (o->count == o->cap) {
				o->cap = o->cap == 0 ? 4096 : o->cap * 2;
				o->items = mem_grow(o->items, o->cap, sizeof(*o->items));
			}
			o->items[o->count++] = (struct owned){
				.hash = path_hash(o, text, len),
				.package = (uint32_t)o->package_count - 1,
			};
		}
		text += len + (text[len] == '\n');
	}
}

static int add_list(struct dpkg_owners *o, int dirfd, const char *name, struct err *e)
{
	size_t len = strlen(name);
	if (len <= 5 || strcmp(name + len - 5, ".list") != 0)
		return 0;
	GUARD_BUF struct buf text = { 0 };
	if (rooted_read(dirfd, name, DPKG_FILE_MAX, &text, e) < 0)
		return -1;
	if (o->package_count == o->package_cap) {
		o->package_cap = o->package_cap == 0 ? 128 : o->package_cap * 2;
		o->packages = mem_grow(o->packages, o->package_cap, sizeof(*o->packages));
	}
	size_t base = strcspn(name, ":");
	o->packages[o->package_count++] =
		arena_strndup(o->arena, name, base < len ? base : len - 5);
	add_paths(o, buf_str(&text));
	return 0;
}

static int by_hash(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* A path of several packages names the first of them by name, whatever the order on disk. */
static int by_hash_then_package(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;
	int c = by_hash(a, b);
	return c != 0 ? c : x->package < y->package ? -1 : x->package > y->package;
}

static void sort_owned(struct dpkg_owners *o)
{
	size_t kept = 0;
	if (o->count > 1)
		qsort(o->items, o->count, sizeof(*o->items), by_hash_then_package);
	for (size_t i = 0; i < o->count; i++)
		if (kept == 0 || o->items[kept - 1].hash != o->items[i].hash)
			o->items[kept++] = o->items[i];
	o->count = kept;
}

int dpkg_owners_read(int root_fd, struct dpkg_owners **ret, struct err *e)
{
	struct dpkg_owners *o = mem_alloc(sizeof(*o));
	o->arena = arena_create();
	find_merged(root_fd, o);
	GUARD(fd)
	int fd = rooted_open(root_fd, DPKG_DIR "/info", O_RDONLY | O_DIRECTORY, ROOTED_FOLLOW);
	struct dirent **names = NULL;
	int count = fd >= 0 ? scandirat(fd, ".", &names, NULL, NULL) : 0;
	int result = 0;
	if ((fd < 0 && errno != ENOENT && errno != ENOTDIR) || count < 0)
		result = ERR(e, errno, "list '" DPKG_DIR "/info'");
	if (count > 1)
		qsort(names, (size_t)count, sizeof(*names), by_name);
	for (int i = 0; i < count; i++) {
		if (result == 0)
			result = add_list(o, fd, names[i]->d_name, e);
		free(names[i]);
	}
	free(names);
	if (result < 0) {
		dpkg_owners_free(o);
		return -1;
	}
	sort_owned(o);
	*ret = o;
	return 0;
}

const char *dpkg_owner(const struct dpkg_owners *o, const char *path)
{
	const struct owned want = { .hash = path_hash(o, path, strlen(path)) };
	if (o->count == 0)
		return NULL;
	const struct owned *found = bsearch(&want, o->items, o->count, sizeof(*o->items), by_hash);
	return found != NULL ? o->packages[found->package] : NULL;
}

/* The numbers, the paths' hashes, then the packages' names. */
struct saved {
	uint64_t count, packages;
	bool is_merged[MERGED_COUNT];
};

void dpkg_owners_save(const struct dpkg_owners *o, struct buf *ret)
{
	struct saved s;
	memset(&s, 0, sizeof(s));
	s.count = o->count;
	s.packages = o->package_count;
	memcpy(s.is_merged, o->is_merged, sizeof(s.is_merged));
	buf_add(ret, &s, sizeof(s));
	for (size_t i = 0; i < o->count; i++) {
		struct owned item;
		memset(&item, 0, sizeof(item)); /* its padding, too */
		item.hash = o->items[i].hash;
		item.package = o->items[i].package;
		buf_add(ret, &item, sizeof(item));
	}
	for (size_t i = 0; i < o->package_count; i++)
		buf_add(ret, o->packages[i], strlen(o->packages[i]) + 1);
}

int dpkg_owners_load(const char *data, size_t len, struct dpkg_owners **ret)
{
	struct saved s;
	if (len < sizeof(s))
		return -1;
	memcpy(&s, data, sizeof(s));
	const char *end = data + len, *at = data + sizeof(s);
	if (s.count > (size_t)(end - at) / sizeof(struct owned) || s.packages > len)
		return -1;
	struct dpkg_owners *o = mem_alloc(sizeof(*o));
	o->arena = arena_create();
	o->items = mem_array(s.count + 1, sizeof(*o->items));
	o->packages = mem_array(s.packages + 1, sizeof(*o->packages));
	o->count = s.count;
	memcpy(o->is_merged, s.is_merged, sizeof(o->is_merged));
	memcpy(o->items, at, s.count * sizeof(*o->items));
	at += s.count * sizeof(*o->items);
	while (o->package_count < s.packages && memchr(at, '\0', (size_t)(end - at)) != NULL) {
		o->packages[o->package_count++] = at;
		at += strlen(at) + 1;
	}
	bool sound = o->package_count == s.packages && at == end;
	for (size_t i = 0; i < o->count; i++)
		sound &= o->items[i].package < o->package_count;
	if (!sound) {
		dpkg_owners_free(o);
		return -1;
	}
	*ret = o;
	return 0;
}

void dpkg_owners_free(struct dpkg_owners *o)
{
	if (o == NULL)
		return;
	arena_destroy(o->arena);
	free(o->packages);
	free(o->items);
	free(o);
}
