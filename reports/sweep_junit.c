/* SPDX-License-Identifier: MIT */
/*
 * A sweep for CI servers: one test case a group of failing classes, one an outcome that passed,
 * one that is skipped when classes were left out. Names have no counts, so that a case keeps its
 * name from run to run.
 */
#include "reports/sweep.h"
#include "reports/xml.h"

enum { ENTRIES_MAX = 200 }; /* of a group */

/* Is a group an <error>? What proved too little is, and what is no judgement of the rollback. */
static bool is_error(const struct sweep_group *g)
{
	int code = outcome_exit(g->outcome);
	return code != EXIT_FAILED && code != EXIT_OK;
}

void sweep_junit_count(const struct report_input *in, struct sweep_cases *ret)
{
	struct sweep_counts n;
	if (in->sweep == NULL)
		return;
	sweep_count(in->sweep, &n);
	for (size_t i = 0; i < in->sweep->group_count; i++) {
		ret->tests++;
		if (is_error(&in->sweep->groups[i]))
			ret->errors++;
		else
			ret->failures++;
	}
	for (int o = 0; o < OUTCOME_COUNT; o++)
		ret->tests += n.passed_classes[o] > 0;
	ret->tests += in->sweep->retry_count > 0;
	ret->failures += sweep_retry_exit(in->sweep) == EXIT_FAILED;
	ret->tests += n.classes < in->sweep->class_count;
	ret->skipped += n.classes < in->sweep->class_count;
}

static void open_case(struct buf *b, const struct report_input *in, const char *text)
{
	GUARD_BUF struct buf name = { 0 };
	buf_printf(&name, "sweep %s: %s", in->sweep->strike, text);
	buf_puts(b, "  <testcase");
	xml_attr(b, "classname", in->plan->slug);
	xml_attr(b, "name", buf_str(&name));
	xml_attr_seconds(b, "time", 0);
}

static void put_details(struct buf *b, const struct report_input *in, const struct sweep_group *g)
{
	const struct sweep *s = in->sweep;
	const struct sweep_class *c = &s->classes[g->classes[0]];
	const struct verdict *v = c->verdict;
	GUARD_BUF struct buf text = { 0 };
	buf_printf(&text, "first at point %zu of %zu, step %s: %s\n", c->first + 1, s->point_count,
		   s->points[c->first].step, s->points[c->first].key);
	for (size_t i = 0; i < v->finding_count; i++)
		buf_printf(&text, "%s: %s\n", outcome_name(v->findings[i].outcome),
			   v->findings[i].evidence);
	for (size_t i = 0; i < g->entry_count && i < ENTRIES_MAX; i++) {
		report_change_line(&text, g->entries[i].change);
		buf_printf(&text, "; at %zu of %zu points\n", g->entries[i].points, g->points);
	}
	if (g->entry_count > ENTRIES_MAX)
		buf_printf(&text, "... and %zu more\n", g->entry_count - ENTRIES_MAX);
	if (c->label != NULL)
		buf_printf(&text, "backout replay %s %s\n", in->dir, c->label);
	xml_text(b, buf_str(&text));
}

static void put_group(struct buf *b, const struct report_input *in, const struct sweep_group *g)
{
	const char *tag = is_error(g) ? "error" : "failure";
	bool weak = outcome_exit(g->outcome) == EXIT_INCONCLUSIVE;
	const struct verdict *v = in->sweep->classes[g->classes[0]].verdict;
	GUARD_BUF struct buf text = { 0 };
	buf_printf(&text, "%s: %s", outcome_name(g->outcome), g->what);
	open_case(b, in, buf_str(&text));
	buf_clear(&text);
	buf_printf(&text, "%zu of %zu points: %s", g->points, in->sweep->point_count,
		   v->why != NULL ? v->why : g->what);
	buf_printf(b, ">\n    <%s", tag);
	xml_attr(b, "type", weak ? "inconclusive" : outcome_name(g->outcome));
	xml_attr(b, "message", buf_str(&text));
	buf_putc(b, '>');
	put_details(b, in, g);
	buf_printf(b, "</%s>\n  </testcase>\n", tag);
}

static void put_passed(struct buf *b, const struct report_input *in, enum outcome o, size_t points)
{
	GUARD_BUF struct buf text = { 0 };
	buf_printf(&text, "points that end %s", outcome_name(o));
	open_case(b, in, buf_str(&text));
	buf_printf(b, ">\n    <system-out>%zu of %zu points</system-out>\n  </testcase>\n", points,
		   in->sweep->point_count);
}

static void put_skipped(struct buf *b, const struct sweep *s, const struct sweep_counts *n)
{
	GUARD_BUF struct buf text = { 0 };
	buf_printf(&text, "%zu of %zu points were not drilled: %s", s->point_count - n->points,
		   s->point_count, s->cut != NULL ? s->cut : "the sweep is not complete");
	buf_puts(b, ">\n    <skipped");
	xml_attr(b, "message", buf_str(&text));
	buf_puts(b, "/>\n  </testcase>\n");
}

static void put_retries(struct buf *b, const struct report_input *in)
{
	const struct sweep *s = in->sweep;
	bool failed = false;
	open_case(b, in, "patch retried after rollback");
	buf_puts(b, ">\n");
	for (size_t i = 0; i < s->retry_count && !failed; i++) {
		failed = s->retries[i].tried && !s->retries[i].ok;
		if (!failed)
			continue;
		buf_puts(b, "    <failure");
		xml_attr(b, "message", s->retries[i].why);
		buf_puts(b, ">");
		xml_text(b, s->retries[i].label);
		buf_puts(b, "</failure>\n");
	}
	buf_puts(b, "  </testcase>\n");
}

void sweep_junit(struct buf *b, const struct report_input *in)
{
	struct sweep_counts n;
	if (in->sweep == NULL)
		return;
	sweep_count(in->sweep, &n);
	for (size_t i = 0; i < in->sweep->group_count; i++)
		put_group(b, in, &in->sweep->groups[i]);
	for (int o = 0; o < OUTCOME_COUNT; o++)
		if (n.passed_classes[o] > 0)
			put_passed(b, in, (enum outcome)o, n.passed_points[o]);
	if (in->sweep->retry_count > 0)
		put_retries(b, in);
	if (n.classes == in->sweep->class_count)
		return;
	open_case(b, in, "points that were not drilled");
	put_skipped(b, in->sweep, &n);
}
