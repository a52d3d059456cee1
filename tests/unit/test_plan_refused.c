/* SPDX-License-Identifier: MIT */
/* Scenarios that are refused, one file each, with the exact message beside it. The real kinds
 * must refuse them in the same words: nothing in these files depends on how many there are. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/model/plan.h"
#include "tests/unit/fake_catalog.h"
#include "tests/unit/runner.h"

#define REFUSED_DIR "tests/refused"
enum { REFUSED_MIN = 90, TEXT_MAX = 1 << 20 };

/* The message with the files' base names: without the folder in front of them. */
static void strip_folder(char *text)
{
	const size_t len = strlen(REFUSED_DIR "/");
	for (char *p; (p = strstr(text, REFUSED_DIR "/")) != NULL;)
		memmove(p, p + len, strlen(p + len) + 1);
}

static void check_refused(const char *name)
{
	struct err e = { 0 };
	struct plan_doc *d = NULL;
	struct buf expected = { 0 };
	char path[600];
	(void)snprintf(path, sizeof(path), REFUSED_DIR "/%s.expected", name);
	MUST(io_read_file(AT_FDCWD, path, TEXT_MAX, &expected, &e));
	(void)snprintf(path, sizeof(path), REFUSED_DIR "/%s.json", name);
	ck_assert_msg(plan_load(&d, path, &fake_catalog, NULL, &e) == -1, "%s was taken", path);
	strip_folder(e.why);
	char *line = mem_printf("%s\n", e.why);
	ck_assert_str_eq(line, buf_str(&expected));
	free(line);
	ck_assert_int_eq(e.exit, EXIT_BAD_SCENARIO);
	buf_free(&expected);
}

START_TEST(test_refused)
{
	unsigned count = 0, files = 0;
	DIR *dir = opendir(REFUSED_DIR);
	ck_assert_ptr_nonnull(dir);
	for (struct dirent *f; (f = readdir(dir)) != NULL;) {
		char *dot = strrchr(f->d_name, '.');
		files += dot != NULL && strcmp(dot, ".json") == 0;
		if (dot == NULL || strcmp(dot, ".expected") != 0)
			continue;
		*dot = '\0';
		check_refused(f->d_name);
		count++;
	}
	(void)closedir(dir);
	ck_assert_uint_ge(count, REFUSED_MIN);
	ck_assert_uint_eq(files + 1, count); /* one is a file that does not exist */
}
END_TEST

Suite *suite_plan_refused(void);
Suite *suite_plan_refused(void)
{
	Suite *s = suite_create("plan_refused");
	TCase *t = tcase_create("plan_refused");
	tcase_add_test(t, test_refused);
	suite_add_tcase(s, t);
	return s;
}
