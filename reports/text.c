/* SPDX-License-Identifier: MIT */
/* The summary for a person: a table, then every drill that did not pass with its evidence, then
 * what the controls showed and what was hidden. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "reports/paint.h"
#include "reports/report.h"
#include "reports/sweep.h"

enum { CELL_MAX = 160, NAME_WIDTH_MAX = 44, CHANGES_SHOWN_MAX = 200, NOISE_SHOWN_MAX = 20 };

enum column {
	COL_DRILL,
	COL_OUTCOME,
	COL_WINDOW,
	COL_RECOVERY,
	COL_DETECTION,
	COL_DECISION,
	COL_ROLLBACK,
	COL_HEALING,
	COL_NOTE,
	COL_COUNT
};

static const struct {
	const char *head;
	bool right;
} columns[COL_COUNT] = {
	[COL_DRILL] = { "DRILL", false },        [COL_OUTCOME] = { "OUTCOME", false },
	[COL_WINDOW] = { "WINDOW", true },       [COL_RECOVERY] = { "RECOVERY", true },
	[COL_DETECTION] = { "DETECTION", true }, [COL_DECISION] = { "DECISION", true },
	[COL_ROLLBACK] = { "ROLLBACK", true },   [COL_HEALING] = { "HEALING", true },
	[COL_NOTE] = { "NOTE", false },
};

struct row {
	char cell[COL_COUNT][CELL_MAX];
	const struct verdict *verdict; /* NULL: the heading */
};

static const char *ran_twice(const struct report_item *it)
{
	bool twice =
		it->journal != NULL && journal_find(it->journal, EVENT_ROLLBACK_AGAIN, 0) != NULL;
	return twice ? ", which is run twice" : "";
}

static void note(char *ret, size_t size, const struct report_item *it)
{
	const struct verdict *v = it->verdict;
	ret[0] = '\0';
	if (v->unexpected)
		(void)snprintf(ret, size, "not what `expect` allows");
	else if (v->unstable)
		(void)snprintf(ret, size, "unstable: the patch failed all the same");
	else if (v->residue_visible > 0)
		(void)snprintf(ret, size, "%zu %s %s", v->residue_visible,
			       v->residue_visible == 1 ? "entry" : "entries",
			       v->forward ? "not as a clean patch leaves them" : "left");
	else if (v->drift_visible > 0)
		(void)snprintf(ret, size, "%zu %s not as a clean patch leaves them",
			       v->drift_visible, v->drift_visible == 1 ? "entry" : "entries");
	else if (it->fault == NULL && v->pass)
		(void)snprintf(ret, size, "patch and clean %s%s",
			       v->forward ? "roll-forward" : "rollback", ran_twice(it));
	else if (it->fault != NULL && !it->fault->trigger->exact)
		(void)snprintf(ret, size, "inexact trigger: %s", it->fault->trigger->name);
}

static void fill_row(struct row *r, const struct report_item *it)
{
	const struct timing *t = &it->verdict->timing;
	const int64_t times[COL_COUNT] = {
		[COL_WINDOW] = t->window,       [COL_RECOVERY] = t->recovery,
		[COL_DETECTION] = t->detection, [COL_DECISION] = t->decision,
		[COL_ROLLBACK] = t->rollback,   [COL_HEALING] = t->healing,
	};
	r->verdict = it->verdict;
	(void)snprintf(r->cell[COL_DRILL], CELL_MAX, "%s", report_item_name(it));
	(void)snprintf(r->cell[COL_OUTCOME], CELL_MAX, "%s", outcome_name(it->verdict->outcome));
	for (int c = COL_WINDOW; c <= COL_HEALING; c++)
		(void)report_time(times[c], r->cell[c], CELL_MAX);
	note(r->cell[COL_NOTE], CELL_MAX, it);
}

static void put_row(struct buf *b, const struct row *r, const int *width, bool colour)
{
	size_t start = b->len;
	for (int c = 0; c < COL_COUNT; c++) {
		int pad = width[c] - report_width(r->cell[c]);
		bool painted = c == COL_OUTCOME && r->verdict != NULL;
		if (c > 0)
			buf_puts(b, "  ");
		if (columns[c].right)
			buf_printf(b, "%*s", pad > 0 ? pad : 0, "");
		buf_puts(b, painted ? paint_verdict(colour, r->verdict) : "");
		report_safe(b, r->cell[c]);
		buf_puts(b, painted ? paint(colour, PAINT_OFF) : "");
		if (!columns[c].right && c != COL_NOTE)
			buf_printf(b, "%*s", pad > 0 ? pad : 0, "");
	}
	while (b->len > start && b->data[b->len - 1] == ' ')
		b->data[--b->len] = '\0';
	buf_putc(b, '\n');
}

