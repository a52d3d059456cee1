/* SPDX-License-Identifier: MIT */
/* Whom the deciding row blames, by name alone: what drills of a sweep are compared by. */
#include "harness/model/judge.h"

#include <string.h>

/* The probe that a `not_healthy` names: its reason is "PROBE: detail". The longest name
 * that fits, for one name may begin another. */
static const char *sick_probe(const struct judge *j)
{
	const struct plan *p = j->plan;
	const char *why = facts_text(j->drill.first[EVENT_NOT_HEALTHY], "why"), *found = NULL;
	size_t longest = 0, goals = j->forward ? p->goal_count : 0;
	for (size_t i = 0; i < p->steady_count + goals; i++) {
		const char *name =
			i < p->steady_count ? p->steady[i].name : p->goal[i - p->steady_count].name;
		size_t len = strlen(name);
		if (len >= longest && strncmp(why, name, len) == 0 && why[len] == ':') {
			found = name;
			longest = len;
		}
	}
	return found;
}

static const char *stuck(const struct judge *j)
{
	const struct event *step = j->drill.failed_step;
	return step != NULL ? json_get_string(step->fields, "step", NULL) : NULL;
}

static const char *drifted(const struct judge *j)
{
	const struct event *goal = j->drill.first[EVENT_GOAL];
	if (!j->drill.goal_ok && goal != NULL)
		return json_get_string(goal->fields, "probe", NULL);
	return j->drill.healthy ? NULL : sick_probe(j);
}

static const char *late(const struct judge *j)
{
	int64_t target = j->plan->window.target;
	return target > 0 && j->timing.window > target ? "window" : "recovery";
}

static const char *(*const blame[OUTCOME_COUNT])(const struct judge *j) = {
	[OUTCOME_STUCK] = stuck,
	[OUTCOME_DEGRADED] = sick_probe,
	[OUTCOME_DRIFTED] = drifted,
	[OUTCOME_LATE] = late,
};

void judge_culprit(const struct judge *j, struct verdict *v)
{
	const char *name = blame[v->outcome] != NULL ? blame[v->outcome](j) : NULL;
	if (name == NULL)
		return;
	v->culprit = arena_strdup(j->arena, name);
	v->timed_out = v->outcome == OUTCOME_STUCK && facts_bool(j->drill.failed_step, "timed_out");
}
