/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/capture.h"
#include "harness/sandbox/upper.h"
#include "tests/unit/capture_fixture.h"
#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"
#include "tests/unit/world_fixture.h"

static struct node *boot(struct bench *b, enum node_root kind, const char *root, const char *from)
{
	struct err e = { 0 };
	struct node *n = NULL;
	const struct node_spec spec = { .name = "n",
					.root_kind = kind,
					.root_path = root,
					.may_mount = true,
					.work_dir = bench_work(b),
					.from = from };
	MUST(node_create(&n, b->loop, b->owner, &spec, &e));
	return n;
}

static struct node *open_node(struct bench *b, const char *root)
{
	bench_open(b);
	return boot(b, NODE_ROOT_DIR, root, NULL);
}

static const char *copy_of(struct bench *b, const struct node *n)
{
	static char path[600];
	struct err e = { 0 };
	(void)snprintf(path, sizeof(path), "%s-copy", bench_work(b));
	ck_assert_int_eq(mkdir(path, 0700), 0);
	MUST(upper_copy(n, path, &e));
	return path;
}

static void same_state(struct node *a, struct node *b, const char *what)
{
	struct taken one, two;
	GUARD_BUF struct buf diff = { 0 };
	capture_take(a, NULL, &one);
	capture_take(b, NULL, &two);
	capture_lines_without(buf_str(&one.text), buf_str(&two.text), '-', &diff);
	capture_lines_without(buf_str(&two.text), buf_str(&one.text), '+', &diff);
	ck_assert_msg(diff.len == 0, "%s:\n%.2000s", what, buf_str(&diff));
	ck_assert_str_eq(one.result.digest, two.result.digest);
	buf_free(&one.text);
	buf_free(&two.text);
}

static void branch_is_same(struct bench *b, enum node_root kind, const char *root,
			   const char *script)
{
	struct err e = { 0 };
	char one[HASH_TEXT], two[HASH_TEXT];
	struct node *n = boot(b, kind, root, NULL);
	struct upper_cache *c1 = upper_cache_create(), *c2 = upper_cache_create();
	ck_assert_msg(bench_sh(n, script, NULL) == 0, "%s", script);
	struct node *branch = boot(b, kind, root, copy_of(b, n));
	same_state(n, branch, script);
	MUST(upper_digest(n, c1, one, NULL, &e));
	MUST(upper_digest(branch, c2, two, NULL, &e));
	ck_assert_msg(strcmp(one, two) == 0, "%s: %s %s", script, one, two);
	/* Neither sees what the other does from now on. */
	struct node *again = boot(b, kind, root, copy_of(b, branch));
	ck_assert_int_eq(
		bench_sh(n, "mkdir -p /w; rm -rf /w/*; echo gone on >/w/on; echo 1 >/run/on", NULL),
		0);
	same_state(branch, again, script);
	MUST(upper_digest(branch, c2, one, NULL, &e));
	ck_assert_str_eq(one, two);
	MUST(upper_digest(n, c1, one, NULL, &e));
	ck_assert_str_ne(one, two);
	upper_cache_destroy(c1);
	upper_cache_destroy(c2);
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	ck_assert_uint_eq(node_destroy(branch, &e), 0);
	ck_assert_uint_eq(node_destroy(again, &e), 0);
}

START_TEST(branches)
{
	TEST_NEEDS_ROOT();
	struct bench b;
	bench_open(&b);
	branch_is_same(&b, NODE_ROOT_DIR, world_root(), world_changes[_i]);
	bench_close(&b);
}
END_TEST

/* All of the changes on an image, one after another, with attributes that busybox cannot set. */
START_TEST(branch_on_image)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	bench_open(&b);
	const char *image = world_image();
	struct node *n = boot(&b, NODE_ROOT_IMAGE, image, NULL);
	world_attributes(n);
	for (size_t i = 0; i < WORLD_CHANGES; i++) {
		(void)bench_sh(n, world_changes[i], NULL);
		struct node *branch = boot(&b, NODE_ROOT_IMAGE, image, copy_of(&b, n));
		same_state(n, branch, world_changes[i]);
		ck_assert_uint_eq(node_destroy(branch, &e), 0);
	}
	bench_close_with(&b, n);
	(void)unlink(image);
}
END_TEST

