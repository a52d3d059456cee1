/* SPDX-License-Identifier: MIT */
/* Nodes that die whole and boot again, and the injectors that make them. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/hash.h"
#include "harness/base/mem.h"
#include "harness/sandbox/capture.h"
#include "harness/sandbox/execwatch.h"
#include "tests/unit/inject_rig.h"
#include "tests/unit/lab.h"
#include "tests/unit/runner.h"

struct ends {
	unsigned count;
	int status;
};

static void ended(void *arg, int status)
{
	struct ends *e = arg;
	e->count++;
	e->status = status;
}

static struct proc *start(struct lab *lab, const char *script, struct ends *ends)
{
	struct err e = { 0 };
	struct proc *p = NULL;
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	MUST(node_spawn(lab->node[0], &spec, ended, ends, &p, &e));
	return p;
}

/* What a boot finds of what was there: the script, and what it prints in the second life. */
static const struct {
	const char *did, *ask, *prints;
} lives[] = {
	{ "echo a > /srv/f", "cat /srv/f", "a\n" },
	{ "rm /bin/true", "test -e /bin/true || echo gone", "gone\n" },
	/* A name of a file that the root had twice; the index keeps them one. */
	{ "cd /bin; echo >> cat; ls -i cat tac | cut -c1-20 > /srv/ino",
	  "cd /bin; test cat -ef tac && echo one", "one\n" },
	{ "mkdir -p /srv/d/e; mv /srv/d /srv/moved", "ls /srv/moved", "e\n" },
	{ "echo x > /tmp/f; echo x > /run/f; echo x > /dev/shm/f", "ls /tmp /run /dev/shm",
	  "/dev/shm:\n\n/run:\nlock\n\n/tmp:\n" },
	{ "mount -t tmpfs none /mnt 2>/dev/null || mount -t tmpfs none /srv; echo",
	  "grep -c ' /mnt tmpfs\\| /srv tmpfs' /proc/mounts; true", "0\n" },
	{ "hostname other", "hostname", "n0\n" },
	{ "sleep 60 & sleep 60 &", "ps -o comm | grep -c sleep; true", "0\n" },
};

START_TEST(a_root_survives_and_memory_does_not)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct err e = { 0 };
	lab_begin_mounting(&lab);
	struct node *n = lab.node[0];
	GUARD(mem) char *mounted = mem_strdup(node_mount_options(n));
	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		GUARD_BUF struct buf out = { 0 };
		ck_assert_int_eq(lab_sh(&lab, 0, "mkdir -p /srv /mnt", NULL), 0);
		(void)lab_step(&lab, 0, lives[i].did);
		MUST(node_kill(n, &e));
		MUST(node_boot(n, &e));
		(void)lab_sh(&lab, 0, lives[i].ask, &out);
		ck_assert_msg(strcmp(buf_str(&out), lives[i].prints) == 0, "%s: '%s'", lives[i].did,
			      buf_str(&out));
	}
	ck_assert_str_eq(node_mount_options(n), mounted);
	lab_end(&lab);
}
END_TEST

START_TEST(a_dead_node_has_nothing)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct err e = { 0 };
	struct ends ends = { 0 };
	struct stat st;
	pid_t pids[8];
	lab_begin(&lab, 1);
	struct node *n = lab.node[0];
	struct proc *p = start(&lab, "sleep 60", &ends);
	pid_t pid = proc_pid(p), init = node_init_pid(n);
	MUST(node_answers(n, &e));
	MUST(node_kill(n, &e));
	ck_assert(!node_alive(n) && !proc_running(p));
	ck_assert_uint_eq(ends.count, 1);
	ck_assert(WIFSIGNALED(ends.status) && WTERMSIG(ends.status) == SIGKILL);
	ck_assert_int_eq(kill(pid, 0), -1);
	ck_assert_int_eq(kill(init, 0), -1);
	ck_assert_int_eq(node_root_fd(n), -1);
	ck_assert_int_eq(node_netns_fd(n), -1);
	ck_assert_int_eq(node_init_pid(n), 0);
	ck_assert_int_eq(stat(node_root_path(n), &st), -1);
	ck_assert_int_eq(node_processes(n, pids, 8, &e), 0);
	ck_assert_int_eq(node_answers(n, &e), -1);
	err_clear(&e);
	/* Programs of the workflow that it refuses are counted, the harness's own are not. */
	struct proc *none = NULL;
	const char *const argv[] = { "true", NULL };
	struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	ck_assert_int_eq(node_spawn(n, &spec, NULL, NULL, &none, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.why, "is down"));
	err_clear(&e);
	spec.apart = true;
	ck_assert_int_eq(node_spawn(n, &spec, NULL, NULL, &none, &e), -1);
	ck_assert_uint_eq(node_refused(n), 1);
	err_clear(&e);
	MUST(node_kill(n, &e)); /* twice is as once */
	MUST(node_boot(n, &e));
	MUST(node_answers(n, &e));
	ck_assert_uint_eq(node_refused(n), 0);
	ck_assert_int_ne(node_init_pid(n), init);
	ck_assert_int_eq(lab_sh(&lab, 0, "true", NULL), 0);
	/* A proc of the first life stays one that has ended. */
	ck_assert(!proc_running(p));
	ck_assert_uint_eq(ends.count, 1);
	proc_free(p);
	lab_end(&lab);
}
END_TEST

