/* SPDX-License-Identifier: MIT */
/* A sweep in each format, against the texts in tests/unit/golden (see test_reports.c). */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "reports/report.h"
#include "tests/unit/golden.h"
#include "tests/unit/report_fixture.h"
#include "tests/unit/runner.h"
#include "tests/unit/sweep_fixture.h"

Suite *suite_sweep_reports(void);

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

struct both {
	struct fixture run;
	struct sweep_fixture sweep;
	char *text;
	size_t len;
};

/* Of the run only the controls are there. */
static void write_it(struct both *f, const char *format, bool cut, bool colour)
{
	struct err e = { 0 };
	fixture_make(&f->run);
	sweep_fixture_make(&f->sweep);
	if (cut)
		sweep_fixture_cut(&f->sweep);
	f->run.input.count = 2;
	f->run.input.sweep = &f->sweep.sweep;
	FILE *out = open_memstream(&f->text, &f->len);
	MUST(report_find(format)->write(out, &f->run.input, colour, &e));
	(void)fclose(out);
}

static void free_it(struct both *f)
{
	free(f->text);
	fixture_free(&f->run);
	sweep_fixture_free(&f->sweep);
}

static const struct {
	const char *format, *golden;
	bool cut, colour;
} formats[] = {
	{ "text", "sweep.txt", false, false },          { "text", "sweep-cut.txt", true, false },
	{ "text", "sweep-cut-colour.txt", true, true }, { "json", "sweep-cut.json", true, false },
	{ "junit", "sweep-cut.xml", true, false },
};

START_TEST(format_as_golden)
{
	struct both f;
	write_it(&f, formats[_i].format, formats[_i].cut, formats[_i].colour);
	same_as_golden(formats[_i].golden, f.text, f.len);
	ck_assert_msg(formats[_i].colour || strchr(f.text, 0x1b) == NULL,
		      "an escape character got through");
	free_it(&f);
}
END_TEST

/* However many points there are: here each of 5,000 fails in a way of its own. */
START_TEST(text_stays_readable)
{
	enum { POINTS = 5000, LINES_MAX = 600 };
	static struct sweep_point points[POINTS];
	static struct sweep_class classes[POINTS];
	static struct verdict verdicts[POINTS];
	struct err e = { 0 };
	struct fixture run;
	struct arena *arena = arena_create();
	fixture_make(&run);
	for (size_t i = 0; i < POINTS; i++) {
		points[i] =
			(struct sweep_point){ "mkdir /x, in sh, #1", "install", false, true, i };
		verdicts[i] = (struct verdict){ .outcome = OUTCOME_STUCK,
						.culprit = arena_printf(arena, "step %zu", i) };
		classes[i] = (struct sweep_class){ .first = i,
						   .points = 1,
						   .label = "drills/x",
						   .verdict = &verdicts[i],
						   .confirmed = OUTCOME_COUNT };
	}
	struct sweep s = { .strike = "kill",
			   .kinds = "calls",
			   .section = "both",
			   .points = points,
			   .point_count = POINTS,
			   .classes = classes,
			   .class_count = POINTS };
	sweep_group_all(arena, &s);
	ck_assert_uint_eq(s.group_count, POINTS);
	run.input.sweep = &s;
	char *text = NULL;
	size_t len = 0, lines = 0;
	FILE *out = open_memstream(&text, &len);
	MUST(report_find("text")->write(out, &run.input, false, &e));
	(void)fclose(out);
	for (const char *p = text; *p != '\0'; p++)
		lines += *p == '\n';
	ck_assert_uint_lt(lines, LINES_MAX);
	ck_assert_ptr_nonnull(strstr(text, "more groups"));
	free(text);
	fixture_free(&run);
	arena_destroy(arena);
}
END_TEST

/* Read back by our own parser: every index leads to what it names. */
START_TEST(json_indices_hold)
{
	struct both f;
	struct err e = { 0 };
	struct json_doc *doc;
	size_t group_points = 0, failing = 0;
	write_it(&f, "json", true, false);
	MUST(json_parse(&doc, "report", f.text, f.len, &e));
	const struct json *s = json_get(json_root(doc), "sweep");
	ck_assert_uint_eq(json_size(json_get(s, "points")), FIXTURE_POINTS);
	ck_assert_uint_eq(json_size(json_get(s, "classes")), f.sweep.sweep.class_count);
	for (const struct json *g = json_first(json_get(s, "groups")); g != NULL;
	     g = json_next(g)) {
		ck_assert_int_gt(json_get_int(g, "points", 0), 0);
		group_points += (size_t)json_get_int(g, "points", 0);
	}
	size_t i = 0;
	for (const struct json *p = json_first(json_get(s, "points")); p != NULL;
	     p = json_next(p), i++) {
		int64_t cls = json_get_int(p, "class", -1);
		ck_assert_int_eq(cls, (int64_t)f.sweep.points[i].cls);
		const struct verdict *v = f.sweep.classes[cls].verdict;
		failing += v != NULL && !v->pass;
	}
	ck_assert_uint_eq(group_points, failing);
	ck_assert_str_eq(json_get_string(s, "cut", ""), f.sweep.sweep.cut);
	json_doc_free(doc);
	free_it(&f);
}
END_TEST

