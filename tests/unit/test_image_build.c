/* SPDX-License-Identifier: MIT */
/* What a Debian image is built from, and by. Building one takes a network: tests/drill. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/io.h"
#include "harness/sandbox/image.h"
#include "harness/sandbox/image_internal.h"
#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"

struct heard {
	char all[4096];
};

static void hear(void *arg, const char *line)
{
	struct heard *h = arg;
	size_t len = strlen(h->all);
	(void)snprintf(h->all + len, sizeof(h->all) - len, "%s\n", line);
}

static void write_text(const char *dir, const char *name, const char *text)
{
	struct err e = { 0 };
	char path[600];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	MUST(io_write_file(AT_FDCWD, path, text, strlen(text), 0644, &e));
}

START_TEST(apt_sources)
{
	struct err e = { 0 };
	char dir[300], parts[330];
	(void)snprintf(dir, sizeof(dir), "%s", test_dir());
	(void)snprintf(parts, sizeof(parts), "%s/sources.list.d", dir);
	MUST(io_mkdirs(parts, 0755, &e));
	write_text(dir, "sources.list",
		   "# deb http://no.example/ trixie main\n"
		   "deb [arch=amd64,i386 signed-by=/k.gpg] http://a.example/d trixie main contrib "
		   "# x\n"
		   "deb-src http://a.example/d trixie main\n"
		   "deb http://a.example/d trixie-backports main\n"
		   "deb http://s.example/d trixie-security main\n");
	write_text(
		parts, "b.sources",
		"Types: deb deb-src\nURIs: http://b.example/\nSuites: sid\n trixie trixie-updates\n"
		"Components: main\n# a comment\nSigned-By:\n -----BEGIN\n .\n KEY\n\n"
		"Enabled: no\nTypes: deb\nURIs: http://c.example/\nSuites: trixie\nComponents: "
		"main\n\n"
		"Types: deb\nURIs: http://d.example/\nSuites: nodistro\nComponents: main\n");
	write_text(parts, "c.list.disabled", "deb http://e.example/ trixie main\n");
	GUARD_BUF struct buf out = { 0 };
	MUST(image_sources(dir, "trixie", &out, &e));
	ck_assert_str_eq(
		buf_str(&out),
		"Types: deb\nURIs: http://a.example/d\nSuites: trixie\nComponents: main contrib\n"
		"Architectures: amd64 i386\nSigned-By: /k.gpg\n\n"
		"Types: deb\nURIs: http://s.example/d\nSuites: trixie-security\n"
		"Components: main\n\n"
		"Types: deb\nSuites: trixie trixie-updates\nURIs: http://b.example/\n"
		"Components: main\nSigned-By:\n -----BEGIN\n .\n KEY\n\n");
	buf_clear(&out);
	ck_assert_int_eq(image_sources(dir, "woody", &out, &e), -1);
	ck_assert_int_eq(e.exit, EXIT_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(e.why, "offers the suite 'woody'"));
}
END_TEST

START_TEST(bad_recipes)
{
	TEST_NEEDS_ROOT();
	struct bench b;
	bench_open(&b);
	static const struct {
		const char *suite, *include, *why;
		int exit;
	} cases[] = {
		{ "--help", "", "is not the name of a Debian suite", EXIT_BAD_SCENARIO },
		{ "a b", "", "is not the name of a Debian suite", EXIT_BAD_SCENARIO },
		{ "bookworm", "-x", "is not the name of a package", EXIT_BAD_SCENARIO },
		{ "bookworm", "a,b", "is not the name of a package", EXIT_BAD_SCENARIO },
		{ "no-such-suite", "nginx", "no apt source of this host", EXIT_UNAVAILABLE },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = { 0 };
		struct image out = { 0 };
		ck_assert_int_eq(image_debian(b.owner, cases[i].suite, &cases[i].include, 1, NULL,
					      NULL, &out, &e),
				 -1);
		ck_assert_msg(strstr(e.why, cases[i].why) != NULL, "case %zu: %s", i, e.why);
		ck_assert_int_eq(e.exit, cases[i].exit);
	}
	struct err e = { 0 };
	struct image out = { 0 };
	ck_assert_int_eq(image_dir("/nonexistent", &out, &e), -1);
	ck_assert_int_eq(e.exit, EXIT_BAD_SCENARIO);
	err_clear(&e);
	ck_assert_int_eq(image_dir("/etc/passwd", &out, &e), -1);
	bench_close(&b);
}
END_TEST

/* The tool's own last words come back, its children end with it. */
START_TEST(tools)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct heard h = { 0 };
	const struct image_progress p = { hear, &h };
	const char *const good[] = { "sh", "-c", "cat; sleep 1000 >/dev/null & echo $$", NULL };
	MUST(job_tool(good, "one\ntwo\n", &p, &e));
	ck_assert_str_eq(h.all, "one\ntwo\n2\n");
	const char *const bad[] = { "sh", "-c", "echo a; echo E: no space >&2; exit 3", NULL };
	ck_assert_int_eq(job_tool(bad, NULL, &p, &e), -1);
	ck_assert_int_eq(e.exit, EXIT_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(e.why, "sh failed (exit 3): a\nE: no space"));
	err_clear(&e);
	const char *const absent[] = { "no-such-tool", NULL };
	ck_assert_int_eq(job_tool(absent, NULL, NULL, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.why, "no-such-tool: No such file"));
}
END_TEST

Suite *suite_image_build(void);
Suite *suite_image_build(void)
{
	Suite *s = suite_create("image_build");
	TCase *t = tcase_create("image_build");
	tcase_add_test(t, apt_sources);
	tcase_add_test(t, bad_recipes);
	tcase_add_test(t, tools);
	suite_add_tcase(s, t);
	return s;
}