/* A hundred lives: nothing piles up, and none starts too early. */
START_TEST(many_lives)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct err e = { 0 };
	lab_begin(&lab, 1);
	lab_links(&lab, 0);
	for (int i = 0; i < 40; i++) {
		struct ends ends = { 0 };
		struct proc *p = start(&lab, "while :; do echo x >> /srv-log; done", &ends);
		MUST(node_kill(lab.node[0], &e));
		MUST(network_node_down(lab.net, "n0", &e));
		MUST(node_boot(lab.node[0], &e));
		MUST(network_node_up(lab.net, "n0", node_netns_fd(lab.node[0]), &e));
		ck_assert_uint_eq(ends.count, 1);
		proc_free(p);
	}
	lab_end(&lab);
}
END_TEST

/* Its init dies by itself: that is noticed, and it boots as well. */
START_TEST(boots_after_a_death_of_its_own)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct err e = { 0 };
	lab_begin(&lab, 1);
	ck_assert_int_eq(kill(node_init_pid(lab.node[0]), SIGKILL), 0);
	lab_run(&lab, NULL, 50 * NS_PER_MS);
	ck_assert(!node_alive(lab.node[0]));
	MUST(node_kill(lab.node[0], &e));
	MUST(node_boot(lab.node[0], &e));
	ck_assert_int_eq(lab_sh(&lab, 0, "true", NULL), 0);
	lab_end(&lab);
}
END_TEST

static void ping(struct lab *lab, size_t from, size_t to, bool works)
{
	GUARD(mem) char *script = mem_printf("ping -c 1 -W 1 10.9.0.%zu >/dev/null 2>&1", to + 1);
	int status = lab_sh(lab, from, script, NULL);
	ck_assert_msg((status == 0) == works, "%s: status %d", script, status);
}

START_TEST(its_link_comes_back)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct err e = { 0 };
	uint64_t sent, received, before, lost;
	bool up = true;
	lab_begin(&lab, 3);
	lab_links(&lab, _i == 0 ? 0 : 4 << 20);
	struct net_link *l = lab.link[0];
	ping(&lab, 1, 0, true);
	ping(&lab, 0, 2, true);
	MUST(link_bytes(l, &sent, &before, &e));
	MUST(node_kill(lab.node[0], &e));
	MUST(network_node_down(lab.net, "n0", &e));
	MUST(link_is_up(l, &up, &e));
	ck_assert(!up);
	ping(&lab, 1, 0, false);
	MUST(link_lost_frames(l, &lost, &e));
	ck_assert_uint_eq(lost, 1);
	ping(&lab, 1, 2, true);
	MUST(node_boot(lab.node[0], &e));
	MUST(network_node_up(lab.net, "n0", node_netns_fd(lab.node[0]), &e));
	MUST(link_is_up(l, &up, &e));
	ck_assert(up);
	MUST(link_bytes(l, &sent, &received, &e));
	ck_assert_uint_ge(received, before); /* the counters go on */
	ck_assert_int_eq(lab_sh(&lab, 0, "test $(ip neigh | grep -c PERMANENT) = 2", NULL), 0);
	ping(&lab, 1, 0, true);
	ping(&lab, 0, 2, true);
	ping(&lab, 0, 1, true);
	MUST(link_lost_frames(l, &lost, &e));
	ck_assert_uint_eq(lost, 1);
	/* It can be cut and mended as before. */
	MUST(link_set_up(l, false, &e));
	ping(&lab, 1, 0, false);
	MUST(link_set_up(l, true, &e));
	ping(&lab, 1, 0, true);
	lab_end(&lab);
}
END_TEST

