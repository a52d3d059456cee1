/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/execwatch.h"
#include "tests/unit/lab.h"
#include "tests/unit/runner.h"

/* Programs inside the node. /opt/a/true and /opt/b/true are static; /opt/dyn/true is dynamic. */
static void install(struct lab *lab)
{
	static const struct {
		const char *from, *to;
	} copies[] = {
		{ "/bin/busybox", "/opt/a/true" },
		{ "/bin/busybox", "/opt/b/true" },
		{ "/bin/true", "/opt/dyn/true" },
		{ "/bin/true", "/opt/dyn/only-there" },
		{ "/lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2" },
		{ "/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libc.so.6" },
	};
	static const struct {
		const char *to, *text;
	} scripts[] = {
		{ "/opt/script", "#!/bin/sh\n/opt/a/true\n" },
		{ "/opt/inner", "#! /bin/sh -e\n/opt/b/true\n" },
		{ "/opt/outer", "#!/opt/inner argument\n" },
		{ "/opt/exec-sh", "#!/bin/sh\nexec /bin/sh -c :\n" },
		{ "/opt/no-interpreter", "#!/nowhere\n" },
		{ "/opt/bare", "/opt/a/true\n" },
	};
	for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++)
		lab_copy(lab, 0, copies[i].from, copies[i].to);
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		lab_write(lab, 0, scripts[i].to, scripts[i].text);
}

struct seen {
	struct buf paths;                   /* one a line */
	const char *kill_at;                /* SIGKILL the process that starts this */
	struct exec_watch *watch, *destroy; /* destroy: in the first callback */
	char held_state;                    /* of the process, as in /proc/PID/stat */
	bool park;                          /* through its exec, at /opt/... */
	pid_t pid, spawned;                 /* of the last start */
	int parked;                         /* what that said */
	char parked_state;
	bool not_run_yet; /* /tmp/ran was absent in the callback */
	struct lab *lab;
};

static char state_of(pid_t pid)
{
	struct err e = { 0 };
	GUARD_BUF struct buf text = { 0 };
	GUARD(mem) char *path = mem_printf("/proc/%d/stat", (int)pid);
	MUST(io_read_file(AT_FDCWD, path, 4096, &text, &e));
	return strrchr(buf_str(&text), ')')[2];
}

static void on_exec(void *arg, const struct exec_event *ev)
{
	struct seen *s = arg;
	struct stat st;
	buf_printf(&s->paths, "%s\n", ev->path);
	ck_assert_int_eq(fstat(ev->fd, &st), 0);
	s->held_state = state_of(ev->pid);
	s->pid = ev->pid;
	s->spawned = node_spawned_pid(s->lab->node[0], ev->pid);
	if (s->park && strncmp(ev->path, "/opt/", 5) == 0) {
		struct err e = { 0 };
		s->park = false;
		s->parked = exec_watch_park(ev->pid, &e);
		s->parked_state = state_of(ev->pid);
		ck_assert_int_eq(exec_watch_park(ev->pid, &e), 0);
		ck_assert_int_eq(kill(ev->pid, SIGCONT), 0);
	}
	s->not_run_yet = !lab_exists(s->lab, 0, "/tmp/ran");
	if (s->kill_at != NULL && strcmp(s->kill_at, ev->path) == 0)
		ck_assert_int_eq(kill(ev->pid, SIGKILL), 0);
	if (s->destroy != NULL)
		exec_watch_destroy(s->destroy);
	s->destroy = NULL;
}

static void begin(struct lab *lab, struct seen *s)
{
	struct err e = { 0 };
	lab_begin(lab, 1);
	install(lab);
	memset(s, 0, sizeof(*s));
	s->lab = lab;
	MUST(exec_watch_create(&s->watch, lab->loop, lab->node[0], on_exec, s, &e));
}

static void end(struct lab *lab, struct seen *s)
{
	buf_free(&s->paths);
	lab_end(lab);
}

