/* SPDX-License-Identifier: MIT */
/*
 * One Debian root in each form that a root can have: the harness must cause no failure of its own
 * on any of them (a package that breaks in mid-unpack leaves the old one whole), and two runs
 * without a fault must agree.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "tests/drill/debian_stage.h"
#include "tests/drill/program.h"
#include "tests/unit/runner.h"

/* `make`: in the test's folder $T, of the Debian tree $T/tree. */
static const struct form {
	const char *name, *root, *make;
} forms[] = {
	{ "tar", "{\"tar\": \"r.tar.zst\"}", "tar -C tree -c . | zstd -q -1 >r.tar.zst" },
	{ "erofs", "{\"erofs\": \"r.erofs\"}", "mkfs.erofs --quiet -zlz4 r.erofs tree" },
	{ "squashfs", "{\"squashfs\": \"r.squashfs\"}",
	  "mksquashfs tree r.squashfs -comp gzip -Xcompression-level 1 -quiet -no-progress" },
	{ "oci", "{\"oci\": \"oci\"}", "$SRC/tests/drill/make-oci.sh tree oci" },
	{ "docker-save", "{\"oci\": \"save.tar\", \"tag\": \"drill:1\"}",
	  "$SRC/tests/drill/make-oci.sh tree oci; tar -C oci.save -cf save.tar ." },
	{ "disk", "{\"tar\": \"r.tar\"}, \"disk\": \"512MiB\"", "tar -C tree -cf r.tar ." },
};

static void make_form(const struct stage *s, const struct form *f, const char *dir)
{
	GUARD(mem)
	char *script =
		mem_printf("set -e; SRC=$PWD; cd %s; fsck.erofs --extract=tree --preserve %s "
			   ">/dev/null 2>&1; %s",
			   dir, s->image.path, f->make);
	stage_host_sh(script);
}

static char *write_scenario(const struct stage *s, const struct form *f, const char *dir)
{
	struct err e = { 0 };
	char *path = mem_printf("%s/scenario.json", dir);
	GUARD(mem)
	char *text = mem_printf(
		"{ \"title\": \"roots\", \"window\": { \"settle\": \"100ms\" },\n"
		"\"nodes\": { \"n\": { \"root\": %s,\n"
		"\"files\": { \"/srv\": \"%s\" }, \"setup\": [\"dpkg -i /srv/svc_1.0.deb\"] } },\n"
		"\"steady_state\": [ { \"name\": \"audit\", \"on\": \"n\", \"run\": \"dpkg "
		"--audit\","
		" \"expect\": { \"stdout\": \"\" }, \"when\": [\"before\", \"after\"] } ],\n"
		"\"goal\": [ { \"name\": \"new\", \"on\": \"n\", \"run\": \"grep -q 2.1 "
		"/etc/svc.conf\" } ],\n"
		"\"state\": { \"on\": [\"n\"], \"masks\": [\"debian-apt\"] },\n"
		"\"patch\": [ { \"name\": \"up\", \"on\": \"n\", \"run\": \"dpkg -i "
		"/srv/svc_2.1.deb\" } ],\n"
		"\"rollback\": \"down\", \"rollbacks\": { \"down\": [ { \"name\": \"down\", "
		"\"on\": \"n\","
		" \"run\": \"dpkg --configure -a; dpkg -i /srv/svc_1.0.deb\" } ] },\n"
		"\"faults\": [ { \"name\": \"cut\", \"inject\": { \"process.kill\": { \"target\": "
		"\"tree\" } },\n"
		"\"at\": { \"step\": \"up\", \"program\": \"/usr/bin/dpkg-deb\" }, \"expect\": "
		"[\"restored\", \"harmless\"] } ] }\n",
		f->root, s->debs);
	MUST(io_write_file(AT_FDCWD, path, text, strlen(text), 0644, &e));
	return path;
}

static void same_drills(const struct stage *s, const struct form *f, const char *dir)
{
	struct program p;
	GUARD(mem) char *scenario = write_scenario(s, f, dir);
	GUARD(mem) char *state = mem_printf("%s/state", dir);
	GUARD(mem) char *runs = mem_printf("%s/runs", dir);
	PROGRAM(&p, "run", scenario, "--state", state, "--runs", runs);
	ck_assert_msg(strstr(buf_str(&p.out), "Noise: none") != NULL, "%s: %s%s", f->name,
		      buf_str(&p.out), buf_str(&p.err));
	ck_assert_msg(strstr(buf_str(&p.out), "control-b  restored") != NULL, "%s",
		      buf_str(&p.out));
	ck_assert_msg(strstr(buf_str(&p.out), " 0 failed") != NULL, "%s", buf_str(&p.out));
	program_free(&p);
}