/* A cut outlives the crash, and one that ends meanwhile is over. */
START_TEST(a_cut_link_comes_back_cut)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct err e = { 0 };
	bool mended = _i == 1, up = mended;
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	MUST(link_set_up(lab.link[0], false, &e));
	MUST(node_kill(lab.node[0], &e));
	MUST(network_node_down(lab.net, "n0", &e));
	if (mended)
		MUST(link_set_up(lab.link[0], true, &e));
	MUST(node_boot(lab.node[0], &e));
	MUST(network_node_up(lab.net, "n0", node_netns_fd(lab.node[0]), &e));
	MUST(link_is_up(lab.link[0], &up, &e));
	ck_assert(up == mended);
	ping(&lab, 1, 0, mended);
	lab_end(&lab);
}
END_TEST

static unsigned starts;

static void on_exec(void *arg, const struct exec_event *ev)
{
	(void)arg;
	(void)ev;
	starts++;
}

/* A watch made behind the boot sees the new mounts; one from before does no harm. */
START_TEST(watches_are_made_anew)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct err e = { 0 };
	struct exec_watch *old = NULL, *new = NULL;
	lab_begin(&lab, 1);
	MUST(exec_watch_create(&old, lab.loop, lab.node[0], on_exec, NULL, &e));
	MUST(node_kill(lab.node[0], &e));
	MUST(node_boot(lab.node[0], &e));
	starts = 0;
	MUST(exec_watch_create(&new, lab.loop, lab.node[0], on_exec, NULL, &e));
	(void)lab_step(&lab, 0, "exec /bin/busybox true");
	ck_assert_uint_ge(starts, 2); /* sh, busybox */
	exec_watch_destroy(old);
	exec_watch_destroy(new);
	lab_end(&lab);
}
END_TEST

/* ---- the injectors ---- */

START_TEST(crash_of_an_idle_node)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	rig_begin(&rig, &lab, "node.crash", "\"n0\"");
	rig_strike(&rig, &(struct strike_target){ .node = lab.node[1] });
	ck_assert(!node_alive(lab.node[0]) && node_alive(lab.node[1]));
	ck_assert_uint_eq(rig.downs, 1);
	ping(&lab, 1, 0, false);
	lab_run(&lab, NULL, 20 * NS_PER_MS);
	ck_assert(!rig.felt); /* no step ran */
	rig.step_runs = true;
	ping(&lab, 1, 0, false);
	lab_run(&lab, &rig.felt, 5 * NS_PER_S);
	ck_assert_ptr_nonnull(strstr(rig.evidence, "frame(s) for node n0 lost while a step ran"));
	rig_undo(&rig);
	ck_assert_uint_eq(rig.boots, 1);
	ping(&lab, 1, 0, true);
	rig_end(&rig);
	lab_end(&lab);
}
END_TEST

START_TEST(crash_before_a_step_can_start)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	struct err e = { 0 };
	lab_begin(&lab, 1);
	rig_begin(&rig, &lab, "node.crash", "{}");
	rig_strike(&rig, &(struct strike_target){ .node = lab.node[0] });
	ck_assert(!rig.felt);
	struct proc *p = NULL;
	const char *const argv[] = { "true", NULL };
	struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	ck_assert_int_eq(node_spawn(lab.node[0], &spec, NULL, NULL, &p, &e), -1);
	rig_undo(&rig);
	ck_assert(rig.felt);
	ck_assert_ptr_nonnull(strstr(rig.evidence, "could not start on node n0"));
	rig_end(&rig);
	lab_end(&lab);
}
END_TEST

START_TEST(a_dead_node_cannot_be_struck)
{
	static const char *const kinds[] = { "node.crash", "node.power", "disk.fill" };
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	struct err e = { 0 };
	lab_begin(&lab, 1);
	rig_begin(&rig, &lab, kinds[_i], "{}");
	MUST(node_kill(lab.node[0], &e));
	ck_assert_int_eq(rig.injector->strike(rig.injection,
					      &(struct strike_target){ .node = lab.node[0] },
					      rig.detail, &e),
			 -1);
	ck_assert_ptr_nonnull(strstr(e.why, "down"));
	ck_assert_uint_eq(rig.downs, 0);
	rig_end(&rig);
	lab_end(&lab);
}
END_TEST

