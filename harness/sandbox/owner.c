/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/owner.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/objects.h"

enum {
	OBJECTS_MAX = 16 << 20, /* bytes of an objects file */
	TAG_MAX = 64,
	STAT_MAX = 4096, /* bytes of /proc/self/stat */
};

#define TAG_PREFIX "backout-"

struct owner {
	char tag[TAG_MAX];
	char *state_dir, *dir, *work;
	int lock_fd, objects_fd;
	pid_t creator;
};

/* Field 22 of /proc/self/stat: with it the tag of a dead process is never that of a living one. */
static int make_tag(char ret[TAG_MAX], struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	if (io_read_file(AT_FDCWD, "/proc/self/stat", STAT_MAX, &text, e) < 0)
		return -1;
	const char *p = strrchr(buf_str(&text), ')');
	for (int field = 2; p != NULL && field < 22; field++) {
		p = strchr(p, ' ');
		if (p != NULL)
			p++;
	}
	if (p == NULL)
		return ERR(e, 0, "/proc/self/stat has no start time");
	(void)snprintf(ret, TAG_MAX, TAG_PREFIX "%d-%llu", (int)getpid(), strtoull(p, NULL, 10));
	return 0;
}

/* Held while an owner's folder is being made and while dead ones are sorted out, so that nobody
 * takes a folder for dead whose maker has not got its own lock yet. */
static int lock_owners(const char *owners, struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/lock", owners);
	GUARD(fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "open '%s'", path);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return ERR_AS(e, EXIT_UNAVAILABLE, errno, "lock '%s'", path);
	return take_fd(&fd);
}

