/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/model/state.h"
#include "harness/sandbox/capture.h"
#include "harness/sandbox/capture_internal.h"
#include "tests/unit/capture_fixture.h"
#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"

/* What `script` changes, as "-old line\n+new line\n". */
static void changes(struct node *n, const char *script, struct buf *ret)
{
	struct taken before, after;
	capture_take(n, NULL, &before);
	ck_assert_msg(bench_sh(n, script, NULL) == 0, "%s", script);
	capture_take(n, NULL, &after);
	capture_lines_without(buf_str(&before.text), buf_str(&after.text), '-', ret);
	capture_lines_without(buf_str(&after.text), buf_str(&before.text), '+', ret);
	buf_free(&before.text);
	buf_free(&after.text);
}

/* A change and a part of each line that must differ, in order; nothing else may differ. */
static const struct {
	const char *script;
	const char *lines[9];
} cases[] = {
	{ "chmod 4600 /srv/f",
	  { "-" F("/srv/f") "file\",\"mode\":\"0644\"," OWN,
	    "+" F("/srv/f") "file\",\"mode\":\"4600\"," OWN } },
	{ "chown 1:0 /srv/f",
	  { "-" F("/srv/f") "file\",\"mode\":\"0644\",\"uid\":0,\"gid\":0",
	    "+" F("/srv/f") "file\",\"mode\":\"0644\",\"uid\":1,\"gid\":0" } },
	{ "chown 0:2 /srv/d",
	  { "-" F("/srv/d") "dir\",\"mode\":\"0755\",\"uid\":0,\"gid\":0}",
	    "+" F("/srv/d") "dir\",\"mode\":\"0755\",\"uid\":0,\"gid\":2}" } },
	{ "echo 123 >/srv/f",
	  { "-" F("/srv/f") "file\",\"mode\":\"0644\"," OWN ",\"size\":6,",
	    "+" F("/srv/f") "file\",\"mode\":\"0644\"," OWN ",\"size\":4," } },
	{ "touch -d '2001-01-01 00:00:00' /srv/f", { NULL } },
	{ "cat /srv/f >/srv/t; rm /srv/f; mv /srv/t /srv/f", { NULL } },
	{ "ln -sfn nowhere /srv/l",
	  { "-" F("/srv/l") "link\",\"mode\":\"0777\"," OWN ",\"target\":\"f\"}",
	    "+" F("/srv/l") "link\",\"mode\":\"0777\"," OWN ",\"target\":\"nowhere\"}" } },
	{ "rm /srv/p; mknod /srv/p p; chmod 600 /srv/p",
	  { "-" F("/srv/p") "fifo\",\"mode\":\"0644\"," OWN "}",
	    "+" F("/srv/p") "fifo\",\"mode\":\"0600\"," OWN "}" } },
	{ "rm /srv/c; mknod /srv/c c 1 5",
	  { "-" F("/srv/c") "char\",\"mode\":\"0644\"," OWN ",\"rdev\":\"1:3\"}",
	    "+" F("/srv/c") "char\",\"mode\":\"0644\"," OWN ",\"rdev\":\"1:5\"}" } },
	{ "rm /srv/b; mknod /srv/b c 7 1",
	  { "-" F("/srv/b") "block\"", "+" F("/srv/b") "char\"" } },
	{ "rm /srv/p; mkdir /srv/p", { "-" F("/srv/p") "fifo\"", "+" F("/srv/p") "dir\"" } },
	{ "cp -p /srv/h2 /srv/t; mv /srv/t /srv/h2",
	  { "-" F("/srv/a-h") "file\",", "-" F("/srv/h1") "file\"", "-" F("/srv/h2") "file\"",
	    "+" F("/srv/a-h") "file\",", "+" F("/srv/h1") "file\"", "+" F("/srv/h2") "file\"" } },
	{ "rm /srv/dd-a", { "-" F("/srv/dd-a") "file\"" } },
	{ "echo 1 >/tmp/t; echo 1 >/run/t; echo 1 >/dev/shm/t; mkdir /dev/new",
	  { "+" F("/dev/shm/t") "file\"", "+" F("/run/t") "file\"", "+" F("/tmp/t") "file\"" } },
	{ "echo -n 99999 >/srv/x.pid",
	  { "+" F("/srv/x.pid") "file\",\"mode\":\"0644\"," OWN ",\"pid\":\"stale\"}" } },
	{ "echo 0 >/srv/y.pid; echo 1x >/srv/z.pid",
	  { "+" F("/srv/y.pid") "file\",\"mode\":\"0644\"," OWN ",\"size\":2,\"xxh3\"",
	    "+" F("/srv/z.pid") "file\",\"mode\":\"0644\"," OWN ",\"size\":3,\"xxh3\"" } },
	{ "echo 99999 >/run/pidof; echo 99999 >/srv/pidof",
	  { "+" F("/run/pidof") "file\",\"mode\":\"0644\"," OWN ",\"pid\":\"stale\"}",
	    "+" F("/srv/pidof") "file\",\"mode\":\"0644\"," OWN ",\"size\":6,\"xxh3\"" } },
	{ "mkdir /srv/mnt; mount -t tmpfs -o size=64k none /srv/mnt; echo in >/srv/mnt/f",
	  { "+" F("/srv/mnt") "dir\"", "+" F("/srv/mnt/f") "file\"",
	    "+{\"kind\":\"mount\",\"key\":\"/srv/"
	    "mnt\",\"fstype\":\"tmpfs\",\"options\":\"rw,relatime;"
	    "rw,size=64k\",\"source\":\"none\"}" } },
	{ "mkdir '/srv/a b'; for i in 1 2; do mount -t tmpfs t '/srv/a b'; done",
	  { "+" F("/srv/a b") "dir\"",
	    "+{\"kind\":\"mount\",\"key\":\"/srv/a b\",\"fstype\":\"tmpfs\",",
	    "+{\"kind\":\"mount\",\"key\":\"/srv/a b#2\",\"fstype\":\"tmpfs\"," } },
	{ "echo said >/srv/said",
	  { "-{\"kind\":\"also\",\"key\":\"z\",\"status\":0,", "+" F("/srv/said") "file\"",
	    "+{\"kind\":\"also\",\"key\":\"z\",\"status\":0,\"xxh3\":" } },
	{ "rm /srv/f; echo 12345 >/usr/f; touch '/srv/\"q\"'",
	  { "-" F("/srv/f") "file\"", "+" F("/srv/\\\"q\\\"") "file\"",
	    "+" F("/usr/f") "file\",\"mode\":\"0644\"," OWN } },
	{ "printf 'Package: one\\nStatus: install reinstreq half-installed\\nArchitecture: all\\n"
	  "Version: 1\\n' >/var/lib/dpkg/updates/0000; printf 'Package: one\\nStatus: install ok "
	  "unpacked\\nArchitecture: all\\nVersion: 2\\n\\nPackage: two\\nStatus: hold ok "
	  "installed\\n"
	  "Architecture: arm64\\nVersion: 3\\n' >/var/lib/dpkg/updates/0001; "
	  "echo no >/var/lib/dpkg/updates/tmp.i",
	  { "-{\"kind\":\"package\",\"key\":\"one:all\",\"version\":\"1\",\"status\":\"install ok "
	    "installed\"}",
	    "+" F("/var/lib/dpkg/updates/0000") "file\"",
	    "+" F("/var/lib/dpkg/updates/0001") "file\"",
	    "+" F("/var/lib/dpkg/updates/tmp.i") "file\"",
	    "+{\"kind\":\"package\",\"key\":\"one:all\",\"version\":\"2\",\"status\":\"install ok "
	    "unpacked\"}",
	    "+{\"kind\":\"package\",\"key\":\"two:arm64\",\"version\":\"3\",\"status\":\"hold ok "
	    "installed\"}" } },
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static struct node *open_prepared(struct bench *b)
{
	bench_open(b);
	b->may_mount = true;
	struct node *n = bench_node(b, "n", NULL);
	ck_assert_int_eq(bench_sh(n, capture_prepare, NULL), 0);
	return n;
}

START_TEST(one_change_one_line)
{
	TEST_NEEDS_ROOT();
	struct bench b;
	struct node *n = open_prepared(&b);
	GUARD_BUF struct buf diff = { 0 };
	changes(n, cases[_i].script, &diff);
	const char *at = buf_str(&diff);
	size_t count = sizeof(cases[_i].lines) / sizeof(cases[_i].lines[0]);
	for (size_t i = 0; i < count && cases[_i].lines[i] != NULL; i++) {
		const char *want = cases[_i].lines[i];
		ck_assert_msg(strncmp(at, want, strlen(want)) == 0,
			      "%s: line %zu: want %s\nin:\n%s", cases[_i].script, i, want,
			      buf_str(&diff));
		at += strcspn(at, "\n") + 1;
	}
	ck_assert_msg(*at == '\0', "%s: also changed:\n%s", cases[_i].script, at);
	bench_close_with(&b, n);
}
END_TEST

START_TEST(whole_lines)
{
	TEST_NEEDS_ROOT();
	static const struct {
		const char *head, *line;
	} lines[] = {
		{ F("/srv/f"), F("/srv/f") "file\",\"mode\":\"0644\"," OWN
					   ",\"size\":6,\"xxh3\":\"%s\",\"@owner\":\"one\"}" },
		{ F("/srv/h2"),
		  F("/srv/h2") "file\",\"mode\":\"0644\"," OWN
			       ",\"size\":2,\"xxh3\":\"%s\",\"nlink\":3,\"links\":\"/srv/a-h\"}" },
		{ "{\"kind\":\"also\",\"key\":\"a\"",
		  "{\"kind\":\"also\",\"key\":\"a\",\"status\":3,"
		  "\"xxh3\":\"%s\",\"size\":8,\"text\":\"out\\nerr\\n\"}" },
	};
	static const char *const contents[] = { "12345\n", "x\n", "out\nerr\n" };
	struct bench b;
	struct node *n = open_prepared(&b);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		GUARD_BUF struct buf got = { 0 };
		GUARD_BUF struct buf want = { 0 };
		char text[HASH_TEXT];
		hash_text(contents[i], strlen(contents[i]), text);
		const char *gap = strstr(lines[i].line, "%s");
		buf_add(&want, lines[i].line, (size_t)(gap - lines[i].line));
		buf_puts(&want, text);
		buf_puts(&want, gap + 2);
		capture_line_of(n, lines[i].head, &got);
		ck_assert_str_eq(buf_str(&got), buf_str(&want));
	}
	GUARD_BUF struct buf gone = { 0 };
	capture_line_of(n, "{\"kind\":\"package\",\"key\":\"gone", &gone);
	ck_assert_str_eq(buf_str(&gone), "");
	bench_close_with(&b, n);
}
END_TEST

