/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "reports/paint.h"
#include "reports/sweep.h"

/* What a reader can take in; the json report has all. */
enum {
	ATTRS_SHOWN_MAX = 8,
	GROUPS_FULL_MAX = 20,
	GROUPS_LINE_MAX = 80,
	ENTRIES_SHOWN_MAX = 8,
	UNSTABLE_SHOWN_MAX = 10
};

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static const char *classes_word(size_t n)
{
	return n == 1 ? "class" : "classes";
}

/* ---- what was struck, and how ---- */

static void put_coverage(struct buf *b, const struct sweep *s, const struct sweep_counts *n)
{
	if (s->complete) {
		buf_printf(b,
			   "    coverage  all %zu points; a strike behind the last one struck "
			   "nothing\n",
			   s->point_count);
		return;
	}
	double percent =
		s->point_count > 0 ? 100.0 * (double)n->points / (double)s->point_count : 0;
	buf_printf(b, "    coverage  %zu of %zu points (%.1f %%), %zu of %zu classes", n->points,
		   s->point_count, percent, n->classes, s->class_count);
	if (s->cut != NULL) {
		buf_puts(b, "; cut short: ");
		report_safe(b, s->cut);
	}
	buf_puts(b, "; the rest is not proved\n");
}

static void put_ways(struct buf *b, const struct sweep *s)
{
	const struct sweep_way *ways;
	struct arena *arena = arena_create();
	size_t count = sweep_ways(arena, s, &ways);
	for (size_t i = 0; i < count; i++) {
		const struct sweep_way *w = &ways[i];
		buf_printf(b, "    %-9s %zu %s, %zu point%s: %s", sweep_how_names[w->how],
			   w->classes, classes_word(w->classes), w->points, plural(w->points),
			   sweep_how_helps[w->how]);
		if (w->why != NULL) {
			buf_puts(b, "; ");
			report_safe(b, w->why);
		}
		buf_putc(b, '\n');
	}
	arena_destroy(arena);
	if (!s->reduced)
		buf_puts(b, "    classes   none merged: every point is a class of its own\n");
}

/* How far pairs came, and behind what there are none. */
static void put_pairs(struct buf *b, const struct sweep *s, const struct sweep_counts *n)
{
	if (!s->pairs)
		return;
	buf_printf(b,
		   "    pairs     %zu of %zu pairs drilled: a strike in the patch, then one in the "
		   "rollback that follows",
		   n->pairs_drilled, n->pairs);
	if (s->spoilt > 0)
		buf_printf(b, "; none behind %zu %s that %s not pass alone", s->spoilt,
			   classes_word(s->spoilt), s->spoilt == 1 ? "does" : "do");
	buf_putc(b, '\n');
}

static void put_unstable(struct buf *b, const struct sweep *s, size_t count)
{
	size_t shown = 0;
	if (count == 0) {
		buf_puts(b, "    unstable  none: both recordings have the same points in the same "
			    "order\n");
		return;
	}
	buf_printf(b, "    unstable  %zu point%s not at this place in the second recording:\n",
		   count, count == 1 ? " is" : "s are");
	for (size_t i = 0; i < s->point_count && shown < UNSTABLE_SHOWN_MAX; i++) {
		if (!s->points[i].unstable)
			continue;
		shown++;
		buf_puts(b, "      ");
		report_safe(b, s->points[i].key);
		buf_puts(b, " (step ");
		report_safe(b, s->points[i].step);
		buf_puts(b, ")\n");
	}
	if (count > shown)
		buf_printf(b, "      ... and %zu more\n", count - shown);
}

static void put_head(struct buf *b, const struct sweep *s, bool colour)
{
	char took[32], all[32], core[32];
	struct sweep_counts n;
	sweep_count(s, &n);
	buf_printf(b, "\n%sSweep%s: ", paint(colour, PAINT_BOLD), paint(colour, PAINT_OFF));
	report_safe(b, s->strike);
	buf_printf(b, " at the %s of %s\n", s->kinds,
		   strcmp(s->section, "both") == 0 ? "patch and rollback" : s->section);
	buf_printf(b, "%zu point%s, %zu %s, %zu drilled", s->point_count, plural(s->point_count),
		   s->class_count, classes_word(s->class_count), n.classes);
	if (s->took > 0)
		buf_printf(b, " in %s by %u job%s: %s points/s, %s a core",
			   clock_text(s->took, took, sizeof(took)), s->jobs, plural(s->jobs),
			   report_rate(sweep_rate(s, false), all, sizeof(all)),
			   report_rate(sweep_rate(s, true), core, sizeof(core)));
	buf_putc(b, '\n');
	put_coverage(b, s, &n);
	put_pairs(b, s, &n);
	put_ways(b, s);
	put_unstable(b, s, n.unstable);
	for (size_t i = 0; i < s->note_count; i++)
		report_fact(b, "note", s->notes[i]);
}

