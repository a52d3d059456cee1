/* SPDX-License-Identifier: MIT */
/* Drills repeated from their run folder: the same again, wherever the folder lies and whatever has
 * become of the scenario; and what is said when they cannot be. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "tests/drill/program.h"
#include "tests/drill/toy.h"
#include "tests/unit/runner.h"

#define POWER "tests/drill/scenarios/power.json"

static const struct {
	const char *fault, *slug, *rollback, *outcome;
	int exit;
} cases[] = {
	{ "killed at mv", "killed-at-mv", "nothing", "residue", 1 },
	{ "killed at sleep", "killed-at-sleep", "good", "harmless", 2 },
	{ "never there", "never-there", "good", "not_reached", 2 },
	{ "rollback killed", "rollback-killed", "good", "stuck", 1 },
};

/* Once more; `drill` NULL: the first that failed, or the only one. */
static void replays(const struct toy *t, const char *run, const char *drill, int exit,
		    const char *says)
{
	struct program p;
	if (drill != NULL)
		PROGRAM(&p, "replay", run, drill, "--state", t->state, "--runs", t->runs);
	else
		PROGRAM(&p, "replay", run, "--state", t->state, "--runs", t->runs);
	program_expect(&p, exit, says);
	program_free(&p);
}

/* An empty cache of images. */
static void drop_images(const struct toy *t)
{
	struct err e = { 0 };
	GUARD(mem) char *images = mem_printf("%s/images", t->state);
	MUST(io_remove_tree(AT_FDCWD, images, &e));
}

START_TEST(same_again)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	toy_record(&t, TOY, cases[_i].fault, cases[_i].rollback);
	GUARD(mem) char *same = mem_printf("same as recorded: %s\n", cases[_i].outcome);
	GUARD(mem) char *label = mem_printf("drills/%s", cases[_i].slug);
	const char *const names[] = { label, cases[_i].fault };
	for (size_t i = 0; i < 2; i++)
		replays(&t, t.run, names[i], cases[_i].exit, same);
	/* Its own folder has all that a run folder has: the seed, controls, a fault to repeat. */
	replays(&t, "last", cases[_i].slug, cases[_i].exit, same);
	PROGRAM(&p, "report", "last", "--runs", t.runs, "--format", "json");
	struct json_doc *report = program_json(&p);
	ck_assert_uint_eq(json_size(json_get(json_root(report), "controls")), 2);
	ck_assert_str_eq(json_get_string(report_drill(report, cases[_i].fault), "outcome", "?"),
			 cases[_i].outcome);
	json_doc_free(report);
	program_free(&p);
}
END_TEST

START_TEST(ten_times)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	toy_record(&t, TOY, "killed at mv", "good");
	PROGRAM(&p, "replay", t.run, "--times", "10", "--state", t.state, "--runs", t.runs);
	program_expect(&p, 0, "10 of 10 the same as recorded: restored\n");
	program_expect(&p, 0, "replay 10 of 10: same as recorded: restored\n");
	program_free(&p);
	/* Each left a folder, and each of these its seed. */
	unsigned runs = 0;
	GUARD(dir) DIR *d = opendir(t.runs);
	for (struct dirent *de; (de = readdir(d)) != NULL;) {
		GUARD_BUF struct buf text = { 0 };
		struct err e = { 0 };
		GUARD(mem) char *path = mem_printf("%s/%s/run.json", t.runs, de->d_name);
		if (de->d_name[0] == '.')
			continue;
		runs++;
		MUST(io_read_file(AT_FDCWD, path, 1 << 20, &text, &e));
		ck_assert_ptr_nonnull(strstr(buf_str(&text), "\"seed\":\"abc\""));
	}
	ck_assert_uint_eq(runs, 11);
}
END_TEST

START_TEST(folder_elsewhere)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	toy_record(&t, TOY, "killed at mv", "nothing");
	GUARD(mem) char *moved = mem_printf("%s/kept", test_dir());
	ck_assert_int_eq(rename(t.run, moved), 0);
	replays(&t, moved, NULL, 1, "same as recorded: residue\n");
}
END_TEST

