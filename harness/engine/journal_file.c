/* SPDX-License-Identifier: MIT */
#include "harness/engine/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"

struct journal_file {
	int fd, live_fd;
	int64_t start, events;
	int64_t paused; /* since when; 0: it runs */
	struct err failure;
	struct buf line;
};

int journal_create(struct journal_file **ret, const char *path, int live_fd, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "create journal '%s'", path);
	struct journal_file *j = mem_alloc(sizeof(*j));
	j->fd = fd;
	j->live_fd = live_fd;
	j->start = clock_now();
	*ret = j;
	return 0;
}

static int64_t now(const struct journal_file *j)
{
	return (j->paused != 0 ? j->paused : clock_now()) - j->start;
}

void journal_pause(struct journal_file *j)
{
	j->paused = clock_now();
}

void journal_go_on(struct journal_file *j)
{
	j->start += clock_now() - j->paused;
	j->paused = 0;
}

void journal_continue(struct journal_file *j, const char *lines, size_t len, int64_t t)
{
	if (!err_is_set(&j->failure))
		(void)io_write_all(j->fd, lines, len, &j->failure);
	for (size_t i = 0; i < len; i++)
		j->events += lines[i] == '\n';
	j->start = clock_now() - t;
	j->paused = 0;
}

void journal_write(struct journal_file *j, enum event_kind k, const struct field *fields)
{
	buf_clear(&j->line);
	event_encode(&j->line, now(j), k, fields);
	/* One write a line: a line is in the file whole, or (after a kill) torn at its end. */
	if (!err_is_set(&j->failure))
		(void)io_write_all(j->fd, j->line.data, j->line.len, &j->failure);
	if (j->live_fd >= 0 && write(j->live_fd, j->line.data, j->line.len) < 0 && errno == EPIPE)
		j->live_fd = -1;
	j->events++;
}

int64_t journal_time(const struct journal_file *j, int64_t monotonic_ns)
{
	return monotonic_ns - j->start;
}

int64_t journal_events(const struct journal_file *j)
{
	return j->events;
}

int journal_close(struct journal_file *j, bool sync, struct err *e)
{
	if (j == NULL)
		return 0;
	int result = 0;
	if (err_is_set(&j->failure))
		result = ERR(e, 0, "the journal lost lines: %s", j->failure.why);
	else if (sync && fsync(j->fd) < 0)
		result = ERR(e, errno, "fsync the journal");
	(void)close(j->fd);
	buf_free(&j->line);
	free(j);
	return result;
}
