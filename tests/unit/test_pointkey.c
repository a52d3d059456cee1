/* SPDX-License-Identifier: MIT */
/* Keys of points as text: what is drawn anew in each run goes, all else stays apart. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/sandbox/pointkey.h"
#include "tests/unit/runner.h"

static const struct {
	const char *path, *key;
} names[] = {
	{ "/", "/" },
	{ "/etc/app.conf", "/etc/app.conf" },
	{ "/tmp/tmp.x8Kd0aZq1B/file", "/tmp/tmp.*/file" },
	{ "/tmp/tmp.abcdefghij", "/tmp/tmp.*" },
	{ "/etc/tmp.abcdefghij", "/etc/tmp.abcdefghij" },
	{ "/tmp/libc6.config.5Xkd8a", "/tmp/libc6.config.*" },
	{ "/srv/.file.Ab3dEf.part", "/srv/.file.*.part" },
	{ "/srv/a-kQzXwB", "/srv/a-*" },
	{ "/srv/kQzXwB", "/srv/*" },
	{ "/srv/a.NetMan", "/srv/a.*" },
	{ "/srv/a.x86emu", "/srv/a.*" },
	{ "/srv/a.ABCDEF", "/srv/a.*" },
	{ "/srv/ABCDEF", "/srv/ABCDEF" },
	{ "/srv/a.SHA256", "/srv/a.SHA256" },
	{ "/srv/a.python3", "/srv/a.python3" },
	{ "/srv/kQzXwB.conf", "/srv/kQzXwB.conf" },
	{ "/etc/sedhGt5Rv", "/etc/sed*" },
	{ "/srv/CurHok19", "/srv/Cu*" },
	{ "/srv/CuMPyzmI", "/srv/Cu*" },
	{ "/srv/Current", "/srv/Current" },
	{ "/tmp/tmpab_9x2kd", "/tmp/tmp*" },
	{ "/var/lib/dpkg/info/nginx.md5sums", "/var/lib/dpkg/info/nginx.md5sums" },
	{ "/usr/bin/sha256sum.dpkg-new", "/usr/bin/sha256sum.dpkg-new" },
	{ "/usr/share/doc/README.Debian", "/usr/share/doc/README.Debian" },
	{ "/usr/share/dbus-1/org.freedesktop.NetworkManager.conf",
	  "/usr/share/dbus-1/org.freedesktop.NetworkManager.conf" },
	{ "/usr/share/perl5/Debconf/DbDriver/PackageDir.pm",
	  "/usr/share/perl5/Debconf/DbDriver/PackageDir.pm" },
	{ "/var/cache/a_1.22.1-9+deb12u1_amd64.deb", "/var/cache/a_1.22.1-9+deb12u1_amd64.deb" },
	{ "/var/cache/b_6.2-3ubuntu4_all.deb", "/var/cache/b_6.2-3ubuntu4_all.deb" },
	{ "/usr/lib/libfoo.so.6.2.20231123", "/usr/lib/libfoo.so.6.2.20231123" },
	{ "/srv/backup-1700000000.tar", "/srv/backup-*.tar" },
	{ "/tmp/#13639", "/tmp/#*" },
	{ "/run/app.4711.lock", "/run/app.PID.lock" },
	{ "/run/app4711", "/run/appPID" },
	{ "/run/4712/4711", "/run/PID/PID" },
	{ "/run/app.4713", "/run/app.4713" },
	{ "/run/app.04711", "/run/app.04711" },
	{ "/run/app.17", "/run/app.17" },
	{ "/proc/99/task/98/comm", "/proc/PID/task/PID/comm" },
	{ "/proc/sys/kernel/x", "/proc/sys/kernel/x" },
	{ "/srv/proc/99", "/srv/proc/99" },
	{ "/srv/a b\tc\\d\xff"
	  "e",
	  "/srv/a b\\x09c\\x5cd\\xffe" },
	{ "/srv/gr\xc3\xbc\xc3\x9f"
	  "e",
	  "/srv/gr\xc3\xbc\xc3\x9f"
	  "e" },
};

