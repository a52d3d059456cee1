/* SPDX-License-Identifier: MIT */
/*
 *	sweep        null, or
 *	  strike, kinds, section      as asked
 *	  reduced      false: every point is a class of its own
 *	  complete, cut (null: not cut)
 *	  took_ns, jobs, cores (null: unknown), points_per_s, points_per_s_core
 *	  drilled      {points, classes}; unstable: points
 *	  pairs        null: not asked for, or
 *	    {pairs, drilled, spoilt (classes without any behind them)}
 *	  outcomes     {OUTCOME: {points, passed_points, passed_classes}}, those that occur
 *	  recovery     {classes, p50_ns, p95_ns, max_ns}
 *	  ways         [{how, why, classes, points}]
 *	  retries      [{class (index), label, tried, ok, why}] the patch run again after a
 *	                 rollback
 *	  notes        [text]
 *	  groups       worst first: [{outcome, what, patterns [text], points, classes [index],
 *	                 first (index of a point), label,
 *	                 residue [{classes, points, change}]}]
 *	  classes      [{first, points, how, why, label, group (index or null), outcome, pass,
 *	                 culprit, timed_out, confirmed (an outcome, or null), kept, window_ns,
 *	                 recovery_ns, residue_visible, drift_visible}]
 *	                 outcome and what follows: null when it was not drilled
 *	                 second_alone (of a pair that fails: "passes", "fails"; null: not tried),
 *	                 second_label
 *	  points       [{key, step, in_rollback, unstable, class (index), after (of a pair: index of
 *	                 the class whose strike comes first; else null)}]
 */
#include <stdlib.h>

#include "harness/base/guard.h"
#include "reports/json_put.h"
#include "reports/sweep.h"

static void put_index(struct buf *b, const char *name, size_t i, size_t none)
{
	if (i == none)
		json_put_str(b, name, NULL);
	else
		json_put_int(b, name, (int64_t)i);
}

static void put_real(struct buf *b, const char *name, double value)
{
	json_put_key(b, name);
	buf_printf(b, "%.3f", value);
}

static void put_pairs(struct buf *b, const struct sweep *s, const struct sweep_counts *n)
{
	if (!s->pairs) {
		json_put_str(b, "pairs", NULL);
		return;
	}
	json_put_open(b, "pairs", '{');
	json_put_int(b, "pairs", (int64_t)n->pairs);
	json_put_int(b, "drilled", (int64_t)n->pairs_drilled);
	json_put_int(b, "spoilt", (int64_t)s->spoilt);
	buf_putc(b, '}');
}

static void put_sums(struct buf *b, const struct sweep *s)
{
	struct sweep_counts n;
	struct sweep_times t;
	sweep_count(s, &n);
	sweep_recovery(s, &t);
	json_put_open(b, "drilled", '{');
	json_put_int(b, "points", (int64_t)n.points);
	json_put_int(b, "classes", (int64_t)n.classes);
	buf_putc(b, '}');
	json_put_int(b, "unstable", (int64_t)n.unstable);
	put_pairs(b, s, &n);
	json_put_open(b, "outcomes", '{');
	for (int o = 0; o < OUTCOME_COUNT; o++) {
		if (n.points_of[o] == 0)
			continue;
		json_put_open(b, outcome_name((enum outcome)o), '{');
		json_put_int(b, "points", (int64_t)n.points_of[o]);
		json_put_int(b, "passed_points", (int64_t)n.passed_points[o]);
		json_put_int(b, "passed_classes", (int64_t)n.passed_classes[o]);
		buf_putc(b, '}');
	}
	buf_putc(b, '}');
	json_put_open(b, "recovery", '{');
	json_put_int(b, "classes", (int64_t)t.count);
	json_put_ns(b, "p50_ns", t.p50);
	json_put_ns(b, "p95_ns", t.p95);
	json_put_ns(b, "max_ns", t.max);
	buf_putc(b, '}');
}

