/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/execwatch.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/process.h"

/* Starts that may be under way at once with a loader or an interpreter still to come. */
enum { STARTS_MAX = 256, HEAD_BYTES = 256, PHDRS_MAX = 64 };

/* How long a start that was let go may take to stand still behind its exec. */
static const int64_t PARK_WAIT_MAX = NS_PER_S;
static const int64_t PARK_POLL = NS_PER_MS / 10;

/* The file that the kernel will open next for the same execve of this process. */
struct expected {
	pid_t pid; /* 0: a free row */
	dev_t dev;
	ino_t ino;
};

struct exec_watch {
	int fd;
	struct loop_src *src;
	exec_fn fn;
	void *arg;
	unsigned depth; /* of callbacks under way: the watch may be destroyed inside */
	bool dead;
	struct expected expected[STARTS_MAX];
	size_t next;
	struct exec_watch *next_watch;
};

static struct exec_watch *watches; /* all of this process */

/* A start that is being reported: its process waits for our answer. */
struct held {
	int group;
	pid_t pid;
	int fd;
	bool answered;
	struct held *outer; /* the callback of that one runs the loop */
};
static struct held *held_now;

struct read_watch {
	int fd;
	pid_t self;
	struct loop_src *src;
	read_fn fn;
	void *arg;
	unsigned depth;
	bool dead;
};

static int open_beneath(int dirfd, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
}

/* "#!" and blanks are behind us; as the kernel reads it. */
static bool script_interpreter(const char *head, size_t len, char *ret, size_t size)
{
	size_t i = 2, n = 0;
	while (i < len && (head[i] == ' ' || head[i] == '\t'))
		i++;
	while (i + n < len && strchr(" \t\n", head[i + n]) == NULL && head[i + n] != '\0')
		n++;
	if (n == 0 || n >= size)
		return false;
	memcpy(ret, head + i, n);
	ret[n] = '\0';
	return true;
}

#define ELF_INTERPRETER(bits)                                                                      \
	static bool elf##bits##_interpreter(int fd, const char *head, char *ret, size_t size)      \
	{                                                                                          \
		Elf##bits##_Ehdr eh;                                                               \
		memcpy(&eh, head, sizeof(eh));                                                     \
		for (unsigned i = 0; i < eh.e_phnum && i < PHDRS_MAX; i++) {                       \
			Elf##bits##_Phdr ph;                                                       \
			off_t at = (off_t)(eh.e_phoff + i * (uint64_t)sizeof(ph));                 \
			if (pread(fd, &ph, sizeof(ph), at) != (ssize_t)sizeof(ph))                 \
				return false;                                                      \
			if (ph.p_type != PT_INTERP)                                                \
				continue;                                                          \
			if (ph.p_filesz < 2 || ph.p_filesz > size)                                 \
				return false;                                                      \
			size_t len = (size_t)ph.p_filesz;                                          \
			if (pread(fd, ret, len, (off_t)ph.p_offset) != (ssize_t)len)               \
				return false;                                                      \
			ret[len - 1] = '\0';                                                       \
			return true;                                                               \
		}                                                                                  \
		return false;                                                                      \
	}
ELF_INTERPRETER(32)
ELF_INTERPRETER(64)

/* What the kernel opens behind this file in the same execve; false: nothing. */
static bool named_interpreter(int fd, char *ret, size_t size)
{
	char head[HEAD_BYTES] = { 0 };
	ssize_t len = pread(fd, head, sizeof(head), 0);
	if (len >= 2 && memcmp(head, "#!", 2) == 0)
		return script_interpreter(head, (size_t)len, ret, size);
	if (len < (ssize_t)sizeof(Elf32_Ehdr) || memcmp(head, ELFMAG, SELFMAG) != 0)
		return false;
	if (head[EI_CLASS] == ELFCLASS32)
		return elf32_interpreter(fd, head, ret, size);
	return len >= (ssize_t)sizeof(Elf64_Ehdr) && elf64_interpreter(fd, head, ret, size);
}

static struct expected *expected_of(struct exec_watch *w, pid_t pid)
{
	for (size_t i = 0; i < STARTS_MAX; i++)
		if (w->expected[i].pid == pid)
			return &w->expected[i];
	return NULL;
}

/* Note what `fd`'s start will open next. It is resolved as the process itself will, so that
 * links (/bin/sh) and a chroot inside the node lead to the same file. */
static void expect_next(struct exec_watch *w, pid_t pid, int fd)
{
	char name[PATH_MAX], base[64];
	struct stat st;
	if (!named_interpreter(fd, name, sizeof(name)))
		return;
	(void)snprintf(base, sizeof(base), "/proc/%d/%s", (int)pid,
		       name[0] == '/' ? "root" : "cwd");
	GUARD(fd) int dir = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return;
	GUARD(fd) int file = open_beneath(dir, name);
	if (file < 0 || fstat(file, &st) < 0)
		return;
	struct expected *x = expected_of(w, 0);
	if (x == NULL) { /* all taken: by processes that died in their execve; the oldest goes */
		x = &w->expected[w->next];
		w->next = (w->next + 1) % STARTS_MAX;
	}
	*x = (struct expected){ .pid = pid, .dev = st.st_dev, .ino = st.st_ino };
}

