/* SPDX-License-Identifier: MIT */
#include "harness/model/sweep_plan.h"

#include <string.h>

void sweep_plan_row(struct sweep_plan_row *ret, const struct rollback_plan *rollback,
		    const char *dir, const struct sweep *s)
{
	struct sweep_counts n;
	sweep_count(s, &n);
	*ret = (struct sweep_plan_row){
		.rollback = rollback->name,
		.to = rollback->to,
		.dir = dir,
		.points = s->point_count,
		.drilled = n.points,
		.passed = n.points - n.failed_points,
		.groups = s->group_count,
		.complete = s->complete,
		.cut = s->cut,
	};
	memcpy(ret->points_of, n.points_of, sizeof(ret->points_of));
	sweep_recovery(s, &ret->recovery);
	if (s->group_count > 0)
		ret->worst = s->classes[s->groups[0].classes[0]].label;
}

/* A plan that never became healthy has no recovery, and is not the faster one. */
static bool better(const struct sweep_plan_row *a, const struct sweep_plan_row *b)
{
	unsigned long long x = (unsigned long long)a->passed * b->drilled;
	unsigned long long y = (unsigned long long)b->passed * a->drilled;
	if (x != y)
		return x > y;
	return a->recovery.p95 >= 0 && (b->recovery.p95 < 0 || a->recovery.p95 < b->recovery.p95);
}

size_t sweep_plan_best(const struct sweep_plan_row *rows, size_t count)
{
	size_t best = count;
	for (size_t i = 0; i < count; i++)
		if (rows[i].drilled > 0 && (best == count || better(&rows[i], &rows[best])))
			best = i;
	return best;
}