static void put_ways(struct buf *b, const struct sweep *s)
{
	const struct sweep_way *ways;
	struct arena *arena = arena_create();
	size_t count = sweep_ways(arena, s, &ways);
	json_put_open(b, "ways", '[');
	for (size_t i = 0; i < count; i++) {
		json_put_open(b, NULL, '{');
		json_put_str(b, "how", sweep_how_names[ways[i].how]);
		json_put_str(b, "why", ways[i].why);
		json_put_int(b, "classes", (int64_t)ways[i].classes);
		json_put_int(b, "points", (int64_t)ways[i].points);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
	arena_destroy(arena);
}

static void put_group(struct buf *b, const struct sweep *s, const struct sweep_group *g)
{
	const struct sweep_class *first = &s->classes[g->classes[0]];
	json_put_open(b, NULL, '{');
	json_put_str(b, "outcome", outcome_name(g->outcome));
	json_put_str(b, "what", g->what);
	json_put_open(b, "patterns", '[');
	for (size_t i = 0; i < g->pattern_count; i++)
		json_put_str(b, NULL, g->patterns[i]);
	buf_putc(b, ']');
	json_put_int(b, "points", (int64_t)g->points);
	json_put_open(b, "classes", '[');
	for (size_t i = 0; i < g->class_count; i++)
		json_put_int(b, NULL, (int64_t)g->classes[i]);
	buf_putc(b, ']');
	json_put_int(b, "first", (int64_t)first->first);
	json_put_str(b, "label", first->label);
	json_put_open(b, "residue", '[');
	for (size_t i = 0; i < g->entry_count; i++) {
		json_put_open(b, NULL, '{');
		json_put_int(b, "classes", (int64_t)g->entries[i].classes);
		json_put_int(b, "points", (int64_t)g->entries[i].points);
		json_put_change(b, "change", g->entries[i].change);
		buf_putc(b, '}');
	}
	buf_puts(b, "]}");
}

static void put_class(struct buf *b, const struct sweep *s, size_t index, size_t group)
{
	static const char *const second[] = { NULL, "passes", "fails" };
	const struct sweep_class *c = &s->classes[index];
	const struct verdict *v = c->verdict;
	json_put_open(b, NULL, '{');
	json_put_int(b, "first", (int64_t)c->first);
	json_put_int(b, "points", (int64_t)c->points);
	json_put_str(b, "how", sweep_how_names[c->how]);
	json_put_str(b, "why", c->why);
	json_put_str(b, "label", c->label);
	put_index(b, "group", group, s->group_count);
	json_put_str(b, "outcome", v != NULL ? outcome_name(v->outcome) : NULL);
	if (v != NULL) {
		bool tried = c->confirmed < OUTCOME_COUNT;
		json_put_bool(b, "pass", v->pass);
		json_put_str(b, "culprit", v->culprit);
		json_put_bool(b, "timed_out", v->timed_out);
		json_put_str(b, "confirmed", tried ? outcome_name(c->confirmed) : NULL);
		json_put_bool(b, "kept", c->kept);
		json_put_ns(b, "window_ns", v->timing.window);
		json_put_ns(b, "recovery_ns", v->timing.recovery);
		json_put_int(b, "residue_visible", (int64_t)v->residue_visible);
		json_put_int(b, "drift_visible", (int64_t)v->drift_visible);
		json_put_str(b, "second_alone", second[c->second]);
		json_put_str(b, "second_label", c->second_label);
	}
	buf_putc(b, '}');
}

static void put_lists(struct buf *b, const struct sweep *s)
{
	GUARD(mem) size_t *group = mem_array(s->class_count + 1, sizeof(*group));
	sweep_groups_of(s, group);
	json_put_open(b, "groups", '[');
	for (size_t i = 0; i < s->group_count; i++)
		put_group(b, s, &s->groups[i]);
	buf_putc(b, ']');
	json_put_open(b, "classes", '[');
	for (size_t i = 0; i < s->class_count; i++)
		put_class(b, s, i, group[i]);
	buf_putc(b, ']');
	json_put_open(b, "points", '[');
	for (size_t i = 0; i < s->point_count; i++) {
		const struct sweep_point *p = &s->points[i];
		json_put_open(b, NULL, '{');
		json_put_str(b, "key", p->key);
		json_put_str(b, "step", p->step);
		json_put_bool(b, "in_rollback", p->in_rollback);
		json_put_bool(b, "unstable", p->unstable);
		json_put_int(b, "class", (int64_t)p->cls);
		put_index(b, "after", p->pair ? p->after : s->class_count, s->class_count);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

static void put_retries(struct buf *b, const struct sweep *s)
{
	json_put_open(b, "retries", '[');
	for (size_t i = 0; i < s->retry_count; i++) {
		const struct sweep_retry *r = &s->retries[i];
		json_put_open(b, NULL, '{');
		json_put_int(b, "class", (int64_t)r->cls);
		json_put_str(b, "label", r->label);
		json_put_bool(b, "tried", r->tried);
		json_put_bool(b, "ok", r->ok);
		json_put_str(b, "why", r->why);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

void sweep_json(struct buf *b, const struct report_input *in)
{
	const struct sweep *s = in->sweep;
	if (s == NULL) {
		json_put_str(b, "sweep", NULL);
		return;
	}
	json_put_open(b, "sweep", '{');
	json_put_str(b, "strike", s->strike);
	json_put_str(b, "kinds", s->kinds);
	json_put_str(b, "section", s->section);
	json_put_bool(b, "reduced", s->reduced);
	json_put_bool(b, "complete", s->complete);
	json_put_str(b, "cut", s->cut);
	json_put_int(b, "took_ns", s->took);
	json_put_int(b, "jobs", s->jobs);
	put_index(b, "cores", s->cores, 0);
	put_real(b, "points_per_s", sweep_rate(s, false));
	put_real(b, "points_per_s_core", sweep_rate(s, true));
	put_sums(b, s);
	put_ways(b, s);
	put_retries(b, s);
	json_put_open(b, "notes", '[');
	for (size_t i = 0; i < s->note_count; i++)
		json_put_str(b, NULL, s->notes[i]);
	buf_putc(b, ']');
	put_lists(b, s);
	buf_putc(b, '}');
}