/* Without a disk there is nothing that a power cut, or a lack of room, could be of. */
START_TEST(an_overlay_is_no_disk)
{
	static const char *const kinds[] = { "node.power", "disk.fill" };
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	struct err e = { 0 };
	lab_begin(&lab, 1);
	rig_begin(&rig, &lab, kinds[_i], "{}");
	ck_assert_int_eq(rig.injector->strike(rig.injection,
					      &(struct strike_target){ .node = lab.node[0] },
					      rig.detail, &e),
			 -1);
	ck_assert_ptr_nonnull(strstr(e.why, "has no disk of its own"));
	ck_assert(node_alive(lab.node[0]));
	MUST(rig.injector->verify(rig.injection, rig.detail, &(struct err){ 0 }));
	rig_end(&rig);
	lab_end(&lab);
}
END_TEST

static const struct {
	enum disk_fs fs;
	uint64_t size;
	const char *params;
	uint64_t leave;
} fills[] = {
	{ DISK_EXT4, UINT64_C(64) << 20, "{}", 0 },
	{ DISK_EXT4, UINT64_C(64) << 20, "{\"leave\":\"1MiB\"}", 1 << 20 },
	{ DISK_XFS, UINT64_C(300) << 20, "{\"node\":\"n0\"}", 0 },
};

static void digest_of(struct lab *lab, char ret[HASH_TEXT])
{
	struct err e = { 0 };
	struct capture_result r;
	GUARD(fd) int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const struct capture_spec spec = { .fd = fd };
	MUST(capture_state(lab->node[0], &spec, &r, &e));
	memcpy(ret, r.digest, HASH_TEXT);
}

START_TEST(no_room_is_left)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	char before[HASH_TEXT], during[HASH_TEXT];
	static const char big[] = "dd if=/dev/zero of=/big bs=64k count=32 2>/tmp/why; r=$?; "
				  "sync /big; rm /big; grep -q 'No space left' /tmp/why && exit 9; "
				  "exit $r";
	lab_begin_disks(&lab, 1, fills[_i].fs, fills[_i].size);
	ck_assert_int_eq(lab_sh(&lab, 0, big, NULL), 0);
	ck_assert_int_eq(lab_sh(&lab, 0, "rm /tmp/why", NULL), 0);
	digest_of(&lab, before);
	rig_begin(&rig, &lab, "disk.fill", fills[_i].params);
	rig_strike(&rig, &(struct strike_target){ .node = lab.node[0] });
	digest_of(&lab, during);
	ck_assert_str_eq(before, during); /* no path of it shows */
	int status = lab_step(&lab, 0, big);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 9, "%d", status);
	ck_assert(!rig.felt);
	rig.troubles++; /* the engine says that it failed */
	rig_undo(&rig);
	ck_assert(rig.felt);
	ck_assert_int_eq(lab_step(&lab, 0, big), 0);
	rig_end(&rig);
	lab_end(&lab);
}
END_TEST

/* Nobody was in trouble: nobody met it. */
START_TEST(no_trouble_no_feeling)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	lab_begin_disks(&lab, 1, DISK_EXT4, UINT64_C(64) << 20);
	rig_begin(&rig, &lab, "disk.fill", "{}");
	rig.troubles = 3; /* before the strike */
	rig_strike(&rig, &(struct strike_target){ .node = lab.node[0] });
	rig_undo(&rig);
	ck_assert(!rig.felt);
	rig_end(&rig);
	lab_end(&lab);
}
END_TEST

Suite *suite_restart(void);
Suite *suite_restart(void)
{
	Suite *s = suite_create("restart");
	TCase *t = tcase_create("restart");
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_root_survives_and_memory_does_not);
	tcase_add_test(t, a_dead_node_has_nothing);
	tcase_add_test(t, many_lives);
	tcase_add_test(t, boots_after_a_death_of_its_own);
	tcase_add_loop_test(t, its_link_comes_back, 0, 2);
	tcase_add_loop_test(t, a_cut_link_comes_back_cut, 0, 2);
	tcase_add_test(t, watches_are_made_anew);
	tcase_add_test(t, crash_of_an_idle_node);
	tcase_add_test(t, crash_before_a_step_can_start);
	tcase_add_loop_test(t, a_dead_node_cannot_be_struck, 0, 3);
	tcase_add_loop_test(t, an_overlay_is_no_disk, 0, 2);
	tcase_add_loop_test(t, no_room_is_left, 0, 3);
	tcase_add_test(t, no_trouble_no_feeling);
	suite_add_tcase(s, t);
	return s;
}