static size_t count_of(const char *text, const char *word)
{
	size_t n = 0;
	for (const char *p = strstr(text, word); p != NULL; p = strstr(p + 1, word))
		n++;
	return n;
}

/* By another's parser, and the head's counts against the cases. */
START_TEST(junit_counts_its_cases)
{
	struct both f;
	struct err e = { 0 };
	char head[128];
	write_it(&f, "junit", true, false);
	(void)snprintf(head, sizeof(head),
		       "tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
		       "skipped=\"%zu\"",
		       count_of(f.text, "<testcase"), count_of(f.text, "<failure"),
		       count_of(f.text, "<error"), count_of(f.text, "<skipped"));
	ck_assert_msg(strstr(f.text, head) != NULL, "not %s", head);
	ck_assert_uint_eq(count_of(f.text, "<failure"), 4);
	if (system("command -v xmllint >/dev/null") != 0)
		TEST_SKIP("needs xmllint (libxml2-utils)");
	GUARD(mem) char *path = NULL;
	GUARD(mem) char *command = NULL;
	ck_assert_int_gt(asprintf(&path, "%s/report.xml", test_dir()), 0);
	ck_assert_int_gt(asprintf(&command, "xmllint --noout '%s'", path), 0);
	MUST(io_write_file(AT_FDCWD, path, f.text, f.len, 0644, &e));
	ck_assert_int_eq(system(command), 0);
	free_it(&f);
}
END_TEST

/* What a mask hid in a drill of the sweep counts as well. */
START_TEST(hidden_rows_of_a_sweep)
{
	struct both f;
	struct report_hidden *rows;
	write_it(&f, "text", false, false);
	size_t cls = f.sweep.sweep.groups[0].classes[0];
	f.sweep.verdicts[cls].residue.items[0].hidden_by = "debian-apt";
	f.sweep.verdicts[cls].residue.items[0].hidden_why = "one run ago";
	ck_assert_uint_eq(report_hidden(&f.run.input, &rows), 3);
	ck_assert_str_eq(rows[0].by, "debian-apt");
	ck_assert_uint_eq(rows[0].count, 1);
	free(rows);
	free_it(&f);
}
END_TEST

/* Values that a reader can use; and a hash alone, for then there is nothing else to say. */
START_TEST(entries_are_brief)
{
	static struct change_attr added[] = { { "type", NULL, "file" },
					      { "mode", NULL, "0644" },
					      { "xxh3", NULL, "f00d" } };
	static struct change_attr grown[] = { { "mode", "0644", "0600" },
					      { "size", "1", "2" },
					      { "xxh3", "f00d", "beef" } };
	static struct change_attr rehashed[] = { { "xxh3", "f00d", "cafe" } };
	struct change c[] = {
		{ STATE_FILE, CHANGE_ADDED, "web", "/a", NULL, added, LEN(added), NULL, NULL },
		{ STATE_FILE, CHANGE_CHANGED, "web", "/b", NULL, grown, LEN(grown), NULL, NULL },
		{ STATE_FILE, CHANGE_CHANGED, "web", "/c", NULL, rehashed, 1, NULL, NULL },
	};
	struct both f;
	struct err e = { 0 };
	write_it(&f, "text", false, false);
	free(f.text);
	sweep_fixture_residue(&f.sweep, 3, c, LEN(c));
	sweep_group_all(f.sweep.arena, &f.sweep.sweep);
	FILE *out = open_memstream(&f.text, &f.len);
	MUST(report_find("text")->write(out, &f.run.input, false, &e));
	(void)fclose(out);
	ck_assert_ptr_nonnull(strstr(f.text, "+ web file /a: type file [no package owns it]\n"));
	ck_assert_ptr_nonnull(strstr(f.text, "~ web file /b: mode 0644 -> 0600, size 1 -> 2 ["));
	ck_assert_ptr_nonnull(strstr(f.text, "~ web file /c: xxh3 f00d -> cafe ["));
	free_it(&f);
}
END_TEST

Suite *suite_sweep_reports(void)
{
	Suite *s = suite_create("sweep_reports");
	TCase *t = tcase_create("formats");
	tcase_add_loop_test(t, format_as_golden, 0, LEN(formats));
	tcase_add_test(t, text_stays_readable);
	tcase_add_test(t, entries_are_brief);
	tcase_add_test(t, json_indices_hold);
	tcase_add_test(t, junit_counts_its_cases);
	tcase_add_test(t, hidden_rows_of_a_sweep);
	suite_add_tcase(s, t);
	return s;
}
