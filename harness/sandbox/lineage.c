/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/lineage.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"

enum {
	MEMBERS_MAX = 256,    /* known at once: each costs a descriptor; the longest unused goes */
	STATUS_MAX = 16384,   /* bytes of /proc/PID/status; before NSsid stand all its groups */
	CHILDREN_MAX = 16384, /* bytes of /proc/PID/task/TID/children */
	NAME_MAX_IN_CHAIN = 128, /* bytes of one program's name */
};

/* A thread (mostly: the only one of its process). Its folder below /proc can be asked for as long
 * as it lives, and never leads to another that has got its number. */
struct member {
	pid_t task, pid; /* task 0: a free row */
	int dir;
	uint64_t used;
	size_t pid_count;
	pid_t pids[LINEAGE_PIDS_MAX];
	char before[LINEAGE_CHAIN_MAX]; /* its ancestry, "sh>dpkg>" */
};

struct lineage {
	struct node *node;
	pid_t root, last_root;
	bool root_runs; /* its first exec is done */
	struct stat self;
	uint64_t clock;
	struct member members[MEMBERS_MAX];
	/* The answer of lineage_find(). */
	struct kin kin;
	char program[PATH_MAX];
};

struct status {
	pid_t pid, parent, inside, session;
};

/* The number behind `name`, or the last one of its line. */
static pid_t field(const char *text, const char *name, bool last)
{
	const char *p = strstr(text, name);
	if (p == NULL)
		return 0;
	p += strlen(name);
	const char *end = p + strcspn(p, "\n");
	if (last)
		while (end > p && end[-1] != '\t')
			end--;
	return (pid_t)strtol(last ? end : p, NULL, 10);
}

/* pread: without a look at how much there is, and no more than is asked for. */
static bool read_proc(int dir, const char *name, char *ret, size_t size)
{
	GUARD(fd) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : pread(fd, ret, size - 1, 0);
	ret[len > 0 ? len : 0] = '\0';
	return len > 0;
}

static bool read_status(int dir, struct status *ret)
{
	char text[STATUS_MAX];
	if (!read_proc(dir, "status", text, sizeof(text)))
		return false;
	*ret = (struct status){ .pid = field(text, "\nTgid:", false),
				.parent = field(text, "\nPPid:", false),
				.inside = field(text, "\nNStgid:", true),
				.session = field(text, "\nNSsid:", false) };
	return ret->pid > 0;
}