START_TEST(names_repeat)
{
	static const pid_t pids[] = { 4711, 4712, 17 };
	GUARD_BUF struct buf out = { 0 };
	pointkey_path(&out, names[_i].path, (struct point_pids){ pids, 3 });
	ck_assert_str_eq(buf_str(&out), names[_i].key);
}
END_TEST

/* Of names as mkstemp(3) draws them, few are taken for words; seeded. */
START_TEST(what_is_drawn_is_seen)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const struct {
		int letters, most; /* most: of 10,000 */
	} rows[] = { { 6, 300 }, { 8, 80 }, { 10, 100 } };
	unsigned short seed[3] = { 1, 2, 3 };
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		int missed = 0;
		for (int i = 0; i < 10000; i++) {
			char name[16] = "a.";
			GUARD_BUF struct buf out = { 0 };
			for (int k = 0; k < rows[row].letters; k++)
				name[2 + k] = set[nrand48(seed) % (long)(sizeof(set) - 1)];
			pointkey_name(&out, name, strlen(name), false, (struct point_pids){ 0 });
			missed += strcmp(buf_str(&out), "a.*") != 0;
		}
		ck_assert_msg(missed <= rows[row].most, "%d of 10,000 names of %d letters", missed,
			      rows[row].letters);
	}
}
END_TEST

/* Cut at the limit, not through a character, and still each one's own. */
START_TEST(long_keys_stay_apart)
{
	char text[3000], one[POINT_KEY_MAX], two[POINT_KEY_MAX];
	for (size_t i = 0; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xbc", 2);
	for (size_t cut = 0; cut < 2; cut++) {
		text[sizeof(text) - 2 - cut] = '\0';
		pointkey_text(one, text + cut * 2, 1);
		ck_assert_uint_lt(strlen(one), POINT_KEY_MAX);
		ck_assert_uint_gt(strlen(one), POINT_KEY_MAX - 10);
		for (size_t i = 0, n; i < strlen(one); i += n) {
			n = buf_utf8(one + i, strlen(one) - i);
			ck_assert_uint_gt(n, 0);
		}
	}
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	pointkey_text(one, text, 1);
	text[sizeof(text) - 2] = 'y';
	pointkey_text(two, text, 1);
	ck_assert_str_ne(one, two);
	text[POINT_KEY_MAX - 5] = '\0';
	pointkey_text(one, text, 1); /* as long as may be */
	ck_assert_uint_eq(strlen(one), POINT_KEY_MAX - 1);
	ck_assert_str_eq(one + POINT_KEY_MAX - 5, ", #1");
	ck_assert(pointkey_is_start("start /bin/sh, in -, #1"));
	ck_assert(!pointkey_is_start("mkdir /start , in sh, #1"));
}
END_TEST

START_TEST(tally_counts)
{
	struct point_tally *t = point_tally_create();
	for (unsigned long round = 1; round <= 3; round++)
		for (int i = 0; i < 1000; i++) {
			char text[32];
			(void)snprintf(text, sizeof(text), "key %d", i);
			ck_assert_uint_eq(point_tally_next(t, text), round);
		}
	point_tally_clear(t);
	ck_assert_uint_eq(point_tally_next(t, "key 1"), 1);
	point_tally_destroy(t);
	point_tally_destroy(NULL);
}
END_TEST

Suite *suite_pointkey(void);
Suite *suite_pointkey(void)
{
	Suite *s = suite_create("pointkey");
	TCase *t = tcase_create("pointkey");
	tcase_add_loop_test(t, names_repeat, 0, (int)(sizeof(names) / sizeof(names[0])));
	tcase_add_test(t, what_is_drawn_is_seen);
	tcase_add_test(t, long_keys_stay_apart);
	tcase_add_test(t, tally_counts);
	suite_add_tcase(s, t);
	return s;
}
