/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/mutate.h"
#include "harness/model/state.h"
#include "tests/unit/runner.h"

static const struct {
	const char *pattern, *path;
	bool match;
} match_rows[] = {
	{ "/a", "/a", true },
	{ "/a", "/ab", false },
	{ "/ab", "/a", false },
	{ "/a/*", "/a/b", true },
	{ "/a/*", "/a/b/c", false },
	{ "/a/*", "/a/", true },
	{ "/*/c", "/a/c", true },
	{ "/*/c", "/a/b/c", false },
	{ "/a/**", "/a/b", true },
	{ "/a/**", "/a/b/c", true },
	{ "/a/**", "/a", false },
	{ "/a/**", "/ab/c", false },
	{ "/a/**/d", "/a/d", true },
	{ "/a/**/d", "/a/b/d", true },
	{ "/a/**/d", "/a/b/c/d", true },
	{ "/a/**/d", "/a/bd", false },
	{ "/a**d", "/a/b/d", true },
	{ "/a**d", "/ad", true },
	{ "/a?c", "/abc", true },
	{ "/a?c", "/a/c", false },
	{ "/a?", "/a", false },
	{ "/*.bin", "/x.bin", true },
	{ "/*.bin", "/x.bin.old", false },
	{ "/*a*b*c", "/1a2b3c", true },
	{ "/*a*b*c", "/1a2b3/c", false },
	{ "/**/x*y/**/z", "/q/xay/z", true },
	{ "/**/x*y/**/z", "/q/xa/xby/c/z", true },
	{ "/**/x*y/**/z", "/q/xa/by/c/z", false },
	{ "**", "/", true },
	{ "**/*.pyc", "/usr/lib/a.pyc", true },
	{ "", "", true },
	{ "", "/a", false },
	{ "/caf\xe9*", "/caf\xe9.txt", true },
};

START_TEST(test_match)
{
	ck_assert_msg(state_path_match(match_rows[_i].pattern, match_rows[_i].path) ==
			      match_rows[_i].match,
		      "'%s' and '%s'", match_rows[_i].pattern, match_rows[_i].path);
}
END_TEST

/* Many stars against a text that never matches must not take for ever. */
START_TEST(test_match_is_fast)
{
	char path[400];
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (int i = 0; i < 1000; i++)
		ck_assert(!state_path_match("**a*a**a*a**a*a**a*a*b", path));
}
END_TEST

static struct state_text text_of(const char *s)
{
	return (struct state_text){ .data = s, .len = strlen(s) };
}

static struct changes diff(struct arena *a, const char *before, const char *after)
{
	struct err e = { 0 };
	struct changes c = { 0 };
	MUST(state_diff(a, "web", text_of(before), text_of(after), &c, &e));
	return c;
}

#define FILE_LINE(key, rest) "{\"kind\":\"file\",\"key\":\"" key "\",\"type\":\"file\"" rest "}\n"

START_TEST(test_diff)
{
	struct arena *a = arena_create();
	struct changes c = diff(
		a,
		FILE_LINE("/a", "") FILE_LINE("/b", ",\"mode\":\"0644\",\"size\":3")
			FILE_LINE("/c", ",\"@owner\":\"old\"") FILE_LINE(
				"/d", ",\"uid\":0") "{\"kind\":\"package\",\"key\":\"nginx:amd64\","
						    "\"version\":\"1\"}\n",
		FILE_LINE("/a", "") FILE_LINE("/a b", ",\"size\":-1") FILE_LINE(
			"/b", ",\"mode\":\"0600\",\"size\":3") FILE_LINE("/c",
									 ",\"@owner\":\"new\"")
			FILE_LINE("/d",
				  ",\"uid\":0,\"xattr:user.x\":\"1\"") "{\"kind\":\"listen\","
								       "\"key\":\"tcp "
								       "0.0.0.0:80\",\"n\":1}\n");
	ck_assert_uint_eq(c.count, 5);
	ck_assert_str_eq(c.items[0].key, "/a b");
	ck_assert_int_eq(c.items[0].what, CHANGE_ADDED);
	ck_assert_str_eq(c.items[0].attrs[1].after, "-1");
	ck_assert_ptr_null(c.items[0].attrs[1].before);
	ck_assert_str_eq(c.items[1].key, "/b");
	ck_assert_uint_eq(c.items[1].attr_count, 1);
	ck_assert_str_eq(c.items[1].attrs[0].name, "mode");
	ck_assert_str_eq(c.items[1].attrs[0].before, "0644");
	ck_assert_str_eq(c.items[1].attrs[0].after, "0600");
	ck_assert_str_eq(c.items[2].key, "/d");
	ck_assert_uint_eq(c.items[2].attr_count, 1);
	ck_assert_str_eq(c.items[2].attrs[0].name, "xattr:user.x");
	ck_assert_ptr_null(c.items[2].attrs[0].before);
	ck_assert_int_eq(c.items[3].kind, STATE_PACKAGE);
	ck_assert_int_eq(c.items[3].what, CHANGE_REMOVED);
	ck_assert_int_eq(c.items[4].kind, STATE_LISTEN);
	ck_assert_int_eq(c.items[4].what, CHANGE_ADDED);
	arena_destroy(a);
}
END_TEST

