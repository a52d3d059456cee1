/* SPDX-License-Identifier: MIT */
/* The formats over a run made by hand, against the texts in tests/unit/golden. After a wanted
 * change `BACKOUT_GOLDEN=write build/tests/unit-tests reports` writes those anew: read the diff. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "reports/live.h"
#include "reports/report.h"
#include "reports/timeline.h"
#include "tests/unit/golden.h"
#include "tests/unit/report_fixture.h"
#include "tests/unit/runner.h"

Suite *suite_reports(void);

static const struct {
	const char *format, *golden;
	bool colour;
} formats[] = {
	{ "text", "report.txt", false },
	{ "text", "report-colour.txt", true },
	{ "json", "report.json", false },
	{ "junit", "report.xml", false },
};

START_TEST(format_as_golden)
{
	struct err e = { 0 };
	struct fixture f;
	char *text = NULL;
	size_t len = 0;
	fixture_make(&f);
	FILE *out = open_memstream(&text, &len);
	const struct report_format *format = report_find(formats[_i].format);
	ck_assert_ptr_nonnull(format);
	MUST(format->write(out, &f.input, formats[_i].colour, &e));
	(void)fclose(out);
	same_as_golden(formats[_i].golden, text, len);
	ck_assert_msg(formats[_i].colour || strchr(text, 0x1b) == NULL,
		      "an escape character got through");
	free(text);
	fixture_free(&f);
}
END_TEST

/* The golden json, read back by our own parser: no duplicate keys, and the law's numbers. */
START_TEST(json_says_each_drill)
{
	struct err e = { 0 };
	struct fixture f;
	struct json_doc *doc;
	char *text = NULL;
	size_t len = 0;
	fixture_make(&f);
	FILE *out = open_memstream(&text, &len);
	MUST(report_find("json")->write(out, &f.input, false, &e));
	(void)fclose(out);
	MUST(json_parse(&doc, "report", text, len, &e));
	const struct json *drills = json_get(json_root(doc), "drills");
	ck_assert_uint_eq(json_size(drills), 4);
	const struct json *first = json_first(drills), *second = json_next(first);
	ck_assert_str_eq(json_get_string(first, "outcome", ""), "restored");
	ck_assert_int_eq(json_get_int(first, "window_ns", -2), 1400000000);
	ck_assert_int_eq(json_get_int(json_get(first, "recovery"), "rollback_ns", -2), 1000000000);
	ck_assert_uint_eq(json_size(json_get(second, "residue")), 6);
	ck_assert_int_eq(json_get_int(second, "residue_visible", -2), 3);
	ck_assert_int_eq(json_type(json_get(json_next(second), "window_ns")), JSON_NULL);
	json_doc_free(doc);
	free(text);
	fixture_free(&f);
}
END_TEST

