/* SPDX-License-Identifier: MIT */
/* Pairs: a strike in the patch, then one in the rollback that follows. Which points that rollback
 * has is what the drill of the first strike has recorded of it, and behind another strike they are
 * others. Pairs of which the first strike fails alone have nothing to add. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/engine/sweep_private.h"
#include "harness/model/shrink.h"

enum {
	PAIRS_MAX = 100 * 1000,
	SHRINK_TRIES = 2, /* either of the two alone */
};

static const struct verdict *verdict_of(const struct sweeping *w, int item)
{
	return item >= 0 ? &run_view(w->s.run)->items[item].verdict : NULL;
}

static bool failed(const struct sweeping *w, int item)
{
	const struct verdict *v = verdict_of(w, item);
	return v != NULL && verdict_failed(v);
}

/* The rollbacks behind those singles that pass. */
static int read_lists(struct sweeping *w, struct err *e)
{
	const size_t before = w->list.count;
	for (size_t i = 0; i < w->singles; i++) {
		const struct swept *c = &w->classes[i];
		const struct verdict *v = verdict_of(w, sweep_item(w, i));
		if (v == NULL || w->list.items[c->first].in_rollback)
			continue;
		if (!v->pass) {
			w->spoilt++;
			continue;
		}
		const size_t used = w->list.count - before;
		const char *label = run_view(w->s.run)->items[c->item].label;
		GUARD(mem) char *dir = mem_printf("%s/%s", w->s.dir, label);
		if (point_list_behind(&w->list, w->arena, dir, i, PAIRS_MAX - used, e) < 0)
			return -1;
	}
	if (w->list.count - before == PAIRS_MAX && !w->pairs_told)
		sweep_say(w, "there are more than %d pairs; the others are not made", PAIRS_MAX);
	w->pairs_told = true;
	return 0;
}

/* What the first strike left that is in no state is behind the second as well. */
static void inherit(struct sweeping *w, size_t from)
{
	for (size_t i = from; i < w->list.count; i++) {
		struct point *p = &w->list.items[i];
		const struct point *first = &w->list.items[w->classes[p->after].first];
		if (p->outside == NULL && first->outside != NULL)
			p->outside = first->outside;
		else if (p->outside == NULL && first->unstable)
			p->outside = "its first strike is at an unstable point";
	}
}

static void make_classes(struct sweeping *w, size_t from)
{
	struct point_list pairs = { w->list.items + from, w->list.count - from };
	const size_t more = sweep_merge(w, &pairs), singles = w->singles;
	w->class_count = singles + more;
	w->classes = mem_grow(w->classes, w->class_count + 1, sizeof(*w->classes));
	memset(w->classes + singles, 0, more * sizeof(*w->classes));
	for (size_t i = w->list.count; i > from; i--) {
		w->list.items[i - 1].cls += singles;
		struct swept *c = &w->classes[w->list.items[i - 1].cls];
		c->first = i - 1;
		c->points++;
	}
	for (size_t i = singles; i < w->class_count; i++) {
		struct swept *c = &w->classes[i];
		c->item = c->again = c->second = c->retry = -1;
		c->how = SWEEP_RERUN;
		c->why = "a pair: the second strike meets the rollback from the first";
	}
}

int sweep_pairs_list(struct sweeping *w, struct err *e)
{
	const size_t from = w->list.count;
	if (!w->ask.pairs)
		return 0;
	if (read_lists(w, e) < 0)
		return -1;
	inherit(w, from);
	make_classes(w, from);
	sweep_find_items(w, w->singles);
	return 0;
}

/* ---- which of the two it takes ---- */

/* The class of singles that strikes the rollback at this point; class_count: none. */
static size_t single_at(const struct sweeping *w, const struct point *p)
{
	for (size_t i = 0; i < w->list.count && w->list.items[i].after == POINT_ALONE; i++)
		if (w->list.items[i].hash == p->hash)
			return w->list.items[i].cls;
	return w->class_count;
}

struct
try {
	struct sweeping *w;
	size_t cls;
	int (*drill)(struct sweeping * w, size_t cls, struct err * e);
	struct err *e;
};

static int second_fails(struct try *t)
{
	struct sweeping *w = t->w;
	const struct swept *c = &w->classes[t->cls];
	const size_t single = single_at(w, &w->list.items[c->first]);
	int item = single < w->singles ? sweep_item(w, single) : -1;
	if (item < 0)
		item = c->second;
	if (item < 0 && t->drill != NULL) {
		if (t->drill(w, t->cls, t->e) < 0)
			return -1;
		item = w->classes[t->cls].second;
	}
	return item < 0 ? -1 : failed(w, item);
}

static int fails(void *arg, const size_t *subset, size_t n)
{
	/* The first alone passes, or there would be no pair; both fail. */
	return n == 1 && subset[0] == 0 ? 0 : n == 1 ? second_fails(arg) : 1;
}

int sweep_pairs_shrink(struct sweeping *w, size_t cls,
		       int (*drill)(struct sweeping *w, size_t cls, struct err *e), struct err *e)
{
	size_t set[] = { 0, 1 }, n = 2;
	struct try t = { w, cls, drill, e };
	struct shrink_result r;
	if (w->list.items[w->classes[cls].first].after == POINT_ALONE ||
	    !failed(w, w->classes[cls].item))
		return 0;
	shrink(set, &n, SHRINK_TRIES, fails, &t, &r);
	if (r.broken)
		return err_is_set(e) ? -1 : 0;
	w->classes[cls].alone = n == 1 ? SECOND_FAILS : SECOND_PASSES;
	return 0;
}
