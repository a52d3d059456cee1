/* SPDX-License-Identifier: MIT */
/* The harness's side of programs in a node: asking init, confirming the exec, hearing the end. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/node_private.h"
#include "harness/sandbox/process.h"

enum {
	ABANDON_MS_MAX = 1000, /* until init has said what became of a start that we gave up */
};

static struct proc *find(struct node *n, uint32_t id)
{
	struct proc *p = n->procs;
	while (p != NULL && p->id != id)
		p = p->next;
	return p;
}

/* An exit that came while node_spawn() was still waiting is told from a turn of the loop. */
static void tell_late(void *arg)
{
	struct proc *p = arg;
	loop_remove(p->late);
	p->late = NULL;
	p->fn(p->arg, p->status);
}

static void ended(struct proc *p, int status)
{
	if (!p->running)
		return;
	p->running = false;
	p->status = status;
	if (p->settled != NULL)
		*p->settled = true;
	if (!p->starting && p->fn != NULL)
		p->fn(p->arg, status);
}

void node_procs_die(struct node *n)
{
	/* A callback may free any of them: after each one start from the head again. */
	for (struct proc *p = n->procs; p != NULL;) {
		if (!p->running) {
			p = p->next;
			continue;
		}
		ended(p, SIGKILL);
		p = n->procs;
	}
}

void node_procs_orphan(struct node *n)
{
	for (struct proc *p = n->procs; p != NULL; p = p->next) {
		loop_remove(p->late);
		p->late = NULL;
		p->node = NULL;
		if (p->running)
			p->status = SIGKILL;
		p->running = false;
	}
	n->procs = NULL;
}

static void started(struct proc *p, pid_t pid, int pidfd)
{
	p->started = true;
	p->pid = pid;
	p->pidfd = pidfd;
	if (p->settled != NULL && !p->filtered)
		*p->settled = true;
}

static void filtered(struct proc *p, int listener, bool killable)
{
	p->listener = listener;
	p->killable = killable;
	if (p->settled != NULL)
		*p->settled = true;
}

struct attached {
	pid_t pid; /* of the sender, as we see it */
	int fd;
};

static void read_attached(struct msghdr *h, struct attached *a)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		struct ucred who;
		if (c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&who, CMSG_DATA(c), sizeof(who));
			a->pid = who.pid;
		} else if (c->cmsg_type == SCM_RIGHTS) {
			memcpy(&a->fd, CMSG_DATA(c), sizeof(a->fd));
		}
	}
}

/* Room for one descriptor and the credentials. */
union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

ssize_t node_receive_ready(struct node *n)
{
	union control control;
	struct iovec iov = { &n->ready, sizeof(n->ready) };
	struct msghdr h = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct attached a = { .fd = -1 };
	ssize_t len = recvmsg(n->sock, &h, MSG_CMSG_CLOEXEC);
	if (len >= 0)
		read_attached(&h, &a);
	n->server = a.pid;
	return len;
}

void node_on_message(void *arg, uint32_t events)
{
	struct node *n = arg;
	struct msg m = { 0 };
	union control control;
	struct iovec iov = { &m, sizeof(m) };
	struct msghdr h = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	(void)events;
	ssize_t len = recvmsg(n->sock, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) { /* init is dead: all that it said has been read before this */
		loop_remove(n->sock_src);
		n->sock_src = NULL;
		n->alive = false;
		node_procs_die(n);
		return;
	}
	struct attached a = { .fd = -1 };
	read_attached(&h, &a);
	GUARD(fd) int fd = a.fd;
	if (m.kind == MSG_PONG)
		n->answered = true;
	struct proc *p = len == (ssize_t)sizeof(m) ? find(n, m.id) : NULL;
	if (p == NULL)
		return; /* freed meanwhile */
	switch (m.kind) {
	case MSG_STARTED:
		started(p, a.pid, take_fd(&fd));
		break;
	case MSG_FILTERED:
		filtered(p, take_fd(&fd), m.value != 0);
		break;
	case MSG_EXITED:
		ended(p, m.value);
		break;
	case MSG_FORK_FAILED:
		p->fork_error = m.value;
		ended(p, 0);
		break;
	default:
		break;
	}
}

static void add_words(struct buf *b, const char *const *words, uint32_t *count)
{
	*count = 0;
	for (; words != NULL && *words != NULL; words++) {
		buf_add(b, *words, strlen(*words) + 1);
		(*count)++;
	}
}

