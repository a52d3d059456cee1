/* SPDX-License-Identifier: MIT */
/*
 * An ordinary user's drills: with a range of ids, and with one id alone. Nodes are copies of their
 * roots in a user namespace; dpkg must work in them as on a host, a clean run must agree with the
 * next, and what cannot be had is refused in words. The user's rows in /etc are seen by what the
 * test starts, and by nobody else.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/hierarchy.h"
#include "tests/drill/debian_stage.h"
#include "tests/drill/program.h"
#include "tests/unit/runner.h"

enum { FIRST_ID = 700000000, WAIT_TRIES = 3000 /* each 10 ms */ };

#define PLAIN_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const struct lane {
	const char *name, *root, *path;
	bool ranges;
} lanes[] = {
	{ "ranges", "{\"tar\": \"r.tar\"}", PLAIN_PATH, true },
	{ "one", "{\"dir\": \"tree\"}", "bin", false },
};

/* In the user's folder: packages in debs, the root as a tar of root's and as a tree of its own. */
static void furnish(const struct stage *s, const char *dir)
{
	GUARD(mem)
	char *script = mem_printf(
		"set -e; chmod 711 $(dirname %s); cd %s; cp -r %s debs; mkdir -p home bin;"
		" fsck.erofs --extract=tree --preserve %s >/dev/null 2>&1;"
		" tar -C tree -cf r.tar .; rm -rf tree/dev; mkdir tree/dev;"
		" for p in mkfs.erofs env; do ln -s $(command -v $p) bin; done;"
		" sed '/:%d:/d' /etc/passwd >passwd;"
		" echo 'drill:x:%d:%d::%s:/bin/sh' >>passwd; cp /etc/group group;"
		" for f in subuid subgid; do echo drill:%d:65536 >$f; done; touch /etc/subuid "
		"/etc/subgid; chown -R %d:%d .",
		dir, dir, s->debs, s->image.path, PROGRAM_USER, PROGRAM_USER, PROGRAM_USER, dir,
		FIRST_ID, PROGRAM_USER, PROGRAM_USER);
	stage_host_sh(script);
}

static void write_scenario(const char *dir, const char *root, const char *at)
{
	struct err e = { 0 };
	GUARD(mem) char *path = mem_printf("%s/scenario.json", dir);
	GUARD(mem)
	char *text = mem_printf(
		"{ \"title\": \"ordinary\", \"window\": { \"settle\": \"100ms\", \"give_up\": "
		"\"3s\" },\n"
		"\"nodes\": { \"n\": { \"root\": %s,\n"
		"\"files\": { \"/srv\": \"debs\" }, \"setup\": [\"dpkg -i /srv/svc_1.0.deb\"] } "
		"},\n"
		"\"steady_state\": [ { \"name\": \"audit\", \"on\": \"n\", \"run\": \"dpkg "
		"--audit\", \"expect\": { \"stdout\": \"\" }, \"when\": [\"before\", \"after\"] } "
		"],\n"
		"\"goal\": [ { \"name\": \"new\", \"on\": \"n\", \"run\": \"grep -q 2.1 "
		"/etc/svc.conf\" } ],\n"
		"\"state\": { \"on\": [\"n\"], \"masks\": [\"debian-apt\"] },\n"
		"\"patch\": [ { \"name\": \"broken\", \"on\": \"n\", \"run\": \"! dpkg -i "
		"/srv/svc_2.0.deb >/tmp/said 2>&1 && grep -q 'corrupted filesystem tarfile' "
		"/tmp/said && dpkg-query -W -f '${db:Status-Abbrev}|${Version}\\\\n' svc | grep "
		"-qx "
		"'ii |1.0' && test $(cat /usr/share/svc/* | grep -c of-1.0) = 41 && test $(ls "
		"/usr/share/svc | wc -l) = 41; rc=$?; rm -f /tmp/said; exit $rc\" },\n"
		"{ \"name\": \"up\", \"on\": \"n\", \"run\": \"dpkg -i /srv/svc_2.1.deb\" } ],\n"
		"\"rollback\": \"down\", \"rollbacks\": { \"down\": [ { \"name\": \"down\", "
		"\"on\": \"n\", \"run\": \"dpkg --configure -a; dpkg -i /srv/svc_1.0.deb\" } ] },\n"
		"\"faults\": [ { \"name\": \"cut\", \"inject\": { \"process.kill\": { \"target\": "
		"\"tree\" } }, \"at\": { \"step\": \"up\", %s }, \"expect\": [\"restored\"] } ] "
		"}\n",
		root, at);
	MUST(io_write_file(AT_FDCWD, path, text, strlen(text), 0644, &e));
}

