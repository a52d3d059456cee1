/* SPDX-License-Identifier: MIT */
#include "harness/engine/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/drill_private.h"
#include "harness/engine/live_set.h"
#include "harness/engine/offer.h"
#include "harness/engine/outside.h"
#include "harness/sandbox/pointwatch.h"
#include "harness/sandbox/upper.h"

enum { POINTS_MAX = 200 * 1000 };

struct recorder {
	struct drill *drill;
	const struct record_spec *spec;
	struct point_watch **watches; /* one a node; NULL until one of its steps runs */
	struct upper_cache **caches;
	struct outside *outside;     /* one a node, as the above */
	struct point_watch *current; /* of the step that runs */
	bool in_rollback;
	size_t step;
	bool entered; /* that step */
	size_t lines; /* that it has printed */
	FILE *out;
	size_t count;
	int64_t held;
	struct err trouble; /* met inside a callback; told at the step's end */
};

uint64_t point_hash(bool in_rollback, size_t step, const char *key)
{
	char digest[HASH_TEXT];
	GUARD(mem) char *text = mem_printf("%d/%zu/%s", in_rollback ? 1 : 0, step, key);
	hash_text(text, strlen(text), digest);
	digest[16] = '\0';
	return strtoull(digest, NULL, 16);
}

static int by_hash(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

void point_hashes_sort(uint64_t *hashes, size_t count)
{
	if (count > 1)
		qsort(hashes, count, sizeof(*hashes), by_hash);
}

bool point_hashes_have(const uint64_t *sorted, size_t count, uint64_t hash)
{
	return bsearch(&hash, sorted, count, sizeof(hash), by_hash) != NULL;
}

/* Of a node with a disk. Its file system is not looked into at every call: where the node lives on,
 * no two points of it count as the same state. What its power's loss leaves is another matter. */
static int name_disk(struct recorder *r, size_t node, struct buf *all, struct err *e)
{
	struct drill *d = r->drill;
	char name[HASH_TEXT];
	const struct step_plan *step = plan_step(d->plan, r->in_rollback, r->step);
	int named = 0;
	if (r->spec->power && strcmp(step->node, d->plan->nodes[node].name) == 0)
		named = node_disk_name(d->nodes[node].node, name, e);
	if (named < 0)
		return -1;
	if (named > 0)
		buf_printf(all, "durable on %s: %s\n", step->node, name);
	else
		buf_printf(all, "disk %zu\n", r->count);
	return 0;
}

/* One name for what all nodes have written, and for the processes that live on without the step. */
static int name_state(struct recorder *r, char ret[HASH_TEXT], size_t *ret_live, uint64_t *bytes,
		      struct err *e)
{
	struct drill *d = r->drill;
	GUARD_BUF struct buf all = { 0 };
	*bytes = 0;
	*ret_live = 0;
	for (size_t i = 0; i < d->plan->node_count; i++) {
		char one[HASH_TEXT];
		struct upper_size size;
		if (d->plan->nodes[i].disk.given) {
			if (name_disk(r, i, &all, e) < 0)
				return -1;
			continue;
		}
		if (upper_digest(d->nodes[i].node, r->caches[i], one, &size, e) < 0)
			return -1;
		*bytes += size.bytes;
		if (outside_look(&r->outside[i], d->nodes[i].node, &size, e) < 0)
			return -1;
		buf_printf(&all, "%s\n", one);
		if (live_set(d, i, &all, ret_live, e) < 0)
			return -1;
	}
	hash_text(buf_str(&all), all.len, ret);
	return 0;
}

static bool is_wanted(const struct recorder *r, const char *key)
{
	return point_hashes_have(r->spec->wanted, r->spec->wanted_count,
				 point_hash(r->in_rollback, r->step, key));
}

static int exchange(struct recorder *r, const struct offer *o, struct offer_reply *reply,
		    struct err *e)
{
	if (send(r->spec->offer_fd, o, sizeof(*o), MSG_NOSIGNAL) != (ssize_t)sizeof(*o))
		return ERR(e, errno, "offer a point");
	if (reply == NULL)
		return 0;
	struct pollfd p = { .fd = r->spec->offer_fd, .events = POLLIN };
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	if (recv(r->spec->offer_fd, reply, sizeof(*reply), 0) != (ssize_t)sizeof(*reply))
		return ERR(e, errno, "wait for the reply to an offered point");
	return 0;
}

static int copy_nodes(struct recorder *r, const char *dir, struct err *e)
{
	struct drill *d = r->drill;
	for (size_t i = 0; i < d->plan->node_count; i++) {
		GUARD(mem) char *to = mem_printf("%s/%s", dir, d->nodes[i].plan->name);
		if (mkdir(to, 0700) < 0)
			return ERR(e, errno, "make '%s'", to);
		if (upper_copy(d->nodes[i].node, to, e) < 0)
			return err_prefix(e, "copy the state of node '%s'", d->nodes[i].plan->name);
	}
	return 0;
}

/* The journal so far but for its first line, which is the recording's own. */
static int copy_journal(struct recorder *r, const char *dir, struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	GUARD(mem) char *from = mem_printf("%s/journal.jsonl", r->drill->spec->dir);
	GUARD(mem) char *to = mem_printf("%s/" PREFIX_FILE, dir);
	if (io_read_file(AT_FDCWD, from, PREFIX_MAX, &text, e) < 0)
		return -1;
	const char *nl = memchr(buf_str(&text), '\n', text.len);
	if (nl == NULL)
		return ERR(e, 0, "the recording's journal has no line yet");
	size_t skip = (size_t)(nl - buf_str(&text)) + 1;
	GUARD(fd) int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return ERR(e, errno, "create '%s'", to);
	return io_write_all(fd, buf_str(&text) + skip, text.len - skip, e);
}

static int take(struct recorder *r, const char *dir, struct offer *o, struct err *e)
{
	char again[HASH_TEXT];
	size_t live;
	o->kind = OFFER_TAKEN;
	if (copy_nodes(r, dir, e) < 0 || copy_journal(r, dir, e) < 0 ||
	    name_state(r, again, &live, &o->bytes, e) < 0)
		return -1;
	/* Processes that run beside the held one may have written into the copy. */
	o->ok = strcmp(again, o->state) == 0;
	return 0;
}

static int offer(struct recorder *r, struct offer *o, struct err *e)
{
	struct offer_reply reply;
	if (exchange(r, o, &reply, e) < 0)
		return -1;
	if (!reply.take)
		return 0;
	return take(r, reply.dir, o, e) < 0 ? -1 : exchange(r, o, NULL, e);
}

static const char *outside_why(const struct recorder *r)
{
	for (size_t i = 0; i < r->drill->plan->node_count; i++)
		if (r->outside[i].why != NULL)
			return r->outside[i].why;
	return NULL;
}

static int write_point(struct recorder *r, const struct offer *o, size_t live, struct err *e)
{
	GUARD_BUF struct buf line = { 0 };
	const struct step_plan *step = plan_step(r->drill->plan, r->in_rollback, r->step);
	buf_printf(&line, "{\"n\":%u,\"section\":\"%s\",\"index\":%zu,\"step\":", o->n,
		   r->in_rollback ? "rollback" : "patch", r->step);
	buf_json(&line, step->name);
	buf_puts(&line, ",\"key\":");
	buf_json(&line, o->key);
	buf_puts(&line, ",\"detail\":");
	buf_json(&line, o->detail);
	if (o->state[0] != '\0')
		buf_printf(&line, ",\"state\":\"%s\",\"live\":%zu", o->state, live);
	if (outside_why(r) != NULL) {
		buf_puts(&line, ",\"outside\":");
		buf_json(&line, outside_why(r));
	}
	buf_puts(&line, "}\n");
	if (fwrite(line.data, 1, line.len, r->out) != line.len)
		return ERR(e, errno, "write " POINTS_FILE);
	return 0;
}

static int record(struct recorder *r, const char *key, const char *detail, struct err *e)
{
	struct offer o = { .kind = OFFER_POINT,
			   .n = (uint32_t)r->count,
			   .step = (uint32_t)r->step,
			   .in_rollback = r->in_rollback };
	size_t live = 0;
	/* Once it is known which are wanted, a look at all files tells nothing of the others. */
	bool wanted = r->spec->wanted == NULL || is_wanted(r, key);
	if (r->count >= POINTS_MAX)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "the workflow meets more than %d points; narrow it by --points "
			      "programs or --in patch",
			      POINTS_MAX);
	(void)snprintf(o.key, sizeof(o.key), "%s", key);
	(void)snprintf(o.detail, sizeof(o.detail), "%s", detail);
	int64_t begin = clock_now();
	o.t = journal_time(r->drill->journal, begin);
	journal_pause(r->drill->journal);
	int result = wanted ? name_state(r, o.state, &live, &o.bytes, e) : 0;
	r->count++;
	if (result == 0)
		result = write_point(r, &o, live, e);
	if (result == 0 && r->spec->offer_fd >= 0 && r->spec->wanted != NULL && wanted)
		result = offer(r, &o, e);
	journal_go_on(r->drill->journal);
	r->held += clock_now() - begin;
	return result;
}

