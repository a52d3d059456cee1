/* SPDX-License-Identifier: MIT */
/* Fingerprints as differences: there and back, and what does not fit is refused. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/record_file.h"
#include "harness/model/state_delta.h"
#include "tests/unit/runner.h"

enum { SEEDS = 20, KEYS = 60 };

static void put_line(struct buf *b, enum state_kind kind, const char *key, int value)
{
	state_line_begin(b, kind, key);
	state_line_int(b, "value", value);
	state_line_end(b);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Some of the same keys each time, with names around '/' and beyond ASCII. */
static void some_text(unsigned *seed, struct buf *ret)
{
	static const char *const forms[] = { "/a/%d", "/a-%d", "/a.%d/b", "/\xc3\xa9%d",
					     "/\"%d\n" };
	for (int kind = 0; kind < STATE_KIND_COUNT; kind++) {
		char *keys[KEYS];
		for (int i = 0; i < KEYS; i++) {
			char key[32];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			(void)snprintf(key, sizeof(key), forms[i % 5], i);
#pragma GCC diagnostic pop
			keys[i] = mem_strdup(key);
		}
		qsort(keys, KEYS, sizeof(keys[0]), by_text);
		for (int i = 0; i < KEYS; i++) {
			if (rand_r(seed) % 4 != 0)
				put_line(ret, (enum state_kind)kind, keys[i],
					 rand_r(seed) % 5 == 0);
			free(keys[i]);
		}
	}
}

static struct state_text text_of(const struct buf *b)
{
	return (struct state_text){ buf_str(b), b->len };
}

static void there_and_back(const struct buf *a, const struct buf *b)
{
	struct err e = { 0 };
	char digest[HASH_TEXT], found[HASH_TEXT];
	GUARD(mem) char *file = NULL;
	GUARD_BUF struct buf delta = { 0 };
	GUARD_BUF struct buf back = { 0 };
	hash_text(buf_str(a), a->len, digest);
	const struct state_base base = { text_of(a), "../\"x\"", digest };
	MUST(state_delta_write(&base, text_of(b), &delta, &e));
	ck_assert(state_is_delta(text_of(&delta)));
	ck_assert(!state_is_delta(text_of(a)));
	MUST(state_delta_base(text_of(&delta), &file, found, &e));
	ck_assert_str_eq(file, "../\"x\"");
	ck_assert_str_eq(found, digest);
	MUST(state_delta_expand(text_of(a), text_of(&delta), &back, &e));
	ck_assert_str_eq(buf_str(&back), buf_str(b));
	ck_assert_uint_eq(back.len, b->len);
}

START_TEST(round_trip)
{
	unsigned seed = (unsigned)_i + 1;
	GUARD_BUF struct buf one = { 0 };
	GUARD_BUF struct buf two = { 0 };
	GUARD_BUF struct buf none = { 0 };
	some_text(&seed, &one);
	some_text(&seed, &two);
	there_and_back(&one, &two);
	there_and_back(&one, &one);
	there_and_back(&none, &two);
	there_and_back(&one, &none);
	there_and_back(&none, &none);
}
END_TEST

START_TEST(only_what_differs)
{
	struct err e = { 0 };
	GUARD_BUF struct buf a = { 0 };
	GUARD_BUF struct buf b = { 0 };
	GUARD_BUF struct buf delta = { 0 };
	const char *const keys[] = { "/a", "/b", "/c", "/d" };
	for (int i = 0; i < 4; i++) {
		put_line(&a, STATE_FILE, keys[i], 1);
		if (i != 2)
			put_line(&b, STATE_FILE, keys[i], i == 1 ? 2 : 1);
	}
	put_line(&b, STATE_MOUNT, "/", 3);
	const struct state_base base = { text_of(&a), "f", "d" };
	MUST(state_delta_write(&base, text_of(&b), &delta, &e));
	ck_assert_str_eq(buf_str(&delta), "{\"delta_of\":\"f\",\"digest\":\"d\"}\n"
					  "-{\"kind\":\"file\",\"key\":\"/b\"\n"
					  "+{\"kind\":\"file\",\"key\":\"/b\",\"value\":2}\n"
					  "-{\"kind\":\"file\",\"key\":\"/c\"\n"
					  "+{\"kind\":\"mount\",\"key\":\"/\",\"value\":3}\n");
}
END_TEST

START_TEST(refused)
{
	static const char *const lines[] = {
		"-{\"kind\":\"file\",\"key\":\"/none\"\n",
		"+{\"kind\":\"file\",\"key\":\"/b\",\"value\":7}\n",
		"={\"kind\":\"file\",\"key\":\"/b\"\n",
		"-{\"kind\":\"file\"\n",
		"+{\"kind\":\"file\",\"key\":\"/z\",\"value\":1}", /* cut off */
		"-{\"kind\":\"file\",\"key\":\"/b\"\n-{\"kind\":\"file\",\"key\":\"/a\"\n",
	};
	GUARD_BUF struct buf a = { 0 };
	put_line(&a, STATE_FILE, "/a", 1);
	put_line(&a, STATE_FILE, "/b", 1);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct err e = { 0 };
		GUARD_BUF struct buf delta = { 0 };
		GUARD_BUF struct buf back = { 0 };
		buf_printf(&delta, "{\"delta_of\":\"f\",\"digest\":\"d\"}\n%s", lines[i]);
		ck_assert_msg(state_delta_expand(text_of(&a), text_of(&delta), &back, &e) < 0, "%s",
			      lines[i]);
		ck_assert(err_is_set(&e));
	}
}
END_TEST

