/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/cgroup_base.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/loop.h"
#include "harness/base/mem.h"
#include "harness/sandbox/userns.h"

enum {
	SCOPE_MS_MAX = 10 * 1000, /* until systemd has made the scope */
	POLL_MS = 2,
	TEXT_MAX = 1 << 16, /* bytes of a small file of /proc or of a group */
	SAID_MAX = 160,     /* bytes kept of what systemd-run says */
};

/* What nodes use. Others stay as they are. */
static const char *const controllers[] = { "memory", "pids", "cpu", "cpuset", "io" };

#define KEEP "keep" /* the group of who must not sit in the base */

bool cgroup_base_systemd(void)
{
	struct stat st;
	return lstat("/run/systemd/system", &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- the scope ---- */

struct holder {
	pid_t pid;
	int says; /* its stderr */
};

/* `cat` of a pipe that never gets a byte: it ends when the last of us has. */
_Noreturn static void hold(const char *unit, int in, int says)
{
	GUARD(mem) char *name = mem_printf("--unit=%s", unit);
	const char *const argv[] = { "systemd-run",
				     "--scope",
				     "--quiet",
				     "--collect",
				     name,
				     "--property=Delegate=yes",
				     "--property=TasksMax=infinity",
				     "--description=backout's nodes",
				     "--",
				     "cat",
				     NULL };
	loop_child_reset();
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && null >= 0 && dup2(in, STDIN_FILENO) >= 0 &&
	    dup2(null, STDOUT_FILENO) >= 0 && dup2(says, STDERR_FILENO) >= 0) {
		(void)setsid(); /* the terminal's ^C is the harness's alone */
		(void)execvp(argv[0], (char *const *)argv);
	}
	(void)dprintf(says, "%s: %s", argv[0], strerror(errno));
	_exit(127);
}

/* The write end of its pipe stays open, for as long as this process lives. */
static int start_holder(struct holder *h, const char *unit, struct err *e)
{
	int in[2], says[2];
	if (pipe2(in, O_CLOEXEC) < 0)
		return ERR(e, errno, "pipe");
	GUARD(fd) int theirs = in[0];
	if (pipe2(says, O_CLOEXEC) < 0) {
		(void)close(in[1]);
		return ERR(e, errno, "pipe");
	}
	GUARD(fd) int say = says[1];
	h->says = says[0];
	h->pid = fork();
	if (h->pid == 0) {
		(void)close(in[1]);
		hold(unit, theirs, say);
	}
	if (h->pid > 0)
		return 0;
	(void)close(in[1]);
	(void)close(says[0]);
	return ERR(e, errno, "fork");
}

/* It is killed before it is listened to: one that waits for systemd's answer would never end. */
static int refused(const struct holder *h, struct err *e)
{
	char said[SAID_MAX] = "";
	struct pollfd in = { .fd = h->says, .events = POLLIN };
	(void)kill(h->pid, SIGKILL);
	ssize_t n = poll(&in, 1, 0) > 0 ? read(h->says, said, sizeof(said) - 1) : 0;
	said[n > 0 ? strcspn(said, "\n") : 0] = '\0';
	return ERR_AS(e, EXIT_UNAVAILABLE, 0,
		      "systemd gave no scope for the nodes: %s. `systemd-run --scope true` has to "
		      "work for this user (root, and not in a sandboxed unit)",
		      said[0] != '\0' ? said : "it did not answer");
}

/* Looks, and does not reap: until we do, its number cannot pass to another. */
static bool runs(pid_t pid)
{
	siginfo_t info = { 0 };
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == 0;
}

/* systemd-run moves itself into the scope, waits for the job, and becomes the holder. */
static int wait_scope(const struct holder *h, const char *unit, struct hierarchies *at,
		      struct err *e)
{
	int64_t deadline = clock_now() + SCOPE_MS_MAX * NS_PER_MS;
	GUARD(mem) char *end = mem_printf("/%s\n", unit);
	GUARD(mem) char *path = mem_printf("/proc/%d/cgroup", (int)h->pid);
	GUARD(mem) char *comm = mem_printf("/proc/%d/comm", (int)h->pid);
	char pid[16];
	(void)snprintf(pid, sizeof(pid), "%d", (int)h->pid);
	while (clock_now() < deadline && runs(h->pid)) {
		struct err ignored = { 0 };
		GUARD_BUF struct buf text = { 0 };
		GUARD_BUF struct buf name = { 0 };
		if (io_read_file(AT_FDCWD, path, TEXT_MAX, &text, &ignored) == 0 &&
		    io_read_file(AT_FDCWD, comm, TEXT_MAX, &name, &ignored) == 0 &&
		    strcmp(buf_str(&name), "cat\n") == 0 && strstr(buf_str(&text), end) != NULL)
			return hierarchies_of(at, pid, e);
		(void)nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * NS_PER_MS }, NULL);
	}
	return refused(h, e);
}