START_TEST(extended_attributes)
{
	TEST_NEEDS_ROOT();
	struct bench b;
	struct node *n = open_prepared(&b);
	GUARD_BUF struct buf line = { 0 };
	char script[1200];
	(void)snprintf(
		script, sizeof(script),
		"cd %s/srv && python3 -c \"import os; os.setxattr('f', 'user.long', b'v' * 65); "
		"os.setxattr('f', 'user.a', b'\\x00\\xff'); os.setxattr('d', 'trusted.d', b'1'); "
		"os.setxattr('l', 'trusted.l', b'2', 0, follow_symlinks=False)\" 2>&1",
		node_root_path(n));
	char long_value[65], hash[HASH_TEXT], want[200];
	ck_assert_int_eq(system(script), 0);
	memset(long_value, 'v', sizeof(long_value));
	hash_text(long_value, sizeof(long_value), hash);
	(void)snprintf(want, sizeof(want),
		       "\"xattr:user.a\":\"00ff\",\"xattr:user.long\":\"xxh3:%s\"", hash);
	capture_line_of(n, F("/srv/f"), &line);
	ck_assert_msg(strstr(buf_str(&line), want) != NULL, "%s", buf_str(&line));
	capture_line_of(n, F("/srv/d"), &line);
	ck_assert_ptr_nonnull(strstr(buf_str(&line), "\"xattr:trusted.d\":\"31\""));
	capture_line_of(n, F("/srv/l"), &line);
	ck_assert_ptr_nonnull(strstr(buf_str(&line), "\"xattr:trusted.l\":\"32\""));
	bench_close_with(&b, n);
}
END_TEST

