/* SPDX-License-Identifier: MIT */
/* Roots with a scenario's files and set-up in them. The cache that they lie in: test_image_cache.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/image.h"
#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"

struct heard {
	unsigned lines;
	char all[4096];
};

static void hear(void *arg, const char *line)
{
	struct heard *h = arg;
	h->lines++;
	size_t len = strlen(h->all);
	(void)snprintf(h->all + len, sizeof(h->all) - len, "%s\n", line);
}

/* A copy of the busybox root, to be changed: each test is a process of its own. */
static const char *own_root(void)
{
	static char root[400];
	char text[900];
	if (root[0] != '\0')
		return root;
	(void)snprintf(root, sizeof(root), "%s/root", test_dir());
	(void)snprintf(text, sizeof(text), "cp -a %s %s", test_busybox_root(), root);
	ck_assert_int_eq(system(text), 0);
	return root;
}

static struct image busybox(void)
{
	struct err e = { 0 };
	struct image base = { 0 };
	MUST(image_dir(own_root(), &base, &e));
	return base;
}

/* What `script` says in a node over the image. */
static void ask(struct bench *b, const struct image *i, const char *script, const char *want)
{
	struct err e = { 0 };
	char work[400];
	(void)snprintf(work, sizeof(work), "%s", bench_work(b));
	const struct node_spec spec = {
		.name = "asked",
		.root_kind = i->is_dir ? NODE_ROOT_DIR : NODE_ROOT_IMAGE,
		.root_path = i->path,
		.work_dir = work,
	};
	struct node *n = NULL;
	MUST(node_create(&n, b->loop, b->owner, &spec, &e));
	ck_assert_str_eq(bench_ask(n, script), want);
	ck_assert_uint_eq(node_destroy(n, &e), 0);
	MUST(io_remove_tree(AT_FDCWD, work, &e));
}

static void make_source(char ret[300])
{
	(void)snprintf(ret, 300, "%s", test_dir());
	char text[900];
	(void)snprintf(text, sizeof(text),
		       "cd %s && mkdir -p d/sub && echo one >d/a &&"
		       " echo two >d/sub/b && ln -s ../a d/sub/l && chmod 0711 d/sub &&"
		       " chown -R 7:8 d && chmod 4750 d/a",
		       ret);
	ck_assert_int_eq(system(text), 0);
}

START_TEST(layer_has_files_and_setup)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	bench_open(&b);
	struct image base = busybox(), one = { 0 }, two = { 0 };
	char source[300], dir[320];
	make_source(source);
	(void)snprintf(dir, sizeof(dir), "%s/d", source);
	const struct image_file files[] = {
		{ "/srv/new/tree", dir, NULL, -1 },
		{ "/etc/motd", NULL, "hello\n", 0600 },
	};
	const char *const setup[] = {
		"echo from-setup; cat /etc/motd >/etc/copy; echo lost >/tmp/x; echo lost >/run/x",
		"mkfifo /srv/fifo; ln /etc/copy /etc/hard; chown 5:6 /etc/copy; sleep 1000 &",
	};
	struct heard h = { 0 };
	MUST(image_layer(b.owner, &base, files, 2, setup, 2, hear, &h, &one, &e));
	ck_assert(!one.is_dir);
	ck_assert_ptr_nonnull(strstr(h.all, "from-setup\n"));
	ask(&b, &one,
	    "cd /srv/new/tree; stat -c '%n %a %u %g %F' a sub sub/b sub/l; readlink sub/l; cat a",
	    "a 4750 0 0 regular file\nsub 711 0 0 directory\nsub/b 644 0 0 regular file\n"
	    "sub/l 777 0 0 symbolic link\n../a\none");
	ask(&b, &one,
	    "stat -c '%n %a %u %g %h' /etc/motd /etc/copy /etc/hard; stat -c %F /srv/fifo",
	    "/etc/motd 600 0 0 1\n/etc/copy 644 5 6 2\n/etc/hard 644 5 6 2\nfifo");
	ask(&b, &one, "ls /tmp; ls /run", "lock");
	/* From the cache: nothing is run, so nothing is said. */
	struct heard again = { 0 };
	MUST(image_layer(b.owner, &base, files, 2, setup, 2, hear, &again, &two, &e));
	ck_assert_uint_eq(again.lines, 0);
	ck_assert_str_eq(one.path, two.path);
	ck_assert_str_eq(one.digest, two.digest);
	image_free(&one);
	image_free(&two);
	image_free(&base);
	bench_close(&b);
}
END_TEST

