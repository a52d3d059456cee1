/* SPDX-License-Identifier: MIT */
#include "reports/compare.h"

#include <stdlib.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "reports/json_put.h"
#include "reports/paint.h"
#include "reports/report.h"

enum {
	COMPARE_FORMAT = 1,
	CELL_MAX = 96,
	FIXED_BEFORE = 4, /* columns before and behind those of the outcomes */
	FIXED_BEHIND = 4,
	COLUMNS_MAX = FIXED_BEFORE + OUTCOME_COUNT + FIXED_BEHIND,
};

struct line {
	char cell[COLUMNS_MAX][CELL_MAX];
};

struct table {
	struct line *lines; /* the heading first */
	size_t line_count, columns;
	size_t behind;                     /* first column behind the outcomes */
	enum outcome shown[OUTCOME_COUNT]; /* in any row */
	size_t shown_count;
};

static void find_outcomes(struct table *t, const struct sweep_plan_row *rows, size_t count)
{
	for (int o = 0; o < OUTCOME_COUNT; o++) {
		bool any = false;
		for (size_t i = 0; i < count; i++)
			any |= rows[i].points_of[o] > 0;
		if (any)
			t->shown[t->shown_count++] = (enum outcome)o;
	}
	t->behind = FIXED_BEFORE + t->shown_count;
	t->columns = t->behind + FIXED_BEHIND;
}

static void fill_heading(struct table *t)
{
	static const char *const before[FIXED_BEFORE] = { "ROLLBACK", "ENDS", "DRILLED", "PASSED" };
	static const char *const behind[FIXED_BEHIND] = { "GROUPS", "RECOVERY 50%", "95%", "MAX" };
	struct line *l = &t->lines[0];
	for (size_t c = 0; c < FIXED_BEFORE; c++)
		(void)snprintf(l->cell[c], CELL_MAX, "%s", before[c]);
	for (size_t i = 0; i < t->shown_count; i++) {
		char *cell = l->cell[FIXED_BEFORE + i];
		(void)snprintf(cell, CELL_MAX, "%s", outcome_name(t->shown[i]));
		for (char *p = cell; *p != '\0'; p++)
			*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
	}
	for (size_t c = 0; c < FIXED_BEHIND; c++)
		(void)snprintf(l->cell[t->behind + c], CELL_MAX, "%s", behind[c]);
}

static void fill_line(struct table *t, struct line *l, const struct sweep_plan_row *r)
{
	(void)snprintf(l->cell[0], CELL_MAX, "%s%s", r->rollback, r->complete ? "" : " *");
	(void)snprintf(l->cell[1], CELL_MAX, "%s", rollback_to_names[r->to]);
	(void)snprintf(l->cell[2], CELL_MAX, "%zu/%zu", r->drilled, r->points);
	(void)snprintf(l->cell[3], CELL_MAX, "%zu", r->passed);
	for (size_t i = 0; i < t->shown_count; i++)
		(void)snprintf(l->cell[FIXED_BEFORE + i], CELL_MAX, "%zu",
			       r->points_of[t->shown[i]]);
	(void)snprintf(l->cell[t->behind], CELL_MAX, "%zu", r->groups);
	(void)report_time(r->recovery.p50, l->cell[t->behind + 1], CELL_MAX);
	(void)report_time(r->recovery.p95, l->cell[t->behind + 2], CELL_MAX);
	(void)report_time(r->recovery.max, l->cell[t->behind + 3], CELL_MAX);
}

static int width_of(const struct table *t, size_t column)
{
	int width = 0;
	for (size_t i = 0; i < t->line_count; i++) {
		int w = report_width(t->lines[i].cell[column]);
		width = w > width ? w : width;
	}
	return width;
}

static void put_table(struct buf *b, const struct table *t)
{
	for (size_t i = 0; i < t->line_count; i++) {
		for (size_t c = 0; c < t->columns; c++) {
			const char *cell = t->lines[i].cell[c];
			int pad = width_of(t, c) - report_width(cell);
			if (c > 0)
				buf_printf(b, "  %*s", pad, "");
			report_safe(b, cell);
			if (c == 0)
				buf_printf(b, "%*s", pad, "");
		}
		buf_putc(b, '\n');
	}
}

