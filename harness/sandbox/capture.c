/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/capture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/capture_internal.h"
#include "harness/sandbox/dpkg.h"

enum {
	WRITE_AT = 64 * 1024,       /* bytes gathered before they are written */
	ALSO_OUTPUT_MAX = 64 << 20, /* bytes of one command's output */
	ALSO_TEXT_MAX = 4096,       /* bytes of it kept as text */
	ALSO_SIGNAL = 128,          /* a shell's way to name a signal as an exit code */
};
static const int64_t also_timeout = 60 * NS_PER_S;

static int flush(struct capture *c, struct err *e)
{
	if (io_write_all(c->fd, c->out.data, c->out.len, e) < 0)
		return err_prefix(e, "write the fingerprint");
	hash_add(c->digest, c->out.data, c->out.len);
	buf_clear(&c->out);
	return 0;
}

int capture_line(struct capture *c, struct err *e)
{
	c->entries++;
	return c->told_from == NULL && c->out.len >= WRITE_AT ? flush(c, e) : 0;
}

static int finish(struct capture *c, struct err *e)
{
	if (c->told_from == NULL)
		return flush(c, e);
	GUARD_BUF struct buf delta = { 0 };
	const struct state_text whole = { buf_str(&c->out), c->out.len };
	hash_add(c->digest, whole.data, whole.len);
	if (state_delta_write(c->told_from, whole, &delta, e) < 0 ||
	    io_write_all(c->fd, delta.data, delta.len, e) < 0)
		return err_prefix(e, "write the fingerprint");
	return 0;
}

void tally_add(struct tally *t, char *text)
{
	if (t->count == t->cap) {
		t->cap = t->cap == 0 ? 32 : t->cap * 2;
		t->items = mem_grow(t->items, t->cap, sizeof(*t->items));
	}
	t->items[t->count++] = text;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int tally_write(struct tally *t, struct capture *c, enum state_kind kind, struct err *e)
{
	if (t->count > 1)
		qsort(t->items, t->count, sizeof(*t->items), by_text);
	for (size_t i = 0, n; i < t->count; i += n) {
		for (n = 1; i + n < t->count && strcmp(t->items[i], t->items[i + n]) == 0; n++)
			;
		state_line_begin(&c->out, kind, t->items[i]);
		state_line_int(&c->out, "n", (int64_t)n);
		state_line_end(&c->out);
		if (capture_line(c, e) < 0)
			return -1;
	}
	return 0;
}

void tally_free(struct tally *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->items[i]);
	free(t->items);
	*t = (struct tally){ 0 };
}

int capture_packages(struct capture *c, struct err *e)
{
	struct arena *arena = arena_create();
	struct dpkg_db db;
	int ret = dpkg_read(node_root_fd(c->node), arena, &db, e);
	for (size_t i = 0; ret == 0 && i < db.count; i++) {
		state_line_begin(&c->out, STATE_PACKAGE, db.items[i].key);
		state_line_str(&c->out, "version", db.items[i].version);
		state_line_str(&c->out, "status", db.items[i].status);
		state_line_end(&c->out);
		ret = capture_line(c, e);
	}
	arena_destroy(arena);
	return ret;
}

static int run_also(struct capture *c, const struct capture_also *also, struct buf *line,
		    struct err *e)
{
	const char *const argv[] = { "sh", "-ec", also->run, NULL };
	const struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	GUARD_BUF struct buf out = { 0 };
	int status = node_run(c->node, &spec, also_timeout, &out, ALSO_OUTPUT_MAX + 1, e);
	if (status < 0)
		return err_prefix(e, "state command '%s'", also->name);
	if (out.len > ALSO_OUTPUT_MAX)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "state command '%s' says more than %d MiB",
			      also->name, ALSO_OUTPUT_MAX >> 20);
	char text[HASH_TEXT], head[ALSO_TEXT_MAX + 1];
	size_t shown = out.len < ALSO_TEXT_MAX ? out.len : ALSO_TEXT_MAX;
	hash_text(buf_str(&out), out.len, text);
	memcpy(head, buf_str(&out), shown);
	head[shown] = '\0';
	state_line_begin(line, STATE_ALSO, also->name);
	state_line_int(line, "status",
		       WIFEXITED(status) ? WEXITSTATUS(status) : ALSO_SIGNAL + WTERMSIG(status));
	state_line_str(line, "xxh3", text);
	state_line_int(line, "size", (int64_t)out.len);
	state_line_str(line, "text", head);
	state_line_end(line);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct capture_also *)a)->name,
		      ((const struct capture_also *)b)->name);
}

/* In the scenario's order; their lines, which stand last, in the order of their names. */
static int capture_also_first(struct capture *c, const struct capture_also *also, size_t count,
			      struct buf *ret, struct err *e)
{
	struct named {
		struct capture_also also;
		struct buf line;
	} *all = mem_array(count + 1, sizeof(*all));
	int result = 0;
	for (size_t i = 0; result == 0 && i < count; i++) {
		all[i].also = also[i];
		result = run_also(c, &also[i], &all[i].line, e);
	}
	if (result == 0)
		qsort(all, count, sizeof(*all), by_name);
	for (size_t i = 0; i < count; i++) {
		buf_puts(ret, buf_str(&all[i].line));
		buf_free(&all[i].line);
	}
	free(all);
	return result;
}

int capture_state(struct node *n, const struct capture_spec *spec, struct capture_result *ret,
		  struct err *e)
{
	static int (*const parts[])(struct capture * c, struct err * e) = {
		capture_files, capture_packages, capture_listen, capture_processes, capture_mounts,
	};
	int64_t begun = clock_now();
	struct timespec wall;
	(void)clock_gettime(CLOCK_REALTIME, &wall);
	struct capture c = {
		.node = n,
		.cache = spec->cache,
		.base = spec->base,
		.told_from = spec->told_from,
		.started = wall.tv_sec * NS_PER_S + wall.tv_nsec,
		.fd = spec->fd,
		.digest = hash_begin(),
	};
	GUARD_BUF struct buf last = { 0 };
	/* Before all else: what the commands leave behind belongs to this state, not to the next.
	 */
	int result = capture_also_first(&c, spec->also, spec->also_count, &last, e);
	for (size_t i = 0; result == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
		result = parts[i](&c, e);
	c.entries += spec->also_count;
	buf_puts(&c.out, buf_str(&last));
	if (result == 0)
		result = finish(&c, e);
	if (result == 0) {
		hash_text_of(c.digest, ret->digest);
		ret->entries = c.entries;
		ret->took = clock_now() - begun;
	} else {
		(void)err_prefix(e, "fingerprint of node '%s'", node_name(n));
	}
	hash_free(c.digest);
	buf_free(&c.out);
	return result;
}