START_TEST(layer_on_a_layer)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	bench_open(&b);
	struct image base = busybox(), one = { 0 }, two = { 0 }, same = { 0 };
	const struct image_file first = { "/etc/x", NULL, "1", -1 },
				second = { "/etc/x", NULL, "2", -1 };
	/* A folder that hands its group on to what is made in it. */
	const char *setup = "mkdir -m 2755 /srv/g; chown 0:5 /srv/g; chmod g+s /srv/g";
	const struct image_file both[] = { second, { "/srv/g/x", NULL, "", -1 } };
	MUST(image_layer(b.owner, &base, &first, 1, &setup, 1, NULL, NULL, &one, &e));
	MUST(image_layer(b.owner, &one, both, 2, NULL, 0, NULL, NULL, &two, &e));
	ask(&b, &two, "cat /etc/x; stat -c ' %a' /etc/x", "2 644");
	ask(&b, &two, "stat -c '%a %g' /srv/g /srv/g/x", "2755 5\n644 0");
	ask(&b, &one, "cat /etc/x", "1");
	MUST(image_layer(b.owner, &two, NULL, 0, NULL, 0, NULL, NULL, &same, &e));
	ck_assert_str_eq(same.path, two.path);
	ck_assert_str_eq(same.digest, two.digest);
	image_free(&one);
	image_free(&two);
	image_free(&same);
	image_free(&base);
	bench_close(&b);
}
END_TEST

/* Files alone make the same bytes each time they are built; `below` is a folder of the root, whose
 * own time they change. */
START_TEST(same_bytes_again)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	bench_open(&b);
	char source[300], dir[320];
	make_source(source);
	(void)snprintf(dir, sizeof(dir), "%s/d", source);
	struct image base = busybox(), one = { 0 }, two = { 0 };
	const struct image_file files[] = {
		{ "/etc/below", NULL, "1", -1 },
		{ "/srv/new/deep/x", NULL, "2", -1 },
		{ "/opt/tree", dir, NULL, -1 },
	};
	MUST(image_layer(b.owner, &base, files, 3, NULL, 0, NULL, NULL, &one, &e));
	ask(&b, &one, "stat -c %Y /etc/below /etc /srv/new/deep/x /srv/new /opt/tree/a | uniq",
	    "1672531200");
	ck_assert_int_eq(image_remove(owner_state_dir(b.owner), "all", &e), 1);
	(void)usleep(1100 * 1000); /* a file system's own time is in seconds */
	MUST(image_layer(b.owner, &base, files, 3, NULL, 0, NULL, NULL, &two, &e));
	ck_assert_str_eq(one.digest, two.digest);
	/* What was not written to keeps its time. */
	struct stat st;
	char want[32], busybox_at[450];
	(void)snprintf(busybox_at, sizeof(busybox_at), "%s/bin/busybox", own_root());
	ck_assert_int_eq(stat(busybox_at, &st), 0);
	(void)snprintf(want, sizeof(want), "%lld", (long long)st.st_mtime);
	ask(&b, &two, "stat -c %Y /bin/busybox", want);
	image_free(&one);
	image_free(&two);
	image_free(&base);
	bench_close(&b);
}
END_TEST

/* The key of a layer with this change in it. */
static void key_with(struct bench *b, const struct image_file *f, const char *setup, char ret[33])
{
	struct err e = { 0 };
	struct image base = busybox(), i = { 0 };
	MUST(image_layer(b->owner, &base, f, 1, &setup, setup != NULL, NULL, NULL, &i, &e));
	memcpy(ret, i.key, 33);
	image_free(&i);
	image_free(&base);
}

