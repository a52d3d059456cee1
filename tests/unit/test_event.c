/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "harness/base/buf.h"
#include "harness/model/event.h"
#include "tests/unit/runner.h"

START_TEST(test_encode)
{
	const struct field fields[] = { F_STR("node", "web\xff\""),
					F_STR("left_out", NULL),
					F_INT("took", INT64_MAX),
					F_BOOL("ok", true),
					F_BOOL("no", false),
					F_JSON("host", "{\"a\":[1]}"),
					{ 0 } };
	struct buf b GUARD_BUF = { 0 };
	event_encode(&b, 12, EVENT_NODE_UP, fields);
	ck_assert_str_eq(buf_str(&b),
			 "{\"t\":12,\"event\":\"node.up\",\"node\":\"web\\udbff\\udfff\\\"\","
			 "\"took\":9223372036854775807,\"ok\":true,\"no\":false,"
			 "\"host\":{\"a\":[1]}}\n");
	/* A text that holds a stand-in itself is not taken for what it stands for. */
	buf_clear(&b);
	buf_json(&b, "\xf4\x8f\xbf\xa9");
	ck_assert_str_eq(buf_str(&b),
			 "\"\\udbff\\udff4\\udbff\\udf8f\\udbff\\udfbf\\udbff\\udfa9\"");
	buf_clear(&b);
	event_encode(&b, 0, EVENT_PATCH_BEGIN, NULL);
	ck_assert_str_eq(buf_str(&b), "{\"t\":0,\"event\":\"patch.begin\"}\n");
}
END_TEST

/* Every kind, with a value of every type, is read back as it was written. */
START_TEST(test_round_trip)
{
	struct buf b GUARD_BUF = { 0 };
	struct journal *j = NULL;
	struct err e = { 0 };
	for (int k = 0; k < EVENT_KIND_COUNT; k++) {
		const struct field fields[] = {
			F_INT("n", INT64_MAX - k), F_STR("s", "a\n\"b\""), F_BOOL("ok", true), { 0 }
		};
		event_encode(&b, k * INT64_C(1000000000000), (enum event_kind)k, fields);
		ck_assert_int_eq(event_from_name(event_name((enum event_kind)k)), k);
		ck_assert_ptr_nonnull(event_fields((enum event_kind)k));
	}
	MUST(journal_parse(&j, "j", b.data, b.len, &e));
	ck_assert_uint_eq(journal_count(j), EVENT_KIND_COUNT);
	ck_assert(journal_sealed(j));
	for (size_t i = 0; i < EVENT_KIND_COUNT; i++) {
		const struct event *ev = journal_at(j, i);
		ck_assert_int_eq(ev->kind, (int)i);
		ck_assert_int_eq(ev->t, (int64_t)i * INT64_C(1000000000000));
		ck_assert_int_eq(json_get_int(ev->fields, "n", 0), INT64_MAX - (int64_t)i);
		ck_assert_str_eq(json_get_string(ev->fields, "s", ""), "a\n\"b\"");
		ck_assert(json_get_bool(ev->fields, "ok", false));
		ck_assert_uint_eq(journal_index(j, ev), i);
		ck_assert_ptr_eq(journal_find(j, ev->kind, 0), ev);
		ck_assert_ptr_null(journal_find(j, ev->kind, i + 1));
	}
	journal_free(j);
	ck_assert_int_eq(event_from_name("patch"), -1);
}
END_TEST

#define BEGIN  "{\"t\":0,\"event\":\"drill.begin\"}\n"
#define SEALED "{\"t\":9,\"event\":\"sealed\"}"

static const struct {
	const char *text;
	int count; /* -1: an error */
	bool sealed;
} journals[] = {
	{ "", 0, false },
	{ BEGIN, 1, false },
	{ BEGIN SEALED "\n", 2, true },
	{ BEGIN SEALED, 1, false },
	{ BEGIN "{\"t\":5,\"ev", 1, false },
	{ BEGIN "{\"t\":5,\"ev\n", 1, false },
	{ BEGIN "\n", 1, false },
	{ BEGIN SEALED "\n{", 2, false },
	{ BEGIN SEALED "\n" BEGIN, 3, false },
	{ BEGIN "{\"t\":5,\"ev\n" SEALED "\n", -1, false },
	{ BEGIN "\n" SEALED "\n", -1, false },
	{ BEGIN "{\"t\":5,\"event\":\"patch\"}\n", -1, false },
	{ BEGIN "{\"t\":5}\n", -1, false },
	{ BEGIN "{\"event\":\"sealed\"}\n", -1, false },
	{ BEGIN "{\"t\":-1,\"event\":\"sealed\"}\n", -1, false },
	{ BEGIN "{\"t\":1.5,\"event\":\"sealed\"}\n", -1, false },
	{ BEGIN "{\"t\":\"1\",\"event\":\"sealed\"}\n", -1, false },
	{ BEGIN "[]\n", -1, false },
};

START_TEST(test_parse)
{
	struct journal *j = NULL;
	struct err e = { 0 };
	int rc = journal_parse(&j, "j.jsonl", journals[_i].text, strlen(journals[_i].text), &e);
	if (journals[_i].count < 0) {
		ck_assert_int_eq(rc, -1);
		ck_assert_int_eq(e.exit, EXIT_HARNESS);
		ck_assert_ptr_nonnull(strstr(e.why, "line 2"));
		ck_assert_ptr_null(j);
		return;
	}
	MUST(rc);
	ck_assert_uint_eq(journal_count(j), (size_t)journals[_i].count);
	ck_assert(journal_sealed(j) == journals[_i].sealed);
	ck_assert_str_eq(journal_name(j), "j.jsonl");
	journal_free(j);
}
END_TEST

/* A journal cut at any byte still reads, and is sealed only when it is whole. */
START_TEST(test_cut_anywhere)
{
	static const char text[] = BEGIN "{\"t\":1,\"event\":\"patch.begin\"}\n" SEALED "\n";
	for (size_t len = 0; len < sizeof(text); len++) {
		struct journal *j = NULL;
		struct err e = { 0 };
		MUST(journal_parse(&j, "j", text, len, &e));
		ck_assert(journal_sealed(j) == (len == sizeof(text) - 1));
		journal_free(j);
	}
	journal_free(NULL);
}
END_TEST

Suite *suite_event(void);
Suite *suite_event(void)
{
	Suite *s = suite_create("event");
	TCase *t = tcase_create("event");
	tcase_add_test(t, test_encode);
	tcase_add_test(t, test_round_trip);
	tcase_add_loop_test(t, test_parse, 0, sizeof(journals) / sizeof(journals[0]));
	tcase_add_test(t, test_cut_anywhere);
	suite_add_tcase(s, t);
	return s;
}
