/* SPDX-License-Identifier: MIT */
/* Tars of somebody else's: what is in them, and nothing of it outside of its root. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/sha256.h"
#include "harness/sandbox/unpack.h"
#include "tests/unit/runner.h"

/* type: 'f' file (text: content), 'd' folder, 'l' link (text: target), 'h' hard link, 'c' device,
 * 's' a set-uid file */
struct piece {
	char type;
	const char *name, *text;
};

static char dir[300];

static const char *in_dir(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned turn;
	char *ret = paths[turn++ % 4];
	(void)snprintf(ret, PATH_MAX, "%s/%s", dir, name);
	return ret;
}

static void make_tar(const char *path, const struct piece *p)
{
	struct archive *a = archive_write_new();
	ck_assert_int_eq(archive_write_set_format_pax(a), ARCHIVE_OK);
	ck_assert_int_eq(archive_write_open_filename(a, path), ARCHIVE_OK);
	for (; p->name != NULL; p++) {
		struct archive_entry *n = archive_entry_new();
		archive_entry_set_pathname(n, p->name);
		archive_entry_set_perm(n, p->type == 's' ? 04755 : 0755);
		archive_entry_set_mtime(n, 1000000, 0);
		archive_entry_set_filetype(n, p->type == 'd'   ? AE_IFDIR
					      : p->type == 'l' ? AE_IFLNK
					      : p->type == 'c' ? AE_IFCHR
							       : AE_IFREG);
		bool file = p->type == 'f' || p->type == 's';
		archive_entry_set_size(n, file ? (int64_t)strlen(p->text) : 0);
		if (p->type == 'l')
			archive_entry_set_symlink(n, p->text);
		if (p->type == 'h')
			archive_entry_set_hardlink(n, p->text);
		ck_assert_int_eq(archive_write_header(a, n), ARCHIVE_OK);
		if (file)
			(void)archive_write_data(a, p->text, strlen(p->text));
		archive_entry_free(n);
	}
	ck_assert_int_eq(archive_write_close(a), ARCHIVE_OK);
	(void)archive_write_free(a);
}

/* In the first header: the size, a number of base 256, and the sum of the header's bytes. */
static void claim_a_tebibyte(const char *path)
{
	unsigned char h[512];
	unsigned sum = 0;
	GUARD(fd) int fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(pread(fd, h, sizeof(h), 0), sizeof(h));
	memset(h + 124, 0, 12);
	h[124] = 0x80;
	h[124 + 6] = 1;
	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += h[i];
	(void)snprintf((char *)h + 148, 8, "%06o", sum);
	ck_assert_int_eq(pwrite(fd, h, sizeof(h), 0), sizeof(h));
}

static struct unpack_count count;

