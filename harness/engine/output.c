/* SPDX-License-Identifier: MIT */
#include "harness/engine/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "harness/base/io.h"
#include "harness/base/mem.h"

enum { OUTPUT_CHUNK = 16 * 1024, OUTPUT_TAIL = 512 };

struct output {
	struct output *next;
	struct loop_src *src;
	int pipe_fd, file_fd;
	int64_t bytes, dropped;
	char tail[OUTPUT_TAIL];
	size_t tail_len;
	output_line_fn line_fn;
	void *line_arg;
	char line[OUTPUT_LINE_MAX];
	size_t line_len;
};

struct output_set {
	struct loop *loop;
	struct output *head;
};

struct output_set *output_set_create(struct loop *loop)
{
	struct output_set *s = mem_alloc(sizeof(*s));
	s->loop = loop;
	return s;
}

static void keep_tail(struct output *o, const char *data, size_t len)
{
	if (len >= OUTPUT_TAIL) {
		memcpy(o->tail, data + len - OUTPUT_TAIL, OUTPUT_TAIL);
		o->tail_len = OUTPUT_TAIL;
		return;
	}
	size_t keep = o->tail_len;
	if (keep + len > OUTPUT_TAIL)
		keep = OUTPUT_TAIL - len;
	memmove(o->tail, o->tail + o->tail_len - keep, keep);
	memcpy(o->tail + keep, data, len);
	o->tail_len = keep + len;
}

static void tell_lines(struct output *o, const char *data, size_t len)
{
	for (size_t i = 0; i < len && o->line_fn != NULL; i++) {
		if (data[i] != '\n') {
			if (o->line_len < OUTPUT_LINE_MAX - 1)
				o->line[o->line_len++] = data[i];
			continue;
		}
		o->line[o->line_len] = '\0';
		o->line_len = 0;
		o->line_fn(o->line_arg, o->line);
	}
}

void output_lines(struct output *o, output_line_fn fn, void *arg)
{
	o->line_fn = fn;
	o->line_arg = arg;
	o->line_len = 0;
}

static void store(struct output *o, const char *data, size_t len)
{
	keep_tail(o, data, len);
	size_t room = o->bytes < OUTPUT_FILE_MAX ? (size_t)(OUTPUT_FILE_MAX - o->bytes) : 0;
	size_t take = len < room ? len : room;
	struct err e = { 0 };
	if (take > 0 && io_write_all(o->file_fd, data, take, &e) < 0)
		take = 0; /* a full disk: counted as dropped, which the step's event tells */
	o->bytes += (int64_t)take;
	o->dropped += (int64_t)(len - take);
	tell_lines(o, data, len);
}

void output_drain(struct output *o)
{
	char chunk[OUTPUT_CHUNK];
	/* Bounded, so that a program that floods its output cannot hold the loop. */
	for (int i = 0; i < 16 && o->pipe_fd >= 0; i++) {
		ssize_t n = read(o->pipe_fd, chunk, sizeof(chunk));
		if (n > 0) {
			store(o, chunk, (size_t)n);
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		loop_remove(o->src); /* end of file: nobody can write any more */
		o->src = NULL;
		(void)close(o->pipe_fd);
		o->pipe_fd = -1;
	}
}

static void readable(void *arg, uint32_t events)
{
	(void)events;
	output_drain(arg);
}

static void output_free(struct output *o)
{
	loop_remove(o->src);
	if (o->pipe_fd >= 0)
		(void)close(o->pipe_fd);
	if (o->file_fd >= 0)
		(void)close(o->file_fd);
	free(o);
}

int output_open(struct output_set *s, const char *path, struct output **ret, int *ret_fd,
		struct err *e)
{
	int fds[2];
	struct output *o = mem_alloc(sizeof(*o));
	o->pipe_fd = -1;
	o->file_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (o->file_fd < 0) {
		(void)ERR(e, errno, "create '%s'", path);
		goto fail;
	}
	if (pipe2(fds, O_CLOEXEC) < 0) {
		(void)ERR(e, errno, "pipe");
		goto fail;
	}
	o->pipe_fd = fds[0];
	if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 ||
	    loop_add_fd(s->loop, fds[0], EPOLLIN, readable, o, &o->src, e) < 0) {
		(void)ERR(e, errno, "watch output");
		(void)close(fds[1]);
		goto fail;
	}
	o->next = s->head;
	s->head = o;
	*ret = o;
	*ret_fd = fds[1];
	return 0;
fail:
	output_free(o);
	return -1;
}

void output_set_destroy(struct output_set *s)
{
	if (s == NULL)
		return;
	for (struct output *o = s->head; o != NULL;) {
		struct output *next = o->next;
		output_drain(o);
		output_free(o);
		o = next;
	}
	free(s);
}

int64_t output_bytes(const struct output *o)
{
	return o->bytes;
}

int64_t output_dropped(const struct output *o)
{
	return o->dropped;
}

const char *output_last_line(const struct output *o, char *buf, size_t size)
{
	size_t end = o->tail_len;
	while (end > 0 &&
	       (o->tail[end - 1] == '\n' || o->tail[end - 1] == '\r' || o->tail[end - 1] == ' '))
		end--;
	size_t begin = end;
	while (begin > 0 && o->tail[begin - 1] != '\n' && o->tail[begin - 1] != '\r')
		begin--;
	size_t len = end - begin < size - 1 ? end - begin : size - 1;
	memcpy(buf, o->tail + begin, len);
	buf[len] = '\0';
	return buf;
}
