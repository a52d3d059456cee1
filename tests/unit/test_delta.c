/* SPDX-License-Identifier: MIT */
/* A fingerprint by what was written is the fingerprint by looking at all, to the last byte. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/sandbox/capture.h"
#include "tests/unit/capture_fixture.h"
#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"
#include "tests/unit/world_fixture.h"

enum { SEEDS = 10, ROUNDS = 5, CHANGES = 12 };

static struct node *boot(struct bench *b, const char *image)
{
	struct err e = { 0 };
	struct node *n = NULL;
	const struct node_spec spec = { .name = "n",
					.root_kind = NODE_ROOT_IMAGE,
					.root_path = image,
					.may_mount = true,
					.work_dir = bench_work(b) };
	MUST(node_create(&n, b->loop, b->owner, &spec, &e));
	return n;
}

static struct capture_base *base_of(struct bench *b, const char *image, char path[500])
{
	struct err e = { 0 };
	struct capture_base *base = NULL;
	(void)snprintf(path, 500, "%s.lines", image);
	struct node *n = boot(b, image);
	MUST(capture_base_write(n, "digest", path, &e));
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	ck_assert_int_eq(capture_base_open(&base, path, "digest", &e), 1);
	return base;
}

static void same_text(struct node *n, const struct capture_base *base, const char *what)
{
	struct taken all, merged;
	GUARD_BUF struct buf diff = { 0 };
	capture_take(n, NULL, &all);
	capture_take_by(n, NULL, base, &merged);
	capture_lines_without(buf_str(&all.text), buf_str(&merged.text), '-', &diff);
	capture_lines_without(buf_str(&merged.text), buf_str(&all.text), '+', &diff);
	ck_assert_msg(diff.len == 0, "%s:\n%.3000s", what, buf_str(&diff));
	ck_assert_str_eq(buf_str(&all.text), buf_str(&merged.text));
	ck_assert_str_eq(all.result.digest, merged.result.digest);
	ck_assert_uint_eq(all.result.entries, merged.result.entries);
	buf_free(&all.text);
	buf_free(&merged.text);
}

START_TEST(each_change)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	char lines[500];
	bench_open(&b);
	const char *image = world_image();
	struct capture_base *base = base_of(&b, image, lines);
	struct node *n = boot(&b, image);
	same_text(n, base, "pristine");
	world_attributes(n);
	same_text(n, base, "attributes");
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	for (size_t i = 0; i < WORLD_CHANGES; i++) {
		n = boot(&b, image);
		(void)bench_sh(n, world_changes[i], NULL);
		same_text(n, base, world_changes[i]);
		ck_assert_uint_eq(node_destroy(n, &e), 0);
	}
	capture_base_close(base);
	(void)unlink(lines);
	bench_close(&b);
}
END_TEST

/* What is not in the upper folder all the same. */
static const char *const others[] = {
	"echo $$ >/w/new.pid; echo 1 >/w/old.pid",
	"(sleep 5; true) & sleep 0.1; echo $! >/run/s.pid; mkdir -p /w; echo 7 >/w/7.pid",
	"mkdir /w/mnt; mount -t tmpfs t /w/mnt; echo 1 >/w/mnt/f",
	"mount -t tmpfs t /w/dir; echo 1 >/w/dir/other",
	"mount -o bind /w/f1 /w/f2",
	"umount /tmp; echo 1 >/tmp/on-disk",
	"echo /w/f4 >/var/lib/dpkg/info/one.list",
	"rm /var/lib/dpkg/info/two:amd64.list; echo 1 >/w/f3",
	"echo /w/big >/var/lib/dpkg/info/three.list; rm /w/f1; echo 1 >/w/absent",
	"mv /var/lib/dpkg/info/one.list /var/lib/dpkg/info/zzz.list",
	"cd /var/lib/dpkg/info; cat one.list >a-b.list; cat one.list >a.list",
	"cd /var/lib/dpkg/info; cat one.list >>two:amd64.list; cat two:amd64.list >>one.list",
	"rm /var/lib/dpkg/info/first.list",
	"echo /w/f4 >/var/lib/dpkg/info/first.list",
	"rm /var/lib/dpkg/info/*.list",
	"rm -r /var/lib/dpkg",
	"cp -a /var/lib/dpkg /var/lib/new; rm -r /var/lib/dpkg; mv /var/lib/new /var/lib/dpkg",
	"cd /var/lib; mv dpkg /srv; ln -s /srv/dpkg .; echo /w/f6 >>dpkg/info/one.list",
	"echo 1 >/w/absent; rm /w/f1; mkdir /w/f1; echo 1 >/w/f1/x; rm -r /w/dir; echo 1 >/w/dir",
	"mkdir /w/dir-a /w/dir.b; echo 1 >/w/dir-a/f; echo 1 >/w/dir.b/f; rm -r /w/dir; rm /w/big",
};
enum { OTHERS = sizeof(others) / sizeof(others[0]) };