START_TEST(key_follows_what_is_made)
{
	TEST_NEEDS_ROOT();
	struct bench b;
	bench_open(&b);
	static const struct {
		struct image_file f;
		const char *setup;
	} cases[] = {
		{ { "/etc/x", NULL, "1", -1 }, NULL },
		{ { "/etc/y", NULL, "1", -1 }, NULL },
		{ { "/etc/x", NULL, "2", -1 }, NULL },
		{ { "/etc/x", NULL, "1", 0600 }, NULL },
		{ { "/etc/x", NULL, "1", -1 }, "true" },
		{ { "/etc/x", NULL, "1", -1 }, ":" },
		{ { "/etc/x", "SOURCE/d", NULL, -1 }, NULL },
	};
	enum { COUNT = sizeof(cases) / sizeof(cases[0]) };
	char keys[COUNT + 2][33], source[300], dir[320], text[700];
	make_source(source);
	(void)snprintf(dir, sizeof(dir), "%s/d", source);
	for (size_t i = 0; i < COUNT; i++) {
		struct image_file f = cases[i].f;
		f.from = f.from != NULL ? dir : NULL;
		key_with(&b, &f, cases[i].setup, keys[i]);
	}
	/* A mode deep in the source, then a file of the root itself. */
	struct image_file deep = { "/etc/x", dir, NULL, -1 };
	(void)snprintf(text, sizeof(text), "chmod 600 %s/sub/b", dir);
	ck_assert_int_eq(system(text), 0);
	key_with(&b, &deep, NULL, keys[COUNT]);
	(void)snprintf(text, sizeof(text), "echo changed >>%s/etc/group", own_root());
	ck_assert_int_eq(system(text), 0);
	key_with(&b, &deep, NULL, keys[COUNT + 1]);
	for (size_t i = 0; i < COUNT + 2; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_msg(strcmp(keys[i], keys[j]) != 0, "cases %zu and %zu: same key",
				      j, i);
	bench_close(&b);
}
END_TEST

START_TEST(failures_name_the_cause)
{
	TEST_NEEDS_ROOT();
	struct bench b;
	bench_open(&b);
	static const struct {
		struct image_file f;
		const char *setup, *why;
	} cases[] = {
		{ { "/etc/x", NULL, "", -1 },
		  "echo the last word; exit 7",
		  "set-up command 'echo the last word; exit 7' failed (exit 7): the last word" },
		{ { "/etc/x", NULL, "", -1 }, "kill -9 $$", "failed (signal 9), without a word" },
		{ { "/run/x", NULL, "", -1 },
		  NULL,
		  "'/run/x' lies on a file system that each start" },
		{ { "/link-to-run/x", NULL, "", -1 },
		  NULL,
		  "lies on a file system that each start" },
		{ { "/dev/x", NULL, "", -1 }, NULL, "lies on a file system that each start" },
		{ { "etc/x", NULL, "", -1 }, NULL, "is not a plain absolute path" },
		{ { "/etc/../x", NULL, "", -1 }, NULL, "is not a plain absolute path" },
		{ { "/etc", NULL, "", -1 }, NULL, "'/etc' is a folder in the root, not a file" },
		{ { "/etc/passwd/x", NULL, "", -1 }, NULL, "open the folder '/etc/passwd" },
		{ { "/etc/x", "/nonexistent", NULL, -1 }, NULL, "the file '/nonexistent'" },
		{ { "/etc/x", "/dev/null", NULL, -1 },
		  NULL,
		  "'/dev/null' is no file, folder or link" },
	};
	char text[600];
	(void)snprintf(text, sizeof(text), "ln -sfn /run %s/link-to-run", own_root());
	ck_assert_int_eq(system(text), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = { 0 };
		struct image base = busybox(), out = { 0 };
		const char *setup = cases[i].setup;
		ck_assert_int_eq(image_layer(b.owner, &base, &cases[i].f, 1, &setup, setup != NULL,
					     NULL, NULL, &out, &e),
				 -1);
		ck_assert_msg(strstr(e.why, cases[i].why) != NULL, "case %zu: %s", i, e.why);
		ck_assert_msg(e.exit == EXIT_BAD_SCENARIO, "case %zu: exit %d", i, e.exit);
		ck_assert_ptr_null(out.path);
		image_free(&base);
	}
	struct image_info *list;
	struct err e = { 0 };
	ck_assert_int_eq(image_list(b.state, &list, &e), 0);
	bench_close(&b);
}
END_TEST

/* Links in the root that point out of it, absolutely and by "..", stay inside. */
START_TEST(links_stay_inside)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct bench b;
	bench_open(&b);
	char outside[300], text[2400];
	(void)snprintf(outside, sizeof(outside), "%s", test_dir());
	(void)snprintf(
		text, sizeof(text),
		"cd %s && mkdir -p srv && ln -sfn %s out-abs && ln -sfn ../../../../../../..%s "
		"srv/out-rel && ln -sfn %s/victim etc/last && echo safe >%s/victim",
		own_root(), outside, outside, outside, outside);
	ck_assert_int_eq(system(text), 0);
	struct image base = busybox(), i = { 0 };
	/* The links' targets do not exist inside, so they are made there by the set-up first. */
	(void)snprintf(text, sizeof(text), "mkdir -p %s", outside);
	const char *setup = text;
	struct image prepared = { 0 };
	MUST(image_layer(b.owner, &base, NULL, 0, &setup, 1, NULL, NULL, &prepared, &e));
	const struct image_file files[] = {
		{ "/out-abs/a", NULL, "A", -1 },
		{ "/srv/out-rel/b", NULL, "B", -1 },
		{ "/etc/last", NULL, "C", -1 },
	};
	MUST(image_layer(b.owner, &prepared, files, 3, NULL, 0, NULL, NULL, &i, &e));
	(void)snprintf(text, sizeof(text), "cat %s/a %s/b /etc/last; stat -c ' %%F' /etc/last",
		       outside, outside);
	ask(&b, &i, text, "ABC regular file");
	(void)snprintf(text, sizeof(text),
		       "cd %s && test \"$(ls)\" = victim && test $(cat victim) = safe", outside);
	ck_assert_int_eq(system(text), 0);
	image_free(&base);
	image_free(&prepared);
	image_free(&i);
	bench_close(&b);
}
END_TEST