/* A group with members may not give controllers to those below it: the holder steps aside. */
static int step_aside(const struct hierarchy *v2, pid_t pid, struct err *e)
{
	GUARD(mem) char *keep = mem_printf("%s/%s/" KEEP, v2->mount, v2->group);
	GUARD(mem) char *procs = mem_printf("%s/cgroup.procs", keep);
	char text[16];
	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	if (mkdir(keep, 0755) < 0 && errno != EEXIST)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "make control group '%s'", keep);
	return io_write_knob(AT_FDCWD, procs, text, e);
}

static int register_scope(const struct hierarchies *at, struct owner *owner, const char *unit,
			  struct err *e)
{
	for (size_t i = 0; i < at->count; i++) {
		const char *last = at->rows[i].group;
		if (last == NULL ||
		    strcmp(strrchr(last, '/') != NULL ? strrchr(last, '/') + 1 : last, unit) != 0)
			continue;
		GUARD(mem) char *path = mem_printf("%s/%s", at->rows[i].mount, last);
		if (owner_register(owner, "cgroup", path, e) < 0)
			return -1;
	}
	return 0;
}

static int make_scope(struct cgroup_base *b, struct owner *owner, struct err *e)
{
	struct holder h;
	GUARD(mem) char *unit = mem_printf("%s-%d.scope", owner_tag(owner), (int)getpid());
	if (start_holder(&h, unit, e) < 0)
		return -1;
	int result = wait_scope(&h, unit, &b->at, e);
	(void)close(h.says);
	const struct hierarchy *v2 = result == 0 ? hierarchies_v2(&b->at) : NULL;
	if (result == 0)
		result = register_scope(&b->at, owner, unit, e);
	if (result == 0 && v2 != NULL && v2->group != NULL)
		result = step_aside(v2, h.pid, e);
	if (result < 0) {
		(void)kill(h.pid, SIGKILL);
		(void)waitpid(h.pid, NULL, 0);
		hierarchies_free(&b->at);
	}
	return result;
}

/* ---- controllers ---- */

static void say_refusal(struct cgroup_base *b, const char *dir, const char *what, int code)
{
	const char *hint =
		code == EBUSY ? "processes sit in it; move them into a group below "
				"before backout starts (mkdir it, write their numbers "
				"into its cgroup.procs)"
		: code == EROFS || code == EACCES
			? "it is read-only: a container needs --privileged or a writable "
			  "/sys/fs/cgroup"
			: strerror(code);
	(void)snprintf(b->why, sizeof(b->why), "'%s' does not give controller '%s': %s", dir, what,
		       hint);
}

static void switch_on(struct cgroup_base *b)
{
	const struct hierarchy *v2 = hierarchies_v2(&b->at);
	struct err ignored = { 0 };
	if (v2 == NULL || v2->group == NULL)
		return;
	GUARD(mem) char *dir = mem_printf("%s/%s", v2->mount, v2->group);
	GUARD(mem) char *offers = mem_printf("%s/cgroup.controllers", dir);
	GUARD(mem) char *knob = mem_printf("%s/cgroup.subtree_control", dir);
	GUARD_BUF struct buf offered = { 0 };
	GUARD_BUF struct buf on = { 0 };
	if (io_read_file(AT_FDCWD, offers, TEXT_MAX, &offered, &ignored) < 0 ||
	    io_read_file(AT_FDCWD, knob, TEXT_MAX, &on, &ignored) < 0)
		return;
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
		char text[32];
		struct err why = { 0 };
		(void)snprintf(text, sizeof(text), "+%s", controllers[i]);
		if (hierarchy_lists(buf_str(&offered), controllers[i]) &&
		    !hierarchy_lists(buf_str(&on), controllers[i]) &&
		    io_write_knob(AT_FDCWD, knob, text, &why) < 0)
			say_refusal(b, dir, controllers[i], why.code);
	}
}

/* A v1 hierarchy has its own group of ours; v2's is the root of what is mounted. */
static int plain_base(struct cgroup_base *b, struct err *e)
{
	if (hierarchies_of(&b->at, "self", e) < 0)
		return -1;
	for (size_t i = 0; i < b->at.count; i++) {
		if (!b->at.rows[i].v2)
			continue;
		free(b->at.rows[i].group);
		b->at.rows[i].group = mem_strdup("");
	}
	return 0;
}