/* By another's parser: ours could share our misunderstanding. */
START_TEST(junit_is_well_formed)
{
	struct err e = { 0 };
	struct fixture f;
	if (system("command -v xmllint >/dev/null") != 0)
		TEST_SKIP("needs xmllint (libxml2-utils)");
	GUARD(mem) char *path = NULL;
	GUARD(mem) char *command = NULL;
	ck_assert_int_gt(asprintf(&path, "%s/report.xml", test_dir()), 0);
	ck_assert_int_gt(asprintf(&command, "xmllint --noout '%s'", path), 0);
	fixture_make(&f);
	FILE *out = fopen(path, "w");
	MUST(report_find("junit")->write(out, &f.input, false, &e));
	(void)fclose(out);
	fixture_free(&f);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(full_disk_is_an_error)
{
	struct err e = { 0 };
	struct fixture f;
	fixture_make(&f);
	GUARD(file) FILE *out = fopen("/dev/full", "w");
	ck_assert_int_eq(report_formats[_i]->write(out, &f.input, false, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.why, "No space left"));
	fixture_free(&f);
}
END_TEST

static const struct {
	size_t item;
	const char *golden;
} timelines[] = { { 2, "timeline.txt" }, { 6, "timeline-torn.txt" } };

START_TEST(timeline_as_golden)
{
	struct err e = { 0 };
	struct fixture f;
	char *text = NULL;
	size_t len = 0;
	fixture_make(&f);
	FILE *out = open_memstream(&text, &len);
	MUST(timeline_write(out, &f.items[timelines[_i].item], false, &e));
	(void)fclose(out);
	same_as_golden(timelines[_i].golden, text, len);
	free(text);
	fixture_free(&f);
}
END_TEST

START_TEST(every_event_has_words)
{
	struct err e = { 0 };
	struct json_doc *doc;
	MUST(json_parse(&doc, "empty", "{}", 2, &e));
	GUARD_BUF struct buf words = { 0 };
	const struct event ev = { .kind = (enum event_kind)_i, .fields = json_root(doc) };
	timeline_words(&words, &ev);
	ck_assert_uint_gt(words.len, 0);
	ck_assert_msg(strpbrk(buf_str(&words), "{}[]") == NULL, "%s", buf_str(&words));
	json_doc_free(doc);
}
END_TEST

static const char applied[] =
	"{\"t\":1200000000,\"event\":\"fault.applied\",\"fault\":\"f\",\"detail\":\"KILL\"}";
static const char node_up[] = "{\"t\":1,\"event\":\"node.up\",\"node\":\"web\"}";

/* The live view's whole output for one drill. */
static void live_drill(bool terminal, char **text, size_t *len)
{
	FILE *out = open_memstream(text, len);
	struct live *l = live_create(out, terminal, false);
	const struct verdict v = { .outcome = OUTCOME_RESTORED, .pass = true };
	live_begin(l, "dpkg killed");
	live_line(l, node_up, strlen(node_up));
	live_line(l, "{\"t\":", 5); /* torn: ignored */
	live_line(l, applied, strlen(applied));
	live_say(l, "a note");
	live_verdict(l, &v);
	live_destroy(l);
	(void)fclose(out);
}

START_TEST(live_piped_is_plain_lines)
{
	char *text = NULL;
	size_t len = 0;
	live_drill(false, &text, &len);
	ck_assert_ptr_null(strpbrk(text, "\r\033"));
	ck_assert_ptr_nonnull(strstr(text, "dpkg killed: begins\n"));
	ck_assert_ptr_nonnull(strstr(text, "dpkg killed: +1.200 s STRIKE: KILL\n"));
	ck_assert_ptr_nonnull(strstr(text, "\na note\n"));
	ck_assert_ptr_nonnull(strstr(text, "dpkg killed: restored after "));
	ck_assert_msg(strstr(text, "node web") == NULL, "a log need not show each node");
	free(text);
}
END_TEST

START_TEST(live_terminal_redraws_one_line)
{
	char *text = NULL;
	size_t len = 0, lines = 0;
	live_drill(true, &text, &len);
	for (const char *p = text; *p != '\0'; p++)
		lines += *p == '\n';
	ck_assert_uint_eq(lines, 2); /* the note and the verdict; all else was redrawn */
	ck_assert_ptr_nonnull(strstr(text, "node web up"));
	ck_assert_ptr_nonnull(strstr(text, "STRIKE: KILL"));
	ck_assert_ptr_nonnull(strstr(text, "restored\n"));
	free(text);
}
END_TEST

/* Three drills of ten points each; the clock is the caller's. */
static void live_three(bool terminal, char **text, size_t *len)
{
	static const int seconds[] = { 0, 3, 9, 10, 12, 25, 30 };
	static const size_t done[] = { 0, 0, 1, 1, 1, 2, 3 };
	FILE *out = open_memstream(text, len);
	struct live *l = live_create(out, terminal, false);
	for (size_t i = 0; i < sizeof(done) / sizeof(done[0]); i++) {
		struct sweep_progress p = { .points_done = 10 * done[i],
					    .points_total = 30,
					    .drills_done = done[i],
					    .drills_total = 3,
					    .failing_groups = done[i] / 3,
					    .failing_drills = done[i] / 2,
					    .failing_points = done[i] / 2 * 10,
					    .started = 5 * NS_PER_S,
					    .now = (5 + seconds[i]) * NS_PER_S,
					    .jobs = 2 };
		live_sweep(l, &p);
		if (i == 1)
			live_say(l, "a note");
	}
	struct sweep_progress again = { .drills_done = 3, .drills_total = 3, .now = 99 * NS_PER_S };
	live_sweep(l, &again);
	live_destroy(l);
	(void)fclose(out);
}

START_TEST(live_sweep_piped)
{
	char *text = NULL;
	size_t len = 0;
	live_three(false, &text, &len);
	ck_assert_str_eq(text, "sweep: 0/30 points, 0/3 drills by 2 jobs, none fails\n"
			       "a note\n"
			       "sweep: 10/30 points, 1/3 drills by 2 jobs, none fails, 1.00/s, "
			       "20.0 s left\n"
			       "sweep: 20/30 points, 2/3 drills by 2 jobs, 10 fail (1 drill), "
			       "0.800/s, 12.5 s left\n"
			       "sweep: 30/30 points, 3/3 drills by 2 jobs, 10 fail (1 group), "
			       "1.00/s\n");
	free(text);
}
END_TEST

START_TEST(live_sweep_redraws)
{
	char *text = NULL;
	size_t len = 0, lines = 0, longest = 0;
	live_three(true, &text, &len);
	for (const char *p = text, *at = text; *p != '\0'; p++) {
		lines += *p == '\n';
		at = *p == '\n' || *p == '\r' ? p : at;
		longest = (size_t)(p - at) > longest ? (size_t)(p - at) : longest;
	}
	ck_assert_uint_eq(lines, 2); /* the note and the end */
	ck_assert_uint_lt(longest, 80);
	ck_assert_ptr_null(strstr(text, " 0.0/s"));
	ck_assert_ptr_nonnull(strstr(text, "a note\n\r\033[K  sweep: 0/30"));
	ck_assert_ptr_nonnull(strstr(text, "  sweep: 20/30 points, 10 fail (1 drill), 0.800/s"));
	ck_assert_str_eq(strrchr(text, '\r'), "\r\033[K  sweep: 30/30 points, 10 fail (1 group), "
					      "1.00/s\n");
	free(text);
}
END_TEST

static const struct {
	double rate;
	const char *text;
} rates[] = {
	{ 0.1418, "0.142" }, { 0.9999, "1.00" }, { 7.7, "7.70" },    { 9.999, "10.0" },
	{ 15.44, "15.4" },   { 99.96, "100" },   { 1234.4, "1234" }, { 0, "0.000" },
};

START_TEST(rate_has_three_digits)
{
	char text[32];
	ck_assert_str_eq(report_rate(rates[_i].rate, text, sizeof(text)), rates[_i].text);
}
END_TEST

START_TEST(hidden_rows_are_counted)
{
	static const struct {
		const char *by, *why;
		size_t count;
	} want[] = {
		{ "debian-apt", "one run ago", 2 },
		{ "/var/log/nginx/**", "access log", 1 },
		{ "/var/cache/never/**", "a cache", 0 },
	};
	struct fixture f;
	struct report_hidden *rows;
	fixture_make(&f);
	ck_assert_uint_eq(report_hidden(&f.input, &rows), 3);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_str_eq(rows[i].by, want[i].by);
		ck_assert_str_eq(rows[i].why, want[i].why);
		ck_assert_uint_eq(rows[i].count, want[i].count);
	}
	free(rows);
	fixture_free(&f);
}
END_TEST

Suite *suite_reports(void)
{
	Suite *s = suite_create("reports");
	TCase *t = tcase_create("formats");
	size_t count = 0;
	while (report_formats[count] != NULL)
		count++;
	tcase_add_loop_test(t, format_as_golden, 0, sizeof(formats) / sizeof(formats[0]));
	tcase_add_loop_test(t, full_disk_is_an_error, 0, (int)count);
	tcase_add_test(t, json_says_each_drill);
	tcase_add_test(t, junit_is_well_formed);
	tcase_add_test(t, hidden_rows_are_counted);
	tcase_add_loop_test(t, timeline_as_golden, 0, sizeof(timelines) / sizeof(timelines[0]));
	tcase_add_loop_test(t, every_event_has_words, 0, EVENT_KIND_COUNT);
	tcase_add_test(t, live_piped_is_plain_lines);
	tcase_add_test(t, live_terminal_redraws_one_line);
	tcase_add_loop_test(t, rate_has_three_digits, 0, sizeof(rates) / sizeof(rates[0]));
	tcase_add_test(t, live_sweep_piped);
	tcase_add_test(t, live_sweep_redraws);
	suite_add_tcase(s, t);
	return s;
}
