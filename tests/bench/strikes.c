/* SPDX-License-Identifier: MIT */
/*
 * How exactly a strike comes:
 *	bench-strikes COUNT SEED ROOT STATE
 * A toy workflow is recorded once, with what is on the disk while each of its points is held.
 * Then COUNT times one of these points is drawn, the workflow runs again, all of it is killed
 * there by trigger point, and the disk is compared: the same as in the recording is a strike at
 * the asked call; the state of a later point is a late one. Every call of the toy changes the disk.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/log.h"
#include "harness/sandbox/pointwatch.h"
#include "harness/sandbox/process.h"
#include "tests/bench/rig.h"

enum { POINTS_MAX = 256, TREE_MAX = 256, FILE_MAX = 1 << 16 };

extern const struct trigger_kind trigger_point;

/* Calls of several programs, one behind the other, and two shells between. */
static const char toy[] =
	"cd /srv; mkdir a b; for i in 1 2 3; do echo $i > a/$i; mv a/$i b/$i; ln b/$i a/link$i;"
	" ln -s ../b/$i a/sym$i; chmod 60$i b/$i; done;"
	"(for i in 1 2 3; do mkdir c$i; echo x > d$i; rm a/link$i; rmdir c$i; done; :);"
	"sh -c 'chmod 640 b/1; rm a/sym1; mv b c; mkdir b; :'; rm -r a; touch -d 2001-02-03 "
	"c/2";

struct bench {
	struct rig rig;
	struct point_watch *watch; /* recording */
	char *keys[POINTS_MAX], *states[POINTS_MAX];
	size_t count;
	bool hit;
};