/* ---- one group ---- */

static const char *group_tone(const struct sweep_group *g)
{
	return outcome_exit(g->outcome) == EXIT_INCONCLUSIVE ? PAINT_YELLOW : PAINT_RED;
}

static void put_point(struct buf *b, const struct sweep *s, const char *word, size_t i)
{
	buf_printf(b, "      %-7s ", word);
	report_safe(b, s->points[i].key);
	buf_putc(b, '\n');
}

/* Do these follow each other in one recording? */
static bool same_list(const struct sweep_point *a, const struct sweep_point *b)
{
	return a->pair == b->pair && a->after == b->after;
}

/* The first of its points, between its neighbours of the recording. */
static void put_place(struct buf *b, const struct sweep *s, const struct sweep_group *g)
{
	size_t at = s->classes[g->classes[0]].first;
	const struct sweep_point *p = &s->points[at];
	buf_printf(b, "    first     point %zu of %zu, %sstep ", at + 1, s->point_count,
		   p->in_rollback ? "rollback " : "");
	report_safe(b, p->step);
	buf_puts(b, p->unstable ? " (unstable)\n" : "\n");
	if (p->pair)
		put_point(b, s, "behind", s->classes[p->after].first);
	if (at > 0 && same_list(p, &s->points[at - 1]))
		put_point(b, s, "before", at - 1);
	put_point(b, s, "at", at);
	if (at + 1 < s->point_count && same_list(p, &s->points[at + 1]))
		put_point(b, s, "after", at + 1);
}

/* Does a finding of pairs take both strikes? */
static void put_second(struct buf *b, const struct report_input *in, const struct sweep_class *c)
{
	static const char *const words[] = {
		[SECOND_UNTRIED] = "the first strike alone passes; the second alone was not tried",
		[SECOND_PASSES] = "it takes both strikes: neither fails alone",
		[SECOND_FAILS] = "the second strike alone is enough",
	};
	if (!in->sweep->points[c->first].pair ||
	    outcome_exit(c->verdict->outcome) == EXIT_INCONCLUSIVE)
		return;
	report_fact(b, "pair", words[c->second]);
	if (c->second_label != NULL && c->second == SECOND_FAILS)
		buf_printf(b, "    %-9s backout replay %s %s\n", "alone", in->dir, c->second_label);
}

static bool differs_in(const struct change *c, const char *attr)
{
	for (size_t i = 0; i < c->attr_count; i++)
		if (strcmp(c->attrs[i].name, attr) == 0)
			return true;
	return false;
}

/* What tells a reader something where entries of many drills stand below each other: of what came
 * or went the type, of what changed all but hashes. */
static void put_entry(struct buf *b, const struct change *c)
{
	struct change brief = *c;
	struct change_attr attrs[ATTRS_SHOWN_MAX];
	bool changed = c->what == CHANGE_CHANGED, sized = differs_in(c, "size");
	brief.attrs = attrs;
	brief.attr_count = 0;
	for (size_t i = 0; i < c->attr_count && brief.attr_count < ATTRS_SHOWN_MAX; i++) {
		const char *name = c->attrs[i].name;
		bool hash = strcmp(name, "xxh3") == 0;
		if (changed ? !(hash && sized) : strcmp(name, "type") == 0)
			attrs[brief.attr_count++] = c->attrs[i];
	}
	report_change_line(b, &brief);
}

static void put_entries(struct buf *b, const struct sweep_group *g)
{
	if (g->entry_count == 0)
		return;
	buf_printf(b, "    %-9s %zu, over all its points:\n",
		   g->outcome == OUTCOME_DRIFTED ? "drift" : "residue", g->entry_count);
	for (size_t i = 0; i < g->entry_count && i < ENTRIES_SHOWN_MAX; i++) {
		const struct sweep_entry *en = &g->entries[i];
		buf_puts(b, "      ");
		put_entry(b, en->change);
		if (en->points == g->points)
			buf_puts(b, "\n");
		else
			buf_printf(b, ", at %zu point%s\n", en->points, plural(en->points));
	}
	if (g->entry_count > ENTRIES_SHOWN_MAX)
		buf_printf(b, "      ... and %zu more (the json report has all)\n",
			   g->entry_count - ENTRIES_SHOWN_MAX);
}