static int make_folder(struct owner *o, const char *owners, struct err *e)
{
	GUARD(fd) int all = lock_owners(owners, e);
	if (all < 0)
		return -1;
	if (mkdir(o->dir, 0700) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "make folder '%s'", o->dir);
	if (mkdir(o->work, 0700) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "make folder '%s'", o->work);
	GUARD(mem) char *lock = mem_printf("%s/lock", o->dir);
	GUARD(mem) char *objects = mem_printf("%s/objects", o->dir);
	o->lock_fd = open(lock, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (o->lock_fd < 0 || flock(o->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "lock '%s'", lock);
	o->objects_fd = open(objects, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (o->objects_fd < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "create '%s'", objects);
	return 0;
}

static void owner_free(struct owner *o)
{
	if (o->lock_fd >= 0)
		(void)close(o->lock_fd);
	if (o->objects_fd >= 0)
		(void)close(o->objects_fd);
	free(o->state_dir);
	free(o->dir);
	free(o->work);
	free(o);
}

static int owner_fill(struct owner *o, const char *state_dir, struct err *e)
{
	o->state_dir = realpath(state_dir, NULL);
	if (o->state_dir == NULL)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "look at '%s'", state_dir);
	if (make_tag(o->tag, e) < 0)
		return -1;
	GUARD(mem) char *owners = mem_printf("%s/owners", o->state_dir);
	o->dir = mem_printf("%s/%s", owners, o->tag);
	o->work = mem_printf("%s/work", o->dir);
	if (make_folder(o, owners, e) == 0)
		return 0;
	/* With no lock of ours the folder may be another owner's of this process. */
	struct err ignored = { 0 };
	if (o->lock_fd >= 0)
		(void)io_remove_tree(AT_FDCWD, o->dir, &ignored);
	return -1;
}

int owner_create(struct owner **ret, const char *state_dir, struct err *e)
{
	GUARD(mem) char *owners = mem_printf("%s/owners", state_dir);
	if (io_mkdirs(owners, 0755, e) < 0) {
		e->exit = EXIT_UNAVAILABLE;
		return err_prefix(e, "the state folder");
	}
	struct owner *o = mem_alloc(sizeof(*o));
	o->lock_fd = -1;
	o->objects_fd = -1;
	o->creator = getpid();
	if (owner_fill(o, state_dir, e) < 0) {
		owner_free(o);
		return -1;
	}
	*ret = o;
	return 0;
}

const char *owner_tag(const struct owner *o)
{
	return o->tag;
}

const char *owner_state_dir(const struct owner *o)
{
	return o->state_dir;
}

const char *owner_work_dir(const struct owner *o)
{
	return o->work;
}

/* One write(2) with O_APPEND: lines of several processes never mix. */
static int note(struct owner *o, char sign, const char *kind, const char *name, struct err *e)
{
	assert(strchr(name, '\n') == NULL);
	GUARD(mem) char *line = mem_printf("%c%s %s\n", sign, kind, name);
	return io_write_all(o->objects_fd, line, strlen(line), e);
}

int owner_register(struct owner *o, const char *kind, const char *name, struct err *e)
{
	if (note(o, '+', kind, name, e) < 0)
		return err_prefix(e, "register %s '%s' in '%s'", kind, name, o->dir);
	return 0;
}

int owner_release(struct owner *o, const char *kind, const char *name, struct err *e)
{
	if (note(o, '-', kind, name, e) < 0)
		return err_prefix(e, "release %s '%s' in '%s'", kind, name, o->dir);
	return 0;
}

struct sweep {
	struct objects_claim claim;
	owner_report_fn report;
	void *arg;
	unsigned removed, failed;
};

static void sweep_one(struct sweep *s, const char *kind, const char *name, struct err *e)
{
	int n = objects_remove(&s->claim, kind, name, e);
	if (n < 0)
		s->failed++;
	if (n <= 0)
		return;
	s->removed++;
	if (s->report != NULL)
		s->report(s->arg, kind, name, s->claim.tag);
}

/* Names released later than the line being read. The newest stands last. */
struct released {
	const char **names;
	size_t count;
};

static bool take_released(struct released *r, const char *name)
{
	for (size_t i = r->count; i > 0; i--) {
		if (strcmp(r->names[i - 1], name) != 0)
			continue;
		r->names[i - 1] = r->names[--r->count];
		return true;
	}
	return false;
}

static void sweep_line(struct sweep *s, char *line, struct released *r, struct err *e)
{
	char *name = strchr(line, ' ');
	if (name == NULL)
		return;
	if (line[0] == '-') {
		r->names = mem_grow(r->names, r->count + 1, sizeof(*r->names));
		r->names[r->count++] = line + 1;
	} else if (line[0] == '+' && !take_released(r, line + 1)) {
		*name = '\0';
		sweep_one(s, line + 1, name + 1, e);
	}
}

/* Newest first. A last line without its newline was being written when its process died: that
 * object was not made yet. */
static void sweep_lines(struct sweep *s, char *text, size_t len, struct err *e)
{
	struct released r = { 0 };
	char *end = text + len;
	while (end > text && end[-1] != '\n')
		end--;
	while (end > text) {
		end[-1] = '\0';
		char *line = end - 1;
		while (line > text && line[-1] != '\n')
			line--;
		end = line;
		sweep_line(s, line, &r, e);
	}
	free(r.names);
}

/* Objects, then the folder. Whatever cannot be removed keeps the folder, for the next try. */
static void sweep_folder(struct sweep *s, const char *dir, struct err *e)
{
	GUARD(mem) char *objects = mem_printf("%s/objects", dir);
	GUARD_BUF struct buf text = { 0 };
	unsigned failed = s->failed;
	if (access(objects, F_OK) == 0) {
		if (io_read_file(AT_FDCWD, objects, OBJECTS_MAX, &text, e) < 0) {
			s->failed++;
			return;
		}
		if (text.len > 0)
			sweep_lines(s, text.data, text.len, e);
	}
	if (s->failed > failed)
		return;
	/* Everything else goes before the objects file: a sweep that is killed can be repeated. */
	GUARD(mem) char *work = mem_printf("%s/work", dir);
	if (io_remove_tree(AT_FDCWD, work, e) < 0 || io_remove_tree(AT_FDCWD, dir, e) < 0)
		s->failed++;
}

unsigned owner_destroy(struct owner *o, struct err *e)
{
	if (o == NULL)
		return 0;
	struct sweep s = { .claim = { o->tag, o->state_dir } };
	if (o->creator == getpid())
		sweep_folder(&s, o->dir, e);
	owner_free(o);
	return s.failed;
}

/* Removes the folder if its lock can be had; the lock is kept meanwhile. */
static void collect_one(struct sweep *s, const char *dir, struct err *e)
{
	GUARD(mem) char *lock = mem_printf("%s/lock", dir);
	GUARD(fd) int fd = open(lock, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT) {
		(void)ERR(e, errno, "open '%s'", lock);
		s->failed++;
		return;
	}
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return; /* alive */
	unsigned failed = s->failed;
	sweep_folder(s, dir, e);
	if (s->failed > failed)
		return;
	s->removed++;
	if (s->report != NULL)
		s->report(s->arg, "folder", dir, s->claim.tag);
}

int owner_collect(const char *state_dir, owner_report_fn report, void *arg, struct err *e)
{
	GUARD(mem) char *state = realpath(state_dir, NULL);
	if (state == NULL)
		return errno == ENOENT ? 0 : ERR(e, errno, "look at '%s'", state_dir);
	GUARD(mem) char *owners = mem_printf("%s/owners", state);
	GUARD(dir) DIR *d = opendir(owners);
	if (d == NULL)
		return errno == ENOENT ? 0 : ERR(e, errno, "open '%s'", owners);
	GUARD(fd) int all = lock_owners(owners, e);
	if (all < 0)
		return -1;
	struct sweep s = { .claim = { NULL, state }, .report = report, .arg = arg };
	for (struct dirent *de; (de = readdir(d)) != NULL;) {
		if (strncmp(de->d_name, TAG_PREFIX, strlen(TAG_PREFIX)) != 0)
			continue;
		GUARD(mem) char *dir = mem_printf("%s/%s", owners, de->d_name);
		s.claim.tag = de->d_name;
		collect_one(&s, dir, e);
	}
	return s.failed > 0 ? -1 : (int)s.removed;
}