/* A scenario that is named by a relative path names its sources by relative ones. */
START_TEST(sources_by_relative_paths)
{
	struct bench b;
	struct err e = { 0 };
	struct image base = { 0 }, layer = { 0 };
	bench_open(&b);
	MUST(image_dir(own_root(), &base, &e));
	GUARD(mem) char *file = mem_printf("%s/source", b.state);
	MUST(io_write_file(AT_FDCWD, file, "text", 4, 0644, &e));
	ck_assert_int_eq(chdir(b.state), 0);
	const struct image_file files[] = { { "/etc/by-path", "source", NULL, -1 } };
	MUST(image_layer(b.owner, &base, files, 1, NULL, 0, NULL, NULL, &layer, &e));
	ck_assert_int_eq(chdir("/"), 0);
	image_free(&layer);
	image_free(&base);
	bench_close(&b);
}
END_TEST

Suite *suite_image(void);
Suite *suite_image(void)
{
	Suite *s = suite_create("image");
	TCase *t = tcase_create("image");
	tcase_set_timeout(t, 120);
	tcase_add_test(t, layer_has_files_and_setup);
	tcase_add_test(t, layer_on_a_layer);
	tcase_add_test(t, sources_by_relative_paths);
	tcase_add_test(t, same_bytes_again);
	tcase_add_test(t, key_follows_what_is_made);
	tcase_add_test(t, failures_name_the_cause);
	tcase_add_test(t, links_stay_inside);
	suite_add_tcase(s, t);
	return s;
}