#define AT_CALL    "\"syscall\": { \"call\": \"rename\", \"path\": \"/usr/share/svc/f30\" }"
#define AT_PROGRAM "\"program\": \"/usr/bin/dpkg-deb\""

/* The folder below which the user's harness keeps what is its own. */
static void assert_nothing_owned(const char *dir)
{
	GUARD(mem) char *owners = mem_printf("%s/.local/state/backout/owners", dir);
	GUARD(dir) DIR *d = opendir(owners);
	ck_assert_ptr_nonnull(d);
	for (const struct dirent *ent; (ent = readdir(d)) != NULL;)
		ck_assert_msg(ent->d_name[0] == '.' || strcmp(ent->d_name, "lock") == 0, "%s",
			      ent->d_name);
	GUARD_BUF struct buf mounts = { 0 };
	struct err e = { 0 };
	MUST(io_read_file(AT_FDCWD, "/proc/self/mountinfo", 4 << 20, &mounts, &e));
	ck_assert_ptr_null(strstr(buf_str(&mounts), dir));
}

struct user {
	struct stage stage;
	char *dir;
	struct program_life life;
};

static void user_open(struct user *u, const struct lane *l)
{
	stage_open(&u->stage);
	u->dir = mem_strdup(test_dir());
	furnish(&u->stage, u->dir);
	if (!l->ranges) {
		GUARD(mem) char *script = mem_printf("cd %s; : >subuid; : >subgid", u->dir);
		stage_host_sh(script);
	}
	u->life = (struct program_life){ .etc = u->dir, .path = l->path };
	if (strcmp(l->path, "bin") == 0)
		u->life.path = mem_printf("%s/bin", u->dir);
	program_lives(&u->life);
}

static void user_close(struct user *u)
{
	program_lives(NULL);
	if (u->life.path[0] == '/' && strstr(u->life.path, ":") == NULL)
		free((char *)u->life.path);
	free(u->dir);
	stage_close(&u->stage);
}

START_TEST(dpkg_works_and_drills_agree)
{
	TEST_NEEDS_ROOT();
	const struct lane *l = &lanes[_i];
	struct user u;
	struct program p;
	user_open(&u, l);
	write_scenario(u.dir, l->root, AT_CALL);
	PROGRAM(&p, "run", "scenario.json");
	ck_assert_msg(strstr(buf_str(&p.out), "Noise: none") != NULL, "%s: %s%s", l->name,
		      buf_str(&p.out), buf_str(&p.err));
	program_expect(&p, 0, "3 passed, 0 failed, 0 inconclusive");
	ck_assert_ptr_nonnull(strstr(buf_str(&p.err), "not root"));
	ck_assert_int_eq(strstr(buf_str(&p.err), "without newuidmap") != NULL, !l->ranges);
	program_free(&p);
	/* The same again from its folder. */
	PROGRAM(&p, "replay", "last", "cut");
	program_expect(&p, 0, "restored");
	program_free(&p);
	assert_nothing_owned(u.dir);
	/* And what is cached is the user's to remove. */
	PROGRAM(&p, "image", "remove", "all");
	program_expect(&p, 0, "removed");
	program_free(&p);
	user_close(&u);
}
END_TEST

START_TEST(what_it_lacks_is_told)
{
	TEST_NEEDS_ROOT();
	struct user u;
	struct program p;
	user_open(&u, &lanes[0]);
	PROGRAM(&p, "doctor");
	program_expect(&p, 0, "of a user namespace with all users that systems have");
	program_expect(
		&p, 0,
		"only for: trigger program, package.script, package.corrupt, sweep\n      way out: "
		"run backout as root");
	program_free(&p);
	write_scenario(u.dir, "{\"tar\": \"r.tar\"}", AT_PROGRAM);
	PROGRAM(&p, "run", "scenario.json");
	program_expect(&p, 69, "fanotify exec permission");
	program_free(&p);
	write_scenario(u.dir, "{\"dir\": \"/usr\"}", AT_CALL);
	PROGRAM(&p, "run", "scenario.json");
	program_expect(&p, 69, "belongs to a user who is not in this user namespace");
	program_free(&p);
	write_scenario(u.dir, "{\"host\": true}", AT_CALL);
	PROGRAM(&p, "run", "scenario.json");
	program_expect(&p, 69, "run as root");
	program_free(&p);
	assert_nothing_owned(u.dir);
	user_close(&u);
}
END_TEST