START_TEST(other_changes)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	char lines[500];
	bench_open(&b);
	const char *image = world_image();
	struct capture_base *base = base_of(&b, image, lines);
	struct node *n = boot(&b, image);
	ck_assert_msg(bench_sh(n, others[_i], NULL) == 0, "%s", others[_i]);
	same_text(n, base, others[_i]);
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	capture_base_close(base);
	(void)unlink(lines);
	bench_close(&b);
}
END_TEST

/* ---- by chance ---- */

static const char *some_path(unsigned *seed)
{
	static const char *const names[] = {
		"/w",
		"/w/f1",
		"/w/f2",
		"/w/f3",
		"/w/a",
		"/w/b",
		"/w/c",
		"/w/p1",
		"/w/dir",
		"/w/dir/p2",
		"/w/dir/in",
		"/w/dir/sub",
		"/w/dir/sub/deep",
		"/w/full",
		"/w/full/x",
		"/w/full/y",
		"/w/gone",
		"/w/gone/z",
		"/w/l1",
		"/w/new",
		"/w/dir/new",
		"/w/new/new",
		"/w/q1",
		"/w/q2",
		"/w/old.pid",
		"/w/full.x",
		"/w/absent",
		"/tmp/t",
		"/run/t",

		"/var/lib/dpkg/info/one.list",
		"/var/lib/dpkg/info/three.list",
	};
	return names[(unsigned)rand_r(seed) % (sizeof(names) / sizeof(names[0]))];
}

/* Most of them can fail, and then change nothing. */
static void some_change(unsigned *seed, struct buf *ret)
{
	static const char *const forms[] = {
		"[ -p %2$s ] || echo %1$d >%2$s",
		"rm -rf %2$s; : %1$d",
		"mkdir -p %2$s; : %1$d",
		"chmod 7%1$d %2$s",
		"chown %1$d %2$s",
		"mv %2$s %3$s; : %1$d",
		"ln %2$s %3$s; : %1$d",
		"ln -sfn %3$s %2$s; : %1$d",
		"cp -a %2$s %3$s; : %1$d",
		"rm -rf %2$s; mkdir %2$s; echo %1$d >%2$s/x",
		"[ -p %2$s ] || echo %1$d >>%2$s",
		"rm -f %2$s; mknod %2$s c 1 3; : %1$d",
		"mv %2$s %2$s.m; cp -a %2$s.m %2$s; : %1$d",
		"[ -p %2$s ] || echo %3$s >>%2$s; : %1$d",
		"touch %2$s/%1$d",
	};
	const char *form = forms[(unsigned)rand_r(seed) % (sizeof(forms) / sizeof(forms[0]))];
	int number = rand_r(seed) % 70 + 10;
	const char *one = some_path(seed), *two = some_path(seed);
	char line[400];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(line, sizeof(line), form, number, one, two);
#pragma GCC diagnostic pop
	buf_printf(ret, "(%s) 2>/dev/null\n", line);
}

START_TEST(by_chance)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	char lines[500];
	unsigned seed = (unsigned)_i + 1;
	bench_open(&b);
	const char *image = world_image();
	struct capture_base *base = base_of(&b, image, lines);
	struct node *n = boot(&b, image);
	GUARD_BUF struct buf script = { 0 };
	for (int round = 0; round < ROUNDS; round++) {
		GUARD_BUF struct buf now = { 0 };
		for (int i = 0; i < CHANGES; i++)
			some_change(&seed, &now);
		buf_puts(&now, "true\n");
		(void)bench_sh(n, buf_str(&now), NULL);
		buf_puts(&script, buf_str(&now));
		same_text(n, base, buf_str(&script));
	}
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	capture_base_close(base);
	(void)unlink(lines);
	bench_close(&b);
}
END_TEST

