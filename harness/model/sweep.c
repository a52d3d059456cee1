/* SPDX-License-Identifier: MIT */
/* Sums over a sweep's classes. Grouping is in sweep_group.c. */
#include "harness/model/sweep.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"

const char *const sweep_how_names[] = {
#define X(id, name, help) name,
	SWEEP_HOW(X)
#undef X
};
const char *const sweep_how_helps[] = {
#define X(id, name, help) help,
	SWEEP_HOW(X)
#undef X
};
static_assert(sizeof(sweep_how_names) / sizeof(sweep_how_names[0]) == SWEEP_HOW_COUNT,
	      "every way has its name");

void sweep_count(const struct sweep *s, struct sweep_counts *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < s->point_count; i++) {
		const struct sweep_point *p = &s->points[i];
		ret->unstable += p->unstable;
		ret->pairs += p->pair;
		ret->pairs_drilled += p->pair && s->classes[p->cls].verdict != NULL;
	}
	for (size_t i = 0; i < s->class_count; i++) {
		const struct sweep_class *c = &s->classes[i];
		if (c->verdict == NULL)
			continue;
		enum outcome o = c->verdict->outcome;
		ret->classes++;
		ret->points += c->points;
		ret->points_of[o] += c->points;
		if (c->verdict->pass) {
			ret->passed_classes[o]++;
			ret->passed_points[o] += c->points;
		} else {
			ret->failed_classes++;
			ret->failed_points += c->points;
		}
	}
}

static int compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

/* The smallest value that `percent` of all do not exceed. */
static int64_t rank_of(const int64_t *sorted, size_t count, size_t percent)
{
	size_t rank = (count * percent + 99) / 100;
	return sorted[rank > 0 ? rank - 1 : 0];
}

void sweep_recovery(const struct sweep *s, struct sweep_times *ret)
{
	GUARD(mem) int64_t *times = mem_array(s->class_count + 1, sizeof(*times));
	*ret = (struct sweep_times){ 0, -1, -1, -1 };
	for (size_t i = 0; i < s->class_count; i++) {
		const struct verdict *v = s->classes[i].verdict;
		if (v != NULL && v->timing.recovery >= 0)
			times[ret->count++] = v->timing.recovery;
	}
	if (ret->count == 0)
		return;
	qsort(times, ret->count, sizeof(*times), compare_times);
	ret->p50 = rank_of(times, ret->count, 50);
	ret->p95 = rank_of(times, ret->count, 95);
	ret->max = times[ret->count - 1];
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

size_t sweep_ways(struct arena *arena, const struct sweep *s, const struct sweep_way **ret)
{
	struct sweep_way *ways = arena_alloc(arena, (s->class_count + 1) * sizeof(*ways));
	size_t count = 0;
	for (size_t i = 0; i < s->class_count; i++) {
		const struct sweep_class *c = &s->classes[i];
		size_t w = 0;
		if (c->verdict == NULL)
			continue;
		while (w < count && (ways[w].how != c->how || !same_text(ways[w].why, c->why)))
			w++;
		if (w == count)
			ways[count++] = (struct sweep_way){ .how = c->how, .why = c->why };
		ways[w].classes++;
		ways[w].points += c->points;
	}
	*ret = ways;
	return count;
}

void sweep_groups_of(const struct sweep *s, size_t *ret)
{
	for (size_t i = 0; i < s->class_count; i++)
		ret[i] = s->group_count;
	for (size_t g = 0; g < s->group_count; g++)
		for (size_t i = 0; i < s->groups[g].class_count; i++)
			ret[s->groups[g].classes[i]] = g;
}

double sweep_rate(const struct sweep *s, bool per_core)
{
	struct sweep_counts n;
	sweep_count(s, &n);
	if (s->took <= 0)
		return 0;
	/* More jobs than processors share these; fewer leave some idle. */
	unsigned cores = s->jobs > 0 ? s->jobs : 1;
	if (s->cores > 0 && cores > s->cores)
		cores = s->cores;
	double rate = (double)n.points * (double)NS_PER_S / (double)s->took;
	return per_core ? rate / cores : rate;
}

int sweep_retry_exit(const struct sweep *s)
{
	for (size_t i = 0; i < s->retry_count; i++)
		if (s->retries[i].tried && !s->retries[i].ok)
			return EXIT_FAILED;
	return EXIT_OK;
}
