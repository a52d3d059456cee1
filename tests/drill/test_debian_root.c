/* SPDX-License-Identifier: MIT */
/*
 * The harness causes no failures of its own: a package that breaks while dpkg unpacks it must
 * leave the old one whole on each kind of root that we offer. With overlay's index off, dpkg's
 * own undo fails ("Stale file handle") and this test is what says so. Takes a network the first
 * time (mmdebstrap); the image stays in BACKOUT_STATE or /var/lib/backout.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/image.h"
#include "harness/sandbox/node.h"
#include "tests/drill/debian_stage.h"
#include "tests/unit/runner.h"

START_TEST(corrupt_package_on_image)
{
	TEST_NEEDS_ROOT();
	struct stage s;
	stage_open(&s);
	stage_corrupt_package(&s, NODE_ROOT_IMAGE, s.image.path);
	stage_close(&s);
}
END_TEST

START_TEST(corrupt_package_on_folder)
{
	TEST_NEEDS_ROOT();
	struct stage s;
	char script[4096];
	stage_open(&s);
	GUARD(mem) char *root = mem_printf("%s/root", owner_work_dir(s.owner));
	(void)snprintf(script, sizeof(script),
		       "fsck.erofs --extract=%s --preserve %s >/dev/null 2>&1", root, s.image.path);
	stage_host_sh(script);
	stage_corrupt_package(&s, NODE_ROOT_DIR, root);
	stage_corrupt_package(&s, NODE_ROOT_COPY, root);
	stage_close(&s);
}
END_TEST

/* Two hosts from one image are the same host, and an install makes them another one. */
START_TEST(same_image_same_state)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct stage s;
	GUARD_BUF struct buf out = { 0 };
	stage_open(&s);
	struct node *a = stage_boot(&s, NODE_ROOT_IMAGE, s.image.path, NULL);
	struct node *b = stage_boot(&s, NODE_ROOT_IMAGE, s.image.path, NULL);
	struct capture_result of_a, of_b, after;
	stage_fingerprint(a, &of_a);
	stage_fingerprint(b, &of_b);
	ck_assert_str_eq(of_a.digest, of_b.digest);
	ck_assert_uint_gt(of_a.entries, 2000);
	ck_assert_int_eq(stage_run(a, "dpkg -i /srv/svc_1.0.deb", &out), 0);
	stage_fingerprint(a, &after);
	ck_assert_str_ne(of_a.digest, after.digest);
	ck_assert_uint_eq(node_destroy(a, &e), 0);
	ck_assert_uint_eq(node_destroy(b, &e), 0);
	stage_close(&s);
}
END_TEST

/* Nothing of this host is in the image, and what a Debian host has is. */
START_TEST(image_is_a_debian)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct stage s;
	GUARD_BUF struct buf out = { 0 };
	stage_open(&s);
	struct node *n = stage_boot(&s, NODE_ROOT_IMAGE, s.image.path, NULL);
	(void)stage_run(n,
			"cat /etc/hostname /etc/hosts; wc -c </etc/resolv.conf; ls "
			"/etc/apt/sources.list* ; "
			"ls /usr/sbin/policy-rc.d 2>&1; . /etc/os-release; echo $VERSION_CODENAME; "
			"ls /var/lib/apt/lists /var/cache/apt; dpkg --audit",
			&out);
	ck_assert_str_eq(
		buf_str(&out),
		"localhost\n127.0.0.1 localhost\n0\n"
		"ls: cannot access '/usr/sbin/policy-rc.d': No such file or directory\n"
		"bookworm\n/var/cache/apt:\narchives\n\n/var/lib/apt/lists:\nlock\npartial\n");
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	stage_close(&s);
}
END_TEST

Suite *suite_debian_root(void);
Suite *suite_debian_root(void)
{
	Suite *s = suite_create("debian_root");
	TCase *t = tcase_create("debian_root");
	tcase_set_timeout(t, 600); /* the first one builds the image */
	tcase_add_test(t, corrupt_package_on_image);
	tcase_add_test(t, corrupt_package_on_folder);
	tcase_add_test(t, same_image_same_state);
	tcase_add_test(t, image_is_a_debian);
	suite_add_tcase(s, t);
	return s;
}