static void stop(struct recorder *r)
{
	point_watch_tell(r->current, false);
	loop_stop(r->drill->loop, r->trouble.why);
}

static bool on_point(void *arg, const struct point_event *ev)
{
	struct recorder *r = arg;
	if (err_is_set(&r->trouble))
		return false;
	const char *name = plan_step(r->drill->plan, r->in_rollback, r->step)->node;
	if (record(r, ev->key, ev->detail, &r->trouble) < 0)
		stop(r);
	outside_pass(&r->outside[drill_node(r->drill, name) - r->drill->nodes], ev->key);
	return false;
}

int recorder_create(struct recorder **ret, struct drill *d, struct err *e)
{
	const struct record_spec *spec = d->spec->record;
	if (spec == NULL)
		return 0;
	struct recorder *r = mem_alloc(sizeof(*r));
	*ret = r; /* the drill destroys it, however far this gets */
	r->drill = d;
	r->spec = spec;
	r->watches = mem_array(d->plan->node_count, sizeof(struct point_watch *));
	r->caches = mem_array(d->plan->node_count, sizeof(struct upper_cache *));
	r->outside = mem_array(d->plan->node_count, sizeof(*r->outside));
	for (size_t i = 0; i < d->plan->node_count; i++)
		r->caches[i] = upper_cache_create();
	GUARD(mem) char *path = mem_printf("%s/" POINTS_FILE, d->spec->dir);
	r->out = fopen(path, "wxe");
	return r->out == NULL ? ERR(e, errno, "create '%s'", path) : 0;
}

