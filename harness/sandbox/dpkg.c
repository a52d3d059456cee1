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
