/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/model/json.h"
#include "tests/unit/runner.h"

static struct json_doc *parse(const char *text)
{
	struct err e = { 0 };
	struct json_doc *d = NULL;
	MUST(json_parse(&d, "t", text, strlen(text), &e));
	return d;
}

START_TEST(test_values)
{
	struct json_doc *d =
		parse("{ \"s\": \"a\\n\\u00e9\\ud83d\\ude00\", \"n\": -1.5e2, \"b\": true,"
		      " \"z\": null, \"l\": [1, [], {}], \"S\": \"big\" }");
	const struct json *r = json_root(d);
	ck_assert_int_eq(json_type(r), JSON_OBJECT);
	ck_assert_uint_eq(json_size(r), 6);
	ck_assert_str_eq(json_get_string(r, "s", ""), "a\n\xc3\xa9\xf0\x9f\x98\x80");
	ck_assert_str_eq(json_get_string(r, "S", ""), "big"); /* exact case */
	ck_assert_ptr_null(json_get(r, "B"));
	ck_assert(json_number(json_get(r, "n")) == -150.0);
	ck_assert(json_get_bool(r, "b", false));
	ck_assert_int_eq(json_type(json_get(r, "z")), JSON_NULL);
	const struct json *l = json_get(r, "l");
	ck_assert_uint_eq(json_size(l), 3);
	ck_assert_int_eq(json_type(json_next(json_first(l))), JSON_ARRAY);
	ck_assert_str_eq(json_type_name(json_next(json_next(json_first(l)))), "an object");
	ck_assert_ptr_null(json_next(json_next(json_next(json_first(l)))));
	ck_assert_str_eq(json_key(l), "l");
	ck_assert_ptr_null(json_key(json_first(l)));
	ck_assert_str_eq(json_get_string(r, "n", "none"), "none");
	ck_assert_ptr_null(json_get(l, "x")); /* not an object */
	json_doc_free(d);
}
END_TEST

static const struct {
	const char *text;
	bool whole;
	int64_t value;
} integers[] = {
	{ "0", true, 0 },
	{ "-7", true, -7 },
	{ "9007199254740993", true, INT64_C(9007199254740993) }, /* 2^53 + 1: a double rounds it */
	{ "9223372036854775807", true, INT64_MAX },
	{ "-9223372036854775808", true, INT64_MIN },
	{ "9223372036854775808", false, 0 },
	{ "18446744073709551615", false, 0 },
	{ "1.0", false, 0 },
	{ "1e3", false, 0 },
	{ "\"1\"", false, 0 },
	{ "true", false, 0 },
};

START_TEST(test_integers)
{
	struct json_doc *d = parse(integers[_i].text);
	int64_t v = 0;
	ck_assert_int_eq(json_int64(json_root(d), &v), integers[_i].whole);
	ck_assert(v == integers[_i].value);
	json_doc_free(d);
}
END_TEST

START_TEST(test_comments_keep_positions)
{
	struct json_doc *d =
		parse("// one {\n{ // \"two\"\n\t\"a\": [ 1, // three\n   \"x // y\" ],"
		      " \"b\":\n  2 }\n// end");
	const struct json *a = json_get(json_root(d), "a");
	const struct json *x = json_next(json_first(a));
	const struct json *b = json_get(json_root(d), "b");
	struct json_pos p = json_value_pos(d, json_root(d));
	ck_assert_str_eq(p.name, "t");
	ck_assert_uint_eq(p.line, 2);
	ck_assert_uint_eq(p.column, 1);
	p = json_key_pos(d, a);
	ck_assert_uint_eq(p.line, 3);
	ck_assert_uint_eq(p.column, 2);
	p = json_value_pos(d, a);
	ck_assert_uint_eq(p.column, 7);
	p = json_value_pos(d, x);
	ck_assert_uint_eq(p.line, 4);
	ck_assert_uint_eq(p.column, 4);
	ck_assert_str_eq(json_string(x), "x // y");
	p = json_key_pos(d, b);
	ck_assert_uint_eq(p.column, 16);
	p = json_value_pos(d, b);
	ck_assert_uint_eq(p.line, 5);
	ck_assert_uint_eq(p.column, 3);
	p = json_key_pos(d, x); /* an element has no key: the value itself */
	ck_assert_uint_eq(p.column, 4);
	json_doc_free(d);
}
END_TEST