static void take(struct stage *s, const struct form *f, const char *dir, struct image *ret)
{
	struct err e = { 0 };
	const struct image_progress_to to = { NULL, NULL };
	GUARD(mem) char *first = mem_strdup(f->root + 2);
	*strchr(first, '"') = '\0';
	GUARD(mem) char *value = mem_strdup(strstr(f->root, ": \"") + 3);
	*strchr(value, '"') = '\0';
	GUARD(mem) char *path = mem_printf("%s/%s", dir, value);
	const struct image_fs_file file = { strcmp(first, "erofs") == 0 ? IMAGE_FS_EROFS
									: IMAGE_FS_SQUASHFS,
					    path };
	const struct image_oci_source oci = { path, NULL };
	if (strcmp(first, "tar") == 0)
		MUST(image_tar(s->owner, path, &to, ret, &e));
	else if (strcmp(first, "oci") == 0)
		MUST(image_oci(s->owner, &oci, &to, ret, &e));
	else
		MUST(image_filesystem(s->owner, &file, &to, ret, &e));
}

/* What the second layer took back is gone, and what it brought is there. */
static void check_layers(struct stage *s, const char *root)
{
	struct err e = { 0 };
	GUARD_BUF struct buf out = { 0 };
	struct node *n = stage_boot(s, NODE_ROOT_IMAGE, root, NULL);
	(void)stage_run(n, "ls /opt/old; cat /opt/old/new; test -e /etc/gone || echo gone", &out);
	ck_assert_str_eq(buf_str(&out), "new\nby the second layer\ngone\n");
	ck_assert_uint_eq(node_destroy(n, &e), 0);
}

START_TEST(each_form)
{
	TEST_NEEDS_ROOT();
	const struct form *f = &forms[_i];
	struct err e = { 0 };
	struct stage s;
	struct image image = { 0 };
	stage_open(&s);
	GUARD(mem) char *work = mem_printf("%s/form", owner_work_dir(s.owner));
	MUST(io_mkdirs(work, 0755, &e));
	make_form(&s, f, work);
	take(&s, f, work, &image);
	if (strstr(f->root, "oci") != NULL)
		check_layers(&s, image.path);
	stage_corrupt_package(&s, NODE_ROOT_IMAGE, image.path);
	GUARD(mem) char *key = mem_strdup(image.key);
	image_free(&image);
	same_drills(&s, f, work);
	/* Not for later: the tests' images would pile up. */
	(void)image_remove(owner_state_dir(s.owner), key, &e);
	stage_close(&s);
}
END_TEST

/* `ruin` works in a folder with a good layout `oci`, of a tree of one file, and `oci.save`. */
#define PACKED "$(for f in oci/blobs/sha256/*; do gzip -tq $f 2>/dev/null && echo $f; done)"
static const struct ruin {
	const char *path, *ruin, *says;
	int exit;
} ruins[] = {
	{ "oci", "true", NULL, 0 },
	{ "oci.save", "true", NULL, 0 },
	{ "oci", "for f in oci/blobs/sha256/*; do printf x >>$f; done", "has not that digest", 65 },
	{ "oci", "printf x | dd of=" PACKED " bs=1 seek=30 conv=notrunc status=none",
	  "has not that digest", 65 },
	{ "oci", "printf x >>" PACKED, "bytes, its manifest says", 65 },
	{ "oci", "rm " PACKED, "No such file", 65 },
	{ "oci.save",
	  "printf x | dd of=oci.save/one/layer.tar bs=1 seek=700 conv=notrunc status=none",
	  "unpacks to the digest", 65 },
	{ "oci.save", "cd oci.save; f=$(ls | grep -v manifest | grep json); printf ' ' >>$f",
	  "has not the digest of its name", 65 },
	{ "oci.save", "rm oci.save/two/layer.tar; ln -s /etc/passwd oci.save/two/layer.tar",
	  "the layer 'two/layer.tar'", 65 },
	{ "oci", "rm oci/index.json", "neither index.json", 65 },
	{ "oci", "echo '[]' >oci/index.json", "no list of manifests", 65 },
	{ "oci", "echo '{\"manifests\":[1,{},null]}' >oci/index.json", "no digest of the kind",
	  65 },
	{ "oci", "sed -i 's/sha256:/sha512:/g' oci/index.json", "no digest of the kind", 65 },
	{ "oci", "sed -i 's/\"os\":\"linux\"/\"os\":\"plan9\"/g' oci/index.json",
	  "it offers: plan9/nothing-real, plan9/", 69 },
	{ "cut.tar", "tar -C oci -cf all.tar .; head -c 3000 all.tar >cut.tar",
	  "damaged, or no tar", 65 },
};