START_TEST(attributes)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	const char *root = world_root();
	struct node *n = open_node(&b, root);
	world_attributes(n);
	struct node *branch = boot(&b, NODE_ROOT_DIR, root, copy_of(&b, n));
	same_state(n, branch, "attributes");
	GUARD_BUF struct buf line = { 0 };
	capture_line_of(branch, F("/w/s"), &line);
	ck_assert_ptr_nonnull(strstr(buf_str(&line), "\"mode\":\"4755\""));
	ck_assert_ptr_nonnull(strstr(buf_str(&line), "xattr:security.capability"));
	capture_line_of(branch, F("/run\""), &line);
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	bench_close_with(&b, branch);
}
END_TEST

START_TEST(times_and_holes)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	const char *root = world_root();
	struct node *n = open_node(&b, root);
	ck_assert_int_eq(
		bench_sh(n,
			 "mkdir /w/t; echo 1 >/w/t/f; ln -s f /w/t/l; touch -d '2001-02-03 "
			 "04:05:06' "
			 "/w/t/f /w/t; echo 2 >/run/f; touch -d '2002-02-03 04:05:06' /run/f;"
			 "dd if=/dev/zero of=/run/hole bs=1 count=0 seek=90000000 2>/dev/null;"
			 "dd if=/dev/zero of=/w/hole bs=1 count=0 seek=90000000 2>/dev/null;"
			 "echo x >>/w/hole",
			 NULL),
		0);
	struct node *branch = boot(&b, NODE_ROOT_DIR, root, copy_of(&b, n));
	static const char *const paths[] = {
		"w/t", "w/t/f", "w/t/l", "run/f", "w/hole", "run/hole"
	};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct stat x, y;
		MUST(fstatat(node_root_fd(n), paths[i], &x, AT_SYMLINK_NOFOLLOW));
		MUST(fstatat(node_root_fd(branch), paths[i], &y, AT_SYMLINK_NOFOLLOW));
		ck_assert_msg(x.st_mtim.tv_sec == y.st_mtim.tv_sec &&
				      x.st_mtim.tv_nsec == y.st_mtim.tv_nsec,
			      "%s", paths[i]);
		ck_assert_int_eq(x.st_size, y.st_size);
		ck_assert_int_lt(y.st_blocks, 1000);
	}
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	bench_close_with(&b, branch);
}
END_TEST

/* What changes the name of a state, and what does not. */
static const struct {
	const char *script;
	bool same;
} names[] = {
	{ "touch -d '2001-01-01 00:00:00' /w/mine", true },
	{ "cp -p /w/solo /w/t; mv /w/t /w/solo", true },
	{ "echo 2 >/w/mine; echo 1 >/w/mine", true },
	{ "echo 1 >/w/f9; rm /w/f9", true },
	{ "echo 2 >/w/mine", false },
	{ "chmod 600 /w/mine", false },
	{ "chown 1 /w/mine", false },
	{ "chown 0:1 /w/folder", false },
	{ "ln /w/mine /w/mine2", false },
	{ "rm /w/pair; cp /w/mine /w/pair", false },
	{ "rm /w/mine /w/pair", false },
	{ "rm /w/f2", false },
	{ "rm -r /w/full; mkdir /w/full; chmod 2755 /w/full", false },
	{ "chmod 750 /w", false },
	{ "echo 1 >/run/x", false },
	{ "echo 1 >/tmp/x", false },
	{ "echo 1 >/dev/shm/x", false },
	{ "ln -sfn f2 /w/link", false },
	{ "chmod 700 /tmp", false },
	{ "mount -t tmpfs t /w/folder", false },
	{ "umount /tmp", false },
};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

START_TEST(names_of_states)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	char one[HASH_TEXT], two[HASH_TEXT];
	struct upper_size size;
	struct node *n = open_node(&b, world_root());
	struct upper_cache *c = upper_cache_create();
	ck_assert_int_eq(bench_sh(n,
				  "echo 1 >/w/mine; echo 1 >/w/solo; ln /w/mine /w/pair; mkdir "
				  "/w/folder; ln -s f1 /w/link",
				  NULL),
			 0);
	MUST(upper_digest(n, c, one, &size, &e));
	ck_assert_uint_ge(size.entries, 8);
	ck_assert_uint_eq(size.bytes, 4);
	MUST(upper_digest(n, c, two, NULL, &e));
	ck_assert_str_eq(one, two);
	ck_assert_msg(bench_sh(n, names[_i].script, NULL) == 0, "%s", names[_i].script);
	MUST(upper_digest(n, c, two, NULL, &e));
	ck_assert_msg((strcmp(one, two) == 0) == names[_i].same, "%s", names[_i].script);
	upper_cache_destroy(c);
	bench_close_with(&b, n);
}
END_TEST