static enum cgroup_part group_of(const struct node *n, const struct spawn_spec *s)
{
	if (s->service)
		return CGROUP_SERVICES;
	if (!s->apart)
		return CGROUP_WORKFLOW;
	return n->spec.systemd ? CGROUP_PROBES : CGROUP_NODE;
}

static int send_request(struct node *n, const struct spawn_spec *s, uint32_t id, int pipe_fd,
			struct err *e)
{
	GUARD_BUF struct buf b = { 0 };
	struct msg_spawn head = { .kind = MSG_SPAWN,
				  .id = id,
				  .terminal = s->terminal,
				  .has_fd = { s->out_fd >= 0, s->err_fd >= 0, s->filter != NULL } };
	bool v2;
	const int group = cgroup_node_dir(n->cgroup, group_of(n, s), &v2);
	head.has_fd[SPAWN_GROUP] = group >= 0;
	head.group_v2 = v2;
	const char *cwd = s->cwd != NULL ? s->cwd : "";
	const char *user = s->user != NULL ? s->user : "";
	buf_add(&b, cwd, strlen(cwd) + 1);
	buf_add(&b, user, strlen(user) + 1);
	add_words(&b, s->argv, &head.argc);
	add_words(&b, s->env, &head.envc);
	if (b.len > SPAWN_TEXT_MAX || head.argc + head.envc > SPAWN_WORDS_MAX)
		return ERR_AS(e, EXIT_BAD_SCENARIO, E2BIG,
			      "arguments and environment exceed %d bytes or %d words",
			      SPAWN_TEXT_MAX, SPAWN_WORDS_MAX);
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * SPAWN_FDS)];
	} control = { 0 };
	int fds[SPAWN_FDS];
	size_t count = 0;
	if (head.has_fd[0])
		fds[count++] = s->out_fd;
	if (head.has_fd[1])
		fds[count++] = s->err_fd;
	if (s->filter != NULL)
		fds[count++] = filter_program_fd(s->filter);
	if (group >= 0)
		fds[count++] = group;
	fds[count++] = pipe_fd;
	struct iovec iov[] = { { &head, sizeof(head) }, { b.data, b.len } };
	struct msghdr h = { .msg_iov = iov,
			    .msg_iovlen = 2,
			    .msg_control = &control,
			    .msg_controllen = CMSG_SPACE(sizeof(int) * count) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
	if (sendmsg(n->sock, &h, MSG_NOSIGNAL) < 0)
		return ERR(e, errno, "ask the node's init");
	return 0;
}

static int say_failure(const struct spawn_spec *s, const struct spawn_failure *f, struct err *e)
{
	const char *program = s->argv[0];
	switch (f->stage) {
	case STAGE_FILTER:
		return ERR_AS(
			e, EXIT_UNAVAILABLE, f->code,
			"filter the system calls of %s (seccomp user notification, Linux 5.5)",
			program);
	case STAGE_USER:
		if (f->code == ENOENT)
			return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "no such user: %s", s->user);
		return ERR(e, f->code, "become user '%s'", s->user != NULL ? s->user : "root");
	case STAGE_CWD:
		return ERR_AS(e, EXIT_BAD_SCENARIO, f->code, "working folder '%s'", s->cwd);
	case STAGE_EXEC:
		if (f->code == ENOENT)
			return ERR_AS(e, EXIT_BAD_SCENARIO, ENOENT,
				      "no such program: %s (or the interpreter it names is absent)",
				      program);
		return ERR_AS(e, EXIT_BAD_SCENARIO, f->code, "cannot run %s", program);
	default:
		return ERR(e, f->code, "start %s", program);
	}
}

/* What node_spawn() waits for: the child's own message, then the end of its exec pipe. */
struct launch {
	struct proc *proc;
	const struct spawn_spec *spec;
	int pipe_fd;
	bool said, piped; /* the message came (or never will); the pipe ended */
	bool failed;
	struct spawn_failure failure;
};

static void on_pipe(void *arg, uint32_t events)
{
	struct launch *l = arg;
	(void)events;
	if (l->piped)
		return; /* an inner wait has read it; what comes now is only its end */
	ssize_t n = read(l->pipe_fd, &l->failure, sizeof(l->failure));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	l->failed = n == (ssize_t)sizeof(l->failure);
	l->piped = true;
}

