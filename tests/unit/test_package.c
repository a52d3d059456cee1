/* SPDX-License-Identifier: MIT */
/*
 * The package injectors on the busybox root: packages are built by hand, dpkg-deb is played by a
 * script, a checksum list is the index. tests/drill/test_packages.c has the real tools.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "tests/unit/inject_rig.h"
#include "tests/unit/lab.h"
#include "tests/unit/runner.h"

#define DEB "/srv/repo/pool/a_1.deb"

static const char make_repo[] =
	"set -e; mkdir -p /srv/repo/pool /srv/b/control /srv/b/data/usr; cd /srv/b;"
	"printf '#!/bin/sh\\nexit 0\\n' >control/postinst; chmod 755 control/postinst;"
	"echo Package: a >control/control;"
	"echo small >data/usr/first; yes large | head -c 200001 >data/usr/second;"
	"tar -C control -cf control.tar ./control ./postinst;"
	"tar -C data -cf data.tar ./usr/first ./usr/second; echo 2.0 >debian-binary;"
	"member() { printf '%-16s%-12s%-6s%-6s%-8s%-10s\\140\\n' $1 0 0 0 100644 $(wc -c <$1);"
	"  cat $1; [ $(($(wc -c <$1) % 2)) = 0 ] || echo; };"
	"{ printf '!<arch>\\n'; for m in debian-binary control.tar data.tar; do member $m; done; }"
	"  >" DEB ";"
	"cp " DEB " /srv/repo/pool/b_1.deb; rm -r /srv/b;"
	"printf '#!/bin/sh\\ncd /srv/repo; sha256sum pool/*.deb >Packages; wc -c Packages >Release;"
	" touch Seen\\n' >/bin/reindex; chmod 755 /bin/reindex;"
	"printf '#!/bin/sh\\ncase $1 in --ctrl-tarfile) m=control.tar;; *) m=data.tar;; esac\\n"
	"exec ar p $2 $m\\n' >/bin/deb; chmod 755 /bin/deb; mv -f /bin/deb /bin/dpkg-deb;"
	"reindex; rm /srv/repo/Seen; chmod 640 /srv/repo/Release; chown nobody /srv/repo/Packages;"
	"find /srv/repo -exec touch -d '2020-01-01 00:00:00' {} +";

static void assert_sh(struct lab *lab, size_t node, const char *script)
{
	GUARD_BUF struct buf out = { 0 };
	int status = lab_sh(lab, node, script, &out);
	ck_assert_msg(status == 0, "%s: %s", script, buf_str(&out));
}

static void begin(struct lab *lab, size_t nodes)
{
	lab_begin(lab, nodes);
	assert_sh(lab, 0, make_repo);
}

/* Every file of the repository and of /tmp: content, mode, owner, and with `times` its mtime. */
static void picture(struct lab *lab, bool times, struct buf *ret)
{
	buf_clear(ret);
	ck_assert_int_eq(
		lab_sh(lab, 0,
		       times ? "find /srv /tmp -exec stat -c '%n %s %f %u %g %y' {} + | sort;"
			       " find /srv /tmp -type f -exec sha256sum {} + | sort"
			     : "find /srv /tmp -type f -exec stat -c '%n %s %f %u %g' {} + | sort;"
			       " find /srv /tmp -type f -exec sha256sum {} + | sort",
		       ret),
		0);
}

/* The package's mtime, in seconds behind the one that make_repo gave it. */
static void assert_newer(struct lab *lab, int seconds)
{
	GUARD_BUF struct buf out = { 0 };
	GUARD(mem) char *want = mem_printf("%d\n", seconds);
	ck_assert_int_eq(lab_sh(lab, 0,
				"echo $(($(stat -c %Y " DEB ") -"
				" $(date -d '2020-01-01 00:00:00' +%s)))",
				&out),
			 0);
	ck_assert_str_eq(buf_str(&out), want);
}