/* Without its knock-out the recorded drill proves nothing; the replay makes one of its own. */
START_TEST(different)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	struct err e = { 0 };
	toy_record(&t, TOY, "killed at mv", "good");
	GUARD(mem) char *knockouts = mem_printf("%s/knockouts", t.run);
	MUST(io_remove_tree(AT_FDCWD, knockouts, &e));
	replays(&t, t.run, "killed-at-mv", 2, "DIFFERENT: recorded unproven, now restored");
	PROGRAM(&p, "replay", t.run, "--times", "2", "--state", t.state, "--runs", t.runs);
	program_expect(&p, 2, "0 of 2 the same as recorded: unproven; DIFFERENT: 2 restored\n");
	program_free(&p);
}
END_TEST

/* A fault that no scenario lists is known by what its drill's folder says. */
START_TEST(fault_of_the_folder)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	struct err e = { 0 };
	GUARD_BUF struct buf text = { 0 };
	toy_record(&t, TOY, "killed at mv", "nothing");
	GUARD(mem) char *scenario = mem_printf("%s/scenario.json", t.run);
	MUST(io_read_file(AT_FDCWD, scenario, 1 << 20, &text, &e));
	char *faults = strstr(buf_str(&text), "\"faults\": ");
	ck_assert_ptr_nonnull(faults);
	*faults = '\0';
	GUARD(mem) char *without = mem_printf("%s\"faults\": [] }\n", buf_str(&text));
	MUST(io_write_file(AT_FDCWD, scenario, without, strlen(without), 0644, &e));
	PROGRAM(&p, "show", t.run, "--runs", t.runs);
	program_expect(&p, 0,
		       "drills/killed-at-mv                       residue        killed at mv\n");
	program_free(&p);
	replays(&t, t.run, NULL, 1, "same as recorded: residue\n");
	/* And once more from the replay's own folder. */
	replays(&t, "last", "killed at mv", 1, "same as recorded: residue\n");
}
END_TEST

START_TEST(first_that_failed)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	toy_set_up(&t);
	PROGRAM(&p, "run", TOY, "--state", t.state, "--runs", t.runs, "--var", t.root);
	program_expect(&p, 1, "again     backout replay ");
	program_free(&p);
	toy_find_run(&t);
	PROGRAM(&p, "replay", t.run, "--state", t.state, "--runs", t.runs);
	program_expect(&p, 1, "same as recorded: drifted\n");
	program_expect(&p, 1, "drills/second-cp-killed\n");
	program_free(&p);
	PROGRAM(&p, "replay", t.run, "killed at vm", "--state", t.state, "--runs", t.runs);
	program_expect(&p, 64, "no drill 'killed at vm' in this run; see `backout show ");
	program_free(&p);
}
END_TEST

/* A drill that is restored, over a root that the test may change: that folder. */
static char *record_own_root(struct toy *t)
{
	struct program p;
	char *root = mem_printf("%s/root", test_dir());
	toy_set_up(t);
	GUARD(mem) char *copy = mem_printf("cp -a '%s' '%s'", strchr(t->root, '=') + 1, root);
	ck_assert_int_eq(system(copy), 0);
	(void)snprintf(t->root, sizeof(t->root), "root=%s", root);
	PROGRAM(&p, "run", TOY, "--state", t->state, "--runs", t->runs, "--var", t->root, "--fault",
		"killed at mv");
	program_expect(&p, 0, "restored");
	program_free(&p);
	toy_find_run(t);
	return root;
}

/* The root's folder is the test's own: it is changed, then removed. */
START_TEST(image_is_gone)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct err e = { 0 };
	GUARD(mem) char *root = record_own_root(&t);
	drop_images(&t);
	GUARD(mem) char *extra = mem_printf("%s/etc/extra", root);
	MUST(io_write_file(AT_FDCWD, extra, "x", 1, 0644, &e));
	replays(&t, "last", NULL, 69, "is not in the cache, and what was built anew has content ");
	drop_images(&t);
	MUST(io_remove_tree(AT_FDCWD, root, &e));
	replays(&t, "last", NULL, 69, "is not in the cache and cannot be built again");
}
END_TEST

/* Files alone make the same image on another day; `run` has made it a moment ago. */
START_TEST(image_built_anew)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	toy_record(&t, TOY, "killed at mv", "good");
	drop_images(&t);
	replays(&t, t.run, NULL, 0, "same as recorded: restored\n");
}
END_TEST

