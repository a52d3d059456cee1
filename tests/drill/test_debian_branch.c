/* SPDX-License-Identifier: MIT */
/*
 * A branch of a real upgrade: dpkg is held in the middle of unpacking, the node's state is copied,
 * dpkg is killed. What a rollback makes of the copy in a node of its own must be what it makes of
 * the original, to the last byte of the fingerprint.
 */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/callwatch.h"
#include "harness/sandbox/upper.h"
#include "tests/drill/debian_stage.h"
#include "tests/unit/runner.h"

static const int64_t PATIENCE = 60 * NS_PER_S;

struct cut {
	struct stage *s;
	struct node *node;
	unsigned at, seen; /* which rename */
	char *copy;
	char name[HASH_TEXT]; /* of the state, as upper_digest() gives it */
	bool ended;
};

static bool on_call(void *arg, struct call_stop *c)
{
	struct cut *cut = arg;
	struct err e = { 0 };
	if (++cut->seen != cut->at)
		return false;
	struct upper_cache *cache = upper_cache_create();
	MUST(upper_digest(cut->node, cache, cut->name, NULL, &e));
	upper_cache_destroy(cache);
	cut->copy = mem_printf("%s/copy%u", owner_work_dir(cut->s->owner), cut->s->nodes++);
	ck_assert_int_eq(mkdir(cut->copy, 0700), 0);
	MUST(upper_copy(cut->node, cut->copy, &e));
	ck_assert_int_eq(kill(call_stop_pid(c), SIGKILL), 0);
	return true;
}

static void on_end(void *arg, int status)
{
	struct cut *cut = arg;
	(void)status;
	cut->ended = true;
}

/* Until nothing runs in the node but its init: dpkg-deb ends by the closed pipe. */
static void wait_alone(struct node *n)
{
	struct err e = { 0 };
	pid_t pids[8];
	int64_t deadline = clock_now() + PATIENCE;
	while (node_processes(n, pids, 8, &e) != 0) {
		ck_assert_int_lt(clock_now(), deadline);
		(void)nanosleep(&(struct timespec){ .tv_nsec = NS_PER_MS }, NULL);
	}
}

static void upgrade_until(struct cut *cut)
{
	struct err e = { 0 };
	struct filter *filter;
	struct proc *proc;
	bool killable;
	const char *const argv[] = { "dpkg", "-i", "/srv/svc_2.1.deb", NULL };
	MUST(filter_create(&filter, CALL_RENAME, &e));
	struct call_watch *watch = call_watch_create(cut->s->loop, on_call, cut);
	const struct spawn_spec spec = {
		.argv = argv, .out_fd = -1, .err_fd = -1, .filter = filter
	};
	MUST(node_spawn(cut->node, &spec, on_end, cut, &proc, &e));
	MUST(call_watch_add(watch, proc_take_listener(proc, &killable), &e));
	ck_assert_int_eq(loop_wait(cut->s->loop, &cut->ended, clock_now() + PATIENCE, &e), 1);
	proc_free(proc);
	call_watch_destroy(watch);
	filter_destroy(filter);
	ck_assert_ptr_nonnull(cut->copy);
	wait_alone(cut->node);
}

static void same(struct node *a, struct node *b, const char *what)
{
	struct capture_result one, two;
	stage_fingerprint(a, &one);
	stage_fingerprint(b, &two);
	ck_assert_msg(strcmp(one.digest, two.digest) == 0, "%s", what);
}

static const unsigned cuts[] = { 12, 30, 45, 55 };
enum { CUTS = sizeof(cuts) / sizeof(cuts[0]) };
static const char *const rollbacks[] = {
	"dpkg -i /srv/svc_1.0.deb", "dpkg --configure -a; dpkg -i /srv/svc_1.0.deb",
	"dpkg --configure -a; dpkg -i /srv/svc_2.1.deb; dpkg -i /srv/svc_1.0.deb"
};
enum { ROLLBACKS = sizeof(rollbacks) / sizeof(rollbacks[0]) };

static void branch_at(struct stage *s, unsigned at, const char *rollback)
{
	struct err e = { 0 };
	struct cut cut = { .s = s, .at = at };
	char name[HASH_TEXT];
	GUARD_BUF struct buf one = { 0 };
	GUARD_BUF struct buf two = { 0 };
	cut.node = stage_boot(s, NODE_ROOT_IMAGE, s->image.path, NULL);
	ck_assert_int_eq(stage_run(cut.node, "dpkg -i /srv/svc_1.0.deb", &one), 0);
	upgrade_until(&cut);
	struct node *branch = stage_boot(s, NODE_ROOT_IMAGE, s->image.path, cut.copy);
	same(cut.node, branch, "where it was cut");
	struct upper_cache *cache = upper_cache_create();
	MUST(upper_digest(branch, cache, name, NULL, &e));
	ck_assert_str_eq(name, cut.name);
	upper_cache_destroy(cache);
	(void)stage_run(cut.node, stage_whole, &one);
	ck_assert_ptr_null(strstr(buf_str(&one), "ii |1.0\n"));
	GUARD(mem) char *script = mem_printf("(%s) 2>&1; rm /var/log/dpkg.log", rollback);
	int status = stage_run(cut.node, script, &one);
	ck_assert_int_eq(stage_run(branch, script, &two), status);
	ck_assert_str_eq(buf_str(&one), buf_str(&two));
	ck_assert_ptr_null(strstr(buf_str(&two), "tale file handle"));
	same(cut.node, branch, rollback);
	free(cut.copy);
	ck_assert_uint_eq(node_destroy(cut.node, &e), 0);
	ck_assert_uint_eq(node_destroy(branch, &e), 0);
}

START_TEST(cut_in_mid_unpack)
{
	TEST_NEEDS_ROOT();
	struct stage s;
	stage_open(&s);
	for (size_t i = 0; i < ROLLBACKS; i++)
		branch_at(&s, cuts[_i], rollbacks[i]);
	stage_close(&s);
}
END_TEST

/* Where the work folder is a tmpfs: as a sweep has it. */
START_TEST(on_tmpfs)
{
	TEST_NEEDS_ROOT();
	struct stage s;
	stage_open(&s);
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("tmpfs", owner_work_dir(s.owner), "tmpfs", 0, "mode=0700"), 0);
	stage_corrupt_package(&s, NODE_ROOT_IMAGE, s.image.path);
	for (size_t i = 0; i < CUTS; i++)
		branch_at(&s, cuts[i], rollbacks[i % ROLLBACKS]);
	ck_assert_int_eq(umount2(owner_work_dir(s.owner), MNT_DETACH), 0);
	stage_close(&s);
}
END_TEST

Suite *suite_debian_branch(void);
Suite *suite_debian_branch(void)
{
	Suite *s = suite_create("debian_branch");
	TCase *t = tcase_create("debian_branch");
	tcase_set_timeout(t, 600); /* the first one builds the image */
	tcase_add_loop_test(t, cut_in_mid_unpack, 0, CUTS);
	tcase_add_test(t, on_tmpfs);
	suite_add_tcase(s, t);
	return s;
}
