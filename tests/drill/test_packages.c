/* SPDX-License-Identifier: MIT */
/*
 * The package injectors against the real apt and dpkg, and a compressed package. Shares its
 * image with scenarios/nginx-upgrade; it stays in BACKOUT_STATE or /var/lib/backout.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/model/json.h"
#include "harness/sandbox/image.h"
#include "injectors/injector.h"
#include "tests/unit/runner.h"

enum { OUTPUT_MAX = 1 << 20 };

static const char prepare[] =
	"set -e; mkdir -p /srv/repo/pool /srv/old; cd /srv; for v in 1.0 2.0; do"
	" mkdir -p $v/DEBIAN $v/usr/share/svc;"
	" printf 'Package: svc\\nVersion: %s\\nArchitecture: all\\nMaintainer: d <d@example>\\n"
	"Description: d\\n' $v >$v/DEBIAN/control;"
	" echo early-$v >$v/usr/share/svc/a; head -c 300000 /dev/urandom >$v/usr/share/svc/b;"
	" echo late-$v >$v/usr/share/svc/c; done;"
	" printf '#!/bin/sh\\nexit 0\\n' >2.0/DEBIAN/postinst; chmod 755 2.0/DEBIAN/postinst;"
	" dpkg-deb --root-owner-group -Zxz -b 1.0 old/svc_1.0.deb >/dev/null;"
	" dpkg-deb --root-owner-group -Zxz -b 2.0 repo/pool/svc_2.0.deb >/dev/null;"
	" printf '#!/bin/sh\\nset -e; cd /srv/repo; apt-ftparchive packages pool >Packages;"
	" apt-ftparchive release . >/run/Release; mv /run/Release .\\n' >/usr/local/bin/reindex;"
	" chmod 755 /usr/local/bin/reindex; reindex;"
	" find /srv/repo -exec touch -d '2020-01-01 00:00:00' {} +;"
	" echo 'deb [trusted=yes] file:/srv/repo ./' >/etc/apt/sources.list;"
	" apt-get -q update; dpkg -i old/svc_1.0.deb";

static const char install[] = "apt-get -q update && apt-get -q install -y svc";

static const struct {
	const char *kind, *params;
	const char *said;   /* by apt or dpkg */
	const char *status; /* of the package afterwards */
	const char *evidence;
} cases[] = {
	{ "package.script",
	  "{\"node\":\"m\",\"deb\":\"/srv/repo/pool/svc_*.deb\",\"exit\":3,"
	  "\"reindex\":\"reindex\"}",
	  "post-installation script subprocess returned error exit status 3", "iF |2.0",
	  "ended with exit code 3" },
	{ "package.script",
	  "{\"node\":\"m\",\"deb\":\"/srv/repo/pool/svc_*.deb\",\"script\":\"preinst\","
	  "\"reindex\":\"reindex\"}",
	  "pre-installation script subprocess returned error exit status 1", "ii |1.0",
	  "altered preinst" },
	{ "package.corrupt",
	  "{\"node\":\"m\",\"deb\":\"/srv/repo/pool/svc_*.deb\",\"kind\":\"hash\"}",
	  "Hash Sum mismatch", "ii |1.0", "was read by" },
	{ "package.corrupt",
	  "{\"node\":\"m\",\"deb\":\"/srv/repo/pool/svc_*.deb\",\"kind\":\"archive\","
	  "\"reindex\":\"reindex\"}",
	  "unexpected end of file", "ii |1.0", "was read by" },
};

struct stage {
	struct owner *owner;
	struct loop *loop;
	struct image image;
	struct node *node;
	const struct node *nodes[1];
	bool felt;
	char evidence[INJECT_DETAIL_MAX];
};

static void stage_open(struct stage *s)
{
	struct err e = { 0 };
	const char *state = getenv("BACKOUT_STATE");
	const char *include[] = { "apt-utils", "gpg", "gpg-agent", "python3" };
	memset(s, 0, sizeof(*s));
	MUST(owner_create(&s->owner, state != NULL ? state : "/var/lib/backout", &e));
	MUST(image_debian(s->owner, "bookworm", include, 4, NULL, NULL, &s->image, &e));
	MUST(loop_create(&s->loop, &e));
	GUARD(mem) char *work = mem_printf("%s/m", owner_work_dir(s->owner));
	MUST(io_mkdirs(work, 0755, &e));
	const struct node_spec spec = { .name = "m",
					.root_kind = NODE_ROOT_IMAGE,
					.root_path = s->image.path,
					.work_dir = work };
	MUST(node_create(&s->node, s->loop, s->owner, &spec, &e));
	s->nodes[0] = s->node;
}