START_TEST(twice_is_the_same)
{
	TEST_NEEDS_ROOT();
	struct bench b;
	struct err e = { 0 };
	bench_open(&b);
	struct node *n = bench_node(&b, "n", NULL), *other = bench_node(&b, "n", NULL);
	struct capture_cache *cache = capture_cache_create();
	struct taken t[5];
	ck_assert_int_eq(bench_sh(n, capture_prepare, NULL), 0);
	ck_assert_int_eq(bench_sh(other, capture_prepare, NULL), 0);
	capture_take(n, NULL, &t[0]);
	capture_take(n, NULL, &t[1]);
	capture_take(n, cache, &t[2]);
	capture_take(n, cache, &t[3]);
	capture_take(other, NULL, &t[4]);
	char digest[HASH_TEXT];
	hash_text(buf_str(&t[0].text), t[0].text.len, digest);
	for (int i = 0; i < 5; i++) {
		GUARD_BUF struct buf diff = { 0 };
		capture_lines_without(buf_str(&t[i].text), buf_str(&t[0].text), '+', &diff);
		capture_lines_without(buf_str(&t[0].text), buf_str(&t[i].text), '-', &diff);
		ck_assert_msg(diff.len == 0, "capture %d: %.1000s", i, buf_str(&diff));
		ck_assert_str_eq(t[i].result.digest, digest);
		size_t lines = 0;
		for (const char *c = buf_str(&t[i].text); *c != '\0'; c++)
			lines += *c == '\n';
		ck_assert_uint_eq(t[i].result.entries, lines);
	}
	for (int i = 0; i < 5; i++)
		buf_free(&t[i].text);
	capture_cache_destroy(cache);
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	bench_close_with(&b, other);
}
END_TEST

