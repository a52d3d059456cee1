/* SPDX-License-Identifier: MIT */
/* What --keep-on-fail keeps of drills, and a look at it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "tests/drill/program.h"
#include "tests/drill/toy.h"
#include "tests/unit/runner.h"

#define POWER  "tests/drill/scenarios/power.json"
#define UNPACK "tests/drill/scenarios/sweep-unpack.json"
#define PUSH   "tests/drill/scenarios/sweep-push.json"

static void keep(struct toy *t, const char *scenario, const char *fault, const char *rollback)
{
	struct program p;
	toy_set_up(t);
	PROGRAM(&p, "run", scenario, "--state", t->state, "--runs", t->runs, "--var", t->root,
		"--fault", fault, "--rollback", rollback, "--keep-on-fail");
	ck_assert_msg(p.exit <= 2, "%s", buf_str(&p.err));
	toy_find_run(t);
	/* The report says how to look, where there is something to look at. */
	GUARD(mem) char *said = mem_printf("    kept      backout shell %s drills/", t->run);
	GUARD(mem) char *any = mem_printf("ls -d '%s'/drills/*/kept >/dev/null 2>&1", t->run);
	ck_assert_int_eq(strstr(buf_str(&p.out), said) != NULL, system(any) == 0);
	program_free(&p);
}

/* What `line` says in the kept node. */
static void look(const struct toy *t, const char *line, const char *want)
{
	struct program p;
	PROGRAM(&p, "shell", t->run, "--kept", "--command", line, "--state", t->state, "--runs",
		t->runs);
	ck_assert_msg(strcmp(buf_str(&p.out), want) == 0 && p.exit == 7, "%s: exit %d\n%s\n%s",
		      line, p.exit, buf_str(&p.out), buf_str(&p.err));
	program_free(&p);
}

/* A line of shell that has to hold; $RUN is the run's folder. */
static void check(const char *line, const struct toy *t)
{
	ck_assert_int_eq(setenv("RUN", t->run, 1), 0);
	ck_assert_msg(system(line) == 0, "%s", line);
}

static const struct {
	const char *scenario, *fault, *rollback, *line, *said;
} looks[] = {
	/* Files of the disk and of memory; and the service is not there. */
	{ TOY, "killed at mv", "nothing",
	  "cd /srv/app; cat config config.bak extra /tmp/extra; ps | grep -c '[s]leep 1000' || "
	  "exit 7",
	  "v2\nv1\nold\nold\n0\n" },
	/* A file of the image that was removed: a whiteout. */
	{ TOY, "killed at mv", "wrecks", "ls /srv/app; exit 7", "extra\n" },
	/* A disk of its own, behind a power cut, written to since. */
	{ POWER, "cut behind the lucky edit", "by-content",
	  "cd /srv/app; cat conf log other; mount | grep -c ' / type ext4'; exit 7",
	  "old\nx\nold\n1\n" },
};

START_TEST(looked_at)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct err e = { 0 };
	keep(&t, looks[_i].scenario, looks[_i].fault, looks[_i].rollback);
	look(&t, looks[_i].line, looks[_i].said);
	/* What is done there is done to a copy. */
	look(&t, "rm -rf /srv/app; echo > /tmp/extra; exit 7", "");
	look(&t, looks[_i].line, looks[_i].said);
	/* Nobody else on the host gets at it. */
	check("test $(stat -c %a \"$RUN\"/drills/*/kept) = 700", &t);
	/* Neither a new run folder nor anything of the node is left. */
	GUARD(mem)
	char *left = mem_printf("test $(ls '%s' | wc -l) = 1 && "
				"! ls -d '%s'/owners/backout-* 2>/dev/null",
				t.runs, t.state);
	ck_assert_int_eq(system(left), 0);
	/* The caches go and come; with whiteouts and devices in it the folder goes as any other. */
	struct program p;
	PROGRAM(&p, "gc", "--state", t.state);
	ck_assert_int_eq(p.exit, 0);
	ck_assert_ptr_null(strstr(buf_str(&p.out), t.state)); /* it may collect others' */
	program_free(&p);
	check("ls -d \"$RUN\"/drills/*/kept/web >/dev/null", &t);
	check("rm -rf \"$RUN\"", &t);
	MUST(io_remove_tree(AT_FDCWD, t.runs, &e));
}
END_TEST

