/* SPDX-License-Identifier: MIT */
#include "tests/unit/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/err.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/owner.h"

static char base_dir[256];
static char skip_file[300];

void test_skip(const char *file, const char *test, const char *why)
{
	const char *must = getenv("BACKOUT_MUST_RUN");
	if (must != NULL && strcmp(must, "1") == 0)
		ck_abort_msg("skipped although BACKOUT_MUST_RUN=1: %s", why);
	FILE *f = fopen(skip_file, "ae");
	if (f == NULL)
		ck_abort_msg("cannot count a skip: %s", strerror(errno));
	(void)fprintf(f, "skipped: %s %s: %s\n", file, test, why);
	(void)fclose(f);
}

const char *test_dir(void)
{
	static char dir[300];
	(void)snprintf(dir, sizeof(dir), "%s/t-XXXXXX", base_dir);
	if (mkdtemp(dir) == NULL)
		ck_abort_msg("mkdtemp %s: %s", dir, strerror(errno));
	return dir;
}

const char *test_busybox_root(void)
{
	static char root[300];
	char text[4096];
	(void)snprintf(root, sizeof(root), "%s/busybox", base_dir);
	if (access(root, F_OK) == 0)
		return root;
	(void)snprintf(text, sizeof(text),
		       "set -e; mkdir -p '%1$s.new'; cd '%1$s.new';"
		       " mkdir -p bin sbin usr/bin etc tmp run var/lib proc sys dev root srv;"
		       " cp /bin/busybox bin/busybox; for a in $(bin/busybox --list); do"
		       " [ $a = busybox ] || ln bin/busybox bin/$a; done;"
		       " echo root:x:0:0:root:/root:/bin/sh > etc/passwd;"
		       " echo nobody:x:65534:65534:n:/:/bin/sh >> etc/passwd;"
		       " echo root:x:0: > etc/group; mv '%1$s.new' '%1$s'",
		       root);
	if (system(text) != 0)
		ck_abort_msg("no busybox root: is busybox-static installed?");
	return root;
}

/* A test that failed half way may have left kernel objects, and only the owner's folder says
 * which: collected before the folder goes. */
static int collect_owners(const char *path, const struct stat *st, int type, struct FTW *f)
{
	struct err e = { 0 };
	(void)st;
	if (type != FTW_D || strcmp(path + f->base, "owners") != 0)
		return 0;
	GUARD(mem) char *state = mem_strdup(path);
	state[f->base - 1] = '\0';
	if (owner_collect(state, NULL, NULL, &e) < 0)
		(void)fprintf(stderr, "%s\n", e.why);
	return 0;
}

static unsigned count_skips(void)
{
	unsigned n = 0;
	char line[1024];
	FILE *f = fopen(skip_file, "re");
	if (f == NULL)
		return 0;
	const char *listed = getenv("BACKOUT_SKIPS");
	FILE *list = listed != NULL ? fopen(listed, "ae") : NULL;
	while (fgets(line, sizeof(line), f) != NULL) {
		n++;
		(void)fputs(line, stdout);
		if (list != NULL)
			(void)fputs(line, list);
	}
	(void)fclose(f);
	if (list != NULL)
		(void)fclose(list);
	return n;
}

int test_main(const char *name, const struct suites *all, int argc, char **argv)
{
	const char *tmp = getenv("BACKOUT_TEST_TMP");
	Suite *(*const *suites)(void) = all->make;
	const char *const *names = all->names;
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (size_t i = 0; names[i] != NULL; i++)
			(void)printf("%s\n", names[i]);
		return 0;
	}
	(void)snprintf(base_dir, sizeof(base_dir), "%s/backout-tests-XXXXXX",
		       tmp != NULL ? tmp : "/var/tmp");
	if (mkdtemp(base_dir) == NULL) {
		(void)fprintf(stderr, "%s: %s\n", base_dir, strerror(errno));
		return 2;
	}
	(void)snprintf(skip_file, sizeof(skip_file), "%s/skips", base_dir);

	SRunner *runner = srunner_create(NULL);
	for (size_t i = 0; suites[i] != NULL; i++) {
		Suite *s = suites[i]();
		srunner_add_suite(runner, s);
	}
	/* Names on the command line choose suites; Check does the same by CK_RUN_SUITE. */
	if (argc == 2)
		(void)setenv("CK_RUN_SUITE", argv[1], 1);
	srunner_run_all(runner, CK_ENV);
	int ran = srunner_ntests_run(runner);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);

	int skipped = (int)count_skips();
	struct err e = { 0 };
	(void)nftw(base_dir, collect_owners, 16, FTW_PHYS | FTW_MOUNT);
	if (io_remove_tree(AT_FDCWD, base_dir, &e) < 0)
		(void)fprintf(stderr, "%s\n", e.why);
	(void)printf("%s: %d passed, %d failed, %d skipped\n", name, ran - failed - skipped, failed,
		     skipped);
	const char *counts = getenv("BACKOUT_COUNTS");
	FILE *f = counts != NULL ? fopen(counts, "ae") : NULL;
	if (f != NULL) {
		(void)fprintf(f, "%d %d %d\n", ran - failed - skipped, failed, skipped);
		(void)fclose(f);
	}
	return failed == 0 && ran > 0 ? 0 : 1;
}
