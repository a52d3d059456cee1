/* SPDX-License-Identifier: MIT */
/* Patches that mean harm: the drill ends with an outcome, and the host is as it was. */
#include <dlfcn.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/hash.h"
#include "harness/base/io.h"
#include "tests/drill/host_picture.h"
#include "tests/drill/program.h"
#include "tests/unit/runner.h"

#define EVIL    "tests/drill/hostile/evil.c"
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
	{ "disks of the host",
	  "for d in /sys/block/*/dev /sys/block/*/*/dev; do n=/srv/b$(tr : - < $d); mknod $n b "
	  "$(tr : ' ' < $d); if (: < $n) 2>/dev/null; then echo GOT THROUGH: $n; fi; "
	  "for t in ext4 xfs btrfs erofs squashfs; do if mount -r -t $t $n /mnt 2>/dev/null; then "
	  "echo GOT THROUGH: mount $n; umount /mnt; fi; done; done; rm -f /srv/b*" },
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
	{ "rubbish", "exec 5>&1; evil rubbish; true" },
	{ "own file", "evil own-file" },
	{ "tracing", "for i in 1 2 3 4 5 6; do evil trace; done" },
	{ "handles", "evil handles" },
	{ "towards the host", "evil sockets $(cat /srv/targets)" },
	{ "release agents",
	  "for f in $(find / -xdev -name release_agent) $(find /sys/fs /dev /run -name "
	  "release_agent 2>/dev/null) /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe "
	  "/proc/sys/kernel/poweroff_cmd /sys/kernel/uevent_helper "
	  "/proc/sys/fs/binfmt_misc/register; "
	  "do if (cat $f | tee $f) >/dev/null 2>&1; then echo GOT THROUGH: $f; fi; done; "
	  "for o in memory rdma none,name=x; do for u in '' 'unshare -m' 'unshare -C' 'unshare -U "
	  "-r "
	  "-m -C'; do "
	  "if $u mount -t cgroup -o $o c /mnt 2>/dev/null; then echo GOT THROUGH: $u $o; fi; "
	  "done; done" },
	{ "daemons",
	  "for i in 1 2 3; do setsid sh -c 'sleep 1000 & exec sleep 1000' & done; true" },
	{ "deaf", "trap '' 1 2 3 13 14 15; while :; do sleep 1; done" },
	{ "flood", "yes" },
	/* Endless as far as the step's two seconds go. */
	{ "long line", "cat /dev/zero | tr '\\000' a" },
	{ "long path", "p=/srv; i=0; while test $i -lt 19; do p=$p/$(head -c 200 /dev/zero | tr "
		       "'\\000' a); i=$((i+1)); done; mkdir -p $p && : > $p/f" },
	{ "deep tree", "evil deep" },
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

/* The program that runs is a copy: were it in reach, no other test would suffer. */
static void copy_program(char *ret, size_t size)
{
	char command[1200];
	(void)snprintf(ret, size, "%s/backout", test_dir());
	(void)snprintf(command, sizeof(command), "cp '%s' '%s'", program_binary(), ret);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(setenv("BACKOUT_BIN", ret, 1), 0);
}

static void about_file(const char *path, struct buf *ret)
{
	struct err e = { 0 };
	struct stat st;
	char digest[HASH_TEXT];
	ck_assert_int_eq(stat(path, &st), 0);
	MUST(hash_file(path, digest, &e));
	buf_printf(ret, "%s %o %u %u %lld.%09ld %lld.%09ld %s\n", path, st.st_mode, st.st_uid,
		   st.st_gid, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
		   (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec, digest);
}

/* Where the host listens: nobody may come. */
struct ears {
	int udp, local;
	char words[600]; /* what evil.c is told of them */
};

static void ears_open(struct ears *r)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(in);
	r->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(r->udp, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(getsockname(r->udp, (struct sockaddr *)&in, &len), 0);
	int n = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "backout-ears-%d",
			 (int)getpid());
	r->local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	ck_assert_int_eq(bind(r->local, (struct sockaddr *)&name, len), 0);
	ck_assert_int_eq(listen(r->local, 1), 0);
	char addresses[400] = "";
	FILE *p = popen("hostname -I", "re");
	(void)!fgets(addresses, sizeof(addresses), p);
	(void)pclose(p);
	(void)snprintf(r->words, sizeof(r->words), "%d %s 127.0.0.1 %s", ntohs(in.sin_port),
		       name.sun_path + 1, addresses);
	/* They do hear: what is sent from here comes. */
	(void)sendto(r->udp, "x", 1, 0, (struct sockaddr *)&in, sizeof(in));
	char byte;
	ck_assert_int_eq(recv(r->udp, &byte, 1, 0), 1);
}