START_TEST(nothing_kept)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	/* Of a drill that has passed. */
	keep(&t, TOY, "killed at mv", "good");
	check("! ls -d \"$RUN\"/drills/*/kept* 2>/dev/null", &t);
	PROGRAM(&p, "shell", t.run, "--kept", "--command", "true", "--state", t.state, "--runs",
		t.runs);
	program_expect(&p, 64, "is not kept in");
	program_expect(&p, 64, "--keep-on-fail");
	program_free(&p);
	PROGRAM(&p, "shell", t.run, "--kept", "--at", "strike", "--command", "true", "--state",
		t.state, "--runs", t.runs);
	program_expect(&p, 64, "--kept shows a drill's end");
	program_free(&p);
	PROGRAM(&p, "shell", t.run, "--kept", "--node", "wbe", "--command", "true", "--state",
		t.state, "--runs", t.runs);
	program_expect(&p, 64, "the scenario has no node 'wbe'");
	program_free(&p);
}
END_TEST

/* A replay keeps what a replay leaves; a bundle packs none of it, and is as good as before. */
START_TEST(replayed_and_bundled)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	keep(&t, TOY, "killed at mv", "wrecks");
	GUARD(mem) char *file = mem_printf("%s/drill.tar.zst", test_dir());
	PROGRAM(&p, "bundle", t.run, "killed-at-mv", "-o", file, "--state", t.state);
	program_expect(&p, 0, file);
	program_free(&p);
	PROGRAM(&p, "replay", file, "--keep-on-fail", "--state", t.state, "--runs", t.runs);
	program_expect(&p, 1, "same as recorded: degraded\n");
	program_expect(&p, 1, "    kept      backout shell ");
	program_free(&p);
	PROGRAM(&p, "shell", "last", "--kept", "--command", "ls /srv/app; exit 7", "--state",
		t.state, "--runs", t.runs);
	program_expect(&p, 7, "extra\n");
	program_free(&p);
	PROGRAM(&p, "shell", file, "--kept", "--command", "true", "--state", t.state, "--runs",
		t.runs);
	program_expect(&p, 64, "is not kept in");
	program_free(&p);
}
END_TEST

static void sweep(struct toy *t, const char *scenario, const char *reduce)
{
	struct program p;
	toy_set_up(t);
	PROGRAM(&p, "sweep", scenario, "--state", t->state, "--runs", t->runs, "--var", t->root,
		"--in", "both", "--keep-on-fail", reduce);
	program_expect(&p, 1, "    kept      backout shell ");
	program_expect(&p, 1, "note      kept: what the nodes had written in ");
	program_free(&p);
	toy_find_run(t);
}

/* Its place of work is in memory, out of the host's sight, and the run folder is not. */
START_TEST(of_a_sweep)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	sweep(&t, PUSH, NULL);
	PROGRAM(&p, "shell", t.run, "drills/kill-p00003", "--kept", "--command",
		"stat -c '%n %s' /etc/app.conf; exit 7", "--state", t.state, "--runs", t.runs);
	program_expect(&p, 7, "/etc/app.conf 0\n");
	program_free(&p);
	/* Of those that passed, and of those that confirm a finding, nothing. */
	check("test $(ls -d \"$RUN\"/drills/*/kept | wc -l) = 2", &t);
}
END_TEST

START_TEST(of_a_sweep_not_all)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	sweep(&t, UNPACK, "--no-reduce");
	check("test $(ls -d \"$RUN\"/drills/*/kept | wc -l) = 20", &t);
	check("grep -q 'in 20 drills that did not pass; not kept: [1-9]' \"$RUN\"/report.txt", &t);
}
END_TEST

Suite *suite_kept(void)
{
	Suite *s = suite_create("kept");
	TCase *c = tcase_create("kept");
	tcase_set_timeout(c, 180);
	tcase_add_loop_test(c, looked_at, 0, (int)(sizeof(looks) / sizeof(looks[0])));
	tcase_add_test(c, nothing_kept);
	tcase_add_test(c, replayed_and_bundled);
	tcase_add_test(c, of_a_sweep);
	tcase_add_test(c, of_a_sweep_not_all);
	suite_add_tcase(s, c);
	return s;
}
