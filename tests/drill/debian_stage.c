/* SPDX-License-Identifier: MIT */
#include "tests/drill/debian_stage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "tests/unit/runner.h"

enum { FILES = 40, OUTPUT_MAX = 1 << 20, SCRIPT_MAX = 4096 };

static void say(void *arg, const char *line)
{
	(void)arg;
	(void)printf("%s\n", line);
}

void stage_host_sh(const char *script)
{
	ck_assert_msg(system(script) == 0, "%s", script);
}

/* svc 1.0 and 2.1, and svc 2.0 whose archive is whole but whose 30th file is preceded by rubbish
 * where a tar header should stand: dpkg has unpacked 29 files by then. */
static void make_packages(const char *dir)
{
	char script[SCRIPT_MAX];
	(void)snprintf(script, sizeof(script),
		       "set -e; cd %s; for v in 1.0 2.0 2.1; do mkdir -p $v/DEBIAN "
		       "$v/usr/share/svc $v/etc;"
		       " printf 'Package: svc\\nVersion: %%s\\nArchitecture: all\\nMaintainer: d "
		       "<d@example>\\nDescription: d\\n' $v >$v/DEBIAN/control;"
		       " echo /etc/svc.conf >$v/DEBIAN/conffiles; echo conf-$v >$v/etc/svc.conf;"
		       " for i in $(seq 10 %d); do echo file-$i-of-$v >$v/usr/share/svc/f$i; done;"
		       " dpkg-deb --root-owner-group -Znone -b $v svc_$v.deb >/dev/null; done;"
		       " at=$(grep -abo ./usr/share/svc/f30 svc_2.0.deb | head -n 1 | cut -d: -f1);"
		       " head -c 512 /dev/zero | tr '\\0' '\\377' |"
		       " dd of=svc_2.0.deb bs=1 seek=$at conv=notrunc status=none",
		       dir, 10 + FILES);
	stage_host_sh(script);
}

void stage_open(struct stage *s)
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

void stage_close(struct stage *s)
{
	struct err e = { 0 };
	loop_destroy(s->loop);
	image_free(&s->image);
	ck_assert_msg(owner_destroy(s->owner, &e) == 0, "%s", e.why);
	free(s->debs);
}

struct node *stage_boot(struct stage *s, enum node_root kind, const char *root, const char *from)
{
	struct err e = { 0 };
	struct node *n = NULL;
	GUARD(mem) char *work = mem_printf("%s/n%u", owner_work_dir(s->owner), s->nodes++);
	const struct node_spec spec = {
		.name = "debian",
		.root_kind = kind,
		.root_path = root,
		.mask = s->mask,
		.work_dir = work,
		.from = from,
	};
	char script[SCRIPT_MAX];
	MUST(io_mkdirs(work, 0755, &e));
	MUST(node_create(&n, s->loop, s->owner, &spec, &e));
	if (from != NULL)
		return n;
	(void)snprintf(script, sizeof(script), "cp %s/*.deb %s/srv/", s->debs, node_root_path(n));
	stage_host_sh(script);
	return n;
}

int stage_run(struct node *n, const char *script, struct buf *out)
{
	struct err e = { 0 };
	const char *const argv[] = { "sh", "-c", script, NULL };
	const struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	buf_clear(out);
	int status = node_run(n, &spec, INT64_C(60000000000), out, OUTPUT_MAX, &e);
	ck_assert_msg(status >= 0, "%s", e.why);
	return status;
}

const char stage_whole[] =
	"dpkg-query -W -f '${db:Status-Abbrev}|${Version}\\n' svc; dpkg --audit; "
	"ls /var/lib/dpkg/updates; find / -xdev -name '*.dpkg-*' | grep -v '^/etc/.*dpkg-' ; "
	"cat /etc/svc.conf; cat /usr/share/svc/* | grep -c of-1.0; ls /usr/share/svc | wc -l";

void stage_corrupt_package(struct stage *s, enum node_root kind, const char *root)
{
	struct err e = { 0 };
	struct node *n = stage_boot(s, kind, root, NULL);
	GUARD_BUF struct buf out = { 0 };
	GUARD(mem) char *want = mem_printf("ii |1.0\nconf-1.0\n%d\n%d\n", FILES + 1, FILES + 1);
	ck_assert_msg(stage_run(n, "dpkg -i /srv/svc_1.0.deb 2>&1", &out) == 0, "%s",
		      buf_str(&out));
	(void)stage_run(n, stage_whole, &out);
	ck_assert_str_eq(buf_str(&out), want);
	ck_assert_msg(stage_run(n, "dpkg -i /srv/svc_2.0.deb 2>&1", &out) != 0, "%s",
		      buf_str(&out));
	ck_assert_msg(strstr(buf_str(&out), "corrupted filesystem tarfile") != NULL, "%s",
		      buf_str(&out));
	ck_assert_ptr_null(strstr(buf_str(&out), "tale file handle"));
	(void)stage_run(n, stage_whole, &out);
	ck_assert_str_eq(buf_str(&out), want);
	ck_assert_uint_eq(node_destroy(n, &e), 0);
}

void stage_fingerprint(struct node *n, struct capture_result *ret)
{
	struct err e = { 0 };
	GUARD(fd) int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const struct capture_spec spec = { .fd = fd };
	MUST(capture_state(n, &spec, ret, &e));
}