static int open_dir(pid_t task)
{
	char path[32];
	(void)snprintf(path, sizeof(path), "/proc/%d", (int)task);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* False: it is gone (also when another one has got its number). */
static bool read_program(const struct member *m, char ret[PATH_MAX])
{
	static const char gone[] = " (deleted)";
	const size_t tail = sizeof(gone) - 1;
	ssize_t len = readlinkat(m->dir, "exe", ret, PATH_MAX - 1);
	ret[len > 0 ? len : 0] = '\0';
	if (len > (ssize_t)tail && strcmp(ret + len - tail, gone) == 0)
		ret[(size_t)len - tail] = '\0';
	return len > 0;
}

/* ---- members ---- */

static void drop(struct member *m)
{
	if (m->task != 0)
		(void)close(m->dir);
	m->task = 0;
}

static struct member *known(struct lineage *l, pid_t task)
{
	for (size_t i = 0; i < MEMBERS_MAX; i++)
		if (l->members[i].task == task)
			return &l->members[i];
	return NULL;
}

static struct member *free_row(struct lineage *l)
{
	struct member *oldest = &l->members[0];
	for (size_t i = 0; i < MEMBERS_MAX; i++) {
		struct member *m = &l->members[i];
		if (m->task == 0)
			return m;
		if (m->used < oldest->used)
			oldest = m;
	}
	drop(oldest);
	return oldest;
}

/* Before its exec the step's program is still a copy of the harness. */
static bool is_harness(const struct lineage *l, const struct member *m)
{
	struct stat st;
	return fstatat(m->dir, "exe", &st, 0) == 0 && st.st_dev == l->self.st_dev &&
	       st.st_ino == l->self.st_ino;
}

/* "sh>dpkg" of this very moment. */
static void chain_of(struct lineage *l, const struct member *m, const char *program,
		     char ret[LINEAGE_CHAIN_MAX])
{
	if (m->pid == l->root && !l->root_runs) {
		l->root_runs = !is_harness(l, m);
		if (!l->root_runs) {
			(void)snprintf(ret, LINEAGE_CHAIN_MAX, "-");
			return;
		}
	}
	GUARD_BUF struct buf name = { 0 };
	const char *slash = strrchr(program, '/');
	const char *base = slash != NULL ? slash + 1 : program;
	size_t len = strlen(base);
	pointkey_name(&name, base, len < NAME_MAX_IN_CHAIN ? len : NAME_MAX_IN_CHAIN, false,
		      (struct point_pids){ m->pids, m->pid_count });
	(void)snprintf(ret, LINEAGE_CHAIN_MAX, "%s%s", m->before, buf_str(&name));
}

static struct member *look_up(struct lineage *l, pid_t task, bool ours, unsigned depth,
			      char program[PATH_MAX]);

/* `m` (a copy; not yet a row) gets what it inherits; false: it is none of the step's. */
static bool inherit(struct lineage *l, struct member *m, const struct status *s, bool ours,
		    unsigned depth)
{
	char program[PATH_MAX], chain[LINEAGE_CHAIN_MAX];
	m->pids[0] = s->inside;
	m->pid_count = 1;
	m->before[0] = '\0';
	if (s->pid == l->root)
		return true;
	struct member *of = known(l, s->pid); /* another thread of it */
	if (s->pid != m->task && of != NULL) {
		memcpy(m->before, of->before, sizeof(m->before));
		memcpy(m->pids, of->pids, sizeof(m->pids));
		m->pid_count = of->pid_count;
		return true;
	}
	struct member *parent = NULL;
	if (!node_is_own(l->node, s->parent) && depth < LINEAGE_PIDS_MAX)
		parent = look_up(l, s->parent, false, depth + 1, program);
	if (parent == NULL) {
		(void)snprintf(m->before, sizeof(m->before), "?>");
		return ours || (l->root != 0 && s->session == l->root);
	}
	chain_of(l, parent, program, chain);
	(void)snprintf(m->before, sizeof(m->before), "%.*s>", LINEAGE_CHAIN_MAX - 2, chain);
	for (size_t i = 0; i < parent->pid_count && m->pid_count < LINEAGE_PIDS_MAX; i++)
		m->pids[m->pid_count++] = parent->pids[i];
	return true;
}

/* The step's program may start others before its spawn has returned. */
static void guess_root(struct lineage *l, pid_t task)
{
	if (l->root != 0 || node_is_apart(l->node, task))
		return;
	pid_t spawned = node_spawned_pid(l->node, task);
	if (spawned != l->last_root)
		l->root = spawned;
}

static struct member *look_up(struct lineage *l, pid_t task, bool ours, unsigned depth,
			      char program[PATH_MAX])
{
	struct status s;
	struct member *m = known(l, task);
	if (m != NULL && !read_program(m, program)) {
		drop(m);
		m = NULL;
	}
	if (m == NULL) {
		struct member fresh = { .task = task };
		GUARD(fd) int dir = open_dir(task);
		fresh.dir = dir;
		if (dir < 0 || !read_program(&fresh, program) || !read_status(dir, &s))
			return NULL;
		fresh.pid = s.pid;
		if (!inherit(l, &fresh, &s, ours, depth))
			return NULL;
		m = free_row(l);
		*m = fresh;
		(void)take_fd(&dir);
	}
	m->used = ++l->clock;
	return m;
}

/* ---- the rest ---- */

const struct kin *lineage_find(struct lineage *l, pid_t task, bool ours)
{
	guess_root(l, task);
	struct member *m = look_up(l, task, ours, 0, l->program);
	if (m == NULL)
		return NULL;
	l->kin.pid = m->pid;
	l->kin.pids = (struct point_pids){ m->pids, m->pid_count };
	l->kin.program = l->program;
	chain_of(l, m, l->program, l->kin.chain);
	return &l->kin;
}

/* Of one thread: each has the children that it made. */
static void keep_children_of(struct lineage *l, int dir, const char *thread)
{
	char name[300], text[CHILDREN_MAX], program[PATH_MAX], *end;
	(void)snprintf(name, sizeof(name), "task/%s/children", thread);
	if (!read_proc(dir, name, text, sizeof(text)))
		return;
	for (const char *p = text;; p = end) {
		pid_t child = (pid_t)strtol(p, &end, 10);
		if (end == p)
			return;
		(void)look_up(l, child, false, 0, program);
	}
}

void lineage_keep_children(struct lineage *l, pid_t task)
{
	struct member *m = look_up(l, task, false, 0, l->program);
	GUARD(fd) int dir = m != NULL ? fcntl(m->dir, F_DUPFD_CLOEXEC, 0) : -1;
	int tasks = dir < 0 ? -1 : openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	GUARD(dir) DIR *d = tasks < 0 ? NULL : fdopendir(tasks);
	if (d == NULL) {
		if (tasks >= 0)
			(void)close(tasks);
		return;
	}
	for (struct dirent *de; (de = readdir(d)) != NULL;)
		if (de->d_name[0] != '.')
			keep_children_of(l, dir, de->d_name);
}

void lineage_forget(struct lineage *l, pid_t task)
{
	struct member *m = known(l, task);
	pid_t pid = m != NULL ? m->pid : 0;
	for (size_t i = 0; pid != 0 && i < MEMBERS_MAX; i++)
		if (l->members[i].task != 0 && l->members[i].pid == pid)
			drop(&l->members[i]);
}

struct lineage *lineage_create(struct node *n)
{
	struct lineage *l = mem_alloc(sizeof(*l));
	l->node = n;
	(void)stat("/proc/self/exe", &l->self);
	return l;
}

void lineage_begin(struct lineage *l)
{
	for (size_t i = 0; i < MEMBERS_MAX; i++)
		drop(&l->members[i]);
	l->last_root = l->root;
	l->root = 0;
	l->root_runs = false;
}

void lineage_root(struct lineage *l, pid_t step)
{
	l->root = step;
}

void lineage_destroy(struct lineage *l)
{
	if (l == NULL)
		return;
	lineage_begin(l);
	free(l);
}