/* The reader of fingerprints refuses an unsorted text: names around '/' are where order breaks. */
START_TEST(order)
{
	TEST_NEEDS_ROOT();
	struct bench b;
	struct err e = { 0 };
	bench_open(&b);
	struct node *n = bench_node(&b, "n", NULL);
	struct taken t;
	ck_assert_int_eq(
		bench_sh(n,
			 "cd /srv; mkdir a a-b a.b a0; for d in a a-b a.b a0; do echo >$d/x; "
			 "done; mkdir -p 'a!' a/b; echo >\"$(printf 'a\\377')\"; "
			 "echo >\"$(printf 'a\\303\\251')\"",
			 NULL),
		0);
	capture_take(n, NULL, &t);
	struct arena *arena = arena_create();
	struct changes none = { 0 };
	const struct state_text text = { buf_str(&t.text), t.text.len };
	const struct state_text empty = { "", 0 };
	MUST(state_diff(arena, "n", empty, text, &none, &e));
	ck_assert_uint_eq(none.count, t.result.entries);
	arena_destroy(arena);
	buf_free(&t.text);
	bench_close_with(&b, n);
}
END_TEST

/* Same size, same inode, written within one clock tick of a capture: never taken from the cache. */
START_TEST(racy_write)
{
	TEST_NEEDS_ROOT();
	struct bench b;
	bench_open(&b);
	struct node *n = bench_node(&b, "n", NULL);
	struct capture_cache *cache = capture_cache_create();
	struct taken one, two;
	char path[400];
	ck_assert_int_eq(bench_sh(n, "echo aaaa >/srv/f", NULL), 0);
	(void)snprintf(path, sizeof(path), "%s/srv/f", node_root_path(n));
	GUARD(fd) int fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	char *map = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	map[0] = 'b'; /* moves ctime; the next store into the same page does not */
	capture_take(n, cache, &one);
	map[0] = 'c';
	capture_take(n, cache, &two);
	GUARD_BUF struct buf diff = { 0 };
	capture_lines_without(buf_str(&two.text), buf_str(&one.text), '+', &diff);
	ck_assert_msg(strncmp(buf_str(&diff), "+" F("/srv/f"), 20) == 0, "%s", buf_str(&diff));
	(void)munmap(map, 4);
	buf_free(&one.text);
	buf_free(&two.text);
	capture_cache_destroy(cache);
	bench_close_with(&b, n);
}
END_TEST