/* Every script is run by sh -c, whose own start comes first. */
static const struct {
	const char *script, *starts;
} cases[] = {
	{ "/opt/a/true; :", "/opt/a/true\n" },
	{ "/opt/a/true; /opt/b/true; /opt/a/true; :", "/opt/a/true\n/opt/b/true\n/opt/a/true\n" },
	{ "/opt/dyn/true; :", "/opt/dyn/true\n" },
	{ "/opt/script; :", "/opt/script\n/opt/a/true\n" },
	{ "/opt/outer; :", "/opt/outer\n/opt/b/true\n" },
	{ "exec /opt/script", "/opt/script\n/opt/a/true\n" },
	{ "/opt/exec-sh; :", "/opt/exec-sh\n/bin/sh\n" },
	{ "PATH=/nowhere:/opt:/opt/c:/opt/dyn; only-there; :", "/opt/dyn/only-there\n" },
	{ "/opt/no-interpreter 2>/dev/null; /opt/a/true; :", "/opt/no-interpreter\n/opt/a/true\n" },
	{ "/opt/missing 2>/dev/null; :", "" },
	{ "echo text > /tmp/data; read x < /opt/a/true; :", "" },
	{ "/opt/bare; :", "/opt/bare\n/bin/sh\n/opt/a/true\n" },
	{ "/bin/cp /opt/a/true /tmp/true; /tmp/true; :", "/bin/cp\n/tmp/true\n" },
	{ "/bin/cp /opt/a/true /run/true; /run/true; :", "/bin/cp\n/run/true\n" },
	{ "/bin/cp /opt/a/true /dev/shm/true; /dev/shm/true; :", "/bin/cp\n/dev/shm/true\n" },
	{ "/bin/unshare -m /opt/a/true; :", "/bin/unshare\n/opt/a/true\n" },
	{ "/lib64/ld-linux-x86-64.so.2 /opt/dyn/true; :", "" },
	{ "mkdir /j /j/bin; cp /bin/sh /j/bin/sh; cp /opt/script /j/s; /bin/chroot /j /s 2>&-; :",
	  "/bin/chroot\n/j/s\n" },
};

START_TEST(starts_are_told_apart_from_helpers)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct seen s;
	begin(&lab, &s);
	GUARD_BUF struct buf want = { 0 };
	buf_printf(&want, "/bin/sh\n%s", cases[_i].starts);
	(void)lab_sh(&lab, 0, cases[_i].script, NULL);
	ck_assert_msg(strcmp(buf_str(&s.paths), buf_str(&want)) == 0, "%s:\n%s", cases[_i].script,
		      buf_str(&s.paths));
	exec_watch_destroy(s.watch);
	end(&lab, &s);
}
END_TEST

START_TEST(the_process_is_held_until_the_callback_returns)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct seen s;
	begin(&lab, &s);
	(void)lab_sh(&lab, 0, "exec /bin/touch /tmp/ran", NULL);
	ck_assert_str_eq(buf_str(&s.paths), "/bin/sh\n/bin/touch\n");
	ck_assert(s.not_run_yet);
	ck_assert_msg(s.held_state == 'D' || s.held_state == 'S', "state %c", s.held_state);
	ck_assert(lab_exists(&lab, 0, "/tmp/ran"));
	ck_assert(s.spawned == s.pid && s.pid > 0);
	(void)lab_sh(&lab, 0, "(/opt/a/true; :); :", NULL);
	ck_assert(s.spawned != s.pid && s.spawned > 0);
	exec_watch_destroy(s.watch);
	end(&lab, &s);
}
END_TEST

START_TEST(parked_it_stands_behind_its_exec_and_has_not_run)
{
	static const char *const starts[] = { "/opt/a/true", "/opt/dyn/true", "/opt/script" };
	TEST_NEEDS_ROOT();
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		struct lab lab;
		struct seen s;
		struct exec_watch *second;
		struct err e = { 0 };
		begin(&lab, &s);
		struct seen other = { .lab = &lab };
		/* Its loader's start, and the whole start under a second watch, wait for us, too.
		 */
		MUST(exec_watch_create(&second, lab.loop, lab.node[0], on_exec, &other, &e));
		s.park = true;
		GUARD(mem) char *script = mem_printf("%s && /bin/touch /tmp/ran", starts[i]);
		ck_assert_int_eq(lab_sh(&lab, 0, script, NULL), 0);
		ck_assert_int_eq(s.parked, 1);
		ck_assert_msg(s.parked_state == 'T', "state %c", s.parked_state);
		ck_assert(lab_exists(&lab, 0, "/tmp/ran"));
		ck_assert_ptr_nonnull(strstr(buf_str(&other.paths), starts[i]));
		buf_free(&other.paths);
		exec_watch_destroy(second);
		exec_watch_destroy(s.watch);
		end(&lab, &s);
	}
}
END_TEST

START_TEST(one_killed_in_the_callback_never_runs)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct seen s;
	for (int round = 0; round < 20; round++) {
		begin(&lab, &s);
		s.kill_at = "/bin/touch";
		int status = lab_sh(&lab, 0, "exec /bin/touch /tmp/ran", NULL);
		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		ck_assert(!lab_exists(&lab, 0, "/tmp/ran"));
		/* The watch goes on working. */
		ck_assert_int_eq(lab_sh(&lab, 0, "/opt/a/true", NULL), 0);
		ck_assert_ptr_nonnull(strstr(buf_str(&s.paths), "/opt/a/true\n"));
		exec_watch_destroy(s.watch);
		end(&lab, &s);
	}
}
END_TEST

START_TEST(destroyed_in_its_callback_lets_all_go_on)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct seen s;
	begin(&lab, &s);
	s.destroy = s.watch;
	ck_assert_int_eq(
		lab_sh(&lab, 0, "/opt/a/true & /opt/b/true & wait; /bin/touch /tmp/ran", NULL), 0);
	ck_assert_str_eq(buf_str(&s.paths), "/bin/sh\n");
	ck_assert(s.not_run_yet);
	ck_assert(lab_exists(&lab, 0, "/tmp/ran"));
	end(&lab, &s);
}
END_TEST

