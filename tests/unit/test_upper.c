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

enum { SCRIPT_MAX = 8192 };

static void host_sh(const char *script)
{
	ck_assert_msg(system(script) == 0, "%s", script);
}

/* A root of our own to be changed: files, hard links, folders with things in them. */
static const char *world(void)
{
	static char root[400];
	char script[SCRIPT_MAX];
	(void)snprintf(root, sizeof(root), "%s", test_dir());
	(void)snprintf(
		script, sizeof(script),
		"set -e; cp -a %s/. %s/; cd %s; mkdir -p w/dir/sub w/full w/gone etc tmp run "
		"dev/shm; cd w;"
		" for i in 1 2 3 4 5 6; do echo file $i >f$i; done; echo linked >a; ln a b; ln a c;"
		" echo pair >p1; ln p1 dir/p2; echo pair >q1; ln q1 q2; echo in >dir/in;"
		" echo deep >dir/sub/deep; echo x >full/x; echo y >full/y; echo z >gone/z; ln -s "
		"f1 l1;"
		" mkfifo fifo; chmod 2755 full; chown 3:4 f6; echo suid >s; chmod 4755 s;"
		" head -c 300000 /dev/zero >big",
		test_busybox_root(), root, root);
	host_sh(script);
	return root;
}

/* Each changes something else about the world, as a step would. */
static const char *const scripts[] = {
	"true",
	"echo new >/w/new; mkdir -p /w/n/e/w; echo 1 >/w/n/e/w/f; chmod 1770 /w/n/e; chown 5:6 "
	"/w/n",
	"rm /w/f1; rm -r /w/gone; rm /w/l1",
	"echo other >/w/f2; mv /w/f3 /w/f3.bak; echo 3 >/w/f3.new; mv /w/f3.new /w/f3",
	"chmod 4711 /w/f4; chown 7:8 /w/f5; chmod 700 /w/full; chown 9 /w/dir; chmod 711 /w; chmod "
	"751 /",
	"rm -r /w/full; echo now a file >/w/full",
	"rm /w/f1; mkdir /w/f1; echo in it >/w/f1/f",
	"mkdir /w/own; echo 1 >/w/own/f; mkdir /w/own/d; mv /w/own /w/moved",
	"rm -r /w/full; mkdir /w/full; echo only >/w/full/only; chmod 2750 /w/full",
	"echo more >>/w/a", /* all three show it */
	"echo more >>/w/a; rm /w/a",
	"echo more >>/w/b; rm /w/a /w/c",
	"cp -p /w/a /w/a.new; mv /w/a.new /w/a",
	"ln /w/a /w/d; echo other >/w/d; echo pair2 >>/w/dir/p2; rm /w/p1",
	"chmod 600 /w/q2; ln /w/q1 /w/dir/q3; rm /w/q1 /w/q2",
	"echo 1 >/w/h1; ln /w/h1 /w/dir/h2; ln /w/h1 /tmp/h 2>/dev/null || true; ln /w/h1 /w/h3; "
	"rm /w/h3",
	"ln -sfn /nowhere /w/l1; ln -s \"$(printf 'a\\nb')\" /w/l2; mkfifo /w/p; mknod /w/c5 c 1 5;"
	" mknod /w/b7 b 7 1; chown -h 1:1 /w/l2",
	"rm /w/fifo; echo no fifo >/w/fifo; chmod 600 /w/s; echo x >>/w/s; chmod 6711 /w/s",
	"rm /w/*; echo 1 >'/w/ '; echo 2 >\"$(printf '/w/\\377\\n\"\\\\')\"; echo 3 >/w/-rf; mkdir "
	"/w/...",
	"echo 1 >/run/f; ln /run/f /run/g; ln -s f /run/l; mkdir -m 1777 /run/d; mkfifo /run/d/p;"
	" chown 2:3 /run/d; rm -r /run/lock; echo 2 >/tmp/t; chmod 700 /tmp; chown 4 /tmp; echo 3 "
	">/dev/shm/s;"
	" mkdir -p /tmp/x/y/z; chmod 0 /tmp/x/y/z; mknod /tmp/n c 1 3",
	"dd if=/dev/zero of=/w/sparse bs=1 count=0 seek=50000000 2>/dev/null; echo end >>/w/sparse;"
	" dd if=/dev/zero of=/tmp/sparse bs=1 count=0 seek=50000000 2>/dev/null; echo x >>/w/big;"
	" cp /w/big /tmp/big; : >/w/empty",
	"rm -r /w /srv; mkdir /w; echo 1 >/w/1",
	"nc -lU /run/sock >/dev/null 2>&1 & sleep 0.1; nc -lU /w/sock >/dev/null 2>&1 & sleep 0.1;"
	" kill -9 $(jobs -p); true",
};
enum { SCRIPTS = sizeof(scripts) / sizeof(scripts[0]) };