START_TEST(damaged_lines)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	char path[500];
	bench_open(&b);
	struct capture_base *base = base_of(&b, world_image(), path), *other = NULL;
	GUARD_BUF struct buf text = { 0 };
	MUST(io_read_file(AT_FDCWD, path, 16 << 20, &text, &e));
	ck_assert_int_eq(capture_base_open(&other, path, "another image", &e), 0);
	text.data[text.len / 2] ^= 1;
	MUST(io_write_file(AT_FDCWD, path, text.data, text.len, 0600, &e));
	ck_assert_int_eq(capture_base_open(&other, path, "digest", &e), 0);
	text.data[text.len / 2] ^= 1;
	MUST(io_write_file(AT_FDCWD, path, text.data, text.len - 1, 0600, &e));
	ck_assert_int_eq(capture_base_open(&other, path, "digest", &e), 0);
	MUST(io_write_file(AT_FDCWD, path, "", 0, 0600, &e));
	ck_assert_int_eq(capture_base_open(&other, path, "digest", &e), 0);
	(void)unlink(path);
	ck_assert_int_eq(capture_base_open(&other, path, "digest", &e), 0);
	capture_base_close(base);
	bench_close(&b);
}
END_TEST

/* A file that fills its last page has no byte behind it: here the next page cannot be read. */
START_TEST(lines_to_the_end_of_a_page)
{
	enum { PAGES_ABOVE = 256 }; /* that may be free, and would be taken before ours */
	struct err e = { 0 };
	struct capture_base *base = NULL;
	char path[500];
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	GUARD_BUF struct buf text = { 0 };
	buf_puts(&text, "{\"format\":1000,\"owners\":0,\"image\":\"digest\",\"xxh3\":\"0\"}\n");
	while (text.len < page)
		buf_putc(&text, 'x');
	(void)snprintf(path, sizeof(path), "%s/lines", test_dir());
	MUST(io_write_file(AT_FDCWD, path, text.data, text.len, 0600, &e));
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	for (int i = 0; i < PAGES_ABOVE; i++)
		ck_assert_ptr_ne(mmap(NULL, page, PROT_NONE, flags, -1, 0), MAP_FAILED);
	char *three = mmap(NULL, 3 * page, PROT_NONE, flags, -1, 0);
	ck_assert_ptr_ne(three, MAP_FAILED);
	ck_assert_int_eq(munmap(three + page, page), 0);
	ck_assert_int_eq(capture_base_open(&base, path, "digest", &e), 0);
	(void)unlink(path);
}
END_TEST

/* Written as the difference from an earlier one: small, and with the digest of the whole. */
START_TEST(told_from)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	struct taken before, after;
	struct capture_result r;
	bench_open(&b);
	struct node *n = boot(&b, world_image());
	capture_take(n, NULL, &before);
	ck_assert_int_eq(bench_sh(n, "echo 1 >/w/new; rm /w/f1", NULL), 0);
	capture_take(n, NULL, &after);
	const struct state_base base = { { buf_str(&before.text), before.text.len },
					 "base",
					 before.result.digest };
	const struct capture_also also[] = { { "z", "cat /srv/said 2>/dev/null || true" },
					     { "a", "echo out; echo err >&2; exit 3" } };
	GUARD(fd) int fd = memfd_create("delta", MFD_CLOEXEC);
	const struct capture_spec spec = {
		.also = also, .also_count = 2, .told_from = &base, .fd = fd
	};
	MUST(capture_state(n, &spec, &r, &e));
	ck_assert_str_eq(r.digest, after.result.digest);
	ck_assert_uint_eq(r.entries, after.result.entries);
	GUARD_BUF struct buf delta = { 0 };
	GUARD_BUF struct buf back = { 0 };
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	MUST(io_read_file(AT_FDCWD, path, 1 << 20, &delta, &e));
	ck_assert_uint_lt(delta.len, 600);
	MUST(state_delta_expand(base.text, (struct state_text){ delta.data, delta.len }, &back,
				&e));
	ck_assert_str_eq(buf_str(&back), buf_str(&after.text));
	buf_free(&before.text);
	buf_free(&after.text);
	bench_close_with(&b, n);
}
END_TEST

Suite *suite_delta(void);
Suite *suite_delta(void)
{
	Suite *s = suite_create("delta");
	TCase *t = tcase_create("delta");
	tcase_set_timeout(t, 120);
	tcase_add_test(t, each_change);
	tcase_add_loop_test(t, other_changes, 0, OTHERS);
	tcase_add_loop_test(t, by_chance, 0, SEEDS);
	tcase_add_test(t, damaged_lines);
	tcase_add_test(t, lines_to_the_end_of_a_page);
	tcase_add_test(t, told_from);
	suite_add_tcase(s, t);
	return s;
}