static const struct {
	const char *text, *why;
} refused[] = {
	{ "", "t:1:1: the text ends here; expected a value" },
	{ "{\"a\":1}x", "t:1:8: text after the end of the value; remove it" },
	{ "{\"a\":1,\n\"b\":2,\"a\":3}", "t:2:7: \"a\" is here twice; the first is in line 1" },
	{ "[{\"z\":{\"b\":1,\"b\":2}}]", "t:1:14: \"b\" is here twice" },
	{ "[1,]", "t:1:3: a comma with nothing after it" },
	{ "[1 2]", "t:1:4: found '2'; expected ',' or ']'" },
	{ "{1:2}", "t:1:2: found '1'; expected a field's name" },
	{ "{\"a\" 2}", "t:1:6: found '2'; expected ':'" },
	{ "[01]", "t:1:2: this is not a number" },
	{ "[1.]", "t:1:2: this is not a number" },
	{ "[-]", "t:1:2: this is not a number" },
	{ "[+1]", "t:1:2: found '+'; expected a value" },
	{ "[1e]", "t:1:2: this is not a number" },
	{ "[NaN]", "t:1:2: found 'N'" },
	{ "[1111111111111111111111111111111111111111111111111111111111111]",
	  "t:1:2: a number of more" },
	{ "[\"a\nb\"]", "t:1:2: this string does not end on its line" },
	{ "[\"a\tb\"]", "t:1:4: byte 0x09 in a string; write it as \\u0009" },
	{ "[\"a", "t:1:2: this string does not end" },
	{ "[\"\\x\"]", "t:1:3: unknown escape" },
	{ "[\"\\u00g0\"]", "t:1:3: unknown escape" },
	{ "[\"a\\u0000\"]", "t:1:4: \\u0000 cannot stand" },
	{ "[\"\\ud800x\"]", "t:1:3: half of a surrogate pair" },
	{ "[\"\\udc80\"]", "t:1:3: half of a surrogate pair" },
	{ "[\"\\udc00\"]", "t:1:3: half of a surrogate pair" },
	{ "[1] /* no */", "t:1:5: text after the end" },
	{ "{\"a\": tru}", "t:1:7: found 't'" },
	{ "\xef\xbb\xbf{}", "t:1:1: found byte 0xef" },
};

START_TEST(test_refused)
{
	struct err e = { 0 };
	struct json_doc *d = NULL;
	const char *text = refused[_i].text;
	ck_assert_int_eq(json_parse(&d, "t", text, strlen(text), &e), -1);
	ck_assert_ptr_null(d);
	ck_assert_msg(strncmp(e.why, refused[_i].why, strlen(refused[_i].why)) == 0, "%s", e.why);
	ck_assert_int_eq(e.exit, EXIT_BAD_SCENARIO);
}
END_TEST

START_TEST(test_embedded_nul_is_refused)
{
	struct err e = { 0 };
	struct json_doc *d = NULL;
	ck_assert_int_eq(json_parse(&d, "t", "[1]\0[2]", 7, &e), -1);
	ck_assert_str_eq(e.why, "t:1:4: text after the end of the value; remove it");
}
END_TEST

static void nest(struct buf *b, int depth)
{
	for (int i = 0; i < depth; i++)
		buf_putc(b, '[');
	for (int i = 0; i < depth; i++)
		buf_putc(b, ']');
}