static struct node *boot(struct bench *b, enum node_root kind, const char *root, const char *from)
{
	struct err e = { 0 };
	struct node *n = NULL;
	const struct node_spec spec = { .name = "n",
					.root_kind = kind,
					.root_path = root,
					.work_dir = bench_work(b),
					.from = from };
	MUST(node_create(&n, b->loop, b->owner, &spec, &e));
	return n;
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

static void xattrs(struct node *n)
{
	char script[1500];
	(void)snprintf(script, sizeof(script),
		       "cd %s && python3 -c \"import os\n"
		       "os.setxattr('w/f6', 'user.long', b'v' * 3000)\n"
		       "os.setxattr('w/dir', 'trusted.d', bytes([0, 255]))\n"
		       "os.setxattr('w/s', 'security.capability', "
		       "bytes.fromhex('0100000202000000000000000000000000000000'))\n"
		       "os.symlink('x', 'w/lx')\n"
		       "os.setxattr('w/lx', 'trusted.l', b'2', 0, follow_symlinks=False)\n"
		       "os.setxattr('run', 'trusted.r', b'3')\"",
		       node_root_path(n));
	host_sh(script);
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
	branch_is_same(&b, NODE_ROOT_DIR, world(), scripts[_i]);
	bench_close(&b);
}
END_TEST

/* All of the changes on an image, one after another, with attributes that busybox cannot set. */
START_TEST(branch_on_image)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	char image[450], command[1000];
	bench_open(&b);
	const char *root = world();
	(void)snprintf(image, sizeof(image), "%s.erofs", root);
	(void)snprintf(command, sizeof(command), "mkfs.erofs %s %s >/dev/null 2>&1", image, root);
	host_sh(command);
	struct node *n = boot(&b, NODE_ROOT_IMAGE, image, NULL);
	xattrs(n);
	for (size_t i = 0; i < SCRIPTS; i++) {
		(void)bench_sh(n, scripts[i], NULL);
		struct node *branch = boot(&b, NODE_ROOT_IMAGE, image, copy_of(&b, n));
		same_state(n, branch, scripts[i]);
		ck_assert_uint_eq(node_destroy(branch, &e), 0);
	}
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	bench_close(&b);
	(void)unlink(image);
}
END_TEST

START_TEST(attributes)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	bench_open(&b);
	const char *root = world();
	struct node *n = boot(&b, NODE_ROOT_DIR, root, NULL);
	xattrs(n);
	struct node *branch = boot(&b, NODE_ROOT_DIR, root, copy_of(&b, n));
	same_state(n, branch, "attributes");
	GUARD_BUF struct buf line = { 0 };
	capture_line_of(branch, F("/w/s"), &line);
	ck_assert_ptr_nonnull(strstr(buf_str(&line), "\"mode\":\"4755\""));
	ck_assert_ptr_nonnull(strstr(buf_str(&line), "xattr:security.capability"));
	capture_line_of(branch, F("/run\""), &line);
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	ck_assert_uint_eq(node_destroy(branch, &e), 0);
	bench_close(&b);
}
END_TEST

START_TEST(times_and_holes)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	bench_open(&b);
	const char *root = world();
	struct node *n = boot(&b, NODE_ROOT_DIR, root, NULL);
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
	ck_assert_uint_eq(node_destroy(branch, &e), 0);
	bench_close(&b);
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
	bench_open(&b);
	struct node *n = boot(&b, NODE_ROOT_DIR, world(), NULL);
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
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	bench_close(&b);
}
END_TEST

/* Same inode, same size, as fast as can be: the cache must not be fooled. */
START_TEST(quick_changes)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	bench_open(&b);
	struct node *n = boot(&b, NODE_ROOT_DIR, world(), NULL);
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
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	bench_close(&b);
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
		bench_open(&b);
		struct node *n = boot(&b, NODE_ROOT_DIR, world(), NULL);
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
	const char *root = world();
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("tmpfs", owner_work_dir(b.owner), "tmpfs", 0, "mode=0700"), 0);
	for (size_t i = 0; i < SCRIPTS; i++)
		branch_is_same(&b, NODE_ROOT_DIR, root, scripts[i]);
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
	tcase_add_loop_test(t, branches, 0, SCRIPTS);
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