static int unpack_file(const char *tar, bool layer, struct err *e)
{
	GUARD(fd) int root = open(in_dir("root"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	GUARD(fd) int fd = open(tar, O_RDONLY | O_CLOEXEC);
	ck_assert(root >= 0 && fd >= 0);
	count = (struct unpack_count){ .bytes = UNPACK_BYTES_MAX, .entries = UNPACK_ENTRIES_MAX };
	const struct unpack u = { root, fd, "x.tar", layer, &count };
	return unpack_tar(&u, e);
}

static int unpack(const struct piece *p, bool layer, struct err *e)
{
	make_tar(in_dir("x.tar"), p);
	return unpack_file(in_dir("x.tar"), layer, e);
}

/* A root, and beside it what an attack would like to change. */
static void set_up(void)
{
	struct err e = { 0 };
	(void)snprintf(dir, sizeof(dir), "%s", test_dir());
	MUST(io_mkdirs(in_dir("root"), 0755, &e));
	MUST(io_mkdirs(in_dir("outside"), 0755, &e));
	MUST(io_write_file(AT_FDCWD, in_dir("outside/victim"), "whole", 5, 0644, &e));
}

static void check_outside(void)
{
	struct err e = { 0 };
	GUARD_BUF struct buf b = { 0 };
	struct stat st;
	MUST(io_read_file(AT_FDCWD, in_dir("outside/victim"), 100, &b, &e));
	ck_assert_str_eq(buf_str(&b), "whole");
	ck_assert_int_eq(stat(in_dir("outside/victim"), &st), 0);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	ck_assert_int_ne(access(in_dir("outside/new"), F_OK), 0);
	ck_assert_int_ne(access("/tmp/backout-escaped", F_OK), 0);
}

static char long_part[400];
#define P(...)                                                                                     \
	{                                                                                          \
		__VA_ARGS__,                                                                       \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}
static const struct attack {
	struct piece pieces[6];
	bool layer;
	const char *why; /* NULL: it stays inside, and is no error */
} attacks[] = {
	{ P({ 'f', "../outside/new", "x" }), false, "leads out of its root" },
	{ P({ 'f', "a/../../outside/victim", "x" }), false, "leads out of its root" },
	{ P({ 'f', "/tmp/backout-escaped", "x" }), false, "has an absolute name" },
	{ P({ 'l', "a", "../outside" }, { 'f', "a/new", "x" }), false, "unpack 'a/new'" },
	{ P({ 'l', "a", "/tmp" }, { 'f', "a/backout-escaped", "x" }), false, "unpack 'a/" },
	{ P({ 'd', "tmp", "" }, { 'l', "a", "/tmp" }, { 'f', "a/backout-escaped", "x" }), false,
	  NULL },
	{ P({ 'd', "d", "" }, { 'l', "d/a", "../.." }, { 'l', "b", "d/a/outside" },
	    { 'f', "b/victim", "x" }),
	  false, "unpack 'b/victim'" },
	{ P({ 'l', "a", "../outside/victim" }, { 'f', "a", "x" }), false, NULL },
	{ P({ 'h', "a", "../outside/victim" }), false, "leads out of its root" },
	{ P({ 'l', "o", "../outside" }, { 'h', "a", "o/victim" }), false, "is not there" },
	{ P({ 'l', "o", "../outside" }, { 'd', "o", "" }, { 'f', "o/victim", "x" }), false, NULL },
	{ P({ 'f', ".wh...", "" }), true, "no name of its own" },
	{ P({ 'f', ".wh..", "" }), true, "no name of its own" },
	{ P({ 'f', ".wh.", "" }), true, "no name of its own" },
	{ P({ 'f', "../outside/.wh.victim", "" }), true, "leads out of its root" },
	{ P({ 'l', "o", "../outside" }, { 'f', "o/.wh..wh..opq", "" }), true, NULL },
	{ P({ 'f', long_part, "x" }), false, "too long for a file system" },
	{ P({ 'f', "a", "x" }, { 'f', "a/b", "x" }), false, "unpack 'a/b'" },
	{ P({ 'f', ".", "x" }), false, "is no folder" },
};

START_TEST(stays_inside)
{
	TEST_NEEDS_ROOT();
	const struct attack *a = &attacks[_i];
	struct err e = { 0 };
	set_up();
	memset(long_part, 'n', sizeof(long_part) - 1);
	int got = unpack(a->pieces, a->layer, &e);
	check_outside();
	ck_assert_msg(got == (a->why != NULL ? -1 : 0), "%d: %s", _i, e.why);
	if (a->why != NULL) {
		ck_assert_msg(strstr(e.why, a->why) != NULL, "%d: %s", _i, e.why);
		ck_assert_int_eq(e.exit, EXIT_BAD_SCENARIO);
	}
}
END_TEST

START_TEST(is_what_it_holds)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct stat st;
	set_up();
	static const struct piece all[] =
		P({ 'd', "./", "" }, { 'd', "./etc/", "" }, { 's', "./etc/su", "1" },
		  { 'h', "./etc/su2", "./etc/su" }, { 'l', "./s", "/etc" }, { 'f', "./s/in", "2" },
		  { 'c', "./dev/null", "" });
	MUST(unpack(all, false, &e));
	ck_assert_int_eq(stat(in_dir("root/etc/su2"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 04755);
	ck_assert_uint_eq(st.st_nlink, 2);
	ck_assert_int_eq(st.st_mtime, 1000000);
	ck_assert_int_eq(stat(in_dir("root/etc"), &st), 0);
	ck_assert_int_eq(st.st_mtime, 1000000);
	ck_assert_int_eq(access(in_dir("root/etc/in"), F_OK), 0); /* by the link, inside */
	ck_assert_int_ne(access(in_dir("root/dev/null"), F_OK), 0);
	ck_assert_uint_eq(count.devices, 1);
}
END_TEST

START_TEST(layers_take_away)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	set_up();
	static const struct piece below[] =
		P({ 'f', "gone", "1" }, { 'd', "d", "" }, { 'f', "d/old", "1" }, { 'd', "e", "" },
		  { 'f', "e/old", "1" });
	/* The opaque mark behind the file that it must not touch. */
	static const struct piece above[] =
		P({ 'f', ".wh.gone", "" }, { 'f', "d/new", "2" }, { 'f', "d/.wh..wh..opq", "" },
		  { 'f', ".wh..wh.plnk", "" }, { 'f', "e", "a file" },
		  { 'f', "x/.wh.not-there", "" });
	MUST(unpack(below, true, &e));
	MUST(unpack(above, true, &e));
	ck_assert_int_ne(access(in_dir("root/gone"), F_OK), 0);
	ck_assert_int_ne(access(in_dir("root/d/old"), F_OK), 0);
	ck_assert_int_eq(access(in_dir("root/d/new"), F_OK), 0);
	ck_assert_int_ne(access(in_dir("root/.wh.gone"), F_OK), 0);
	ck_assert_int_ne(access(in_dir("root/e/old"), F_OK), 0);
	ck_assert_int_eq(access(in_dir("root/e"), F_OK), 0);
}
END_TEST

START_TEST(bombs_and_ruins)
{
	TEST_NEEDS_ROOT();
	static const struct piece one[] = P({ 'f', "big", "0123456789" });
	static const struct piece two[] = P({ 'd', "a", "" }, { 'd', "b", "" });
	struct err e = { 0 };
	set_up();
	GUARD(fd) int root = open(in_dir("root"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* It only says that it is large. */
	make_tar(in_dir("x.tar"), one);
	claim_a_tebibyte(in_dir("x.tar"));
	ck_assert_int_eq(unpack_file(in_dir("x.tar"), false, &e), -1);
	ck_assert_msg(strstr(e.why, "at most 32 GiB") != NULL, "%s", e.why);
	memset(&e, 0, sizeof(e));
	make_tar(in_dir("x.tar"), two);
	GUARD(fd) int fd = open(in_dir("x.tar"), O_RDWR | O_CLOEXEC);
	struct unpack_count few = { .bytes = 100, .entries = 1 };
	const struct unpack u = { root, fd, "x.tar", false, &few };
	ck_assert_int_eq(unpack_tar(&u, &e), -1);
	ck_assert_msg(strstr(e.why, "one too many") != NULL, "%s", e.why);
	memset(&e, 0, sizeof(e));
	/* Cut between two entries, where libarchive sees an end. */
	ck_assert_int_eq(ftruncate(fd, 512), 0);
	ck_assert_int_eq(unpack_file(in_dir("x.tar"), false, &e), -1);
	ck_assert_msg(strstr(e.why, "cut short") != NULL, "%s", e.why);
	ck_assert_int_eq(e.exit, EXIT_BAD_SCENARIO);
	memset(&e, 0, sizeof(e));
	MUST(io_write_file(AT_FDCWD, in_dir("y"), "this is no tar at all", 21, 0644, &e));
	ck_assert_int_eq(unpack_file(in_dir("y"), false, &e), -1);
	ck_assert_msg(strstr(e.why, "damaged, or no tar") != NULL, "%s", e.why);
}
END_TEST

START_TEST(digests)
{
	char text[SHA256_TEXT], split[SHA256_TEXT];
	struct sha256 s;
	char many[200];
	sha256_text("abc", 3, text);
	ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, text);
	ck_assert_str_eq(text, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(many, 'x', sizeof(many));
	for (size_t len = 0; len <= sizeof(many); len++) {
		sha256_text(many, len, text);
		sha256_begin(&s);
		sha256_add(&s, many, len / 3);
		sha256_add(&s, many, len - len / 3);
		sha256_text_of(&s, split);
		ck_assert_str_eq(text, split);
	}
}
END_TEST

Suite *suite_unpack(void);
Suite *suite_unpack(void)
{
	Suite *s = suite_create("unpack");
	TCase *t = tcase_create("unpack");
	tcase_add_loop_test(t, stays_inside, 0, sizeof(attacks) / sizeof(attacks[0]));
	tcase_add_test(t, is_what_it_holds);
	tcase_add_test(t, layers_take_away);
	tcase_add_test(t, bombs_and_ruins);
	tcase_add_test(t, digests);
	suite_add_tcase(s, t);
	return s;
}
