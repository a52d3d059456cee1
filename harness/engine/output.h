/* SPDX-License-Identifier: MIT */
/*
 * What the programs of a drill print, streamed to files, bounded. The reading end stays open
 * until the drill ends: a program that outlives its step must not meet a closed pipe, which
 * would be a failure of our own making.
 */
#ifndef BACKOUT_ENGINE_OUTPUT_H
#define BACKOUT_ENGINE_OUTPUT_H

#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/loop.h"

enum {
	OUTPUT_FILE_MAX = 8 << 20, /* bytes of one log; the rest is counted and dropped */
	OUTPUT_LINE_MAX = 4096,    /* bytes of a line that is told; the rest of it is not */
};

struct output_set;
struct output;

struct output_set *output_set_create(struct loop *loop);
void output_set_destroy(struct output_set *s); /* NULL-safe; reads what is still there */
/* A pipe whose bytes go to `path`. *ret_fd is the writing end, the caller's to close. */
int output_open(struct output_set *s, const char *path, struct output **ret, int *ret_fd,
		struct err *e);
/* Tells each whole line from now on, without its newline. NULL: none. */
typedef void (*output_line_fn)(void *arg, const char *text);
void output_lines(struct output *o, output_line_fn fn, void *arg);
/* Take in what the pipe holds right now. */
void output_drain(struct output *o);
int64_t output_bytes(const struct output *o);
int64_t output_dropped(const struct output *o);
/* The last line with something on it, cut to `size`; "" when there is none. */
const char *output_last_line(const struct output *o, char *buf, size_t size);

#endif
