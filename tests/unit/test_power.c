/* SPDX-License-Identifier: MIT */
/* What a power cut leaves, on each file system. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "tests/unit/inject_rig.h"
#include "tests/unit/lab.h"
#include "tests/unit/runner.h"

static const uint64_t sizes[DISK_FS_COUNT] = {
	[DISK_EXT4] = UINT64_C(64) << 20,
	[DISK_XFS] = UINT64_C(300) << 20,
	[DISK_BTRFS] = UINT64_C(128) << 20,
};

/* Before the patch each of these files holds "old" on disk, but for c and e, which are not there.
 */
static const char before[] = "for f in a b d; do echo old > /srv/$f; done";

/* What the workflow did, and what it finds after the cut: ext4, xfs, btrfs. */
static const struct {
	const char *did, *ask;
	const char *found[DISK_FS_COUNT];
} cases[] = {
	/* tmp + rename, no fsync */
	{ "echo new > /srv/t; mv /srv/t /srv/a",
	  "cat /srv/a; test -e /srv/t || echo none",
	  { "old\nnone\n", "old\nnone\n", "old\nnone\n" } },
	/* create, no fsync */
	{ "echo new > /srv/c",
	  "cat /srv/c 2>/dev/null || echo absent",
	  { "absent\n", "absent\n", "absent\n" } },
	/* write + fsync */
	{ "echo new > /srv/c; sync /srv/c", "cat /srv/c", { "new\n", "new\n", "new\n" } },
	/* create, then another file fsynced */
	{ "echo new > /srv/c; echo x > /srv/e; sync /srv/e",
	  "test -s /srv/c && echo full || test -e /srv/c && echo empty || echo absent",
	  { "empty\n", "empty\n", "absent\n" } },
	/* rename, then another file fsynced */
	{ "echo new > /srv/t; mv /srv/t /srv/d; echo x > /srv/e; sync /srv/e",
	  "cat /srv/d; test -s /srv/d || echo empty",
	  { "empty\n", "empty\n", "old\n" } },
	/* the edit that sed -i makes, and the same made durable */
	{ "sed -i s/old/new/ /srv/b; echo x > /srv/e; sync /srv/e",
	  "cat /srv/b; test -s /srv/b || echo empty",
	  { "empty\n", "empty\n", "old\n" } },
	{ "sed s/old/new/ /srv/b > /srv/t; sync /srv/t; mv /srv/t /srv/b; sync /srv",
	  "cat /srv/b; test -e /srv/t || echo none",
	  { "new\nnone\n", "new\nnone\n", "new\nnone\n" } },
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static void check_case(struct lab *lab, size_t k, enum disk_fs fs)
{
	struct rig rig;
	GUARD_BUF struct buf out = { 0 };
	ck_assert_int_eq(lab_sh(lab, 0, "rm -rf /srv/*; mkdir -p /srv", NULL), 0);
	ck_assert_int_eq(lab_sh(lab, 0, before, NULL), 0);
	rig_begin(&rig, lab, "node.power", "{}");
	ck_assert_int_eq(lab_step(lab, 0, cases[k].did), 0);
	rig_strike(&rig, &(struct strike_target){ .node = lab->node[0] });
	ck_assert_msg(strstr(rig.detail, "no write came meanwhile") != NULL, "%s", rig.detail);
	ck_assert(!node_alive(lab->node[0]));
	rig_undo(&rig);
	rig_end(&rig);
	(void)lab_sh(lab, 0, cases[k].ask, &out);
	ck_assert_msg(strcmp(buf_str(&out), cases[k].found[fs]) == 0, "%s on %s: '%s' found",
		      cases[k].did, disk_fs_names[fs], buf_str(&out));
}

START_TEST(keeps_what_is_durable)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	enum disk_fs fs = (enum disk_fs)_i;
	lab_begin_disks(&lab, 1, fs, sizes[fs]);
	ck_assert_ptr_nonnull(strstr(node_mount_options(lab.node[0]), disk_fs_names[fs]));
	for (size_t k = 0; k < CASES; k++)
		check_case(&lab, k, fs);
	lab_end(&lab);
}
END_TEST

/* A crash is not a power cut: what the kernel has in memory is written in the end. */
START_TEST(a_crash_keeps_all)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	GUARD_BUF struct buf out = { 0 };
	enum disk_fs fs = (enum disk_fs)_i;
	lab_begin_disks(&lab, 1, fs, sizes[fs]);
	rig_begin(&rig, &lab, "node.crash", "{}");
	ck_assert_int_eq(lab_step(&lab, 0, "mkdir -p /srv; echo new > /srv/c"), 0);
	rig_strike(&rig, &(struct strike_target){ .node = lab.node[0] });
	rig_undo(&rig);
	rig_end(&rig);
	(void)lab_sh(&lab, 0, "cat /srv/c", &out);
	ck_assert_str_eq(buf_str(&out), "new\n");
	lab_end(&lab);
}
END_TEST

