/* SPDX-License-Identifier: MIT */
/*
 * What every test file shares. A test file test_NAME.c defines `Suite *suite_NAME(void)`.
 * Tests that need root or a kernel feature say TEST_SKIP("why") and return: skips are counted,
 * printed, and turned into failures by BACKOUT_MUST_RUN=1.
 */
#ifndef TESTS_UNIT_RUNNER_H
#define TESTS_UNIT_RUNNER_H

#include <check.h>
#include <stdbool.h>
#include <unistd.h>

#define TEST_SKIP(why)                                                                             \
	do {                                                                                       \
		test_skip(__FILE__, __func__, (why));                                              \
		return;                                                                            \
	} while (0)
#define TEST_NEEDS_ROOT()                                                                          \
	do {                                                                                       \
		if (geteuid() != 0)                                                                \
			TEST_SKIP("needs root");                                                   \
	} while (0)
/* An `int` call with a trailing `struct err e` in scope: fails the test with the reason. */
#define MUST(call)                                                                                 \
	do {                                                                                       \
		if ((call) < 0)                                                                    \
			ck_abort_msg("%s: %s [%s]", #call, e.why, e.where ? e.where : "");         \
	} while (0)

void test_skip(const char *file, const char *test, const char *why);
/* Of each kind, NULL-terminated. */
struct suites {
	Suite *(*const *make)(void);
	const char *const *names;
};
/* Run the suites whose name matches argv (all without arguments; `--list` only names them); prints
 * "NAME: N passed, N failed, N skipped" and returns the exit code. With BACKOUT_COUNTS=FILE the
 * three numbers are appended there, with BACKOUT_SKIPS=FILE the lines of skipped tests. */
int test_main(const char *name, const struct suites *all, int argc, char **argv);
/* A new empty folder below the build's temporary folder, removed when the test binary ends.
 * On a real file system (overlay uppers live there). */
const char *test_dir(void);
/* A directory root with busybox (sh and friends in /bin), /etc/passwd: made once. */
const char *test_busybox_root(void);

#endif
