/* SPDX-License-Identifier: MIT */
/* The journal as it is written: one event a line, appended and never changed, sealed last. */
#ifndef BACKOUT_ENGINE_JOURNAL_FILE_H
#define BACKOUT_ENGINE_JOURNAL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/model/event.h"

struct journal_file;

/* Creates `path` (it must not exist). Each line also goes to `live_fd` (-1: none), best effort:
 * a reader that is gone or slow changes nothing. Time counts from here. */
int journal_create(struct journal_file **ret, const char *path, int live_fd, struct err *e);
/* A write that fails is kept and told by journal_close(); the drill goes on to its teardown. */
void journal_write(struct journal_file *j, enum event_kind k, const struct field *fields);
#define journal_put(j, kind, ...)                                                                  \
	journal_write((j), (kind), (const struct field[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } })
int64_t journal_time(const struct journal_file *j, int64_t monotonic_ns); /* to journal time */
int64_t journal_events(const struct journal_file *j);
/* Between the two the journal's time stands still: while the harness holds the workflow for its own
 * ends. They do not nest. */
void journal_pause(struct journal_file *j);
void journal_go_on(struct journal_file *j);
/* Lines of another journal become this one's, and its time is `t` now, and runs. */
void journal_continue(struct journal_file *j, const char *lines, size_t len, int64_t t);
/* fsync (with `sync`) and close; -1 when any line was lost. Frees. NULL-safe. */
int journal_close(struct journal_file *j, bool sync, struct err *e);

#endif
