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
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/capture.h"
#include "harness/sandbox/image.h"
#include "harness/sandbox/node.h"
#include "tests/unit/runner.h"

enum { FILES = 40, OUTPUT_MAX = 1 << 20, SCRIPT_MAX = 4096 };

struct stage {
	struct owner *owner;
	struct loop *loop;
	struct image image;
	char *work, *debs;
	unsigned nodes;
};

static void say(void *arg, const char *line)
{
	(void)arg;
	(void)printf("%s\n", line);
}

static void host_sh(const char *script)
{
	ck_assert_msg(system(script) == 0, "%s", script);
}

/* svc 1.0, and svc 2.0 whose archive is whole but whose 30th file is preceded by rubbish where a
 * tar header should stand: dpkg has unpacked 29 files by then. */
static void make_packages(const char *dir)
{
	char script[SCRIPT_MAX];
	(void)snprintf(
		script, sizeof(script),
		"set -e; cd %s; for v in 1.0 2.0; do mkdir -p $v/DEBIAN $v/usr/share/svc $v/etc;"
		" printf 'Package: svc\\nVersion: %%s\\nArchitecture: all\\nMaintainer: d "
		"<d@example>\\nDescription: d\\n' $v >$v/DEBIAN/control;"
		" echo /etc/svc.conf >$v/DEBIAN/conffiles; echo conf-$v >$v/etc/svc.conf;"
		" for i in $(seq 10 %d); do echo file-$i-of-$v >$v/usr/share/svc/f$i; done;"
		" dpkg-deb --root-owner-group -Znone -b $v svc_$v.deb >/dev/null; done;"
		" at=$(grep -abo ./usr/share/svc/f30 svc_2.0.deb | head -n 1 | cut -d: -f1);"
		" head -c 512 /dev/zero | tr '\\0' '\\377' |"
		" dd of=svc_2.0.deb bs=1 seek=$at conv=notrunc status=none",
		dir, 10 + FILES);
	host_sh(script);
}

static void stage_open(struct stage *s)
{
	struct err e = { 0 };
	const char *state = getenv("BACKOUT_STATE");
	memset(s, 0, sizeof(*s));
	MUST(owner_create(&s->owner, state != NULL ? state : "/var/lib/backout", &e));
	MUST(image_debian(s->owner, "bookworm", NULL, 0, say, NULL, &s->image, &e));
	MUST(loop_create(&s->loop, &e));
	s->debs = mem_strdup(test_dir());
	make_packages(s->debs);
}

static void stage_close(struct stage *s)
{
	struct err e = { 0 };
	loop_destroy(s->loop);
	image_free(&s->image);
	ck_assert_msg(owner_destroy(s->owner, &e) == 0, "%s", e.why);
	free(s->debs);
}

static struct node *boot(struct stage *s, enum node_root kind, const char *root)
{
	struct err e = { 0 };
	struct node *n = NULL;
	GUARD(mem) char *work = mem_printf("%s/n%u", owner_work_dir(s->owner), s->nodes++);
	const struct node_spec spec = {
		.name = "debian",
		.root_kind = kind,
		.root_path = root,
		.work_dir = work,
	};
	char script[SCRIPT_MAX];
	MUST(io_mkdirs(work, 0755, &e));
	MUST(node_create(&n, s->loop, s->owner, &spec, &e));
	(void)snprintf(script, sizeof(script), "cp %s/*.deb %s/srv/", s->debs, node_root_path(n));
	host_sh(script);
	return n;
}

static int run(struct node *n, const char *script, struct buf *out)
{
	struct err e = { 0 };
	const char *const argv[] = { "sh", "-c", script, NULL };
	const struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	buf_clear(out);
	int status = node_run(n, &spec, INT64_C(60000000000), out, OUTPUT_MAX, &e);
	ck_assert_msg(status >= 0, "%s", e.why);
	return status;
}

static const char whole[] =
	"dpkg-query -W -f '${db:Status-Abbrev}|${Version}\\n' svc; dpkg --audit; "
	"ls /var/lib/dpkg/updates; find / -xdev -name '*.dpkg-*' | grep -v '^/etc/.*dpkg-' ; "
	"cat /etc/svc.conf; cat /usr/share/svc/* | grep -c of-1.0; ls /usr/share/svc | wc -l";

static void corrupt_package(struct stage *s, enum node_root kind, const char *root)
{
	struct err e = { 0 };
	struct node *n = boot(s, kind, root);
	GUARD_BUF struct buf out = { 0 };
	GUARD(mem) char *want = mem_printf("ii |1.0\nconf-1.0\n%d\n%d\n", FILES + 1, FILES + 1);
	ck_assert_msg(run(n, "dpkg -i /srv/svc_1.0.deb 2>&1", &out) == 0, "%s", buf_str(&out));
	(void)run(n, whole, &out);
	ck_assert_str_eq(buf_str(&out), want);
	ck_assert_msg(run(n, "dpkg -i /srv/svc_2.0.deb 2>&1", &out) != 0, "%s", buf_str(&out));
	ck_assert_msg(strstr(buf_str(&out), "corrupted filesystem tarfile") != NULL, "%s",
		      buf_str(&out));
	ck_assert_ptr_null(strstr(buf_str(&out), "tale file handle"));
	(void)run(n, whole, &out);
	ck_assert_str_eq(buf_str(&out), want);
	ck_assert_uint_eq(node_destroy(n, &e), 0);
}

START_TEST(corrupt_package_on_image)
{
	TEST_NEEDS_ROOT();
	struct stage s;
	stage_open(&s);
	corrupt_package(&s, NODE_ROOT_IMAGE, s.image.path);
	stage_close(&s);
}
END_TEST

START_TEST(corrupt_package_on_folder)
{
	TEST_NEEDS_ROOT();
	struct stage s;
	char script[SCRIPT_MAX];
	stage_open(&s);
	GUARD(mem) char *root = mem_printf("%s/root", owner_work_dir(s.owner));
	(void)snprintf(script, sizeof(script),
		       "fsck.erofs --extract=%s --preserve %s >/dev/null 2>&1", root, s.image.path);
	host_sh(script);
	corrupt_package(&s, NODE_ROOT_DIR, root);
	stage_close(&s);
}
END_TEST

static void fingerprint(struct node *n, struct capture_result *ret)
{
	struct err e = { 0 };
	GUARD(fd) int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	MUST(capture_state(n, NULL, 0, NULL, fd, ret, &e));
}

/* Two hosts from one image are the same host, and an install makes them another one. */
START_TEST(same_image_same_state)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct stage s;
	GUARD_BUF struct buf out = { 0 };
	stage_open(&s);
	struct node *a = boot(&s, NODE_ROOT_IMAGE, s.image.path);
	struct node *b = boot(&s, NODE_ROOT_IMAGE, s.image.path);
	struct capture_result of_a, of_b, after;
	fingerprint(a, &of_a);
	fingerprint(b, &of_b);
	ck_assert_str_eq(of_a.digest, of_b.digest);
	ck_assert_uint_gt(of_a.entries, 2000);
	ck_assert_int_eq(run(a, "dpkg -i /srv/svc_1.0.deb", &out), 0);
	fingerprint(a, &after);
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
	struct node *n = boot(&s, NODE_ROOT_IMAGE, s.image.path);
	(void)run(n,
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