static void destroy_watch(void *arg)
{
	exec_watch_destroy(*(struct exec_watch **)arg);
}

/* A watch whose loop never turns holds a start for ever; destroying it lets that go on. */
START_TEST(destroyed_from_outside_lets_all_go_on)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	struct loop *other;
	struct exec_watch *w;
	struct loop_src *timer;
	struct seen s = { .lab = &lab };
	lab_begin(&lab, 1);
	MUST(loop_create(&other, &e));
	MUST(exec_watch_create(&w, other, lab.node[0], on_exec, &s, &e));
	MUST(loop_add_timer(lab.loop, 50 * NS_PER_MS, 0, destroy_watch, &w, &timer, &e));
	ck_assert_int_eq(lab_sh(&lab, 0, "/bin/touch /tmp/ran", NULL), 0);
	ck_assert(lab_exists(&lab, 0, "/tmp/ran"));
	ck_assert_str_eq(buf_str(&s.paths), "");
	loop_remove(timer);
	loop_destroy(other);
	end(&lab, &s);
}
END_TEST

static const struct {
	const char *script;
	bool read;
} reads[] = {
	{ "cat /srv/data > /dev/null", true },
	{ "head -c 1 /srv/data > /dev/null", true },
	{ "cat < /srv/link > /dev/null", true },
	{ "cp /srv/data /srv/copy", true },
	{ "dd if=/srv/data of=/dev/null bs=1 count=1 skip=3 2>/dev/null", true },
	{ "unshare -m cat /srv/data > /dev/null", true },
	{ "stat /srv/data > /dev/null", false },
	{ ": < /srv/data", false },
	{ "touch /srv/data; chmod 600 /srv/data; ls /srv > /dev/null", false },
	{ "cat /srv/other > /dev/null", false },
	{ "echo more >> /srv/data", false },
};

static void on_read(void *arg, pid_t pid)
{
	ck_assert_int_gt(pid, 0);
	*(bool *)arg = true;
}

START_TEST(reads_of_one_file_are_told)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	struct read_watch *w;
	bool read = false;
	lab_begin(&lab, 1);
	lab_write(&lab, 0, "/srv/data", "the content\n");
	lab_write(&lab, 0, "/srv/other", "the content\n");
	(void)lab_sh(&lab, 0, "ln -s /srv/data /srv/link", NULL);
	MUST(read_watch_create(&w, lab.loop, lab.node[0], "/srv/link", on_read, &read, &e));
	(void)lab_sh(&lab, 0, reads[_i].script, NULL);
	lab_run(&lab, NULL, 20 * NS_PER_MS);
	ck_assert_msg(read == reads[_i].read, "%s", reads[_i].script);
	read_watch_destroy(w);
	lab_end(&lab);
}
END_TEST

/* A file of the lower layer, and the harness's own reading. */
START_TEST(reads_of_the_lower_layer_but_not_our_own)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	struct read_watch *w;
	bool read = false;
	GUARD_BUF struct buf text = { 0 };
	lab_begin(&lab, 1);
	MUST(read_watch_create(&w, lab.loop, lab.node[0], "/etc/passwd", on_read, &read, &e));
	GUARD(mem) char *path = mem_printf("%s/etc/passwd", node_root_path(lab.node[0]));
	MUST(io_read_file(AT_FDCWD, path, 4096, &text, &e));
	lab_run(&lab, NULL, 20 * NS_PER_MS);
	ck_assert(!read);
	(void)lab_sh(&lab, 0, "cat /etc/passwd > /dev/null", NULL);
	lab_run(&lab, &read, NS_PER_S);
	read_watch_destroy(w);
	ck_assert_int_lt(
		read_watch_create(&w, lab.loop, lab.node[0], "/srv/none", on_read, &read, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.why, "/srv/none"));
	lab_end(&lab);
}
END_TEST

Suite *suite_execwatch(void);
Suite *suite_execwatch(void)
{
	Suite *s = suite_create("execwatch");
	TCase *t = tcase_create("execwatch");
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, starts_are_told_apart_from_helpers, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, the_process_is_held_until_the_callback_returns);
	tcase_add_test(t, parked_it_stands_behind_its_exec_and_has_not_run);
	tcase_add_test(t, one_killed_in_the_callback_never_runs);
	tcase_add_test(t, destroyed_in_its_callback_lets_all_go_on);
	tcase_add_test(t, destroyed_from_outside_lets_all_go_on);
	tcase_add_loop_test(t, reads_of_one_file_are_told, 0, sizeof(reads) / sizeof(reads[0]));
	tcase_add_test(t, reads_of_the_lower_layer_but_not_our_own);
	suite_add_tcase(s, t);
	return s;
}