/* A name of every byte that a path may hold, written and read back; order is of raw bytes. */
START_TEST(test_round_trip)
{
	static const char *const names[] = {
		"/\x01\x7f\n\t\"\\", "/a/b",          "/caf\xe9",  "/caf\xc3\xa9",
		"/\xf4\x8f\xbf\xa9", "/\xed\xb2\x80", "/\xff\xfe",
	};
	struct arena *a = arena_create();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct buf b GUARD_BUF = { 0 };
		state_line_begin(&b, STATE_FILE, names[i]);
		state_line_str(&b, "target", names[i]);
		state_line_int(&b, "size", INT64_MIN);
		state_line_end(&b);
		struct changes c = diff(a, "", buf_str(&b));
		ck_assert_uint_eq(c.count, 1);
		ck_assert_str_eq(c.items[0].key, names[i]);
		ck_assert_str_eq(c.items[0].attrs[0].after, names[i]);
		ck_assert_str_eq(c.items[0].attrs[1].after, "-9223372036854775808");
	}
	/* "/z" < "/\xe9" by bytes, though its literal, a backslash, sorts before 'z'. */
	struct buf z GUARD_BUF = { 0 }, both GUARD_BUF = { 0 };
	state_line_begin(&z, STATE_FILE, "/z");
	state_line_end(&z);
	buf_puts(&both, buf_str(&z));
	state_line_begin(&both, STATE_FILE, "/\xe9");
	state_line_end(&both);
	struct changes c = diff(a, buf_str(&z), buf_str(&both));
	ck_assert_uint_eq(c.count, 1);
	ck_assert_str_eq(c.items[0].key, "/\xe9");
	ck_assert_int_lt(state_order(STATE_FILE, "/z", STATE_FILE, "/\xe9"), 0);
	ck_assert_int_lt(state_order(STATE_FILE, "/z", STATE_PACKAGE, "/a"), 0);
	arena_destroy(a);
}
END_TEST

static const char *const bad_texts[] = {
	FILE_LINE("/b", "") FILE_LINE("/a", ""),
	FILE_LINE("/b", "") FILE_LINE("/b", ""),
	"{\"kind\":\"package\",\"key\":\"a\"}\n" FILE_LINE("/a", ""),
	"nonsense\n",
	"{\"kind\":\"tree\",\"key\":\"/a\"}\n",
	"{\"kind\":\"file\"}\n",
	"{\"kind\":\"file\",\"key\":\"/a\"\n",
	"{\"kind\":\"file\",\"key\":\"/a\",\"mode\":true}\n",
	"{\"kind\":\"file\",\"key\":\"/a\\udc80\"}\n",
	"{\"kind\":\"file\",\"key\":\"/a\\u0000\"}\n",
	"{\"kind\":\"file\",\"key\":\"/a\\",
	"{\"kind\":\"file\",\"key\":\"/a\"} \n",
	"\n",
	FILE_LINE("/a\x01", ""),
};

START_TEST(test_malformed)
{
	struct arena *a = arena_create();
	struct changes c = { 0 };
	struct err e = { 0 }, f = { 0 }, g = { 0 };
	ck_assert_int_eq(state_diff(a, "web", text_of(""), text_of(bad_texts[_i]), &c, &e), -1);
	ck_assert_int_eq(e.exit, EXIT_HARNESS);
	ck_assert_ptr_nonnull(strstr(e.why, "'web'"));
	ck_assert_int_eq(state_diff(a, "web", text_of(bad_texts[_i]), text_of(""), &c, &f), -1);
	ck_assert_int_eq(state_diff(a, "web", (struct state_text){ 0 }, text_of(""), &c, &g), -1);
	arena_destroy(a);
}
END_TEST