/* With a node, whose files are others' than the user's, too. */
static bool drill_runs(const char *dir)
{
	GUARD(mem)
	char *script = mem_printf("cat %s/runs/*/control-*/journal.jsonl 2>/dev/null | "
				  "grep -q steady.before",
				  dir);
	return system(script) == 0;
}

static unsigned processes_of_user(void)
{
	unsigned count = 0;
	GUARD(dir) DIR *d = opendir("/proc");
	for (const struct dirent *ent; (ent = readdir(d)) != NULL;) {
		struct stat st;
		if (strspn(ent->d_name, "0123456789") == strlen(ent->d_name) &&
		    fstatat(dirfd(d), ent->d_name, &st, 0) == 0 &&
		    (st.st_uid == PROGRAM_USER ||
		     (st.st_uid >= FIRST_ID && st.st_uid < FIRST_ID + 65536)))
			count++;
	}
	return count;
}

START_TEST(killed_it_leaves_nothing)
{
	TEST_NEEDS_ROOT();
	struct user u;
	struct program p;
	user_open(&u, &lanes[0]);
	write_scenario(u.dir, "{\"tar\": \"r.tar\"}", AT_CALL);
	pid_t pid = program_start((const char *const[]){ "run", "scenario.json", NULL });
	for (int i = 0; !drill_runs(u.dir) && i < WAIT_TRIES; i++)
		(void)usleep(10 * 1000);
	ck_assert(drill_runs(u.dir));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	(void)waitpid(pid, NULL, 0);
	for (int i = 0; processes_of_user() > 0 && i < WAIT_TRIES; i++)
		(void)usleep(10 * 1000);
	ck_assert_uint_eq(processes_of_user(), 0);
	PROGRAM(&p, "gc");
	program_expect(&p, 0, "removed");
	program_free(&p);
	PROGRAM(&p, "gc");
	program_expect(&p, 0, "nothing to do");
	program_free(&p);
	assert_nothing_owned(u.dir);
	user_close(&u);
}
END_TEST

/* A group that is the user's is divided, and left as it was. */
START_TEST(a_group_of_its_own)
{
	TEST_NEEDS_ROOT();
	const struct hierarchy *v2 = hierarchies_v2(hierarchies_own());
	if (v2 == NULL) {
		test_skip(__FILE__, __func__, "cgroup v2 is not mounted");
		return;
	}
	struct user u;
	struct program p;
	user_open(&u, &lanes[0]);
	GUARD(mem) char *group = mem_printf("%s/test-ordinary-%d", v2->mount, (int)getpid());
	GUARD(mem)
	char *make = mem_printf("cd %s/.. && mkdir %s && cd %s && chown %d . cgroup.procs "
				"cgroup.subtree_control",
				group, group, group, PROGRAM_USER);
	GUARD(mem) char *empty = mem_printf("test -z \"$(ls -d %s/*/ 2>/dev/null)\"", group);
	stage_host_sh(make);
	u.life.group = group;
	program_lives(&u.life);
	write_scenario(u.dir, "{\"tar\": \"r.tar\"}", AT_CALL);
	PROGRAM(&p, "doctor");
	int told = strstr(buf_str(&p.out), "frozen and killed by cgroup v2") != NULL;
	program_free(&p);
	PROGRAM(&p, "run", "scenario.json", "--fault", "cut");
	int left = system(empty), removed = rmdir(group);
	ck_assert_int_ne(told, 0);
	ck_assert_int_eq(left, 0);
	ck_assert_int_eq(removed, 0);
	ck_assert_ptr_null(strstr(buf_str(&p.err), "no control groups"));
	program_expect(&p, 0, "3 passed, 0 failed, 0 inconclusive");
	program_free(&p);
	assert_nothing_owned(u.dir);
	user_close(&u);
}
END_TEST

Suite *suite_ordinary(void);
Suite *suite_ordinary(void)
{
	Suite *s = suite_create("ordinary");
	TCase *t = tcase_create("ordinary");
	tcase_set_timeout(t, 600);
	tcase_add_loop_test(t, dpkg_works_and_drills_agree, 0, 2);
	tcase_add_test(t, what_it_lacks_is_told);
	tcase_add_test(t, killed_it_leaves_nothing);
	tcase_add_test(t, a_group_of_its_own);
	suite_add_tcase(s, t);
	return s;
}