/* Whether a branch's finding is one that the real strike gives, too. */
static void put_confirmed(struct buf *b, const struct sweep *s, const struct sweep_group *g,
			  bool colour)
{
	size_t rerun = 0, same = 0, other = 0;
	const struct sweep_class *differs = NULL;
	if (outcome_exit(g->outcome) == EXIT_INCONCLUSIVE)
		return; /* nothing was found that could be confirmed */
	for (size_t i = 0; i < g->class_count; i++) {
		const struct sweep_class *c = &s->classes[g->classes[i]];
		rerun += c->how == SWEEP_RERUN;
		if (c->confirmed == OUTCOME_COUNT)
			continue;
		same += c->confirmed == g->outcome;
		other += c->confirmed != g->outcome;
		if (c->confirmed != g->outcome && differs == NULL)
			differs = c;
	}
	buf_puts(b, "    confirmed ");
	if (differs != NULL) {
		buf_printf(b, "%sNO%s: the same strike, made again from the start, ends %s (%s)",
			   paint(colour, PAINT_RED), paint(colour, PAINT_OFF),
			   outcome_name(differs->confirmed), differs->label);
		buf_printf(b, "; %zu of %zu tried agree%s\n", same, same + other,
			   same == 1 ? "s" : "");
	} else if (same > 0) {
		buf_printf(b,
			   "yes: the same strike, made again from the start, ends %s, too (%zu of "
			   "%zu %s tried)\n",
			   outcome_name(g->outcome), same, g->class_count,
			   classes_word(g->class_count));
	} else if (rerun == g->class_count) {
		buf_puts(b, "by itself: struck in a whole run of the workflow\n");
	} else {
		buf_puts(b, "not tried: known from the state kept at the point\n");
	}
}

static void put_command(struct buf *b, const char *word, const char *command,
			const struct report_input *in, const struct sweep_class *c)
{
	if (c->label != NULL)
		buf_printf(b, "    %-9s backout %s %s %s\n", word, command, in->dir, c->label);
}

/* Of the group's first class that has it: the first of all may be among those that a sweep does not
 * keep. */
static void put_kept(struct buf *b, const struct report_input *in, const struct sweep_group *g)
{
	for (size_t i = 0; i < g->class_count; i++) {
		const struct sweep_class *c = &in->sweep->classes[g->classes[i]];
		if (!c->kept)
			continue;
		buf_printf(b, "    kept      backout shell %s %s --kept\n", in->dir, c->label);
		return;
	}
}

static void put_group_line(struct buf *b, size_t number, const struct sweep_group *g, bool colour)
{
	buf_printf(b, "\n%2zu. %s%s%s at %zu point%s", number, paint(colour, group_tone(g)),
		   outcome_name(g->outcome), paint(colour, PAINT_OFF), g->points,
		   plural(g->points));
	if (g->class_count != g->points)
		buf_printf(b, " (%zu %s)", g->class_count, classes_word(g->class_count));
	buf_puts(b, ": ");
	report_safe(b, g->what);
	buf_putc(b, '\n');
}

/* Nobody wrote the triggers of a sweep. */
static const char *hint(enum outcome o)
{
	if (o == OUTCOME_NOT_REACHED)
		return "the workflow did not come by this point again, or nothing met the strike: "
		       "what makes it take another way?";
	return report_hint(o);
}

static void put_group(struct buf *b, const struct report_input *in, size_t index, bool colour)
{
	const struct sweep *s = in->sweep;
	const struct sweep_group *g = &s->groups[index];
	const struct sweep_class *c = &s->classes[g->classes[0]];
	const struct verdict *v = c->verdict;
	put_group_line(b, index + 1, g, colour);
	put_place(b, s, g);
	report_fact(b, "why", v->why);
	report_verdict_facts(b, v);
	put_entries(b, g);
	put_confirmed(b, s, g, colour);
	put_second(b, in, c);
	report_fact(b, "hint", hint(g->outcome));
	put_command(b, "look", "show", in, c);
	put_command(b, "replay", "replay", in, c);
	put_kept(b, in, g);
}