struct mask_case {
	const char *before, *after;
	int compare;           /* of an ignore row for all of /var/x, or -1 for the mask alone */
	const char *hidden_by; /* NULL: visible */
};
static const struct mask_case mask_cases[] = {
	{ "", FILE_LINE("/var/x/f", ""), COMPARE_NOTHING, "/var/x/**" },
	{ "", FILE_LINE("/var/y/f", ""), COMPARE_NOTHING, NULL },
	{ "", FILE_LINE("/var/x/f", ""), COMPARE_EXISTENCE, NULL },
	{ FILE_LINE("/var/x/f", ""), "", COMPARE_EXISTENCE, NULL },
	{ FILE_LINE("/var/x/f", ",\"uid\":0"), FILE_LINE("/var/x/f", ",\"uid\":1"),
	  COMPARE_EXISTENCE, "/var/x/**" },
	{ FILE_LINE("/var/x/f", ",\"uid\":0"), FILE_LINE("/var/x/f", ",\"uid\":1"), COMPARE_META,
	  NULL },
	{ FILE_LINE("/var/x/f", ",\"size\":0,\"xxh3\":\"1\""),
	  FILE_LINE("/var/x/f", ",\"size\":1,\"xxh3\":\"2\""), COMPARE_META, "/var/x/**" },
	{ FILE_LINE("/var/x/f", ",\"size\":0,\"mode\":\"0600\""),
	  FILE_LINE("/var/x/f", ",\"size\":1,\"mode\":\"0644\""), COMPARE_META, NULL },
	{ "", "{\"kind\":\"process\",\"key\":\"/var/x/f\",\"n\":1}\n", COMPARE_NOTHING, NULL },
	{ "", "{\"kind\":\"mount\",\"key\":\"/var/x/f\"}\n", COMPARE_NOTHING, NULL },
	{ FILE_LINE("/var/lib/dpkg/status-old", ",\"size\":1"),
	  FILE_LINE("/var/lib/dpkg/status-old", ",\"size\":2"), -1, "debian-apt" },
	{ FILE_LINE("/var/lib/dpkg/status-old", ",\"mode\":\"0644\""),
	  FILE_LINE("/var/lib/dpkg/status-old", ",\"mode\":\"0600\""), -1, NULL },
	{ FILE_LINE("/var/lib/dpkg/status-old", ""), "", -1, NULL },
	{ FILE_LINE("/var/lib/dpkg/status", ",\"size\":1"),
	  FILE_LINE("/var/lib/dpkg/status", ",\"size\":2"), -1, NULL },
	{ "", FILE_LINE("/var/lib/dpkg/updates/0001", ""), -1, NULL },
	{ "", FILE_LINE("/usr/sbin/nginx.dpkg-new", ""), -1, NULL },
	{ "", FILE_LINE("/var/cache/apt/archives/nginx_1_amd64.deb", ""), -1, "debian-apt" },
	{ "", FILE_LINE("/var/lib/apt/lists/auxfiles", ""), -1, "debian-apt" },
	{ "", FILE_LINE("/var/lib/apt/lists/auxfiles/x", ""), -1, NULL },
	{ "", FILE_LINE("/var/lib/apt/lists/10.0.0.2_._Packages", ""), -1, "debian-apt" },
	{ "", FILE_LINE("/var/lib/apt/lists/lock", ""), -1, NULL },
	{ "", FILE_LINE("/var/lib/apt/extended_states", ""), -1, NULL },
	{ FILE_LINE("/run/systemd/units/invocation:a.service", ",\"target\":\"1\""),
	  FILE_LINE("/run/systemd/units/invocation:a.service", ",\"target\":\"2\""), -1,
	  "systemd" },
	{ "", FILE_LINE("/run/systemd/units/invocation:a.service", ""), -1, NULL },
	{ "", FILE_LINE("/run/systemd/journal/streams/9:1", ""), -1, "systemd" },
	{ "", FILE_LINE("/var/log/journal/1/system@2.journal~", ""), -1, "systemd" },
	{ "", FILE_LINE("/var/log/journal/1/x/y.journal", ""), -1, NULL },
	{ "", FILE_LINE("/tmp/systemd-private-1-a.service-2/tmp", ""), -1, "systemd" },
	{ "", FILE_LINE("/tmp/systemd-private-1-a.service-2/tmp/left", ""), -1, NULL },
	{ "", FILE_LINE("/run/systemd/generator/a.service", ""), -1, NULL },
	{ "", FILE_LINE("/etc/systemd/system/a.service.d/b.conf", ""), -1, NULL },
};

