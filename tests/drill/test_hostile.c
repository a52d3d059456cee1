/* SPDX-License-Identifier: MIT */
/* Patches that mean harm: the drill ends with an outcome, and the host is as it was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "tests/drill/host_picture.h"
#include "tests/drill/program.h"
#include "tests/unit/runner.h"

#define HOSTILE "tests/drill/scenarios/hostile.json"

/* Each refusal that does not come is said in the step's log, which said() looks into. */
#define MUST_FAIL(what) "if " what " 2>/dev/null; then echo GOT THROUGH: '" what "'; fi; "

static const struct {
	const char *name, *script;
} cases[] = {
	{ "fork bomb", "f() { f | f & }; f; sleep 1" },
	{ "memory bomb", "tail /dev/zero" },
	{ "full disk", "dd if=/dev/zero of=/srv/full bs=1M" },
	{ "no inodes", "i=0; while mkdir /srv/d$i; do i=$((i+1)); done" },
	{ "kill all", "kill -9 -1; true" },
	{ "reboot", "reboot -f; sleep 1" },
	{ "power off", "poweroff -f; sleep 1" },
	{ "kernel settings",
	  MUST_FAIL("echo x > /proc/sys/kernel/core_pattern") MUST_FAIL(
		  "echo 1 > /proc/sys/vm/drop_caches") MUST_FAIL("echo h > /proc/sysrq-trigger")
		  MUST_FAIL("sysctl -w kernel.panic=7")
			  MUST_FAIL("echo 1 > /sys/kernel/profiling") "true" },
	{ "disks by number",
	  "for m in 7 8 254 253 259; do for i in 0 1; do mknod /srv/b$m$i b $m $i; mknod "
	  "/dev/b$m$i "
	  "b $m $i; mknod /run/b$m$i b $m $i; done; done; mknod /srv/kmem c 1 2; mknod /tmp/mem c "
	  "1 1; "
	  "for f in /srv/b* /dev/b* /run/b* /srv/kmem /tmp/mem; do "
	  "if (: < $f) 2>/dev/null; then echo GOT THROUGH: $f; fi; done; rm -f /dev/b* /run/b*" },
	{ "mounts", MUST_FAIL("mount -t proc p /mnt") MUST_FAIL("mount -t tmpfs t /srv") MUST_FAIL(
			    "mount --bind /proc /srv") MUST_FAIL("umount /proc/sys")
			    MUST_FAIL("mount -o remount,rw /sys")
				    MUST_FAIL("mount -t cgroup -o none,name=x c /srv") MUST_FAIL(
					    "unshare -m mount -o remount,bind,rw /proc/sys")
					    MUST_FAIL("unshare -m umount /proc/sys") MUST_FAIL(
						    "unshare -U -r -m mount -t tmpfs t /srv")
						    MUST_FAIL("nsenter -t 1 -m true") "true" },
	{ "modules and clocks",
	  "echo x > /srv/m.ko; " MUST_FAIL("insmod /srv/m.ko") MUST_FAIL("rmmod overlay")
		  MUST_FAIL("date -s 2001-01-01 >/srv/date; test $(date +%Y) = 2001")
			  MUST_FAIL("swapon /srv/m.ko") MUST_FAIL("dmesg -c") "true" },
	{ "descriptors",
	  "for f in /proc/self/fd/* /proc/1/fd/*; do (echo rubbish > $f) 2>/dev/null; done; true" },
	{ "daemons",
	  "for i in 1 2 3; do setsid sh -c 'sleep 1000 & exec sleep 1000' & done; true" },
	{ "deaf", "trap '' 1 2 3 13 14 15; while :; do sleep 1; done" },
	{ "flood", "yes" },
	/* Endless as far as the step's two seconds go. */
	{ "long line", "cat /dev/zero | tr '\\000' a" },
	{ "long path", "p=/srv; i=0; while test $i -lt 19; do p=$p/$(head -c 200 /dev/zero | tr "
		       "'\\000' a); i=$((i+1)); done; mkdir -p $p && : > $p/f" },
	{ "deep tree", "cd /srv; i=0; while test $i -lt 200; do mkdir d; cd d; i=$((i+1)); done" },
	{ "raw sockets", "ping -c 1 -W 1 127.0.0.1; arping -c 1 -w 1 -I lo 10.0.0.1; traceroute -n "
			 "-w 1 -m 1 1.1.1.1; true" },
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static void settings(struct buf *ret)
{
	static const char *const paths[] = { "/proc/sys/kernel/core_pattern",
					     "/proc/sys/kernel/hostname", "/proc/sys/kernel/panic",
					     "/proc/swaps" };
	struct err e = { 0 };
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		MUST(io_read_file(-1, paths[i], 1 << 20, ret, &e));
}

/* In any log of the run. */
static bool said(const char *runs, const char *text)
{
	char command[600];
	(void)snprintf(command, sizeof(command), "grep -rqs '%s' '%s' --include='*.log'", text,
		       runs);
	return system(command) == 0;
}

START_TEST(the_host_stays)
{
	TEST_NEEDS_ROOT();
	struct program p;
	char state[300], runs[300], root[300], script[4096];
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf after = { 0 };
	GUARD_BUF struct buf set_before = { 0 };
	GUARD_BUF struct buf set_after = { 0 };
	(void)snprintf(state, sizeof(state), "%s/state", test_dir());
	(void)snprintf(runs, sizeof(runs), "%s/runs", test_dir());
	(void)snprintf(root, sizeof(root), "root=%s", test_busybox_root());
	(void)snprintf(script, sizeof(script), "do=%s", cases[_i].script);
	PROGRAM(&p, "image", "build", HOSTILE, "--state", state, "--var", root);
	program_free(&p);
	settings(&set_before);
	host_picture(&before, state);
	PROGRAM(&p, "run", HOSTILE, "--state", state, "--runs", runs, "--var", root, "--var",
		script);
	/* Any verdict may be true but a fault of our own. */
	ck_assert_msg(p.exit >= 0 && p.exit <= 3, "%s: exit %d\n%s%s", cases[_i].name, p.exit,
		      buf_str(&p.out), buf_str(&p.err));
	program_free(&p);
	ck_assert_msg(!said(runs, "GOT THROUGH"), "%s: see %s", cases[_i].name, runs);
	host_picture(&after, state);
	host_same(&before, &after, cases[_i].name);
	settings(&set_after);
	ck_assert_str_eq(buf_str(&set_before), buf_str(&set_after));
}
END_TEST

Suite *suite_hostile(void)
{
	Suite *s = suite_create("hostile");
	TCase *c = tcase_create("hostile");
	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, the_host_stays, 0, CASES);
	suite_add_tcase(s, c);
	return s;
}