static int wait_launch(struct node *n, struct launch *l, struct err *e)
{
	struct loop_src *src;
	if (loop_add_fd(n->loop, l->pipe_fd, EPOLLIN, on_pipe, l, &src, e) < 0)
		return -1;
	int r = loop_wait(n->loop, &l->piped, INT64_MAX, e);
	loop_remove(src);
	/* The child spoke before it exec'd, so this waits for what is under way already. */
	if (r >= 0)
		r = loop_wait(n->loop, &l->said, INT64_MAX, e);
	l->proc->settled = NULL;
	if (r < 0)
		return -1;
	if (l->failed)
		return say_failure(l->spec, &l->failure, e);
	if (l->proc->fork_error != 0)
		return ERR(e, l->proc->fork_error, "fork in the node (its limit of processes?)");
	if (!l->proc->started)
		return ERR(e, 0, n->alive ? "killed before it could start" : "the node is dead");
	return 0;
}

/* It may have been forked already and not said so yet: hear it out, so that it can be killed. */
static void abandon(struct node *n, struct proc *p)
{
	struct pollfd in = { .fd = n->sock, .events = POLLIN };
	struct err ignored = { 0 };
	while (p->running && !p->started && n->alive && poll(&in, 1, ABANDON_MS_MAX) > 0)
		node_on_message(n, EPOLLIN);
	if (p->running && p->started)
		(void)proc_signal(p, SIGKILL, &ignored);
	proc_free(p);
}

static struct proc *proc_new(struct node *n, proc_exit_fn fn, void *arg)
{
	struct proc *p = mem_alloc(sizeof(*p));
	p->node = n;
	p->id = ++n->last_id;
	p->pidfd = p->listener = -1;
	p->running = p->starting = true;
	p->fn = fn;
	p->arg = arg;
	p->next = n->procs;
	n->procs = p;
	return p;
}

static int launch(struct node *n, const struct spawn_spec *spec, struct proc *p, struct err *e)
{
	int pair[2];
	/* Called a pipe, and a socket: a filter may hold the child's write(2). */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		p->running = false;
		return ERR(e, errno, "socketpair");
	}
	GUARD(fd) int ours = pair[0];
	GUARD(fd) int theirs = pair[1];
	struct launch l = { .proc = p, .spec = spec, .pipe_fd = ours };
	p->settled = &l.said;
	int r = send_request(n, spec, p->id, theirs, e);
	if (r < 0)
		p->running = false;    /* nobody heard of it */
	(void)close(take_fd(&theirs)); /* else its end would never be seen */
	if (r == 0)
		r = wait_launch(n, &l, e);
	p->settled = NULL;
	return r;
}

int node_spawn(struct node *n, const struct spawn_spec *spec, proc_exit_fn fn, void *arg,
	       struct proc **ret, struct err *e)
{
	if (!n->alive) {
		n->refused += !spec->apart;
		return ERR(e, 0, "node '%s' is down", n->spec.name);
	}
	if (loop_stopped(n->loop)) {
		const bool never = false;
		return loop_wait(n->loop, &never, 0, e); /* has the reason */
	}
	struct proc *p = proc_new(n, fn, arg);
	p->apart = spec->apart;
	p->filtered = spec->filter != NULL;
	int r = launch(n, spec, p, e);
	if (r == 0 && !p->running && fn != NULL)
		r = loop_add_timer(n->loop, 0, 0, tell_late, p, &p->late, e);
	p->starting = false;
	if (r < 0) {
		abandon(n, p);
		return err_prefix(e, "node '%s'", n->spec.name);
	}
	*ret = p;
	return 0;
}

pid_t proc_pid(const struct proc *p)
{
	return p->pid;
}

int proc_pidfd(const struct proc *p)
{
	return p->pidfd;
}

bool proc_running(const struct proc *p)
{
	return p->running;
}

int proc_signal(const struct proc *p, int signo, struct err *e)
{
	if (syscall(SYS_pidfd_send_signal, p->pidfd, signo, NULL, 0) < 0)
		return ERR(e, errno, "send signal %d to process %d", signo, (int)p->pid);
	return 0;
}

int proc_take_listener(struct proc *p, bool *killable)
{
	*killable = p->killable;
	return take_fd(&p->listener);
}

void proc_free(struct proc *p)
{
	if (p == NULL)
		return;
	for (struct proc **at = p->node != NULL ? &p->node->procs : NULL; at != NULL && *at != NULL;
	     at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	loop_remove(p->late);
	if (p->pidfd >= 0)
		(void)close(p->pidfd);
	if (p->listener >= 0)
		(void)close(p->listener);
	free(p);
}
