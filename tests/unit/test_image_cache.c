/* SPDX-License-Identifier: MIT */
/* The cache of images: what goes in and comes out, who may build, what is listed and removed. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/base/guard.h"
#include "harness/base/hash.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/image.h"
#include "harness/sandbox/image_internal.h"
#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"

static struct image busybox(void)
{
	struct err e = { 0 };
	struct image base = { 0 };
	MUST(image_dir(test_busybox_root(), &base, &e));
	return base;
}

/* Everything that a root may hold goes through mkfs.erofs and back. */
START_TEST(round_trip)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	bench_open(&b);
	char source[300], text[1500];
	(void)snprintf(source, sizeof(source), "%s", test_dir());
	(void)snprintf(
		text, sizeof(text),
		"cd %s && mkdir -p t && cd t && echo x >a && ln a b && mkfifo f && mknod c c 1 3 "
		"&& mknod k b 7 99 && ln -s nowhere l && chown 5:6 a && chmod 6711 a && "
		"mkdir -m 1777 d && touch -d '2001-02-03 04:05:06 UTC' a && "
		"python3 -c \"import os, socket; os.setxattr('a', 'user.x', b'v' * 300); "
		"os.setxattr('d', 'trusted.y', b'w'); socket.socket(socket.AF_UNIX).bind('s')\"",
		source);
	ck_assert_int_eq(system(text), 0);
	struct image_slot slot;
	struct image i = { 0 };
	MUST(image_slot_open(b.owner, "00000000000000000000000000000001", &slot, &e));
	(void)snprintf(text, sizeof(text), "%s/t", source);
	const struct image_about about = { "layer", "round trip", text };
	const struct image_progress p = { 0 };
	MUST(image_slot_publish(&slot, &about, &p, &i, &e));
	image_slot_close(&slot);
	char script[2500];
	(void)snprintf(
		script, sizeof(script),
		"cd %s && cat >facts.py <<'EOF'\n"
		"import os, sys\n"
		"os.chdir(sys.argv[1])\n"
		"for n in sorted(os.listdir('.')):\n"
		"    s = os.lstat(n)\n"
		"    x = [] if n == 'l' else [(k, os.getxattr(n, k)) for k in os.listxattr(n)]\n"
		"    print(n, oct(s.st_mode), s.st_uid, s.st_gid, s.st_rdev, int(s.st_mtime),"
		" s.st_nlink if n in 'ab' else '', x)\n"
		"print(os.lstat('a').st_ino == os.lstat('b').st_ino, os.readlink('l'))\n"
		"EOF\n"
		"unshare -m sh -ec 'mkdir m; mount -t erofs -o ro,loop %s m; "
		"python3 facts.py m >after' && python3 facts.py t >before && cmp before after && "
		"test $(wc -l <after) -eq 9",
		source, i.path);
	ck_assert_int_eq(system(script), 0);
	image_free(&i);
	bench_close(&b);
}
END_TEST

START_TEST(list_and_remove)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	bench_open(&b);
	struct image base = busybox();
	char keys[3][33];
	struct image_info *list = NULL;
	ck_assert_int_eq(image_list(b.state, &list, &e), 0);
	for (int i = 0; i < 3; i++) {
		char word[2] = { (char)('a' + i), '\0' };
		const struct image_file f = { "/etc/x", NULL, word, -1 };
		struct image out = { 0 };
		MUST(image_layer(b.owner, &base, &f, 1, NULL, 0, NULL, NULL, &out, &e));
		memcpy(keys[i], out.key, 33);
		image_free(&out);
	}
	ck_assert_int_eq(image_list(b.state, &list, &e), 3);
	for (int i = 0; i < 3; i++) {
		ck_assert_str_eq(list[i].kind, "layer");
		ck_assert_ptr_nonnull(strstr(list[i].recipe, "1 files, 0 commands"));
		ck_assert_uint_gt(list[i].size, 4096);
		ck_assert(i == 0 || list[i - 1].built <= list[i].built);
	}
	image_list_free(list, 3);
	char prefix[33] = "";
	(void)snprintf(prefix, sizeof(prefix), "%.20s", keys[1]);
	ck_assert_int_eq(image_remove(b.state, prefix, &e), 1);
	ck_assert_int_eq(image_remove(b.state, prefix, &e), -1);
	ck_assert_int_eq(e.exit, EXIT_USAGE_ERROR);
	err_clear(&e);
	ck_assert_int_eq(image_remove(b.state, "", &e), -1);
	err_clear(&e);
	/* One that is being built is not removed under its builder. */
	struct image_slot slot;
	MUST(image_slot_open(b.owner, keys[0], &slot, &e));
	ck_assert_int_eq(image_remove(b.state, keys[0], &e), -1);
	ck_assert_ptr_nonnull(strstr(e.why, "is being built"));
	err_clear(&e);
	image_slot_close(&slot);
	ck_assert_int_eq(image_remove(b.state, "all", &e), 2);
	ck_assert_int_eq(image_list(b.state, &list, &e), 0);
	image_list_free(list, 0);
	image_free(&base);
	bench_close(&b);
}
END_TEST