/* What a cut would leave has the same name until something becomes durable. xfs and btrfs write
 * their logs at times of their own: then it has another one, and no two points count as the same.
 */
START_TEST(named_by_what_is_durable)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct err e = { 0 };
	char first[HASH_TEXT], unsynced[HASH_TEXT], synced[HASH_TEXT];
	enum disk_fs fs = (enum disk_fs)_i;
	lab_begin_disks(&lab, 1, fs, sizes[fs]);
	ck_assert_int_eq(lab_sh(&lab, 0, "mkdir -p /srv; echo old > /srv/a; sync", NULL), 0);
	ck_assert_int_eq(node_disk_name(lab.node[0], first, &e), 1);
	ck_assert_int_eq(lab_sh(&lab, 0, "echo new > /srv/a; mv /srv/a /srv/b", NULL), 0);
	ck_assert_int_eq(node_disk_name(lab.node[0], unsynced, &e), 1);
	if (fs == DISK_EXT4)
		ck_assert_str_eq(first, unsynced);
	ck_assert_int_eq(lab_sh(&lab, 0, "sync /srv/b", NULL), 0);
	ck_assert_int_eq(node_disk_name(lab.node[0], synced, &e), 1);
	ck_assert_str_ne(first, synced);
	lab_end(&lab);
}
END_TEST

/* Processes that write without a pause: the copy is of one moment. A log of numbers, each synced,
 * must be whole up to its last one. */
START_TEST(cut_under_load)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct rig rig;
	struct err e = { 0 };
	struct proc *p = NULL;
	enum disk_fs fs = (enum disk_fs)_i;
	lab_begin_disks(&lab, 1, fs, sizes[fs]);
	ck_assert_int_eq(lab_sh(&lab, 0, "mkdir -p /srv/d", NULL), 0);
	rig_begin(&rig, &lab, "node.power", "{}");
	const char *const argv[] = {
		"sh", "-c",
		"for k in 1 2 3; do (while :; do dd if=/dev/zero of=/srv/w$k bs=64k count=8"
		" conv=fsync,notrunc 2>/dev/null; done) & done;"
		" i=0; while :; do i=$((i+1)); echo $i > /srv/d/$i;"
		" sync /srv/d/$i; echo $i >> /srv/said; sync /srv/said; done",
		NULL
	};
	struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	MUST(node_spawn(lab.node[0], &spec, NULL, NULL, &p, &e));
	int64_t give_up = clock_now() + 20 * NS_PER_S;
	while (!lab_exists(&lab, 0, "/srv/d/20")) {
		ck_assert_msg(clock_now() < give_up, "nothing is written");
		lab_run(&lab, NULL, 2 * NS_PER_MS);
	}
	rig_strike(&rig, &(struct strike_target){ .node = lab.node[0], .runner = proc_pid(p) });
	ck_assert_msg(strstr(rig.detail, "no write came meanwhile") != NULL, "%s", rig.detail);
	ck_assert_ptr_nonnull(strstr(rig.evidence, "the step's program (pid"));
	rig_undo(&rig);
	ck_assert_int_eq(lab_sh(&lab, 0,
				"n=$(tail -n 1 /srv/said) && test $n -ge 19 && i=1 && "
				"while [ $i -le $n ]; do [ \"$(cat /srv/d/$i)\" = $i ] || exit 3; "
				"i=$((i+1)); done",
				NULL),
			 0);
	rig_end(&rig);
	proc_free(p);
	lab_end(&lab);
}
END_TEST

Suite *suite_power(void);
Suite *suite_power(void)
{
	Suite *s = suite_create("power");
	TCase *t = tcase_create("power");
	tcase_set_timeout(t, 180);
	tcase_add_loop_test(t, keeps_what_is_durable, 0, DISK_FS_COUNT);
	tcase_add_loop_test(t, a_crash_keeps_all, 0, DISK_FS_COUNT);
	tcase_add_loop_test(t, named_by_what_is_durable, 0, DISK_FS_COUNT);
	tcase_add_loop_test(t, cut_under_load, 0, DISK_FS_COUNT);
	suite_add_tcase(s, t);
	return s;
}