/* ---- in a run's folder ---- */

struct folder {
	char base[400], drill[400], dir[400];
	struct buf whole, other, delta;
};

static void write_text(const char *path, const struct buf *b)
{
	struct err e = { 0 };
	MUST(io_write_file(AT_FDCWD, path, buf_str(b), b->len, 0644, &e));
}

static void folder_open(struct folder *f)
{
	struct err e = { 0 };
	char digest[HASH_TEXT];
	unsigned seed = 3;
	memset(f, 0, sizeof(*f));
	(void)snprintf(f->dir, sizeof(f->dir), "%s/drill", test_dir());
	ck_assert_int_eq(mkdir(f->dir, 0755), 0);
	(void)snprintf(f->base, sizeof(f->base), "%s/../base.jsonl", f->dir);
	(void)snprintf(f->drill, sizeof(f->drill), "%s/state-before-web.jsonl", f->dir);
	some_text(&seed, &f->whole);
	some_text(&seed, &f->other);
	hash_text(buf_str(&f->whole), f->whole.len, digest);
	const struct state_base base = { text_of(&f->whole), "../base.jsonl", digest };
	MUST(state_delta_write(&base, text_of(&f->other), &f->delta, &e));
	write_text(f->base, &f->whole);
	write_text(f->drill, &f->delta);
	GUARD_BUF struct buf journal = { 0 };
	hash_text(buf_str(&f->other), f->other.len, digest);
	buf_printf(
		&journal,
		"{\"t\":0,\"event\":\"state.captured\",\"node\":\"web\",\"phase\":\"before\","
		"\"file\":\"state-before-web.jsonl\",\"digest\":\"%s\",\"entries\":1,\"took\":1}\n",
		digest);
	GUARD(mem) char *path = mem_printf("%s/journal.jsonl", f->dir);
	write_text(path, &journal);
}

static void folder_close(struct folder *f)
{
	buf_free(&f->whole);
	buf_free(&f->other);
	buf_free(&f->delta);
}

START_TEST(told_record)
{
	struct err e = { 0 };
	struct folder f;
	struct record_file *r = NULL;
	folder_open(&f);
	MUST(record_open(&r, f.dir, &e));
	const struct record *record = record_get(r);
	ck_assert_uint_eq(record->state_count, 1);
	ck_assert_uint_eq(record->states[0].phase[0].len, f.other.len);
	ck_assert_int_eq(memcmp(record->states[0].phase[0].data, f.other.data, f.other.len), 0);
	record_close(r);
	folder_close(&f);
}
END_TEST

static const char *const spoils[] = {
	"base", "delta", "name", "absolute", "gone", "delta of delta"
};
enum { SPOILS = sizeof(spoils) / sizeof(spoils[0]) };

START_TEST(tampered)
{
	struct err e = { 0 };
	struct folder f;
	struct record_file *r = NULL;
	folder_open(&f);
	const char *how = spoils[_i];
	if (strcmp(how, "base") == 0) {
		/* In a line that is not there any more: what comes out would be the same. */
		const char *gone = strstr(f.delta.data, "\n-") + 2;
		GUARD(mem) char *line = mem_printf("%.*s", (int)strcspn(gone, "\n"), gone);
		char *at = strstr(strstr(f.whole.data, line), "\"value\":");
		at[8] = '2';
		write_text(f.base, &f.whole);
	} else if (strcmp(how, "delta") == 0) {
		char *at = strstr(f.delta.data, "\"value\":0");
		at[8] = '2';
		write_text(f.drill, &f.delta);
	} else if (strcmp(how, "name") == 0) {
		f.delta.data[strlen("{\"delta_of\":\"../b")] = 'A';
		write_text(f.drill, &f.delta);
	} else if (strcmp(how, "absolute") == 0) {
		f.delta.data[strlen("{\"delta_of\":\"")] = '/';
		write_text(f.drill, &f.delta);
	} else if (strcmp(how, "gone") == 0) {
		ck_assert_int_eq(unlink(f.base), 0);
	} else {
		write_text(f.base, &f.delta);
	}
	ck_assert_msg(record_open(&r, f.dir, &e) < 0, "%s", how);
	ck_assert_msg(strstr(e.why, "state-before-web.jsonl") != NULL, "%s: %s", how, e.why);
	folder_close(&f);
}
END_TEST

Suite *suite_state_delta(void);
Suite *suite_state_delta(void)
{
	Suite *s = suite_create("state_delta");
	TCase *t = tcase_create("state_delta");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, round_trip, 0, SEEDS);
	tcase_add_test(t, only_what_differs);
	tcase_add_test(t, refused);
	tcase_add_test(t, told_record);
	tcase_add_loop_test(t, tampered, 0, SPOILS);
	suite_add_tcase(s, t);
	return s;
}
