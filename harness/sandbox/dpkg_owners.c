/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/dpkg_owners.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/dpkg.h"
#include "harness/sandbox/rooted.h"

struct owned {
	uint64_t hash;
	uint32_t list;
};

/* One of dpkg's lists. */
struct list {
	const char *file;    /* "libc6:amd64.list" */
	const char *package; /* "libc6" */
};

/* Top folders that a merged /usr turned into links, as this root has them. */
static const char *const merged[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32" };
enum { MERGED_COUNT = sizeof(merged) / sizeof(merged[0]) };

struct dpkg_owners {
	struct arena *arena;
	struct list *lists; /* sorted by file; those of a patch in no order */
	size_t list_count, list_cap;
	struct owned *items; /* sorted by hash, then by list */
	size_t count, cap;
	bool is_merged[MERGED_COUNT];
	/* Of a patch: what it was made of, and which lists of that no longer count. */
	const struct dpkg_owners *base;
	bool *dropped;
	uint64_t *moved; /* sorted */
	size_t moved_count;
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

uint64_t dpkg_owners_hash(const struct dpkg_owners *o, const char *path)
{
	return path_hash(o, path, strlen(path));
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
				.list = (uint32_t)o->list_count - 1,
			};
		}
		text += len + (text[len] == '\n');
	}
}

static void add_name(struct dpkg_owners *o, const char *file)
{
	size_t len = strlen(file) - strlen(DPKG_LIST), base = strcspn(file, ":");
	if (o->list_count == o->list_cap) {
		o->list_cap = o->list_cap == 0 ? 128 : o->list_cap * 2;
		o->lists = mem_grow(o->lists, o->list_cap, sizeof(*o->lists));
	}
	o->lists[o->list_count++] = (struct list){
		.file = arena_strdup(o->arena, file),
		.package = arena_strndup(o->arena, file, base < len ? base : len),
	};
}

bool dpkg_is_list(const char *file)
{
	size_t len = strlen(file), suffix = strlen(DPKG_LIST);
	return len > suffix && strcmp(file + len - suffix, DPKG_LIST) == 0;
}

static int add_list(struct dpkg_owners *o, int dirfd, const char *file, struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	if (!dpkg_is_list(file))
		return 0;
	int there = rooted_read(dirfd, file, DPKG_FILE_MAX, &text, e);
	if (there <= 0)
		return there;
	add_name(o, file);
	add_paths(o, buf_str(&text));
	return 0;
}

/* The one of the first list comes first, whatever the order on disk. */
static int by_hash_then_list(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->list < y->list ? -1 : x->list > y->list;
}

static void sort_owned(struct dpkg_owners *o)
{
	if (o->count > 1)
		qsort(o->items, o->count, sizeof(*o->items), by_hash_then_list);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct dirent *const *)a)->d_name, (*(struct dirent *const *)b)->d_name);
}

static int open_lists(int root_fd, struct err *e)
{
	int fd = rooted_open(root_fd, DPKG_LISTS, O_RDONLY | O_DIRECTORY, ROOTED_FOLLOW);
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		return ERR(e, errno, "open '" DPKG_LISTS "'");
	return fd;
}

int dpkg_owners_read(int root_fd, struct dpkg_owners **ret, struct err *e)
{
	struct err failed = { 0 };
	GUARD(fd) int fd = open_lists(root_fd, &failed);
	struct dirent **names = NULL;
	int count = fd >= 0 ? scandirat(fd, ".", &names, NULL, NULL) : 0;
	if (count < 0)
		ERR(&failed, errno, "list '" DPKG_LISTS "'");
	int result = err_is_set(&failed) ? -1 : 0;
	struct dpkg_owners *o = mem_alloc(sizeof(*o));
	o->arena = arena_create();
	find_merged(root_fd, o);
	if (count > 1)
		qsort(names, (size_t)count, sizeof(*names), by_name);
	for (int i = 0; i < count; i++) {
		if (result == 0)
			result = add_list(o, fd, names[i]->d_name, &failed);
		free(names[i]);
	}
	free(names);
	if (result < 0) {
		*e = failed;
		dpkg_owners_free(o);
		return -1;
	}
	sort_owned(o);
	*ret = o;
	return 0;
}

/* ---- a few lists that are not what they were ---- */

