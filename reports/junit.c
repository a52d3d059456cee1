/* SPDX-License-Identifier: MIT */
/*
 * JUnit XML for CI servers: one testsuite a run, one testcase a control or drill (of a sweep: one
 * a group of failures, see sweep_junit.c). A drill that
 * failed is a `failure` of its outcome's type; one that proved too little (exit 2) is an
 * `error` of type "inconclusive", for a green mark would claim what was not shown; `broken` and
 * `harness_error` are errors of that type.
 */
#include <stdlib.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "reports/report.h"
#include "reports/sweep.h"
#include "reports/xml.h"

static void property(struct buf *b, const char *name, const char *value)
{
	buf_puts(b, "    <property");
	xml_attr(b, "name", name);
	xml_attr(b, "value", value);
	buf_puts(b, "/>\n");
}

enum mark { MARK_PASS, MARK_FAILURE, MARK_ERROR };

static enum mark mark_of(const struct verdict *v, const char **type)
{
	*type = outcome_name(v->outcome);
	if (v->pass)
		return MARK_PASS;
	int exit = outcome_exit(v->outcome);
	if (exit == EXIT_INCONCLUSIVE)
		*type = "inconclusive";
	return exit == EXIT_FAILED || exit == EXIT_OK ? MARK_FAILURE : MARK_ERROR;
}

/* From the drill's first event to its last. */
static int64_t duration(const struct journal *j)
{
	return j != NULL && journal_count(j) > 0 ? journal_at(j, journal_count(j) - 1)->t : 0;
}

static void put_details(struct buf *b, const struct verdict *v)
{
	GUARD_BUF struct buf line = { 0 };
	char owner[160];
	for (size_t i = 0; i < v->finding_count; i++)
		buf_printf(&line, "%s: %s\n", outcome_name(v->findings[i].outcome),
			   v->findings[i].evidence);
	const struct changes *sets[] = { &v->residue, &v->drift };
	for (size_t s = 0; s < 2; s++) {
		for (size_t i = 0; i < sets[s]->count; i++) {
			const struct change *c = &sets[s]->items[i];
			if (c->hidden_by != NULL)
				continue;
			buf_printf(&line, "%s %s %s %s: ", report_change_mark(c->what), c->node,
				   state_kind_name(c->kind), c->key);
			report_change_attrs(&line, c);
			buf_printf(&line, "; %s\n", report_change_owner(c, owner, sizeof(owner)));
		}
	}
	xml_text(b, buf_str(&line));
}

static void put_case(struct buf *b, const struct report_input *in, const struct report_item *it)
{
	static const char *const tags[] = { [MARK_FAILURE] = "failure", [MARK_ERROR] = "error" };
	const char *type;
	enum mark mark = mark_of(it->verdict, &type);
	buf_puts(b, "  <testcase");
	xml_attr(b, "classname", in->plan->slug);
	xml_attr(b, "name", report_item_name(it));
	xml_attr_seconds(b, "time", duration(it->journal));
	if (mark == MARK_PASS) {
		buf_puts(b, "/>\n");
		return;
	}
	GUARD_BUF struct buf why = { 0 };
	buf_printf(&why, "%s: %s", outcome_name(it->verdict->outcome),
		   it->verdict->why != NULL ? it->verdict->why : "");
	buf_printf(b, ">\n    <%s", tags[mark]);
	xml_attr(b, "type", type);
	xml_attr(b, "message", buf_str(&why));
	buf_putc(b, '>');
	put_details(b, it->verdict);
	buf_printf(b, "</%s>\n  </testcase>\n", tags[mark]);
}

static int junit_write(FILE *out, const struct report_input *in, bool colour, struct err *e)
{
	(void)colour;
	unsigned tests = 0, count[MARK_ERROR + 1] = { 0 };
	int64_t total = 0;
	for (size_t i = 0; i < in->count; i++) {
		const char *type;
		total += duration(in->items[i].journal);
		if (in->items[i].verdict == NULL)
			continue;
		tests++;
		count[mark_of(in->items[i].verdict, &type)]++;
	}
	struct sweep_cases more = { tests, count[MARK_FAILURE], count[MARK_ERROR], 0 };
	sweep_junit_count(in, &more);
	total += in->sweep != NULL ? in->sweep->took : 0;
	GUARD_BUF struct buf b = { 0 };
	buf_puts(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite");
	xml_attr(&b, "name", in->plan->title != NULL ? in->plan->title : in->plan->slug);
	buf_printf(&b, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\"", more.tests,
		   more.failures, more.errors, more.skipped);
	xml_attr_seconds(&b, "time", total);
	buf_puts(&b, ">\n  <properties>\n");
	property(&b, "run", in->id);
	property(&b, "scenario", in->plan->file);
	property(&b, "digest", in->plan->digest);
	property(&b, "rollback_to",
		 rollback_to_names[plan_goes_forward(in->plan) ? TO_PATCHED : TO_BEFORE]);
	property(&b, "result", report_result(in->exit));
	buf_puts(&b, "  </properties>\n");
	for (size_t i = 0; i < in->count; i++)
		if (in->items[i].verdict != NULL)
			put_case(&b, in, &in->items[i]);
	sweep_junit(&b, in);
	buf_puts(&b, "</testsuite>\n</testsuites>\n");
	return report_put(out, &b, e);
}

const struct report_format report_junit = {
	.name = "junit",
	.help = "JUnit XML, one test case a drill, for CI servers",
	.write = junit_write,
};