static void ears_close(const struct ears *r, const char *name)
{
	char byte;
	ck_assert_msg(recv(r->udp, &byte, 1, 0) < 0, "%s: a packet came to the host", name);
	ck_assert_msg(accept(r->local, NULL, NULL) < 0, "%s: a connection to the host", name);
	(void)close(r->udp);
	(void)close(r->local);
}

/* The root of busybox with evil.c in it, and what the host's ears are. */
static void evil_root(char *ret, size_t size, const char *words)
{
	char command[2048];
	(void)snprintf(ret, size, "%s/root", test_dir());
	(void)snprintf(command, sizeof(command),
		       "cp -a '%s' '%s' && cc -static -O1 -D_GNU_SOURCE -o '%s/bin/evil' " EVIL
		       " && mkdir -p '%s/mnt' && echo '%s' > '%s/srv/targets'",
		       test_busybox_root(), ret, ret, ret, words, ret);
	ck_assert_msg(system(command) == 0, "no root with " EVIL);
}

static void picture(const char *state, struct buf *host, struct buf *set)
{
	settings(set);
	about_file(program_binary(), set);
	Dl_info c_library;
	ck_assert_int_ne(dladdr((const void *)(uintptr_t)&fopen, &c_library), 0);
	about_file(c_library.dli_fname, set);
	host_picture(host, state);
}

START_TEST(the_host_stays)
{
	TEST_NEEDS_ROOT();
	struct program p;
	struct ears ears;
	char binary[300], state[300], runs[300], path[300], root[310], script[4096];
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf after = { 0 };
	GUARD_BUF struct buf set_before = { 0 };
	GUARD_BUF struct buf set_after = { 0 };
	copy_program(binary, sizeof(binary));
	ears_open(&ears);
	evil_root(path, sizeof(path), ears.words);
	(void)snprintf(state, sizeof(state), "%s/state", test_dir());
	(void)snprintf(runs, sizeof(runs), "%s/runs", test_dir());
	(void)snprintf(root, sizeof(root), "root=%s", path);
	(void)snprintf(script, sizeof(script), "do=%s", cases[_i].script);
	PROGRAM(&p, "image", "build", HOSTILE, "--state", state, "--var", root);
	program_free(&p);
	picture(state, &before, &set_before);
	PROGRAM(&p, "run", HOSTILE, "--state", state, "--runs", runs, "--var", root, "--var",
		script);
	/* Any verdict may be true but a fault of our own. */
	ck_assert_msg(p.exit >= 0 && p.exit <= 3, "%s: exit %d\n%.3000s%.3000s", cases[_i].name,
		      p.exit, buf_str(&p.out), buf_str(&p.err));
	program_free(&p);
	ck_assert_msg(strstr(script, "evil ") == NULL || said(runs, "evil: done"),
		      "%s: it was not tried, see %s", cases[_i].name, runs);
	ck_assert_msg(!said(runs, "GOT THROUGH"), "%s: see %s", cases[_i].name, runs);
	picture(state, &after, &set_after);
	host_same(&before, &after, cases[_i].name);
	ck_assert_str_eq(buf_str(&set_before), buf_str(&set_after));
	ears_close(&ears, cases[_i].name);
}
END_TEST

Suite *suite_hostile(void)
{
	Suite *s = suite_create("hostile");
	/* A case each, so that one can be named: CK_RUN_CASE="fork bomb". */
	for (int i = 0; i < CASES; i++) {
		TCase *c = tcase_create(cases[i].name);
		tcase_set_timeout(c, 120);
		tcase_add_loop_test(c, the_host_stays, i, i + 1);
		suite_add_tcase(s, c);
	}
	return s;
}