/* ---- an ordinary user's ---- */

static char *lent; /* the base; NULL: not in use */

/* Nobody else's processes are moved. */
static int alone_in(const char *dir, struct err *e)
{
	GUARD(mem) char *procs = mem_printf("%s/cgroup.procs", dir);
	GUARD_BUF struct buf text = { 0 };
	char own[16];
	(void)snprintf(own, sizeof(own), "%d\n", (int)getpid());
	if (io_read_file(AT_FDCWD, procs, TEXT_MAX, &text, e) < 0)
		return -1;
	if (strcmp(buf_str(&text), own) == 0 || text.len == 0)
		return 0;
	return ERR_AS(e, EXIT_UNAVAILABLE, 0, "processes of others sit in control group '%s'", dir);
}

static int move_self(const char *dir, struct err *e)
{
	GUARD(mem) char *procs = mem_printf("%s/cgroup.procs", dir);
	return io_write_knob(AT_FDCWD, procs, "0", e);
}

/* The group that we were started in, where it is v2's and the user's to divide. */
static int user_base(struct cgroup_base *b, struct err *e)
{
	static const char way[] = "`systemd-run --user --scope -p Delegate=yes backout ...` gives "
				  "one where systemd and cgroup v2 are";
	if (hierarchies_of(&b->at, "self", e) < 0)
		return -1;
	hierarchies_keep_v2(&b->at);
	const struct hierarchy *v2 = hierarchies_v2(&b->at);
	GUARD(mem)
	char *dir = mem_printf("%s/%s", v2 != NULL ? v2->mount : "",
			       v2 != NULL && v2->group != NULL ? v2->group : "");
	GUARD(mem) char *knob = mem_printf("%s/cgroup.subtree_control", dir);
	GUARD(mem) char *keep = mem_printf("%s/" KEEP, dir);
	int result = 0;
	if (v2 == NULL || v2->group == NULL || access(dir, W_OK) < 0 || access(knob, W_OK) < 0)
		result = ERR_AS(e, EXIT_UNAVAILABLE, 0, "no control group is this user's; %s", way);
	else if (alone_in(dir, e) < 0)
		result = err_prefix(e, "a control group for backout alone; %s", way);
	else if (mkdir(keep, 0755) < 0 && errno != EEXIST)
		result = ERR_AS(e, EXIT_UNAVAILABLE, errno, "make control group '%s'", keep);
	else
		result = move_self(keep, e);
	if (result == 0)
		lent = take_ptr(&dir);
	else
		hierarchies_free(&b->at);
	return result;
}

void cgroup_base_return(void)
{
	struct err ignored = { 0 };
	if (lent == NULL)
		return;
	GUARD(mem) char *dir = take_ptr(&lent);
	GUARD(mem) char *keep = mem_printf("%s/" KEEP, dir);
	GUARD(mem) char *knob = mem_printf("%s/cgroup.subtree_control", dir);
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
		char text[32];
		(void)snprintf(text, sizeof(text), "-%s", controllers[i]);
		(void)io_write_knob(AT_FDCWD, knob, text, &ignored);
	}
	if (move_self(dir, &ignored) == 0)
		(void)rmdir(keep);
}

static bool still_there(const struct cgroup_base *b)
{
	for (size_t i = 0; i < b->at.count; i++) {
		const struct hierarchy *h = &b->at.rows[i];
		if (h->group == NULL)
			continue;
		GUARD(mem) char *path = mem_printf("%s/%s", h->mount, h->group);
		if (access(path, F_OK) < 0)
			return false;
	}
	return true;
}

static int pass_on(const struct err *refusal, struct err *e)
{
	if (!err_is_set(e))
		*e = *refusal;
	return -1;
}

int cgroup_base(const struct cgroup_base **ret, struct owner *owner, struct err *e)
{
	static struct cgroup_base base;
	static struct err refusal; /* asked once: the answer may have taken SCOPE_MS_MAX */
	static bool made;
	if (err_is_set(&refusal))
		return pass_on(&refusal, e);
	if (!made || !still_there(&base)) {
		hierarchies_free(&base.at);
		base.why[0] = '\0';
		made = false;
		bool any = hierarchies_mode(hierarchies_own()) != CGROUP_NONE;
		int result = userns_entered()               ? user_base(&base, &refusal)
			     : any && cgroup_base_systemd() ? make_scope(&base, owner, &refusal)
							    : plain_base(&base, &refusal);
		if (result < 0)
			return pass_on(&refusal, e);
		switch_on(&base);
		made = true;
	}
	*ret = &base;
	return 0;
}
