/* SPDX-License-Identifier: MIT */
#include "harness/base/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "harness/base/io.h"

enum { TERMINAL_CHUNK = 4096 };

struct join {
	struct terminal_ends ends;
	struct loop_src *in, *master;
	struct err err; /* of writing to the person's terminal */
};

/* A process in the background may set modes only when it does not mind the signal. */
static void quietly(void (*fn)(const struct terminal_mode *m), const struct terminal_mode *m)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction before;
	(void)sigaction(SIGTTOU, &ignore, &before);
	fn(m);
	(void)sigaction(SIGTTOU, &before, NULL);
}

void terminal_save(struct terminal_mode *m, int fd)
{
	m->fd = fd;
	m->set = tcgetattr(fd, &m->mode) == 0;
	m->foreground = tcgetpgrp(fd);
}

static void restore(const struct terminal_mode *m)
{
	(void)tcsetattr(m->fd, TCSADRAIN, &m->mode);
	if (m->foreground > 0)
		(void)tcsetpgrp(m->fd, m->foreground);
}

void terminal_restore(const struct terminal_mode *m)
{
	if (m->set)
		quietly(restore, m);
}

static void take(const struct terminal_mode *m)
{
	struct termios raw = m->mode;
	cfmakeraw(&raw);
	(void)tcsetpgrp(m->fd, getpgrp()); /* fails where it is not our controlling one: no need */
	(void)tcsetattr(m->fd, TCSADRAIN, &raw);
}

static void pass_output(struct join *j)
{
	char chunk[TERMINAL_CHUNK];
	for (;;) {
		ssize_t n = read(j->ends.master, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) { /* EIO: nobody has the other end open */
			loop_remove(j->master);
			j->master = NULL;
			return;
		}
		if (!err_is_set(&j->err))
			(void)io_write_all(j->ends.out, chunk, (size_t)n, &j->err);
	}
}

static void on_output(void *arg, uint32_t events)
{
	(void)events;
	pass_output(arg);
}

/* The program may take its time to read; what it says meanwhile must not wait. */
static void pass_input(struct join *j, const char *data, size_t len)
{
	while (len > 0 && j->master != NULL) {
		ssize_t n = write(j->ends.master, data, len);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return;
		struct pollfd p = { .fd = j->ends.master, .events = POLLIN | POLLOUT };
		(void)poll(&p, 1, -1);
		pass_output(j);
	}
}

static void on_input(void *arg, uint32_t events)
{
	struct join *j = arg;
	char chunk[TERMINAL_CHUNK];
	(void)events;
	ssize_t n = read(j->ends.in, chunk, sizeof(chunk));
	if (n > 0) {
		pass_input(j, chunk, (size_t)n);
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		loop_remove(j->in); /* it has been hung up: so is the other one */
		j->in = NULL;
		pass_input(j, (const char[]){ 4 }, 1);
	}
}

/* A loop keeps its signals for good: the one whose window it is now. */
static struct join *joined;

static void on_size(void *arg, int signo)
{
	struct winsize size;
	(void)arg;
	(void)signo;
	if (joined != NULL && ioctl(joined->ends.in, TIOCGWINSZ, &size) == 0)
		(void)ioctl(joined->ends.master, TIOCSWINSZ, &size);
}

int terminal_join(struct loop *loop, const struct terminal_ends *t, const bool *done, struct err *e)
{
	struct join j = { .ends = *t };
	struct terminal_mode mode;
	terminal_save(&mode, t->in);
	quietly(take, &mode);
	joined = &j;
	on_size(NULL, SIGWINCH);
	int result = loop_on_signal(loop, SIGWINCH, on_size, NULL, e);
	if (result == 0)
		result = loop_add_fd(loop, t->master, EPOLLIN, on_output, &j, &j.master, e);
	if (result == 0)
		result = loop_add_fd(loop, t->in, EPOLLIN, on_input, &j, &j.in, e);
	if (result == 0)
		result = loop_wait(loop, done, INT64_MAX, e) < 0 ? -1 : 0;
	if (j.master != NULL)
		pass_output(&j);
	loop_remove(j.in);
	loop_remove(j.master);
	joined = NULL;
	terminal_restore(&mode);
	return result;
}