static const struct kind_case {
	const char *kind, *params;
	const char *altered; /* true in node 0 while the strike lasts */
	bool index_changes;
} kinds[] = {
	{ "package.script",
	  "{\"node\":\"n0\",\"deb\":\"" DEB "\",\"exit\":7,\"reindex\":\"reindex\"}",
	  "ar p " DEB " control.tar | tar -xO ./postinst | grep -qx 'exit 7' &&"
	  " ar p " DEB " control.tar | tar -xO ./control | grep -q Package &&"
	  " [ \"$(ar p " DEB " control.tar | tar -t | grep -c postinst)\" = 1 ] &&"
	  " ar p " DEB " control.tar | tar -tv | grep postinst | grep -q 'rwxr-xr-x' &&"
	  " [ \"$(ar p " DEB " data.tar | sha256sum)\" ="
	  " \"$(ar p /srv/repo/pool/b_1.deb data.tar | sha256sum)\" ]",
	  true },
	{ "package.script",
	  "{\"node\":\"n0\",\"deb\":\"/srv/**/a_*.deb\",\"script\":\"prerm\","
	  "\"reindex\":\"reindex\"}",
	  "ar p " DEB " control.tar | tar -xO ./prerm | grep -qx 'exit 1' &&"
	  " ar p " DEB " control.tar | tar -xO ./postinst | grep -qx 'exit 0'",
	  true },
	{ "package.corrupt", "{\"node\":\"n0\",\"deb\":\"" DEB "\",\"kind\":\"hash\"}",
	  "[ $(wc -c <" DEB ") = $(wc -c </srv/repo/pool/b_1.deb) ] &&"
	  " [ $(cmp -l " DEB " /srv/repo/pool/b_1.deb | wc -l) = 16 ]",
	  false },
	{ "package.corrupt",
	  "{\"node\":\"n0\",\"deb\":\"" DEB "\",\"kind\":\"archive\",\"reindex\":\"reindex\"}",
	  "[ \"$(ar t " DEB " | tr '\\n' ' ')\" = 'debian-binary control.tar data.tar ' ] &&"
	  " cd /run && ! ar p " DEB " data.tar | tar -xf - 2>/dev/null &&"
	  " [ -s usr/first ] && [ $(wc -c <usr/second) -lt 200001 ]",
	  true },
};

START_TEST(altered_only_during_the_strike)
{
	TEST_NEEDS_ROOT();
	const struct kind_case *k = &kinds[_i];
	struct err e = { 0 };
	struct lab lab;
	struct rig rig;
	char detail[INJECT_DETAIL_MAX];
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf now = { 0 };
	begin(&lab, 1);
	picture(&lab, true, &before);
	rig_begin(&rig, &lab, k->kind, k->params);
	picture(&lab, true, &now);
	ck_assert_str_eq(buf_str(&now), buf_str(&before)); /* to the nanosecond */
	MUST(rig.injector->verify(rig.injection, detail, &e));
	picture(&lab, false, &before);

	rig_strike(&rig, &(struct strike_target){ .node = lab.node[0] });
	assert_sh(&lab, 0, k->altered);
	assert_sh(&lab, 0,
		  k->index_changes ? "cd /srv/repo; sha256sum -c Packages && [ -e Seen ]"
				   : "cd /srv/repo; ! sha256sum -c Packages");
	assert_sh(&lab, 0,
		  "[ $(ar tv " DEB " | awk '{ n += 60 + $3 + $3 % 2 } END { print n + 8 }')"
		  " = $(wc -c <" DEB ") ]"); /* the members fill the file */
	assert_newer(&lab, 1);
	ck_assert_int_eq(rig.injector->verify(rig.injection, detail, &e), -1);

	rig_undo(&rig);
	picture(&lab, false, &now);
	ck_assert_str_eq(buf_str(&now), buf_str(&before));
	assert_newer(&lab, 2);
	rig_end(&rig);
	lab_end(&lab);
}
END_TEST