/* Loaders are named by what they load even where that lies on a mount that is not watched. */
static bool is_loader(const char *path)
{
	static const char *const names[] = { "ld-linux", "ld-musl-", "ld.so", "ld64.so", "ld-2." };
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(name, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* True for the loader or interpreter that the kernel opens behind a reported start. */
static bool is_helper(struct exec_watch *w, pid_t pid, int fd)
{
	struct stat st;
	struct expected *x = expected_of(w, pid);
	if (x == NULL)
		return false;
	bool same = fstat(fd, &st) == 0 && st.st_dev == x->dev && st.st_ino == x->ino;
	*x = (struct expected){ 0 };
	return same;
}

static void answer(int group, int fd)
{
	struct fanotify_response response = { .fd = fd, .response = FAN_ALLOW };
	/* ENOENT: the waiter was killed meanwhile, and never starts the program. */
	(void)!write(group, &response, sizeof(response));
}

static void allow(int group, int fd)
{
	answer(group, fd);
	(void)close(fd);
}

static void report(struct exec_watch *w, pid_t pid, int fd)
{
	char link[64], path[PATH_MAX];
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return;
	path[len] = '\0';
	if (is_loader(path))
		return;
	struct exec_event ev = { .pid = pid, .path = path, .fd = fd };
	w->fn(w->arg, &ev);
}

static void watch_free(struct exec_watch *w)
{
	struct exec_watch **at = &watches;
	while (*at != NULL && *at != w)
		at = &(*at)->next_watch;
	if (*at != NULL)
		*at = w->next_watch;
	(void)close(w->fd); /* the kernel lets go on all that still wait */
	free(w);
}

/* The next event that needs an answer, one a read so that none is stuck in our memory. */
static bool next_event(int group, struct fanotify_event_metadata *ret)
{
	ssize_t n = read(group, ret, sizeof(*ret));
	if (n != (ssize_t)sizeof(*ret))
		return false;
	assert(ret->vers == FANOTIFY_METADATA_VERSION);
	return true;
}

static void on_exec(void *arg, uint32_t epoll_events)
{
	struct exec_watch *w = arg;
	struct fanotify_event_metadata ev;
	(void)epoll_events;
	w->depth++;
	while (!w->dead && next_event(w->fd, &ev)) {
		if (ev.fd < 0)
			continue;
		bool helper = is_helper(w, ev.pid, ev.fd);
		expect_next(w, ev.pid, ev.fd);
		struct held held = {
			.group = w->fd, .pid = ev.pid, .fd = ev.fd, .outer = held_now
		};
		held_now = &held;
		if (!helper)
			report(w, ev.pid, ev.fd);
		held_now = held.outer;
		if (held.answered)
			(void)close(ev.fd);
		else
			allow(w->fd, ev.fd);
	}
	w->depth--;
	if (w->dead && w->depth == 0)
		watch_free(w);
}

/* The loader is still to be opened, perhaps under a second watch, and that waits for us too. A
 * watch may go in its callback: one at a time, from the head. */
static void answer_one_watch(void)
{
	for (struct exec_watch *w = watches; w != NULL; w = w->next_watch) {
		struct pollfd in = { .fd = w->fd, .events = POLLIN };
		if (w->dead || poll(&in, 1, 0) <= 0)
			continue;
		on_exec(w, EPOLLIN);
		return;
	}
}

int exec_watch_park(pid_t pid, struct err *e)
{
	struct held *h = held_now;
	while (h != NULL && (h->pid != pid || h->answered))
		h = h->outer;
	if (h == NULL)
		return 0;
	/* Before the answer: it is taken on the way back from execve(2), behind the exec and
	 * before the program's first instruction. */
	if (kill(pid, SIGSTOP) < 0)
		return ERR(e, errno, "stop process %d", (int)pid);
	h->answered = true;
	answer(h->group, h->fd);
	int64_t deadline = clock_now() + PARK_WAIT_MAX;
	struct process p;
	while (process_read(pid, &p) && strchr("TtZX", p.state) == NULL) {
		if (clock_now() >= deadline) {
			(void)kill(pid, SIGCONT);
			return ERR(e, ETIMEDOUT, "process %d does not stop", (int)pid);
		}
		answer_one_watch();
		(void)nanosleep(&(struct timespec){ .tv_nsec = PARK_POLL }, NULL);
	}
	return 1;
}

/* The whole file system where it is the node's alone: then a mount namespace that the workflow
 * makes for itself is watched too. A file system that the host uses is marked by mount only. */
static int mark_mount(int group, const char *path, struct err *e)
{
	static const char *const of_host[] = { "/", "/tmp", "/run", "/dev/shm", "/var/tmp" };
	unsigned kind = FAN_MARK_FILESYSTEM;
	struct stat st, host;
	if (stat(path, &st) < 0)
		return errno == ENOENT ? 0 : ERR(e, errno, "look at '%s'", path);
	for (size_t i = 0; i < sizeof(of_host) / sizeof(of_host[0]); i++)
		if (stat(of_host[i], &host) == 0 && host.st_dev == st.st_dev)
			kind = FAN_MARK_MOUNT;
	if (fanotify_mark(group, FAN_MARK_ADD | kind, FAN_OPEN_EXEC_PERM, AT_FDCWD, path) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "watch program starts on '%s'", path);
	return 0;
}

int exec_watch_create(struct exec_watch **ret, struct loop *loop, const struct node *n, exec_fn fn,
		      void *arg, struct err *e)
{
	static const char *const mounts[] = { "", "/tmp", "/run", "/dev/shm" };
	GUARD(fd)
	int fd = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE,
			       O_RDONLY | O_CLOEXEC | O_LARGEFILE);
	if (fd < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno,
			      "watching program starts (needs root and "
			      "CONFIG_FANOTIFY_ACCESS_PERMISSIONS)");
	struct exec_watch *w = mem_alloc(sizeof(*w));
	w->fn = fn;
	w->arg = arg;
	w->fd = fd;
	/* Readable before marked: from the first mark on a start waits for an answer. */
	if (loop_add_fd(loop, fd, EPOLLIN, on_exec, w, &w->src, e) < 0) {
		free(w);
		return -1;
	}
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		char path[PATH_MAX];
		(void)snprintf(path, sizeof(path), "%s%s", node_root_path(n), mounts[i]);
		if (mark_mount(fd, path, e) < 0) {
			loop_remove(w->src);
			free(w);
			return -1;
		}
	}
	(void)take_fd(&fd);
	w->next_watch = watches;
	watches = w;
	*ret = w;
	return 0;
}