START_TEST(cache_keys)
{
	struct capture_cache *cache = capture_cache_create();
	const int64_t now = INT64_C(1000) * 1000000000;
	const char hash[HASH_TEXT] = "0123456789abcdef00ff00ff00ff00ff";
	char got[HASH_TEXT];
	const struct stat base = { .st_dev = 1, .st_ino = 7, .st_size = 9, .st_ctim = { 900, 5 } };
	for (ino_t i = 1; i < 20000; i++) { /* grows several times */
		struct stat st = base;
		st.st_ino = i;
		capture_cache_add(cache, &st, now, hash);
	}
	struct stat st = base;
	ck_assert(capture_cache_find(cache, &st, got));
	ck_assert_str_eq(got, hash);
	for (int i = 0; i < 5; i++) {
		st = base;
		st.st_dev += i == 0;
		st.st_ino += i == 1 ? 20000 : 0;
		st.st_size += i == 2;
		st.st_ctim.tv_sec += i == 3;
		st.st_ctim.tv_nsec += i == 4;
		ck_assert(!capture_cache_find(cache, &st, got));
	}
	/* Too young, then just old enough. */
	st = base;
	st.st_ino = 30000;
	st.st_ctim.tv_sec = 1000 - CAPTURE_RACY_S;
	st.st_ctim.tv_nsec = 1;
	capture_cache_add(cache, &st, now, hash);
	ck_assert(!capture_cache_find(cache, &st, got));
	st.st_ctim.tv_nsec = 0;
	capture_cache_add(cache, &st, now, hash);
	ck_assert(capture_cache_find(cache, &st, got));
	capture_cache_destroy(cache);
}
END_TEST

/* Files that come and go under the walk are life, not an error. */
START_TEST(busy_node)
{
	TEST_NEEDS_ROOT();
	struct bench b;
	bench_open(&b);
	struct node *n = bench_node(&b, "n", NULL);
	ck_assert_int_eq(
		bench_sh(n,
			 "mkdir /run/busy; cd /run/busy; (while :; do mkdir d; echo 1 >d/f; "
			 "echo 2 >g; mv g h; ln -s x d/l; rm -rf d; mkfifo d; rm d; done) "
			 ">/dev/null 2>&1 &",
			 NULL),
		0);
	for (int i = 0; i < 200; i++) {
		struct taken t;
		capture_take(n, NULL, &t);
		buf_free(&t.text);
	}
	bench_close_with(&b, n);
}
END_TEST

Suite *suite_capture(void);
Suite *suite_capture(void)
{
	Suite *s = suite_create("capture");
	TCase *t = tcase_create("capture");
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, one_change_one_line, 0, CASES);
	tcase_add_test(t, whole_lines);
	tcase_add_test(t, extended_attributes);
	tcase_add_test(t, twice_is_the_same);
	tcase_add_test(t, order);
	tcase_add_test(t, racy_write);
	tcase_add_test(t, cache_keys);
	tcase_add_test(t, busy_node);
	suite_add_tcase(s, t);
	return s;
}