/* Verify reads the disk, not its own memory. */
START_TEST(verify_sees_what_is_not_back)
{
	TEST_NEEDS_ROOT();
	static const char *const spoil[] = {
		"echo more >>/srv/repo/Packages",
		"chmod 600 /srv/repo/Packages",
		("rm " DEB),
		"touch /srv/repo/Seen",
	};
	struct lab lab;
	struct rig rig;
	begin(&lab, 1);
	for (size_t i = 0; i < sizeof(spoil) / sizeof(spoil[0]); i++) {
		struct err e = { 0 };
		char detail[INJECT_DETAIL_MAX];
		rig_begin(&rig, &lab, "package.script", kinds[0].params);
		rig_strike(&rig, &(struct strike_target){ .node = lab.node[0] });
		rig_undo(&rig);
		assert_sh(&lab, 0, spoil[i]);
		ck_assert_msg(rig.injector->verify(rig.injection, detail, &e) == -1, "%s",
			      spoil[i]);
		MUST(rig.injector->undo(rig.injection, &(struct err){ 0 })); /* mends what it can */
		rig_end(&rig);
	}
	lab_end(&lab);
}
END_TEST

START_TEST(an_altered_script_is_felt_where_it_runs)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	begin(&lab, 2);
	lab_write(&lab, 1, "/srv/other", "#!/bin/sh\n# written by the drill\nexit 7\n");
	rig_begin(&rig, &lab, "package.script", kinds[0].params);
	rig_strike(&rig, &(struct strike_target){ .node = lab.node[1] });
	GUARD_BUF struct buf script = { 0 };
	ck_assert_int_eq(lab_sh(&lab, 0, "ar p " DEB " control.tar | tar -xO ./postinst", &script),
			 0);
	lab_write(&lab, 1, "/srv/postinst", buf_str(&script));
	assert_sh(&lab, 1, "/srv/other; [ $? = 7 ]");
	ck_assert_msg(!rig.felt, "%s", rig.evidence);
	/* Read, but not started. */
	assert_sh(&lab, 1, "cat /srv/postinst");
	ck_assert_msg(!rig.felt, "%s", rig.evidence);
	assert_sh(&lab, 1, "/srv/postinst configure; [ $? = 7 ]");
	lab_run(&lab, &rig.felt, 20 * NS_PER_S);
	ck_assert_ptr_nonnull(strstr(rig.evidence, "altered postinst (pid "));
	ck_assert_ptr_nonnull(strstr(rig.evidence, "ended with exit code 7"));
	rig_undo(&rig);
	rig_end(&rig);
	lab_end(&lab);
}
END_TEST

START_TEST(a_damaged_package_is_felt_by_its_reader)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	begin(&lab, 1);
	rig_begin(&rig, &lab, "package.corrupt", kinds[2].params);
	rig_strike(&rig, &(struct strike_target){ .node = lab.node[0] });
	rig.step_runs = true;
	assert_sh(&lab, 0, "cat /srv/repo/Packages /srv/repo/pool/b_1.deb >/dev/null; ls -l " DEB);
	lab_run(&lab, NULL, 50 * NS_PER_MS);
	ck_assert_msg(!rig.felt, "felt by others' reading: %s", rig.evidence);
	rig.step_runs = false;
	assert_sh(&lab, 0, "cat " DEB " >/dev/null");
	lab_run(&lab, NULL, 50 * NS_PER_MS);
	ck_assert_msg(!rig.felt, "felt without a step: %s", rig.evidence);
	rig.step_runs = true;
	assert_sh(&lab, 0, "cat " DEB " >/dev/null");
	lab_run(&lab, &rig.felt, 20 * NS_PER_S);
	ck_assert_ptr_nonnull(strstr(rig.evidence, DEB " was read by "));
	rig_undo(&rig);
	rig_end(&rig);
	lab_end(&lab);
}
END_TEST