START_TEST(test_mask)
{
	const struct mask_case *m = &mask_cases[_i];
	struct ignore_plan ignore = { "/var/x/**", "a test", m->compare };
	const char *masks[] = { "debian-apt", "systemd", NULL };
	struct state_plan plan = { .masks = { masks, 2 } };
	struct arena *a = arena_create();
	if (m->compare >= 0)
		plan.ignore = (struct list){ &ignore, 1 };
	struct changes c = diff(a, m->before, m->after);
	ck_assert_uint_eq(c.count, 1);
	ck_assert_uint_eq(state_mask(&plan, &c), m->hidden_by == NULL ? 1 : 0);
	if (m->hidden_by == NULL) {
		ck_assert_ptr_null(c.items[0].hidden_by);
	} else {
		ck_assert_str_eq(c.items[0].hidden_by, m->hidden_by);
		ck_assert_ptr_nonnull(c.items[0].hidden_why);
	}
	arena_destroy(a);
}
END_TEST

START_TEST(test_mask_list)
{
	for (const struct mask *const *m = state_masks; *m != NULL; m++) {
		ck_assert_ptr_eq(state_mask_find((*m)->name), *m);
		ck_assert_uint_gt((*m)->row_count, 0);
		for (size_t i = 0; i < (*m)->row_count; i++) {
			ck_assert_int_eq((*m)->rows[i].path[0], '/');
			ck_assert_uint_gt(strlen((*m)->rows[i].why), 2);
		}
	}
	ck_assert_ptr_null(state_mask_find("none"));
}
END_TEST

START_TEST(test_noise)
{
	struct arena *a = arena_create();
	struct changes noise =
		diff(a,
		     FILE_LINE("/a", ",\"xxh3\":\"1\"") FILE_LINE("/b", ",\"xxh3\":\"1\"")
			     FILE_LINE("/c", ",\"xxh3\":\"1\"") FILE_LINE("/gone", ""),
		     FILE_LINE("/a", ",\"xxh3\":\"2\"") FILE_LINE("/b", ",\"xxh3\":\"2\"")
			     FILE_LINE("/c", ",\"xxh3\":\"2\""));
	struct changes c =
		diff(a,
		     FILE_LINE("/a", ",\"xxh3\":\"1\"") FILE_LINE("/b", ",\"xxh3\":\"1\",\"uid\":0")
			     FILE_LINE("/c", ",\"xxh3\":\"1\""),
		     FILE_LINE("/a", ",\"xxh3\":\"3\"") FILE_LINE("/b", ",\"xxh3\":\"3\",\"uid\":1")
			     FILE_LINE("/gone", "") FILE_LINE("/new", ""));
	ck_assert_uint_eq(c.count, 5);
	ck_assert_uint_eq(state_mask_noise(&noise, &c), 3);
	ck_assert_str_eq(c.items[0].hidden_by, "noise");
	ck_assert_ptr_null(c.items[1].hidden_by); /* /b: its owner differs as well */
	ck_assert_ptr_null(c.items[2].hidden_by); /* /c: gone, not different */
	ck_assert_str_eq(c.items[3].hidden_by, "noise");
	ck_assert_ptr_null(c.items[4].hidden_by);
	arena_destroy(a);
}
END_TEST

Suite *suite_state(void);
Suite *suite_state(void)
{
	Suite *s = suite_create("state");
	TCase *t = tcase_create("state");
	tcase_add_loop_test(t, test_match, 0, sizeof(match_rows) / sizeof(match_rows[0]));
	tcase_add_test(t, test_match_is_fast);
	tcase_add_test(t, test_diff);
	tcase_add_test(t, test_round_trip);
	tcase_add_loop_test(t, test_malformed, 0, sizeof(bad_texts) / sizeof(bad_texts[0]));
	tcase_add_loop_test(t, test_mask, 0, sizeof(mask_cases) / sizeof(mask_cases[0]));
	tcase_add_test(t, test_mask_list);
	tcase_add_test(t, test_noise);
	suite_add_tcase(s, t);
	return s;
}
