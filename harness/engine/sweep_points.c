/* SPDX-License-Identifier: MIT */
#include "harness/engine/sweep_points.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/engine/recorder.h"
#include "harness/model/json.h"

static int read_line(struct arena *arena, const char *path, const char *line, struct point *ret,
		     struct err *e)
{
	struct json_doc *doc;
	if (json_parse(&doc, path, line, strlen(line), e) < 0)
		return -1;
	const struct json *v = json_root(doc);
	*ret = (struct point){
		.key = arena_strdup(arena, json_get_string(v, "key", "")),
		.detail = arena_strdup(arena, json_get_string(v, "detail", "")),
		.step = arena_strdup(arena, json_get_string(v, "step", "")),
		.step_index = (size_t)json_get_int(v, "index", 0),
		.in_rollback = strcmp(json_get_string(v, "section", ""), "rollback") == 0,
		.live = (size_t)json_get_int(v, "live", 0),
		.after = POINT_ALONE,
	};
	const char *outside = json_get_string(v, "outside", NULL);
	ret->outside = outside != NULL ? arena_strdup(arena, outside) : NULL;
	(void)snprintf(ret->state, sizeof(ret->state), "%s", json_get_string(v, "state", ""));
	ret->hash = point_hash(ret->in_rollback, ret->step_index, ret->key);
	json_doc_free(doc);
	return 0;
}

static int read_file(struct arena *arena, const char *dir, struct point_list *ret, struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/" POINTS_FILE, dir);
	GUARD(mem) char *line = NULL;
	size_t room = 0, cap = 0;
	GUARD(file) FILE *f = fopen(path, "re");
	*ret = (struct point_list){ 0 };
	if (f == NULL)
		return ERR(e, errno, "open '%s'", path);
	while (getline(&line, &room, f) > 0) {
		if (ret->count == cap) {
			cap = cap > 0 ? cap * 2 : 256;
			ret->items = mem_grow(ret->items, cap, sizeof(*ret->items));
		}
		if (read_line(arena, path, line, &ret->items[ret->count], e) < 0) {
			point_list_free(ret);
			return -1;
		}
		ret->count++;
	}
	return 0;
}

void point_list_free(struct point_list *l)
{
	if (l == NULL)
		return;
	free(l->items);
	*l = (struct point_list){ 0 };
}

static uint64_t *hashes_of(const struct point_list *l)
{
	uint64_t *h = mem_array(l->count + 1, sizeof(*h));
	for (size_t i = 0; i < l->count; i++)
		h[i] = l->items[i].hash;
	point_hashes_sort(h, l->count);
	return h;
}

int point_list_read(struct point_list *ret, struct arena *arena, const char *dir_a,
		    const char *dir_b, struct err *e)
{
	struct point_list b;
	if (read_file(arena, dir_a, ret, e) < 0)
		return -1;
	if (read_file(arena, dir_b, &b, e) < 0) {
		point_list_free(ret);
		return -1;
	}
	GUARD(mem) uint64_t *in_a = hashes_of(ret);
	GUARD(mem) uint64_t *in_b = hashes_of(&b);
	size_t count_a = ret->count;
	for (size_t i = 0; i < count_a; i++)
		ret->items[i].unstable = !point_hashes_have(in_b, b.count, ret->items[i].hash);
	for (size_t i = 0; i < b.count; i++) {
		if (point_hashes_have(in_a, count_a, b.items[i].hash))
			continue;
		ret->items = mem_grow(ret->items, ret->count + 1, sizeof(*ret->items));
		ret->items[ret->count] = b.items[i];
		ret->items[ret->count++].unstable = true;
	}
	point_list_free(&b);
	return 0;
}

int point_list_unknown(const struct point_list *list, const char *dir, size_t *ret, struct err *e)
{
	struct point_list other;
	struct arena *arena = arena_create();
	*ret = 0;
	int result = read_file(arena, dir, &other, e);
	if (result == 0) {
		GUARD(mem) uint64_t *known = hashes_of(list);
		for (size_t i = 0; i < other.count; i++)
			*ret += !point_hashes_have(known, list->count, other.items[i].hash);
		point_list_free(&other);
	}
	arena_destroy(arena);
	return result;
}

int point_list_behind(struct point_list *l, struct arena *arena, const char *dir, size_t after,
		      size_t max, struct err *e)
{
	struct point_list more;
	GUARD(mem) char *path = mem_printf("%s/" POINTS_FILE, dir);
	if (access(path, F_OK) < 0)
		return 0;
	if (read_file(arena, dir, &more, e) < 0)
		return -1;
	size_t n = more.count < max ? more.count : max;
	if (n > 0)
		l->items = mem_grow(l->items, l->count + n, sizeof(*l->items));
	for (size_t i = 0; i < n; i++) {
		more.items[i].after = after;
		more.items[i].nth = i + 1;
		l->items[l->count++] = more.items[i];
	}
	point_list_free(&more);
	return 0;
}

/* What a strike between two steps meets depends on which steps these are; and behind a printed line
 * the step runs on. */
bool point_is_loose(const struct point *p)
{
	return strcmp(p->key, POINT_STEP_STARTS) == 0 || strcmp(p->key, POINT_STEP_ENDS) == 0 ||
	       strncmp(p->key, POINT_LINE, strlen(POINT_LINE)) == 0;
}

struct class_key {
	char text[96]; /* section, step where it matters, state */
	size_t point;
};

static int by_key(const void *a, const void *b)
{
	const struct class_key *x = a, *y = b;
	int c = strcmp(x->text, y->text);
	return c != 0 ? c : x->point < y->point ? -1 : x->point > y->point;
}

size_t point_classes(struct point_list *l, bool merge,
		     bool (*by_step)(void *arg, const struct point *p), void *arg)
{
	struct class_key *keys = mem_array(l->count + 1, sizeof(*keys));
	for (size_t i = 0; i < l->count; i++) {
		const struct point *p = &l->items[i];
		bool alone = !merge || p->unstable || p->outside != NULL || point_is_loose(p);
		keys[i].point = i;
		(void)snprintf(keys[i].text, sizeof(keys[i].text), "%d %zu %zu %s", p->in_rollback,
			       by_step(arg, p) ? p->step_index + 1 : 0, alone ? i + 1 : 0,
			       p->state);
	}
	if (l->count > 1)
		qsort(keys, l->count, sizeof(*keys), by_key);
	/* First each point gets the first one of its class, then the classes their numbers. */
	for (size_t i = 0, first = 0; i < l->count; i++) {
		if (i == 0 || strcmp(keys[i].text, keys[i - 1].text) != 0)
			first = keys[i].point;
		l->items[keys[i].point].cls = first;
	}
	free(keys);
	size_t classes = 0;
	for (size_t i = 0; i < l->count; i++) {
		struct point *p = &l->items[i];
		p->cls = p->cls == i ? classes++ : l->items[p->cls].cls;
	}
	return classes;
}