void recorder_destroy(struct recorder *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->drill->plan->node_count; i++) {
		point_watch_destroy(r->watches[i]);
		upper_cache_destroy(r->caches[i]);
	}
	if (r->out != NULL)
		(void)fclose(r->out);
	free(r->watches);
	free(r->caches);
	free(r->outside);
	free(r);
}

bool recorder_records(const struct recorder *r, bool in_rollback)
{
	return r != NULL && (in_rollback ? r->spec->in_rollback : r->spec->in_patch);
}

int recorder_enter(struct recorder *r, bool in_rollback, size_t index, struct err *e)
{
	if (!recorder_records(r, in_rollback))
		return 0;
	struct drill *d = r->drill;
	const struct step_plan *step = plan_step(d->plan, in_rollback, index);
	struct drill_node *at = drill_node(d, step->node);
	struct point_watch **w = &r->watches[at - d->nodes];
	r->in_rollback = in_rollback;
	r->step = index;
	r->lines = 0;
	r->entered = true;
	if (r->spec->steps && record(r, POINT_STEP_STARTS, POINT_STEP_STARTS, e) < 0)
		return -1;
	if (r->spec->kinds == 0)
		return 0;
	if (*w == NULL &&
	    point_watch_create(w, d->loop, at->node, r->spec->kinds, on_point, r, e) < 0)
		return -1;
	r->current = *w;
	return point_watch_enter(*w, e);
}

const struct filter *recorder_filter(struct recorder *r)
{
	return r == NULL || r->current == NULL ? NULL : point_watch_filter(r->current);
}

int recorder_started(struct recorder *r, struct proc *step, struct err *e)
{
	return r == NULL || r->current == NULL ? 0 : point_watch_started(r->current, step, e);
}

int recorder_leave(struct recorder *r, struct err *e)
{
	if (r == NULL || !r->entered)
		return 0;
	r->entered = false;
	if (r->current != NULL)
		point_watch_leave(r->current);
	r->current = NULL;
	if (err_is_set(&r->trouble)) {
		*e = r->trouble;
		return -1;
	}
	return r->spec->steps ? record(r, POINT_STEP_ENDS, POINT_STEP_ENDS, e) : 0;
}

void recorder_line(struct recorder *r, const char *text)
{
	char key[64];
	if (r == NULL || !r->entered || !r->spec->lines || err_is_set(&r->trouble))
		return;
	(void)snprintf(key, sizeof(key), POINT_LINE "%zu", ++r->lines);
	if (record(r, key, text, &r->trouble) < 0)
		loop_stop(r->drill->loop, r->trouble.why);
}

int64_t recorder_held(const struct recorder *r)
{
	return r != NULL ? r->held : 0;
}

int recorder_end(struct recorder *r, struct err *e)
{
	if (r == NULL || r->out == NULL)
		return 0;
	FILE *out = r->out;
	r->out = NULL;
	if (fclose(out) != 0)
		return ERR(e, errno, "write " POINTS_FILE);
	journal_put(r->drill->journal, EVENT_RECORDED, F_INT("points", r->count),
		    F_STR("file", POINTS_FILE));
	return 0;
}