static void put_row_notes(struct buf *b, const struct sweep_plan_row *r, bool colour)
{
	if (!r->complete) {
		buf_puts(b, "* ");
		report_safe(b, r->rollback);
		buf_printf(b, " is not complete: %s\n",
			   r->cut != NULL ? r->cut : "no reason given");
	}
	if (r->worst == NULL)
		return;
	buf_puts(b, paint(colour, PAINT_RED));
	report_safe(b, r->rollback);
	buf_printf(b, "%s, its worst finding: backout replay %s %s\n", paint(colour, PAINT_OFF),
		   r->dir, r->worst);
}

int compare_text(FILE *out, const struct sweep_plan_row *rows, size_t count, bool colour,
		 struct err *e)
{
	GUARD_BUF struct buf b = { 0 };
	struct table t = { .line_count = count + 1 };
	GUARD(mem) struct line *lines = mem_array(count + 1, sizeof(*lines));
	t.lines = lines;
	find_outcomes(&t, rows, count);
	fill_heading(&t);
	for (size_t i = 0; i < count; i++)
		fill_line(&t, &t.lines[i + 1], &rows[i]);
	buf_printf(&b, "%sRollback plans, by points%s\n", paint(colour, PAINT_BOLD),
		   paint(colour, PAINT_OFF));
	put_table(&b, &t);
	buf_putc(&b, '\n');
	for (size_t i = 0; i < count; i++)
		put_row_notes(&b, &rows[i], colour);
	size_t best = sweep_plan_best(rows, count);
	if (best < count) {
		buf_puts(&b, paint(colour, PAINT_GREEN));
		report_safe(&b, rows[best].rollback);
		buf_printf(&b, "%s passes at the greatest share of points: %zu of %zu drilled\n",
			   paint(colour, PAINT_OFF), rows[best].passed, rows[best].drilled);
	}
	return report_put(out, &b, e);
}

static void put_json_row(struct buf *b, const struct sweep_plan_row *r)
{
	GUARD(mem)
	char *replay =
		r->worst != NULL ? mem_printf("backout replay %s %s", r->dir, r->worst) : NULL;
	json_put_open(b, NULL, '{');
	json_put_str(b, "rollback", r->rollback);
	json_put_str(b, "to", rollback_to_names[r->to]);
	json_put_str(b, "dir", r->dir);
	json_put_int(b, "points", (int64_t)r->points);
	json_put_int(b, "drilled", (int64_t)r->drilled);
	json_put_int(b, "passed", (int64_t)r->passed);
	json_put_bool(b, "complete", r->complete);
	json_put_str(b, "cut", r->cut);
	json_put_int(b, "groups", (int64_t)r->groups);
	json_put_open(b, "outcomes", '{');
	for (int o = 0; o < OUTCOME_COUNT; o++)
		if (r->points_of[o] > 0)
			json_put_int(b, outcome_name((enum outcome)o), (int64_t)r->points_of[o]);
	buf_putc(b, '}');
	json_put_open(b, "recovery", '{');
	json_put_int(b, "classes", (int64_t)r->recovery.count);
	json_put_ns(b, "p50_ns", r->recovery.p50);
	json_put_ns(b, "p95_ns", r->recovery.p95);
	json_put_ns(b, "max_ns", r->recovery.max);
	buf_putc(b, '}');
	json_put_str(b, "replay", replay);
	buf_putc(b, '}');
}

int compare_json(FILE *out, const struct sweep_plan_row *rows, size_t count, struct err *e)
{
	GUARD_BUF struct buf b = { 0 };
	size_t best = sweep_plan_best(rows, count);
	buf_putc(&b, '{');
	json_put_int(&b, "format", COMPARE_FORMAT);
	json_put_str(&b, "best", best < count ? rows[best].rollback : NULL);
	json_put_open(&b, "plans", '[');
	for (size_t i = 0; i < count; i++)
		put_json_row(&b, &rows[i]);
	buf_puts(&b, "]}\n");
	return report_put(out, &b, e);
}
