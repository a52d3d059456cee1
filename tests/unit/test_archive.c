/* SPDX-License-Identifier: MIT */
/* Bundles' archives: what goes in comes out, and nothing comes out that could lie elsewhere. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/archive.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/base/tree.h"
#include "tests/unit/runner.h"

/* Valid until the test's process ends. */
static const char *path_of(const char *dir, const char *name)
{
	static struct arena *paths;
	if (paths == NULL)
		paths = arena_create();
	return arena_printf(paths, "%s/%s", dir, name);
}

/* test_dir() gives the same buffer each time. */
static const char *new_path(const char *name)
{
	return path_of(test_dir(), name);
}

static void put(const char *path, const char *text)
{
	struct err e = { 0 };
	MUST(io_write_file(AT_FDCWD, path, text, strlen(text), 0644, &e));
}

static void holds(const char *path, const char *text)
{
	struct err e = { 0 };
	GUARD_BUF struct buf b = { 0 };
	MUST(io_read_file(AT_FDCWD, path, 1 << 24, &b, &e));
	ck_assert_str_eq(buf_str(&b), text);
}

static const char *make_tree(void)
{
	struct err e = { 0 };
	const char *tree = new_path("tree");
	MUST(io_mkdirs(path_of(tree, "a/b"), 0755, &e));
	put(path_of(tree, "one"), "1");
	put(path_of(tree, "a/b/two"), "2");
	put(path_of(tree, "a/nothing"), "");
	return tree;
}

static const char *empty_dir(void)
{
	struct err e = { 0 };
	const char *dir = new_path("out");
	MUST(io_mkdirs(dir, 0755, &e));
	return dir;
}

START_TEST(there_and_back)
{
	struct err e = { 0 };
	struct archive_out *a = NULL;
	const char *tree = make_tree(), *file = new_path("x.tar.zst");
	/* More than one chunk, and with a hole at its end. */
	const char *big = new_path("big");
	put(big, "begin");
	ck_assert_int_eq(truncate(big, 3000001), 0);
	MUST(archive_create(&a, file, &e));
	ck_assert_int_ne(access(file, F_OK), 0); /* not before it is whole */
	MUST(archive_add_text(a, "top/about", "text", &e));
	MUST(archive_add_tree(a, "top", tree, NULL, &e));
	MUST(archive_add_file(a, "other/big", big, &e));
	MUST(archive_finish(a, &e));
	const char *out = empty_dir();
	MUST(archive_extract(file, out, &e));
	holds(path_of(out, "top/about"), "text");
	holds(path_of(out, "top/one"), "1");
	holds(path_of(out, "top/a/b/two"), "2");
	holds(path_of(out, "top/a/nothing"), "");
	holds(path_of(out, "other/big"), "begin");
	struct stat st;
	ck_assert_int_eq(stat(path_of(out, "other/big"), &st), 0);
	ck_assert_int_eq(st.st_size, 3000001);
}
END_TEST

START_TEST(discarded)
{
	struct err e = { 0 };
	struct archive_out *a = NULL;
	const char *dir = new_path("d"), *file = path_of(dir, "x.tar.zst");
	MUST(io_mkdirs(dir, 0755, &e));
	MUST(archive_create(&a, file, &e));
	ck_assert_int_eq(archive_add_file(a, "x", path_of(dir, "absent"), &e), -1);
	archive_discard(a);
	ck_assert_int_eq(rmdir(dir), 0); /* nothing is left in it */
}
END_TEST

struct hostile {
	const char *name, *link, *hard;
	unsigned type;
	const char *why;
};
static const struct hostile hostile[] = {
	{ "/etc/x", NULL, NULL, AE_IFREG, "would lie outside" },
	{ "a/../../x", NULL, NULL, AE_IFREG, "would lie outside" },
	{ "..", NULL, NULL, AE_IFREG, "would lie outside" },
	{ "a//x", NULL, NULL, AE_IFREG, "would lie outside" },
	{ "./x", NULL, NULL, AE_IFREG, "would lie outside" },
	{ "x", "/etc", NULL, AE_IFLNK, "is no plain file" },
	{ "x", NULL, "good", AE_IFREG, "is no plain file" },
	{ "x", NULL, NULL, AE_IFCHR, "is no plain file" },
	{ "x", NULL, NULL, AE_IFDIR, "is no plain file" },
	{ "good", NULL, NULL, AE_IFREG, "unpack 'good': File exists" },
};