/* A set-up command may write what it likes: the message says where to look. */
START_TEST(setup_differs)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	toy_record(&t, POWER, "no room", NULL);
	drop_images(&t);
	replays(&t, t.run, NULL, 69, "its set-up commands may write something else each time");
}
END_TEST

static const struct {
	const char *fault, *slug, *same;
	int exit;
} cuts[] = {
	{ "cut behind the lucky edit", "cut-behind-the-lucky-edit",
	  "10 of 10 the same as recorded: degraded\n", 2 },
	{ "cut behind the careful edit", "cut-behind-the-careful-edit",
	  "10 of 10 the same as recorded: restored\n", 0 },
};

/* The node's disk comes from the cache, and from a bundle where there is none. */
START_TEST(power_cut_ten_times)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	struct err e = { 0 };
	toy_record(&t, POWER, cuts[_i].fault, NULL);
	GUARD(mem) char *file = mem_printf("%s/drill.tar.zst", test_dir());
	PROGRAM(&p, "bundle", t.run, cuts[_i].slug, "-o", file, "--state", t.state);
	program_expect(&p, 0, file);
	program_free(&p);
	MUST(io_remove_tree(AT_FDCWD, t.state, &e));
	PROGRAM(&p, "replay", file, "--times", "10", "--state", t.state, "--runs", t.runs);
	program_expect(&p, cuts[_i].exit, cuts[_i].same);
	program_free(&p);
	replays(&t, t.run, cuts[_i].slug, cuts[_i].exit, "same as recorded: ");
	GUARD(mem)
	char *one = mem_printf("test $(ls '%s'/images/ | grep -c 'ext4$') = 1 && "
			       "test $(du -sm '%s'/images | cut -f1) -lt 32",
			       t.state, t.state);
	ck_assert_msg(system(one) == 0, "the disk is not there, or has lost its holes");
}
END_TEST

/* A bundle is all that a replay needs: no run folder, no source of the root, an empty cache. */
START_TEST(bundle_elsewhere)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	struct err e = { 0 };
	GUARD(mem) char *root = record_own_root(&t);
	GUARD(mem) char *file = mem_printf("%s/drill.tar.zst", test_dir());
	GUARD(mem) char *small = mem_printf("%s/small.tar.zst", test_dir());
	PROGRAM(&p, "bundle", t.run, "killed-at-mv", "-o", file, "--state", t.state);
	program_expect(&p, 0, file);
	program_free(&p);
	PROGRAM(&p, "bundle", t.run, "killed-at-mv", "--output", small, "--without-images",
		"--state", t.state);
	program_expect(&p, 0, "is left out");
	program_free(&p);
	MUST(io_remove_tree(AT_FDCWD, root, &e));
	MUST(io_remove_tree(AT_FDCWD, t.runs, &e));
	MUST(io_remove_tree(AT_FDCWD, t.state, &e));
	replays(&t, small, NULL, 69, "is not in the cache");
	PROGRAM(&p, "replay", file, "--times", "2", "--state", t.state, "--runs", t.runs);
	program_expect(&p, 0, "2 of 2 the same as recorded: restored\n");
	program_free(&p);
	/* Now the image is there. */
	replays(&t, small, NULL, 0, "same as recorded: restored\n");
	/* What was unpacked is gone. */
	GUARD(mem) char *left = mem_printf("ls -d '%s'/owners/backout-* 2>/dev/null", t.state);
	ck_assert_int_ne(system(left), 0);
}
END_TEST

Suite *suite_replay(void)
{
	Suite *s = suite_create("replay");
	TCase *c = tcase_create("replay");
	tcase_set_timeout(c, 180);
	tcase_add_loop_test(c, same_again, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(c, ten_times);
	tcase_add_test(c, folder_elsewhere);
	tcase_add_test(c, different);
	tcase_add_test(c, fault_of_the_folder);
	tcase_add_test(c, first_that_failed);
	tcase_add_test(c, image_is_gone);
	tcase_add_test(c, image_built_anew);
	tcase_add_test(c, setup_differs);
	tcase_add_loop_test(c, power_cut_ten_times, 0, (int)(sizeof(cuts) / sizeof(cuts[0])));
	tcase_add_test(c, bundle_elsewhere);
	suite_add_tcase(s, c);
	return s;
}