/* Same inode, same size, as fast as can be: the cache must not be fooled. */
START_TEST(quick_changes)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	struct node *n = open_node(&b, world_root());
	struct upper_cache *c = upper_cache_create();
	static const char *const paths[] = { "srv/quick", "run/quick" };
	for (size_t p = 0; p < 2; p++) {
		char seen[64][HASH_TEXT];
		GUARD(mem) char *path = mem_printf("%s/%s", node_root_path(n), paths[p]);
		GUARD(fd) int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		ck_assert_int_ge(file, 0);
		for (int i = 0; i < 64; i++) {
			char byte = (char)('A' + i);
			ck_assert_int_eq(pwrite(file, &byte, 1, 0), 1);
			MUST(upper_digest(n, c, seen[i], NULL, &e));
			for (int k = 0; k < i; k++)
				ck_assert_str_ne(seen[k], seen[i]);
		}
	}
	upper_cache_destroy(c);
	bench_close_with(&b, n);
}
END_TEST

START_TEST(mounts_are_refused)
{
	TEST_NEEDS_ROOT();
	static const struct {
		const char *script, *says;
	} cases[] = {
		{ "mkdir /w/mnt; mount -t tmpfs t /w/mnt", "mounted something at '/w/mnt'" },
		{ "mount -t tmpfs t /tmp", "mounted something at '/tmp'" },
		{ "umount /tmp", "unmounted something" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = { 0 }, why = { 0 };
		struct bench b;
		struct node *n = open_node(&b, world_root());
		ck_assert_int_eq(bench_sh(n, cases[i].script, NULL), 0);
		const char *dir = bench_work(&b);
		ck_assert_int_lt(upper_copy(n, dir, &why), 0);
		ck_assert_int_eq(why.code, ENOTSUP);
		ck_assert_msg(strstr(why.why, cases[i].says) != NULL, "%s", why.why);
		ck_assert_uint_eq(node_destroy(n, &e), 0);
		bench_close(&b);
	}
}
END_TEST

/* The work folder on a tmpfs of a private mount namespace, and the copies beside it. */
START_TEST(on_tmpfs)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	bench_open(&b);
	const char *root = world_root();
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("tmpfs", owner_work_dir(b.owner), "tmpfs", 0, "mode=0700"), 0);
	for (size_t i = 0; i < WORLD_CHANGES; i++)
		branch_is_same(&b, NODE_ROOT_DIR, root, world_changes[i]);
	struct node *n = boot(&b, NODE_ROOT_IMAGE, bench_image(), NULL);
	ck_assert_ptr_nonnull(strstr(node_mount_options(n), "index=on"));
	ck_assert_ptr_nonnull(strstr(node_mount_options(n), "xino=on"));
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	ck_assert_int_eq(umount2(owner_work_dir(b.owner), MNT_DETACH), 0);
	bench_close(&b);
}
END_TEST

START_TEST(nothing_to_begin_with)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	bench_open(&b);
	struct node *n = NULL;
	struct node_spec spec = { .name = "n",
				  .root_kind = NODE_ROOT_DIR,
				  .root_path = test_busybox_root(),
				  .from = "/nonexistent/state" };
	spec.work_dir = bench_work(&b);
	ck_assert_int_lt(node_create(&n, b.loop, b.owner, &spec, &e), 0);
	ck_assert_msg(strstr(e.why, "/nonexistent/state/upper") != NULL, "%s", e.why);
	ck_assert_ptr_null(n);
	bench_close(&b);
}
END_TEST

Suite *suite_upper(void);
Suite *suite_upper(void)
{
	Suite *s = suite_create("upper");
	TCase *t = tcase_create("upper");
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, branches, 0, WORLD_CHANGES);
	tcase_add_test(t, branch_on_image);
	tcase_add_test(t, attributes);
	tcase_add_test(t, times_and_holes);
	tcase_add_loop_test(t, names_of_states, 0, NAMES);
	tcase_add_test(t, quick_changes);
	tcase_add_test(t, mounts_are_refused);
	tcase_add_test(t, on_tmpfs);
	tcase_add_test(t, nothing_to_begin_with);
	suite_add_tcase(s, t);
	return s;
}