static void stage_close(struct stage *s)
{
	struct err e = { 0 };
	ck_assert_msg(node_destroy(s->node, &e) == 0, "%s", e.why);
	loop_destroy(s->loop);
	image_free(&s->image);
	ck_assert_msg(owner_destroy(s->owner, &e) == 0, "%s", e.why);
}

static int run(struct stage *s, const char *script, struct buf *out)
{
	struct err e = { 0 };
	const char *const argv[] = { "sh", "-c", script, NULL };
	const struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	buf_clear(out);
	int status = node_run(s->node, &spec, 60 * NS_PER_S, out, OUTPUT_MAX, &e);
	ck_assert_msg(status >= 0, "%s", e.why);
	return status;
}

static struct node *find_node(void *arg, const char *name)
{
	struct stage *s = arg;
	return strcmp(name, "m") == 0 ? s->node : NULL;
}

static void felt(void *arg, const char *evidence)
{
	struct stage *s = arg;
	if (!s->felt)
		(void)snprintf(s->evidence, sizeof(s->evidence), "%s", evidence);
	s->felt = true;
}

static void notice(void *arg, const char *text)
{
	(void)arg;
	ck_abort_msg("%s", text);
}

static bool step_running(void *arg)
{
	(void)arg;
	return true;
}

static const struct injector *find_injector(const char *name)
{
	for (size_t i = 0; injectors[i] != NULL; i++) {
		if (strcmp(injectors[i]->kind.name, name) == 0)
			return injectors[i];
	}
	ck_abort_msg("no injector %s", name);
}

static struct injection *arm(struct stage *s, const struct injector *k, const char *params)
{
	struct err e = { 0 };
	struct arena *arena = arena_create();
	struct json_doc *doc;
	struct injection *i = NULL;
	struct inject_env env = {
		.loop = s->loop,
		.find_node = find_node,
		.nodes = s->nodes,
		.node_count = 1,
		.work_dir = owner_work_dir(s->owner),
		.felt = felt,
		.notice = notice,
		.step_running = step_running,
		.arg = s,
	};
	MUST(json_parse(&doc, "params", params, strlen(params), &e));
	struct param_ctx c = { .arena = arena, .doc = doc, .dir = "." };
	void *p = arena_alloc(arena, k->kind.size);
	MUST(param_decode(&c, k->kind.params, NULL, json_root(doc), p, NULL, &e));
	MUST(k->create(&i, &env, p, &e));
	json_doc_free(doc); /* what an injection needs later it has copied */
	arena_destroy(arena);
	return i;
}

START_TEST(apt_and_dpkg_meet_the_fault)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct stage s;
	char detail[INJECT_DETAIL_MAX];
	GUARD_BUF struct buf out = { 0 };
	static const char status[] = "dpkg-query -W -f '${db:Status-Abbrev}|${Version}' svc";
	const struct injector *k = find_injector(cases[_i].kind);
	stage_open(&s);
	ck_assert_msg(run(&s, prepare, &out) == 0, "%s", buf_str(&out));
	struct injection *i = arm(&s, k, cases[_i].params);
	ck_assert_msg(run(&s, "test -z \"$(ls -A /tmp)\"", &out) == 0, "left in /tmp");
	MUST(k->strike(i, &(struct strike_target){ .node = s.node }, detail, &e));
	ck_assert_msg(run(&s, install, &out) != 0, "%s", buf_str(&out));
	ck_assert_msg(strstr(buf_str(&out), cases[_i].said) != NULL, "%s", buf_str(&out));
	(void)run(&s, status, &out);
	ck_assert_str_eq(buf_str(&out), cases[_i].status);
	ck_assert_msg(s.felt && strstr(s.evidence, cases[_i].evidence) != NULL, "%s", s.evidence);

	MUST(k->undo(i, &e));
	MUST(k->verify(i, detail, &e));
	/* apt asks whether the index is newer than the one it has. */
	ck_assert_msg(run(&s,
			  "cd /run && apt-get -q update && apt-get -q download svc=2.0 &&"
			  " dpkg -i ./svc_2.0_all.deb",
			  &out) == 0,
		      "%s", buf_str(&out));
	(void)run(&s, status, &out);
	ck_assert_str_eq(buf_str(&out), "ii |2.0");
	k->destroy(i);
	stage_close(&s);
}
END_TEST

Suite *suite_packages(void);
Suite *suite_packages(void)
{
	Suite *s = suite_create("packages");
	TCase *t = tcase_create("packages");
	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, apt_and_dpkg_meet_the_fault, 0,
			    (int)(sizeof(cases) / sizeof(cases[0])));
	suite_add_tcase(s, t);
	return s;
}