/* A good entry, the bad one, and one through it. */
static void write_hostile(const char *file, const struct hostile *h)
{
	struct archive *a = archive_write_new();
	const char *const names[] = { "good", h->name, "x/passwd" };
	ck_assert_int_eq(archive_write_add_filter_zstd(a), ARCHIVE_OK);
	ck_assert_int_eq(archive_write_set_format_pax(a), ARCHIVE_OK);
	ck_assert_int_eq(archive_write_open_filename(a, file), ARCHIVE_OK);
	for (size_t i = 0; i < 3; i++) {
		struct archive_entry *entry = archive_entry_new();
		archive_entry_set_pathname(entry, names[i]);
		archive_entry_set_filetype(entry, i == 1 ? h->type : AE_IFREG);
		archive_entry_set_perm(entry, 0644);
		archive_entry_set_size(entry, i == 1 ? 0 : 3);
		if (i == 1 && h->link != NULL)
			archive_entry_set_symlink(entry, h->link);
		if (i == 1 && h->hard != NULL)
			archive_entry_set_hardlink(entry, h->hard);
		ck_assert_int_eq(archive_write_header(a, entry), ARCHIVE_OK);
		if (i != 1)
			ck_assert_int_eq(archive_write_data(a, "bad", 3), 3);
		archive_entry_free(entry);
	}
	ck_assert_int_eq(archive_write_free(a), ARCHIVE_OK);
}

START_TEST(refused)
{
	struct err e = { 0 };
	const char *file = new_path("x.tar.zst"), *out = empty_dir();
	write_hostile(file, &hostile[_i]);
	ck_assert_int_eq(archive_extract(file, out, &e), -1);
	ck_assert_int_eq(e.exit, EXIT_BAD_SCENARIO);
	ck_assert_msg(strstr(e.why, hostile[_i].why) != NULL, "%s", e.why);
	ck_assert_int_ne(access(path_of(out, "../x"), F_OK), 0);
	ck_assert_int_ne(access(path_of(out, "x"), F_OK), 0);
}
END_TEST

START_TEST(not_an_archive)
{
	struct err e = { 0 };
	const char *file = new_path("x.tar.zst");
	put(file, "nothing of the kind");
	ck_assert_int_eq(archive_extract(file, empty_dir(), &e), -1);
	ck_assert_int_eq(e.exit, EXIT_BAD_SCENARIO);
}
END_TEST

START_TEST(linked_tree)
{
	struct err e = { 0 };
	struct stat a, b;
	const char *tree = make_tree(), *to = new_path("copy");
	MUST(tree_link(tree, to, &e));
	holds(path_of(to, "a/b/two"), "2");
	ck_assert_int_eq(stat(path_of(tree, "one"), &a), 0);
	ck_assert_int_eq(stat(path_of(to, "one"), &b), 0);
	ck_assert_uint_eq(a.st_ino, b.st_ino);
	/* Another file system. */
	GUARD(mem) char *far = mem_printf("/dev/shm/backout-tree-%d", (int)getpid());
	MUST(tree_link(tree, far, &e));
	holds(path_of(far, "a/b/two"), "2");
	holds(path_of(far, "one"), "1");
	MUST(io_remove_tree(AT_FDCWD, far, &e));
	ck_assert_int_eq(symlink("one", path_of(tree, "link")), 0);
	ck_assert_int_eq(tree_link(tree, new_path("other"), &e), -1);
	ck_assert_ptr_nonnull(strstr(e.why, "'link' is neither a file nor a folder"));
}
END_TEST

/* What is mounted there would be left out, so it is refused. */
START_TEST(linked_tree_with_a_mount)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	const char *tree = make_tree(), *mounted = path_of(tree, "a/mnt");
	ck_assert_int_eq(mkdir(mounted, 0755), 0);
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("tmpfs", mounted, "tmpfs", 0, NULL), 0);
	ck_assert_int_eq(tree_link(tree, new_path("copy"), &e), -1);
	ck_assert_msg(strstr(e.why, "'a/mnt' is a mount") != NULL, "%s", e.why);
	ck_assert_int_eq(umount2(mounted, MNT_DETACH), 0);
}
END_TEST

Suite *suite_archive(void);
Suite *suite_archive(void)
{
	Suite *s = suite_create("archive");
	TCase *t = tcase_create("archive");
	tcase_add_test(t, there_and_back);
	tcase_add_test(t, discarded);
	tcase_add_loop_test(t, refused, 0, (int)(sizeof(hostile) / sizeof(hostile[0])));
	tcase_add_test(t, not_an_archive);
	tcase_add_test(t, linked_tree);
	tcase_add_test(t, linked_tree_with_a_mount);
	suite_add_tcase(s, t);
	return s;
}