static void put_table(struct buf *b, const struct report_input *in, bool colour)
{
	GUARD(mem) struct row *rows = mem_array(in->count + 1, sizeof(*rows));
	int width[COL_COUNT] = { 0 };
	size_t count = 1;
	for (int c = 0; c < COL_COUNT; c++)
		(void)snprintf(rows[0].cell[c], CELL_MAX, "%s", columns[c].head);
	for (size_t i = 0; i < in->count; i++)
		if (in->items[i].verdict != NULL)
			fill_row(&rows[count++], &in->items[i]);
	for (size_t i = 0; i < count; i++) {
		for (int c = 0; c < COL_COUNT; c++) {
			int w = report_width(rows[i].cell[c]);
			width[c] = w > width[c] ? w : width[c];
		}
	}
	if (width[COL_DRILL] > NAME_WIDTH_MAX)
		width[COL_DRILL] = NAME_WIDTH_MAX;
	for (size_t i = 0; i < count; i++)
		put_row(b, &rows[i], width, colour);
}

static void put_changes(struct buf *b, const struct changes *c, size_t max)
{
	size_t shown = 0, hidden = 0;
	for (size_t i = 0; i < c->count; i++) {
		const struct change *ch = &c->items[i];
		if (ch->hidden_by != NULL) {
			hidden++;
			continue;
		}
		if (shown++ >= max)
			continue;
		buf_puts(b, "      ");
		report_change_line(b, ch);
		buf_putc(b, '\n');
	}
	if (shown > max)
		buf_printf(b, "      ... and %zu more (the json report has all)\n", shown - max);
	if (hidden > 0)
		buf_printf(b, "      (%zu more hidden by masks, ignores or noise, see below)\n",
			   hidden);
}

static void put_expected(struct buf *b, const struct report_item *it)
{
	GUARD_BUF struct buf names = { 0 };
	if (it->fault == NULL || !it->verdict->unexpected)
		return;
	for (unsigned o = 0; o < OUTCOME_COUNT; o++)
		if (it->fault->expect & OUTCOME_BIT(o))
			buf_printf(&names, "%s%s", names.len > 0 ? ", " : "",
				   outcome_name((enum outcome)o));
	report_fact(b, "expected", buf_str(&names));
}

/* A run folder keeps all that a replay needs. */
static void put_again(struct buf *b, const struct report_input *in, const struct report_item *it)
{
	if (it->fault == NULL || it->journal == NULL)
		return;
	buf_printf(b, "    again     backout replay %s %s\n", in->dir, it->label);
	if (it->kept)
		buf_printf(b, "    kept      backout shell %s %s --kept\n", in->dir, it->label);
}

/* `it` of several strikes, and what was tried with fewer of them. */
static void put_shrunk(struct buf *b, const struct report_input *in, const struct report_item *it)
{
	const struct report_item *least;
	const size_t tries = report_shrunk(in, it, &least);
	if (tries == 0)
		return;
	if (least == NULL) {
		buf_printf(b, "    shrunk    no: fewer than its %zu strikes do not fail\n",
			   it->fault->joined + 1);
		return;
	}
	buf_printf(b, "    shrunk    %zu of its %zu strikes %s enough:", least->fault->joined + 1,
		   it->fault->joined + 1, least->fault->joined == 0 ? "is" : "are");
	for (const struct fault_plan *f = least->fault; f != NULL; f = f->next)
		buf_printf(b, "%s %s at %s", f == least->fault ? "" : ",", f->injector->name,
			   f->trigger->name);
	buf_printf(b, " (%s)\n", least->label);
}

static void put_failure(struct buf *b, const struct report_input *in, const struct report_item *it,
			bool colour)
{
	const struct verdict *v = it->verdict;
	buf_printf(b, "\n%s", paint(colour, PAINT_BOLD));
	report_safe(b, report_item_name(it));
	buf_printf(b, "%s: %s%s%s, %s\n", paint(colour, PAINT_OFF), paint_verdict(colour, v),
		   outcome_name(v->outcome), paint(colour, PAINT_OFF), outcome_help(v->outcome));
	report_fact(b, "why", v->why);
	put_expected(b, it);
	report_verdict_facts(b, v);
	if (v->residue_visible > 0) {
		buf_printf(b, "    residue   %zu, against the %s:\n", v->residue_visible,
			   v->forward ? "patched state" : "state before the patch");
		put_changes(b, &v->residue, CHANGES_SHOWN_MAX);
	}
	if (v->drift_visible > 0) {
		buf_printf(b, "    drift     %zu, against what the control's patch leaves:\n",
			   v->drift_visible);
		put_changes(b, &v->drift, CHANGES_SHOWN_MAX);
	}
	put_shrunk(b, in, it);
	report_fact(b, "hint", report_hint(v->outcome));
	buf_printf(b, "    look      backout show %s %s\n", in->dir, it->label);
	put_again(b, in, it);
}