START_TEST(ruined_images)
{
	TEST_NEEDS_ROOT();
	const struct ruin *r = &ruins[_i];
	struct err e = { 0 };
	struct owner *owner = NULL;
	struct image image = { 0 };
	const struct image_progress_to to = { NULL, NULL };
	GUARD(mem) char *dir = mem_strdup(test_dir());
	GUARD(mem) char *state = mem_printf("%s/state", dir);
	GUARD(mem) char *path = mem_printf("%s/%s", dir, r->path);
	GUARD(mem)
	char *script = mem_printf("set -e; SRC=$PWD; cd %s; mkdir tree; echo 1 >tree/file; "
				  "$SRC/tests/drill/make-oci.sh tree oci; %s",
				  dir, r->ruin);
	const struct image_oci_source oci = { path, NULL };
	stage_host_sh(script);
	MUST(owner_create(&owner, state, &e));
	int got = image_oci(owner, &oci, &to, &image, &e);
	ck_assert_msg(got == (r->says != NULL ? -1 : 0), "%d: %s", _i, e.why);
	if (r->says != NULL) {
		ck_assert_msg(strstr(e.why, r->says) != NULL, "%d: %s", _i, e.why);
		ck_assert_int_eq((int)e.exit, r->exit);
	}
	image_free(&image);
	/* Nothing is left, neither of the work nor in the cache. */
	GUARD(mem)
	char *left = mem_printf("test -z \"$(ls %s; ls %s/images 2>/dev/null | grep -v lock)\"",
				owner_work_dir(owner), state);
	if (r->says != NULL)
		stage_host_sh(left);
	memset(&e, 0, sizeof(e));
	ck_assert_msg(owner_destroy(owner, &e) == 0, "%s", e.why);
}
END_TEST

START_TEST(hosts_own_root)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct stage s;
	struct image image = { 0 };
	GUARD_BUF struct buf out = { 0 };
	stage_open(&s);
	const char *const hide[] = { owner_state_dir(s.owner), "/root", "/home", "/etc/shadow" };
	MUST(image_host(s.owner, hide, sizeof(hide) / sizeof(hide[0]), &image, &e));
	s.mask = image.mask;
	struct node *n = stage_boot(&s, NODE_ROOT_DIR, "/", NULL);
	GUARD(mem)
	char *script =
		mem_printf("ls -A %s /root /tmp; test -e /etc/shadow || echo none; test -e "
			   "/etc/passwd && echo passwd; ls /proc/1/root/var | grep lib; stat -c "
			   "%%a /root",
			   owner_state_dir(s.owner));
	(void)stage_run(n, script, &out);
	GUARD(mem)
	char *want = mem_printf("/root:\n\n/tmp:\n\n%s:\nnone\npasswd\nlib\n700\n",
				owner_state_dir(s.owner));
	ck_assert_str_eq(buf_str(&out), want);
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	stage_corrupt_package(&s, NODE_ROOT_DIR, "/");
	image_free(&image);
	stage_close(&s);
}
END_TEST

Suite *suite_roots(void);
Suite *suite_roots(void)
{
	Suite *s = suite_create("roots");
	TCase *t = tcase_create("roots");
	tcase_set_timeout(t, 600); /* the first one builds the image */
	tcase_add_loop_test(t, each_form, 0, sizeof(forms) / sizeof(forms[0]));
	tcase_add_loop_test(t, ruined_images, 0, sizeof(ruins) / sizeof(ruins[0]));
	tcase_add_test(t, hosts_own_root);
	suite_add_tcase(s, t);
	return s;
}