START_TEST(what_cannot_be_prepared)
{
	TEST_NEEDS_ROOT();
	static const struct {
		const char *kind, *params, *why;
		bool spoils; /* `reindex` did what cannot be taken back */
	} cases[] = {
		{ "package.script", "{\"node\":\"n0\",\"deb\":\"/srv/repo/pool/*.deb\"}",
		  "more than one file" },
		{ "package.script", "{\"node\":\"n0\",\"deb\":\"/srv/repo/pool/c_*.deb\"}",
		  "no file in node n0 matches" },
		{ "package.script", "{\"node\":\"n9\",\"deb\":\"" DEB "\"}", "no node 'n9'" },
		{ "package.script", "{\"node\":\"n0\",\"deb\":\"/srv/repo/Packages\"}",
		  "dpkg-deb in node n0 ended with exit code" },
		{ "package.corrupt",
		  "{\"node\":\"n0\",\"deb\":\"/srv/repo/Release\","
		  "\"kind\":\"hash\"}",
		  "too small" },
		{ "package.script", "{\"node\":\"n0\",\"deb\":\"" DEB "\",\"repo\":\"/etc\"}",
		  "is not below the folder /etc" },
		{ "package.script",
		  "{\"node\":\"n0\",\"deb\":\"" DEB "\","
		  "\"reindex\":\"echo >Packages; echo last words; exit 3\"}",
		  "exit code 3: last words" },
		{ "package.script",
		  "{\"node\":\"n0\",\"deb\":\"" DEB "\","
		  "\"reindex\":\"rm pool/b_1.deb\"}",
		  "changes /srv/repo/pool/b_1.deb", true },
		{ "package.script",
		  "{\"node\":\"n0\",\"deb\":\"" DEB "\","
		  "\"reindex\":\"mkdir by-hash\"}",
		  "by-hash, which is no regular file", true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = { 0 };
		struct lab lab;
		struct rig rig;
		GUARD_BUF struct buf before = { 0 };
		GUARD_BUF struct buf now = { 0 };
		begin(&lab, 1);
		picture(&lab, true, &before);
		ck_assert_int_eq(rig_create(&rig, &lab, cases[i].kind, cases[i].params, &e), -1);
		ck_assert_msg(strstr(e.why, cases[i].why) != NULL, "%s: %s", cases[i].params,
			      e.why);
		ck_assert_int_eq(e.exit, EXIT_BAD_SCENARIO);
		picture(&lab, true, &now);
		if (!cases[i].spoils)
			ck_assert_str_eq(buf_str(&now), buf_str(&before));
		rig_end(&rig);
		lab_end(&lab);
	}
}
END_TEST

START_TEST(corrupt_parameters_that_contradict)
{
	static const struct {
		const char *params, *complaint; /* NULL: fine */
	} cases[] = {
		{ "{\"node\":\"m\",\"deb\":\"/a\",\"kind\":\"hash\"}", NULL },
		{ "{\"node\":\"m\",\"deb\":\"/a\",\"kind\":\"archive\",\"reindex\":\"x\"}", NULL },
		{ "{\"node\":\"m\",\"deb\":\"/a\",\"kind\":\"archive\"}", "needs \"reindex\"" },
		{ "{\"node\":\"m\",\"deb\":\"/a\",\"kind\":\"hash\",\"reindex\":\"x\"}",
		  "leave out" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct decoded d;
		const struct injector *k = rig_injector("package.corrupt");
		const char *got = k->kind.check(rig_decode(&d, k, cases[i].params));
		ck_assert_msg((got == NULL) == (cases[i].complaint == NULL), "%s", cases[i].params);
		ck_assert(got == NULL || strstr(got, cases[i].complaint) != NULL);
		decoded_free(&d);
	}
}
END_TEST

Suite *suite_package(void);
Suite *suite_package(void)
{
	Suite *s = suite_create("package");
	TCase *t = tcase_create("package");
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, altered_only_during_the_strike, 0,
			    (int)(sizeof(kinds) / sizeof(kinds[0])));
	tcase_add_test(t, verify_sees_what_is_not_back);
	tcase_add_test(t, an_altered_script_is_felt_where_it_runs);
	tcase_add_test(t, a_damaged_package_is_felt_by_its_reader);
	tcase_add_test(t, what_cannot_be_prepared);
	tcase_add_test(t, corrupt_parameters_that_contradict);
	suite_add_tcase(s, t);
	return s;
}
