/* SPDX-License-Identifier: MIT */
/* Folders below each other, deeper than a path is long and than a process has descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/tree.h"
#include "harness/sandbox/tree_copy.h"
#include "harness/sandbox/upper.h"
#include "tests/unit/capture_fixture.h"
#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"

enum { DEPTH = 3000, FEW_FILES = 150 };

static void make_chain(int dirfd, const char *text)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < DEPTH; i++) {
		ck_assert_int_eq(mkdirat(fd, "d", 0755), 0);
		int below = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(fd);
		fd = below;
	}
	GUARD(fd) int file = openat(fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

static int folder(const char *path)
{
	ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

struct seen {
	int entered, left;
	size_t longest;
	bool file;
};

static int enter(void *arg, const struct tree_entry *at, struct err *e)
{
	struct seen *s = arg;
	(void)e;
	s->entered++;
	s->longest = strlen(at->path);
	s->file |= strcmp(at->name, "f") == 0;
	return 0;
}

static int leave(void *arg, const struct tree_entry *at, struct err *e)
{
	struct seen *s = arg;
	struct stat st;
	(void)e;
	/* Its own folder is at hand again. */
	ck_assert_int_eq(fstatat(at->dirfd, at->name, &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert(st.st_ino == at->st.st_ino);
	s->left++;
	return 0;
}

static struct seen look(int fd)
{
	struct err e = { 0 };
	struct seen s = { 0 };
	const struct tree_visitor v = { enter, leave, &s };
	MUST(tree_walk(fd, "", &v, &e));
	return s;
}

START_TEST(a_chain_is_walked_copied_and_removed)
{
	struct err e = { 0 };
	struct rlimit few = { FEW_FILES, FEW_FILES };
	char path[400], copy[400];
	(void)snprintf(path, sizeof(path), "%s/a", test_dir());
	(void)snprintf(copy, sizeof(copy), "%s/b", test_dir());
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	GUARD(fd) int a = folder(path);
	GUARD(fd) int b = folder(copy);
	make_chain(a, "text");
	struct tree_copy *c = tree_copy_create(b);
	MUST(tree_copy_below(c, a, ".", '\0', &e));
	tree_copy_destroy(c);
	for (int i = 0; i < 2; i++) {
		struct seen s = look(openat(i == 0 ? a : b, ".", O_RDONLY | O_DIRECTORY));
		ck_assert_int_eq(s.entered, DEPTH + 1);
		ck_assert_int_eq(s.left, DEPTH);
		ck_assert_uint_eq(s.longest, 2 * (DEPTH + 1));
		ck_assert(s.file);
	}
	MUST(io_remove_tree(AT_FDCWD, path, &e));
	MUST(io_remove_tree(AT_FDCWD, copy, &e));
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(access(copy, F_OK), -1);
}
END_TEST

/* The folder above is moved away while we are below it: what is left there is not told, and the
 * walk goes on where it knows its way. */
struct mover {
	const char *root;
	int entered;
	bool moved, after;
};

static int move_away(void *arg, const struct tree_entry *at, struct err *e)
{
	struct mover *m = arg;
	(void)e;
	m->entered++;
	m->after |= strcmp(at->path, "/z") == 0;
	if (strcmp(at->name, "f") != 0 || m->moved)
		return 0;
	m->moved = true;
	char from[500], to[500], middle[300] = "";
	for (int i = 0; i < 100; i++)
		(void)strncat(middle, "/d", sizeof(middle) - strlen(middle) - 1);
	(void)snprintf(from, sizeof(from), "%s%s", m->root, middle);
	(void)snprintf(to, sizeof(to), "%s-moved", m->root);
	ck_assert_int_eq(rename(from, to), 0);
	return 0;
}

/* Of those that are still where they were. */
static int leave_moved(void *arg, const struct tree_entry *at, struct err *e)
{
	struct stat st;
	(void)arg;
	(void)e;
	if (at->dirfd < 0)
		return 0;
	ck_assert_int_eq(fstatat(at->dirfd, at->name, &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert(st.st_ino == at->st.st_ino);
	return 0;
}

START_TEST(a_folder_moves_meanwhile)
{
	struct err e = { 0 };
	char path[300];
	(void)snprintf(path, sizeof(path), "%s/a", test_dir());
	struct mover m = { .root = path };
	const struct tree_visitor v = { move_away, leave_moved, &m };
	int a = folder(path);
	make_chain(a, "text");
	ck_assert_int_eq(mkdirat(a, "z", 0755), 0);
	MUST(tree_walk(a, "", &v, &e));
	ck_assert(m.moved);
	ck_assert(m.after);
	ck_assert_int_eq(m.entered, DEPTH + 2);
}
END_TEST

static void deep_line(struct node *n, struct buf *ret)
{
	struct taken t;
	capture_take(n, NULL, &t);
	const char *at = strstr(buf_str(&t.text), "\"below\":");
	ck_assert_msg(at != NULL, "no line tells what lies below");
	ck_assert_ptr_null(strstr(at + 1, "\"below\":"));
	buf_clear(ret);
	buf_add(ret, at, strcspn(at, "\n"));
	buf_free(&t.text);
}

START_TEST(a_fingerprint_tells_what_lies_deep)
{
	TEST_NEEDS_ROOT();
	struct bench b;
	struct err e = { 0 };
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf same = { 0 };
	GUARD_BUF struct buf other = { 0 };
	char digest[HASH_TEXT];
	bench_open(&b);
	struct node *n = bench_node(&b, "n", NULL);
	int srv = openat(node_root_fd(n), "srv", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_chain(srv, "one");
	deep_line(n, &before);
	struct upper_cache *cache = upper_cache_create();
	MUST(upper_digest(n, cache, digest, NULL, &e));
	upper_cache_destroy(cache);
	MUST(io_remove_tree(srv, "d", &e));
	make_chain(srv, "one");
	deep_line(n, &same);
	ck_assert_str_eq(buf_str(&before), buf_str(&same));
	MUST(io_remove_tree(srv, "d", &e));
	make_chain(srv, "two");
	deep_line(n, &other);
	ck_assert_str_ne(buf_str(&before), buf_str(&other));
	(void)close(srv);
	bench_close_with(&b, n);
}
END_TEST

Suite *suite_deep(void)
{
	Suite *s = suite_create("deep");
	TCase *c = tcase_create("deep");
	tcase_set_timeout(c, 60);
	tcase_add_test(c, a_chain_is_walked_copied_and_removed);
	tcase_add_test(c, a_folder_moves_meanwhile);
	tcase_add_test(c, a_fingerprint_tells_what_lies_deep);
	suite_add_tcase(s, c);
	return s;
}
