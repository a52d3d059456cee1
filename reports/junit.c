/* SPDX-License-Identifier: MIT */
/*
 * JUnit XML for CI servers: one testsuite a run, one testcase a control or drill. A drill that
 * failed is a `failure` of its outcome's type; one that proved too little (exit 2) is an
 * `error` of type "inconclusive", for a green mark would claim what was not shown; `broken` and
 * `harness_error` are errors of that type.
 */
#include <stdlib.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "reports/report.h"

/* The bytes of one UTF-8 character that XML 1.0 allows, or 0. */
static size_t xml_char(const unsigned char *s)
{
	static const struct {
		unsigned char mask, lead;
		size_t len;
		unsigned long min;
	} forms[] = {
		{ 0xe0, 0xc0, 2, 0x80 },
		{ 0xf0, 0xe0, 3, 0x800 },
		{ 0xf8, 0xf0, 4, 0x10000 },
	};
	if (s[0] < 0x80)
		return s[0] >= 0x20 || s[0] == '\t' || s[0] == '\n' ? 1 : 0;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if ((s[0] & forms[i].mask) != forms[i].lead)
			continue;
		unsigned long c = s[0] & (unsigned char)~forms[i].mask;
		for (size_t k = 1; k < forms[i].len; k++) {
			if ((s[k] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[k] & 0x3f);
		}
		if (c < forms[i].min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ||
		    c == 0xfffe || c == 0xffff)
			return 0;
		return forms[i].len;
	}
	return 0;
}

/* Text or attribute value; what XML cannot hold becomes '?'. */
static void xml(struct buf *b, const char *text)
{
	static const char *const names['>' + 1] = {
		['&'] = "&amp;",  ['<'] = "&lt;",   ['>'] = "&gt;",
		['"'] = "&quot;", ['\n'] = "&#10;", ['\t'] = "&#9;",
	};
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0';) {
		size_t len = xml_char(p);
		if (len == 0)
			buf_putc(b, '?');
		else if (*p <= '>' && names[*p] != NULL)
			buf_puts(b, names[*p]);
		else
			buf_add(b, p, len);
		p += len > 0 ? len : 1;
	}
}

static void attr(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, " %s=\"", name);
	xml(b, value);
	buf_putc(b, '"');
}

static void attr_seconds(struct buf *b, const char *name, int64_t ns)
{
	buf_printf(b, " %s=\"%.3f\"", name, ns > 0 ? (double)ns / (double)NS_PER_S : 0.0);
}

static void property(struct buf *b, const char *name, const char *value)
{
	buf_puts(b, "    <property");
	attr(b, "name", name);
	attr(b, "value", value);
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
	xml(b, buf_str(&line));
}

static void put_case(struct buf *b, const struct report_input *in, const struct report_item *it)
{
	static const char *const tags[] = { [MARK_FAILURE] = "failure", [MARK_ERROR] = "error" };
	const char *type;
	enum mark mark = mark_of(it->verdict, &type);
	buf_puts(b, "  <testcase");
	attr(b, "classname", in->plan->slug);
	attr(b, "name", report_item_name(it));
	attr_seconds(b, "time", duration(it->journal));
	if (mark == MARK_PASS) {
		buf_puts(b, "/>\n");
		return;
	}
	GUARD_BUF struct buf why = { 0 };
	buf_printf(&why, "%s: %s", outcome_name(it->verdict->outcome),
		   it->verdict->why != NULL ? it->verdict->why : "");
	buf_printf(b, ">\n    <%s", tags[mark]);
	attr(b, "type", type);
	attr(b, "message", buf_str(&why));
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
	GUARD_BUF struct buf b = { 0 };
	buf_puts(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite");
	attr(&b, "name", in->plan->title != NULL ? in->plan->title : in->plan->slug);
	buf_printf(&b, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"0\"", tests,
		   count[MARK_FAILURE], count[MARK_ERROR]);
	attr_seconds(&b, "time", total);
	buf_puts(&b, ">\n  <properties>\n");
	property(&b, "run", in->id);
	property(&b, "scenario", in->plan->file);
	property(&b, "digest", in->plan->digest);
	property(&b, "result", report_result(in->exit));
	buf_puts(&b, "  </properties>\n");
	for (size_t i = 0; i < in->count; i++)
		if (in->items[i].verdict != NULL)
			put_case(&b, in, &in->items[i]);
	buf_puts(&b, "</testsuite>\n</testsuites>\n");
	return report_put(out, &b, e);
}

const struct report_format report_junit = {
	.name = "junit",
	.help = "JUnit XML, one test case a drill, for CI servers",
	.write = junit_write,
};