static int by_file(const void *a, const void *b)
{
	return strcmp(((const struct list *)a)->file, ((const struct list *)b)->file);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* Every path that stands in an old or a new form of the lists. */
static void note_moved(struct dpkg_owners *o)
{
	const struct dpkg_owners *base = o->base;
	size_t count = o->count;
	for (size_t i = 0; i < base->count; i++)
		count += o->dropped[base->items[i].list];
	o->moved = mem_array(count + 1, sizeof(*o->moved));
	for (size_t i = 0; i < base->count; i++)
		if (o->dropped[base->items[i].list])
			o->moved[o->moved_count++] = base->items[i].hash;
	for (size_t i = 0; i < o->count; i++)
		o->moved[o->moved_count++] = o->items[i].hash;
	if (o->moved_count > 1)
		qsort(o->moved, o->moved_count, sizeof(*o->moved), by_value);
}

int dpkg_owners_patch(const struct dpkg_owners *base, int root_fd, const char *const *files,
		      size_t count, struct dpkg_owners **ret, struct err *e)
{
	struct err failed = { 0 };
	GUARD(fd) int fd = open_lists(root_fd, &failed);
	int result = err_is_set(&failed) ? -1 : 0;
	struct dpkg_owners *o = mem_alloc(sizeof(*o));
	o->arena = arena_create();
	o->base = base;
	o->dropped = mem_array(base->list_count + 1, sizeof(*o->dropped));
	memcpy(o->is_merged, base->is_merged, sizeof(o->is_merged));
	for (size_t i = 0; result == 0 && i < count; i++) {
		const struct list key = { .file = files[i] };
		const struct list *old = base->list_count == 0
						 ? NULL
						 : bsearch(&key, base->lists, base->list_count,
							   sizeof(*base->lists), by_file);
		if (old != NULL)
			o->dropped[old - base->lists] = true;
		if (fd >= 0)
			result = add_list(o, fd, files[i], &failed);
	}
	if (result < 0) {
		*e = failed;
		dpkg_owners_free(o);
		return -1;
	}
	sort_owned(o);
	note_moved(o);
	*ret = o;
	return 0;
}

bool dpkg_owners_moved(const struct dpkg_owners *o, uint64_t hash)
{
	return bsearch(&hash, o->moved, o->moved_count, sizeof(hash), by_value) != NULL;
}

/* ---- asking ---- */

/* The first list, by the name of its file, that has the path and counts. */
static const struct list *first_of(const struct dpkg_owners *o, uint64_t hash, const bool *dropped)
{
	const struct list *ret = NULL;
	size_t lo = 0, hi = o->count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (o->items[mid].hash < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < o->count && o->items[lo].hash == hash; lo++) {
		const struct list *this = &o->lists[o->items[lo].list];
		if (dropped != NULL && dropped[o->items[lo].list])
			continue;
		if (ret == NULL || by_file(this, ret) < 0)
			ret = this;
	}
	return ret;
}

const char *dpkg_owner(const struct dpkg_owners *o, const char *path)
{
	uint64_t hash = dpkg_owners_hash(o, path);
	const struct list *own = first_of(o, hash, NULL);
	const struct list *old = o->base != NULL ? first_of(o->base, hash, o->dropped) : NULL;
	if (own == NULL || (old != NULL && by_file(old, own) < 0))
		own = old;
	return own != NULL ? own->package : NULL;
}

/* ---- in one piece ---- */

/* The numbers, the paths' hashes, then the names of the lists. */
struct saved {
	uint64_t count, lists;
	bool is_merged[MERGED_COUNT];
};

void dpkg_owners_save(const struct dpkg_owners *o, struct buf *ret)
{
	struct saved s;
	memset(&s, 0, sizeof(s));
	s.count = o->count;
	s.lists = o->list_count;
	memcpy(s.is_merged, o->is_merged, sizeof(s.is_merged));
	buf_add(ret, &s, sizeof(s));
	for (size_t i = 0; i < o->count; i++) {
		struct owned item;
		memset(&item, 0, sizeof(item)); /* its padding, too */
		item.hash = o->items[i].hash;
		item.list = o->items[i].list;
		buf_add(ret, &item, sizeof(item));
	}
	for (size_t i = 0; i < o->list_count; i++)
		buf_add(ret, o->lists[i].file, strlen(o->lists[i].file) + 1);
}

int dpkg_owners_load(const char *data, size_t len, struct dpkg_owners **ret)
{
	struct saved s;
	if (len < sizeof(s))
		return -1;
	memcpy(&s, data, sizeof(s));
	const char *end = data + len, *at = data + sizeof(s);
	if (s.count > (size_t)(end - at) / sizeof(struct owned) || s.lists > len)
		return -1;
	struct dpkg_owners *o = mem_alloc(sizeof(*o));
	o->arena = arena_create();
	o->items = mem_array(s.count + 1, sizeof(*o->items));
	o->count = s.count;
	memcpy(o->is_merged, s.is_merged, sizeof(o->is_merged));
	memcpy(o->items, at, s.count * sizeof(*o->items));
	at += s.count * sizeof(*o->items);
	bool sound = true;
	while (sound && o->list_count < s.lists && memchr(at, '\0', (size_t)(end - at)) != NULL) {
		sound = dpkg_is_list(at);
		if (sound)
			add_name(o, at);
		at += strlen(at) + 1;
	}
	sound = sound && o->list_count == s.lists && at == end;
	for (size_t i = 0; i < o->count; i++)
		sound &= o->items[i].list < o->list_count;
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
	free(o->lists);
	free(o->items);
	free(o->dropped);
	free(o->moved);
	free(o);
}