/* Failures, and what proves too little. */
static void count_groups(const struct sweep *s, size_t groups[2], size_t points[2])
{
	groups[0] = groups[1] = points[0] = points[1] = 0;
	for (size_t g = 0; g < s->group_count; g++) {
		bool weak = outcome_exit(s->groups[g].outcome) == EXIT_INCONCLUSIVE;
		groups[weak]++;
		points[weak] += s->groups[g].points;
	}
}

static void put_groups(struct buf *b, const struct report_input *in, bool colour)
{
	const struct sweep *s = in->sweep;
	if (s->group_count == 0) {
		buf_puts(b, "\nNo point that was drilled fails.\n");
		return;
	}
	buf_printf(b, "\n%zu group%s of points that did not pass, worst first:\n", s->group_count,
		   plural(s->group_count));
	for (size_t g = 0; g < s->group_count && g < GROUPS_FULL_MAX; g++)
		put_group(b, in, g, colour);
	for (size_t g = GROUPS_FULL_MAX; g < s->group_count && g < GROUPS_LINE_MAX; g++) {
		put_group_line(b, g + 1, &s->groups[g], colour);
		put_command(b, "replay", "replay", in, &s->classes[s->groups[g].classes[0]]);
	}
	if (s->group_count > GROUPS_LINE_MAX)
		buf_printf(b, "\n... and %zu more groups (the json report has all)\n",
			   s->group_count - GROUPS_LINE_MAX);
}

/* ---- what passed ---- */

static void put_passed(struct buf *b, const struct sweep *s, bool colour)
{
	char p50[32], p95[32], max[32];
	struct sweep_counts n;
	struct sweep_times t;
	sweep_count(s, &n);
	sweep_recovery(s, &t);
	buf_printf(b, "\nPassed: %zu of %zu points drilled\n", n.points - n.failed_points,
		   n.points);
	for (int o = 0; o < OUTCOME_COUNT; o++) {
		if (n.passed_classes[o] == 0)
			continue;
		buf_printf(b, "    %s%-9s%s %6zu point%s, %zu %s: %s\n", paint(colour, PAINT_GREEN),
			   outcome_name((enum outcome)o), paint(colour, PAINT_OFF),
			   n.passed_points[o], plural(n.passed_points[o]), n.passed_classes[o],
			   classes_word(n.passed_classes[o]), outcome_help((enum outcome)o));
	}
	if (t.count > 0)
		buf_printf(b,
			   "Recovery, over %zu drilled %s that became healthy: half within %s, "
			   "95 %% within %s, the longest %s\n",
			   t.count, classes_word(t.count), report_time(t.p50, p50, sizeof(p50)),
			   report_time(t.p95, p95, sizeof(p95)),
			   report_time(t.max, max, sizeof(max)));
}

static void put_retries(struct buf *b, const struct sweep *s, bool colour)
{
	for (size_t i = 0; i < s->retry_count; i++) {
		const struct sweep_retry *r = &s->retries[i];
		buf_printf(b, "%sPatch retried after rollback: %s%s%s", i == 0 ? "\n" : "",
			   paint(colour, r->ok ? PAINT_GREEN : PAINT_RED),
			   !r->tried ? "not tried"
			   : r->ok   ? "works"
				     : "FAILS",
			   paint(colour, PAINT_OFF));
		if (r->why != NULL) {
			buf_puts(b, ": ");
			report_safe(b, r->why);
		}
		buf_printf(b, " (behind point %zu, %s)\n", s->classes[r->cls].first + 1, r->label);
	}
}

void sweep_text(struct buf *b, const struct report_input *in, bool colour)
{
	if (in->sweep == NULL)
		return;
	put_head(b, in->sweep, colour);
	put_groups(b, in, colour);
	put_passed(b, in->sweep, colour);
	put_retries(b, in->sweep, colour);
}

void sweep_text_sum(struct buf *b, const struct sweep *s)
{
	size_t groups[2], points[2];
	struct sweep_counts n;
	sweep_count(s, &n);
	count_groups(s, groups, points);
	buf_printf(b, "%zu of %zu points drilled in %zu %s, ", n.points, s->point_count, n.classes,
		   classes_word(n.classes));
	if (groups[0] > 0)
		buf_printf(b, "%zu group%s of failures at %zu point%s", groups[0],
			   plural(groups[0]), points[0], plural(points[0]));
	else
		buf_puts(b, "no failure");
	if (groups[1] > 0)
		buf_printf(b, ", %zu point%s proved too little", points[1],
			   points[1] == 1 ? "" : "s");
}