static void put_noise(struct buf *b, const struct report_input *in)
{
	const struct changes *noise = &in->controls->noise;
	if (in->controls->vacuous) {
		buf_printf(b, "\nVacuous: %s.\n    hint      %s\n", outcome_help(OUTCOME_VACUOUS),
			   report_hint(OUTCOME_VACUOUS));
	}
	size_t controls = 0;
	for (size_t i = 0; i < in->count; i++)
		controls += in->items[i].role == ROLE_CONTROL;
	if (controls < 2) {
		buf_puts(b, "\nNoise: unknown, the control ran once only.\n");
		return;
	}
	if (noise->count == 0) {
		buf_puts(b, "\nNoise: none, the two controls agree in all that is not masked.\n");
		return;
	}
	buf_printf(b, "\nNoise: %zu %s between the two controls; no drill is blamed for these:\n",
		   noise->count, noise->count == 1 ? "difference" : "differences");
	put_changes(b, noise, NOISE_SHOWN_MAX);
}

static void put_hidden(struct buf *b, const struct report_input *in)
{
	GUARD(mem) struct report_hidden *rows = NULL;
	size_t count = report_hidden(in, &rows);
	if (count == 0) {
		buf_puts(b, "\nMasks: none, every difference counts.\n");
		return;
	}
	buf_puts(b, "\nHidden from the verdicts (entries, over all drills):\n");
	for (size_t i = 0; i < count; i++) {
		buf_printf(b, "    %6zu  %s", rows[i].count, rows[i].by);
		buf_printf(b, "%s%s", rows[i].why[0] != '\0' ? ": " : "", rows[i].why);
		buf_puts(b, rows[i].count == 0 ? " (hid nothing: is it needed?)\n" : "\n");
	}
}

static void put_head(struct buf *b, const struct report_input *in, bool colour)
{
	char target[2][32];
	const struct plan *p = in->plan;
	buf_printf(b, "%s%s%s\nrun %s", paint(colour, PAINT_BOLD),
		   p->title != NULL ? p->title : p->slug, paint(colour, PAINT_OFF), in->id);
	if (p->rollback_count > 0)
		buf_printf(b, ", rollback %s%s", p->rollbacks[p->rollback].name,
			   plan_goes_forward(p) ? " (to the patched state)" : "");
	if (p->window.target > 0)
		buf_printf(b, ", window %s",
			   clock_text(p->window.target, target[0], sizeof(target[0])));
	if (p->window.recovery > 0)
		buf_printf(b, ", recovery %s",
			   clock_text(p->window.recovery, target[1], sizeof(target[1])));
	buf_puts(b, "\n\n");
}

static bool any_restored(const struct sweep *s)
{
	struct sweep_counts n;
	if (s == NULL)
		return false;
	sweep_count(s, &n);
	return n.passed_classes[OUTCOME_RESTORED] > 0;
}

static void put_sum(struct buf *b, const struct report_input *in, bool colour)
{
	const char *tone = in->exit == EXIT_OK             ? PAINT_GREEN
			   : in->exit == EXIT_INCONCLUSIVE ? PAINT_YELLOW
							   : PAINT_RED;
	struct report_counts n;
	report_count(in, &n);
	buf_printf(b, "\n%s%s%s (exit %d): ", paint(colour, tone), report_result(in->exit),
		   paint(colour, PAINT_OFF), in->exit);
	if (in->sweep != NULL) {
		sweep_text_sum(b, in->sweep);
		buf_puts(b, "; ");
	}
	buf_printf(b, "%u drills and controls, %u passed, %u failed, %u inconclusive\n", n.drills,
		   n.passed, n.failed, n.inconclusive);
	bool weak = n.inconclusive > 0 || in->controls->vacuous || any_restored(in->sweep);
	if (in->exit == EXIT_INCONCLUSIVE && !weak)
		buf_puts(b, "No drill is `restored`: nothing shows that the rollback is needed.\n");
}

static int text_write(FILE *out, const struct report_input *in, bool colour, struct err *e)
{
	GUARD_BUF struct buf b = { 0 };
	put_head(&b, in, colour);
	put_table(&b, in, colour);
	for (size_t i = 0; i < in->count; i++)
		if (in->items[i].verdict != NULL && !in->items[i].verdict->pass)
			put_failure(&b, in, &in->items[i], colour);
	sweep_text(&b, in, colour);
	put_noise(&b, in);
	put_hidden(&b, in);
	put_sum(&b, in, colour);
	return report_put(out, &b, e);
}

const struct report_format report_text = {
	.name = "text",
	.help = "tables and evidence for a person",
	.write = text_write,
};