/* Two builders of one key: one builds, the other waits and finds. */
START_TEST(builders_wait)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	bench_open(&b);
	struct image base = busybox(), mine = { 0 };
	const char *setup =
		"sleep 1; date +%s.%N >/etc/when; cat /proc/sys/kernel/random/uuid >/etc/id";
	pid_t pid = fork();
	if (pid == 0) {
		struct owner *o;
		struct image theirs = { 0 };
		struct err own = { 0 };
		bool good =
			owner_create(&o, b.state, &own) == 0 &&
			image_layer(o, &base, NULL, 0, &setup, 1, NULL, NULL, &theirs, &own) == 0;
		_exit(good && owner_destroy(o, &own) == 0 ? 0 : 1);
	}
	MUST(image_layer(b.owner, &base, NULL, 0, &setup, 1, NULL, NULL, &mine, &e));
	struct stat before, after;
	ck_assert_int_eq(stat(mine.path, &before), 0);
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(stat(mine.path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	image_free(&mine);
	image_free(&base);
	bench_close(&b);
}
END_TEST

/* From another machine: only what has the content that it claims, and under a key of its own. */
START_TEST(taken_from_elsewhere)
{
	static const char good[] = "{\"kind\":\"layer\",\"digest\":\"%s\"}";
	struct bench b;
	struct err e = { 0 };
	struct image found = { 0 };
	char digest[HASH_TEXT], wrong[HASH_TEXT] = "00000000000000000000000000000000";
	bench_open(&b);
	GUARD(mem) char *erofs = mem_printf("%s/in.erofs", b.state);
	GUARD(mem) char *meta = mem_printf("%s/in.json", b.state);
	hash_text("image", 5, digest);
	GUARD(mem) char *text = mem_printf(good, digest);
	MUST(io_write_file(AT_FDCWD, erofs, "image", 5, 0644, &e));
	MUST(io_write_file(AT_FDCWD, meta, text, strlen(text), 0644, &e));
	ck_assert_int_eq(image_import(b.owner, erofs, meta, wrong, &e), -1);
	ck_assert_int_eq(e.exit, EXIT_BAD_SCENARIO);
	ck_assert_ptr_nonnull(strstr(e.why, "it was damaged on the way"));
	err_clear(&e);
	ck_assert_int_eq(image_import(b.owner, erofs, meta, "../../x", &e), -1);
	err_clear(&e);
	ck_assert_int_eq(image_find(b.state, digest, &found, &e), 0);
	MUST(image_import(b.owner, erofs, meta, digest, &e));
	ck_assert_int_eq(image_find(b.state, digest, &found, &e), 1);
	ck_assert_str_eq(found.digest, digest);
	ck_assert_str_eq(found.key, digest);
	image_free(&found);
	ck_assert_int_eq(image_import(b.owner, erofs, meta, digest, &e), 1); /* it is there */
	bench_close(&b);
}
END_TEST

Suite *suite_image_cache(void);
Suite *suite_image_cache(void)
{
	Suite *s = suite_create("image_cache");
	TCase *t = tcase_create("image_cache");
	tcase_set_timeout(t, 120);
	tcase_add_test(t, round_trip);
	tcase_add_test(t, list_and_remove);
	tcase_add_test(t, builders_wait);
	tcase_add_test(t, taken_from_elsewhere);
	suite_add_tcase(s, t);
	return s;
}