static uint64_t draw(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* ---- what is on the disk ---- */

static void add_entry(struct buf *out, int dir, const char *path, const char *name)
{
	struct stat st;
	struct err e = { 0 };
	GUARD_BUF struct buf data = { 0 };
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	buf_printf(out, "%s/%s %o %lu", path, name, st.st_mode, (unsigned long)st.st_nlink);
	if (S_ISREG(st.st_mode) && io_read_file(dir, name, FILE_MAX, &data, &e) == 0)
		buf_printf(out, " %d %s", st.st_mtime < 1000000000, buf_str(&data));
	buf_putc(out, '\n');
}

static void list(struct buf *out, int parent, const char *name, const char *path)
{
	struct dirent **entries;
	int n = scandirat(parent, name, &entries, NULL, alphasort);
	int dir = n < 0 ? -1 : openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < n; i++) {
		const char *entry = entries[i]->d_name;
		if (dir >= 0 && strcmp(entry, ".") != 0 && strcmp(entry, "..") != 0) {
			add_entry(out, dir, path, entry);
			GUARD(mem) char *below = mem_printf("%s/%s", path, entry);
			if (entries[i]->d_type == DT_DIR)
				list(out, dir, entry, below);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	if (dir >= 0)
		(void)close(dir);
}

static char *disk(struct bench *b)
{
	struct buf out = { 0 };
	GUARD(mem) char *srv = mem_printf("%s/srv", node_root_path(b->rig.node));
	list(&out, AT_FDCWD, srv, "");
	return out.len > 0 ? buf_take(&out) : mem_strdup("");
}

static int clean(struct bench *b, struct err *e)
{
	GUARD(mem) char *srv = mem_printf("%s/srv", node_root_path(b->rig.node));
	if (io_remove_tree(AT_FDCWD, srv, e) < 0)
		return -1;
	return io_mkdirs(srv, 0755, e);
}

/* ---- the recording ---- */

static bool on_point(void *arg, const struct point_event *ev)
{
	struct bench *b = arg;
	if (b->count == POINTS_MAX)
		return false;
	b->keys[b->count] = mem_strdup(ev->key);
	b->states[b->count++] = disk(b);
	return false;
}

static int record(struct bench *b, struct err *e)
{
	struct rig_proc p;
	if (point_watch_create(&b->watch, b->rig.loop, b->rig.node, POINTS_CALLS, on_point, b, e) <
		    0 ||
	    clean(b, e) < 0 || point_watch_enter(b->watch, e) < 0 ||
	    rig_start(&b->rig, toy, point_watch_filter(b->watch), &p, e) < 0 ||
	    point_watch_started(b->watch, p.proc, e) < 0 || rig_wait(&b->rig, &p, e) < 0)
		return -1;
	point_watch_leave(b->watch);
	if (p.status != 0 || b->count < 2)
		return ERR(e, 0, "the toy ended with %#x after %zu points", (unsigned)p.status,
			   b->count);
	for (size_t i = 0; i + 1 < b->count; i++)
		if (strcmp(b->states[i], b->states[i + 1]) == 0)
			return ERR(e, 0, "'%s' changes nothing: a late strike could not be seen",
				   b->keys[i]);
	return 0;
}

/* ---- strikes ---- */

static void on_fire(void *arg, const struct strike_site *site)
{
	struct bench *b = arg;
	pid_t pids[TREE_MAX];
	pid_t root = node_spawned_pid(site->node, site->stopped);
	size_t n = process_tree(site->node, root, pids, TREE_MAX);
	b->hit = true;
	for (size_t i = 0; i < n; i++)
		(void)kill(pids[i], SIGKILL);
}

static void noticed(void *arg, const char *text)
{
	(void)arg;
	log_warn("%s", text);
}

struct tally {
	unsigned exact, early, late, other, missed;
};

static int strike(struct bench *b, size_t k, struct tally *t, struct err *e)
{
	struct rig_trigger at = { 0 };
	const struct trigger_env env = { .fire = on_fire, .notice = noticed, .arg = b };
	GUARD(mem) char *key = mem_printf("\"%s\"", b->keys[k]);
	b->hit = false;
	if (clean(b, e) < 0 || rig_arm(&b->rig, &at, &trigger_point, key, &env, e) < 0)
		return -1;
	struct err killed = { 0 };
	(void)rig_step(&b->rig, toy, at.kind, at.trigger, &killed);
	rig_disarm(&at);
	GUARD(mem) char *now = disk(b);
	size_t j = 0;
	while (j < b->count && strcmp(now, b->states[j]) != 0)
		j++;
	t->missed += !b->hit;
	t->exact += b->hit && j == k;
	t->early += b->hit && j < k;
	t->late += b->hit && j > k && j < b->count;
	t->other += b->hit && j == b->count;
	return loop_stopped(b->rig.loop) ? -1 : 0;
}

static int strikes(struct bench *b, size_t count, uint64_t seed, struct err *e)
{
	struct tally t = { 0 };
	uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	int64_t begin = clock_now();
	for (size_t i = 0; i < count; i++)
		if (strike(b, draw(&x) % b->count, &t, e) < 0)
			return -1;
	double s = (double)(clock_now() - begin) / (double)NS_PER_S;
	(void)printf("%u of %zu at the asked call, of %zu points; %u early, %u late, %u elsewhere, "
		     "%u missed; seed %llu, %.1f strikes/s\n",
		     t.exact, count, b->count, t.early, t.late, t.other, t.missed,
		     (unsigned long long)seed, (double)count / s);
	return t.exact == count ? 0 : ERR(e, 0, "not every strike was at the asked call");
}

int main(int argc, char **argv)
{
	static struct bench b;
	static char *const none[] = { NULL };
	struct err e = { 0 };
	size_t count = argc == 5 ? strtoul(argv[1], NULL, 10) : 0;
	if (count == 0) {
		log_warn("usage: bench-strikes COUNT SEED ROOT STATE");
		return EXIT_USAGE_ERROR;
	}
	int result = rig_up(&b.rig, argv[3], argv[4], none, &e);
	if (result == 0)
		result = record(&b, &e);
	if (result == 0)
		result = strikes(&b, count, strtoull(argv[2], NULL, 10), &e);
	point_watch_destroy(b.watch);
	rig_down(&b.rig);
	for (size_t i = 0; i < b.count; i++) {
		free(b.keys[i]);
		free(b.states[i]);
	}
	if (result < 0)
		log_warn("%s", e.why);
	return result < 0 ? 1 : 0;
}