void exec_watch_destroy(struct exec_watch *w)
{
	struct fanotify_event_metadata ev;
	if (w == NULL || w->dead)
		return;
	loop_remove(w->src);
	if (w->depth == 0) {
		watch_free(w);
		return;
	}
	/* Inside a callback: its process stays until that returns, all others go on now. */
	w->dead = true;
	(void)fanotify_mark(w->fd, FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, 0, AT_FDCWD, NULL);
	(void)fanotify_mark(w->fd, FAN_MARK_FLUSH | FAN_MARK_MOUNT, 0, AT_FDCWD, NULL);
	while (next_event(w->fd, &ev))
		if (ev.fd >= 0)
			allow(w->fd, ev.fd);
}

static void on_read(void *arg, uint32_t epoll_events)
{
	struct read_watch *w = arg;
	struct fanotify_event_metadata ev;
	(void)epoll_events;
	w->depth++;
	while (!w->dead && next_event(w->fd, &ev)) {
		if (ev.fd >= 0)
			(void)close(ev.fd);
		if (ev.pid != w->self && (ev.mask & FAN_ACCESS) != 0)
			w->fn(w->arg, ev.pid);
	}
	w->depth--;
	if (w->dead && w->depth == 0) {
		(void)close(w->fd);
		free(w);
	}
}

int read_watch_create(struct read_watch **ret, struct loop *loop, const struct node *n,
		      const char *path, read_fn fn, void *arg, struct err *e)
{
	char link[64];
	GUARD(fd) int file = open_beneath(node_root_fd(n), path);
	if (file < 0)
		return ERR(e, errno, "open '%s' in node '%s'", path, node_name(n));
	GUARD(fd)
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK,
			       O_RDONLY | O_CLOEXEC | O_LARGEFILE);
	if (fd < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno,
			      "watching reads (needs root and fanotify)");
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
	if (fanotify_mark(fd, FAN_MARK_ADD, FAN_ACCESS, AT_FDCWD, link) < 0)
		return ERR(e, errno, "watch reads of '%s' in node '%s'", path, node_name(n));
	struct read_watch *w = mem_alloc(sizeof(*w));
	w->fd = fd;
	w->self = getpid();
	w->fn = fn;
	w->arg = arg;
	if (loop_add_fd(loop, fd, EPOLLIN, on_read, w, &w->src, e) < 0) {
		free(w);
		return -1;
	}
	(void)take_fd(&fd);
	*ret = w;
	return 0;
}

void read_watch_destroy(struct read_watch *w)
{
	if (w == NULL || w->dead)
		return;
	loop_remove(w->src);
	w->dead = true;
	if (w->depth > 0)
		return;
	(void)close(w->fd);
	free(w);
}