START_TEST(test_depth_and_size)
{
	struct buf b = { 0 };
	struct err e = { 0 };
	struct json_doc *d = NULL;
	nest(&b, JSON_DEPTH_MAX);
	MUST(json_parse(&d, "t", b.data, b.len, &e));
	json_doc_free(d);
	buf_clear(&b);
	nest(&b, JSON_DEPTH_MAX + 1);
	ck_assert_int_eq(json_parse(&d, "t", b.data, b.len, &e), -1);
	ck_assert_str_eq(e.why, "t:1:65: nested deeper than 64 levels");
	err_clear(&e);
	buf_clear(&b);
	while (b.len <= JSON_TEXT_MAX)
		buf_puts(&b, "                                                                ");
	ck_assert_int_eq(json_parse(&d, "t", b.data, b.len, &e), -1);
	ck_assert_str_eq(e.why, "t: 4194368 bytes, more than the 4194304 allowed");
	buf_free(&b);
}
END_TEST

/* What buf_json() writes for a file name that is not UTF-8 comes back byte for byte. */
START_TEST(test_bytes_survive)
{
	struct buf b = { 0 };
	char name[256];
	for (int i = 1; i < 256; i++)
		name[i - 1] = (char)i;
	name[255] = '\0';
	buf_puts(&b, "{\"k\": ");
	buf_json(&b, name);
	buf_puts(&b, ", \"after\": 1}");
	struct json_doc *d = parse(buf_str(&b));
	ck_assert_str_eq(json_get_string(json_root(d), "k", ""), name);
	/* Positions are those of the text as written. */
	struct json_pos p = json_key_pos(d, json_get(json_root(d), "after"));
	ck_assert_ptr_eq(strstr(b.data, "\"after\""), b.data + p.column - 1);
	json_doc_free(d);
	buf_free(&b);
}
END_TEST

static const struct {
	const char *word, *nearest;
} words[] = {
	{ "tiemout", "timeout" }, { "timeuot", "timeout" },
	{ "Timeout", "timeout" }, { "timeouts", "timeout" },
	{ "xyz", NULL },          { "expct", "expect" },
	{ "evxxy", NULL },        { "", NULL },
	{ "evrey", "every" },     { "ex", NULL },
};

START_TEST(test_nearest)
{
	static const char *const names[] = { "expect", "timeout", "every" };
	const char *got = json_nearest(words[_i].word, names, 3);
	if (words[_i].nearest == NULL)
		ck_assert_ptr_null(got);
	else
		ck_assert_str_eq(got, words[_i].nearest);
}
END_TEST

START_TEST(test_errors_have_positions)
{
	struct err e = { 0 };
	struct json_doc *d = parse("{\n \"a\": 5 }");
	const struct json *a = json_get(json_root(d), "a");
	ck_assert_int_eq(json_err(&e, d, a, "is %d", 5), -1);
	ck_assert_str_eq(e.why, "t:2:7: is 5");
	err_clear(&e);
	ck_assert_int_eq(json_key_err(&e, d, a, "is %s", "a"), -1);
	ck_assert_str_eq(e.why, "t:2:2: is a");
	ck_assert_int_eq(e.exit, EXIT_BAD_SCENARIO);
	json_doc_free(d);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))
Suite *suite_json(void);
Suite *suite_json(void)
{
	Suite *s = suite_create("json");
	TCase *t = tcase_create("json");
	tcase_add_test(t, test_values);
	tcase_add_loop_test(t, test_integers, 0, COUNT(integers));
	tcase_add_test(t, test_comments_keep_positions);
	tcase_add_loop_test(t, test_refused, 0, COUNT(refused));
	tcase_add_test(t, test_embedded_nul_is_refused);
	tcase_add_test(t, test_depth_and_size);
	tcase_add_test(t, test_bytes_survive);
	tcase_add_loop_test(t, test_nearest, 0, COUNT(words));
	tcase_add_test(t, test_errors_have_positions);
	suite_add_tcase(s, t);
	return s;
}
