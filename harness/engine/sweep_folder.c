/* SPDX-License-Identifier: MIT */
/* A sweep's own file in the run folder, and the values that reports read. sweep.json holds what no
 * journal says: how each class is drilled and why, how long it took, what cut it short. Verdicts
 * are judged anew from the journals, points read anew from the recordings. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/sweep_folder.h"
#include "harness/engine/sweep_private.h"

static void put_member(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "\"%s\":", name);
	buf_json(out, value);
}

void sweep_ask_json(const struct sweep_ask *a, struct buf *out)
{
	buf_puts(out, "\"sweep\":{");
	put_member(out, "strike", a->strike);
	buf_putc(out, ',');
	put_member(out, "points", a->points);
	buf_putc(out, ',');
	put_member(out, "in", a->in);
	buf_printf(
		out,
		",\"reduce\":%s,\"branch\":%s,\"pairs\":%s,\"retry_patch\":%s,\"shard\":[%u,%u]}",
		a->no_reduce ? "false" : "true", a->no_branch ? "false" : "true",
		a->pairs ? "true" : "false", a->retry_patch ? "true" : "false", a->shard.index,
		a->shard.total);
}

static size_t drilled(const struct sweeping *w)
{
	size_t n = 0;
	for (size_t i = 0; i < w->class_count; i++)
		n += w->classes[i].item >= 0;
	return n;
}

/* Every class has its drill, and the last recordings met nothing new. */
static bool complete(const struct sweeping *w)
{
	return drilled(w) == w->class_count && w->unknown == 0;
}

int sweep_write(const struct sweeping *w, struct err *e)
{
	GUARD_BUF struct buf b = { 0 };
	GUARD(mem) char *path = mem_printf("%s/" SWEEP_FILE, w->s.dir);
	sweep_ask_json(&w->ask, &b);
	GUARD(mem) char *ask = buf_take(&b);
	buf_printf(&b, "{%s,\"jobs\":%u,\"took\":%lld,\"complete\":%s,\"cut\":", ask, w->jobs,
		   (long long)w->took, complete(w) ? "true" : "false");
	if (w->cut != NULL)
		buf_json(&b, w->cut);
	else
		buf_puts(&b, "null");
	buf_puts(&b, ",\"notes\":[");
	for (size_t i = 0; i < w->note_count; i++) {
		buf_puts(&b, i > 0 ? "," : "");
		buf_json(&b, w->notes[i]);
	}
	buf_puts(&b, "],\"classes\":[");
	for (size_t i = 0; i < w->class_count; i++) {
		const struct swept *c = &w->classes[i];
		buf_printf(&b, "%s\n{\"first\":%zu,\"how\":\"%s\",\"why\":", i > 0 ? "," : "",
			   c->first, sweep_how_names[c->how]);
		buf_json(&b, c->why);
		buf_puts(&b, "}");
	}
	buf_puts(&b, "]}\n");
	return io_write_file(AT_FDCWD, path, b.data, b.len, 0644, e);
}

int sweep_sync(const struct sweeping *w, struct err *e)
{
	GUARD(fd) int fd = open(w->s.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && syncfs(fd) == 0 ? 0 : ERR(e, errno, "sync '%s'", w->s.dir);
}

static const char *copy(struct arena *a, const char *s)
{
	return s != NULL ? arena_strdup(a, s) : NULL;
}

static struct sweep_point *points_of(struct arena *a, const struct point_list *l)
{
	struct sweep_point *ret = arena_alloc(a, (l->count + 1) * sizeof(*ret));
	for (size_t i = 0; i < l->count; i++)
		ret[i] = (struct sweep_point){
			.key = copy(a, l->items[i].key),
			.step = copy(a, l->items[i].step),
			.in_rollback = l->items[i].in_rollback,
			.unstable = l->items[i].unstable,
			.cls = l->items[i].cls,
			.pair = l->items[i].after != POINT_ALONE,
			.after = l->items[i].after != POINT_ALONE ? l->items[i].after : 0,
		};
	return ret;
}

/* What running the patch once more has come to, in its own words. */
static void put_retries(struct arena *a, const struct sweeping *w, struct sweep *s)
{
	const struct run_view *v = run_view(w->s.run);
	struct sweep_retry *ret = arena_alloc(a, (w->class_count + 1) * sizeof(*ret));
	for (size_t i = 0; i < w->class_count; i++) {
		if (w->classes[i].retry < 0)
			continue;
		const struct run_item *it = &v->items[w->classes[i].retry];
		const struct event *ev = journal_find(it->journal, EVENT_PATCH_AGAIN, 0);
		ret[s->retry_count++] = (struct sweep_retry){
			.cls = i,
			.label = it->label,
			.tried = ev != NULL && it->verdict.pass,
			.ok = ev != NULL && json_get_bool(ev->fields, "ok", false),
			.why = copy(a, ev != NULL ? json_get_string(ev->fields, "why", NULL)
						  : it->verdict.why),
		};
	}
	s->retries = ret;
}

int sweep_publish(struct sweeping *w, struct err *e)
{
	struct run *run = w->s.run;
	const struct run_view *v = run_view(run);
	struct arena *a = run_arena(run);
	/* Once: what is written behind it has to say the same. */
	w->took = w->began > 0 ? clock_now() - w->began + w->before : w->before;
	struct sweep *s = arena_alloc(a, sizeof(*s));
	struct sweep_class *classes = arena_alloc(a, (w->class_count + 1) * sizeof(*classes));
	for (size_t i = 0; i < w->class_count; i++) {
		const struct swept *c = &w->classes[i];
		if (sweep_pairs_shrink(w, i, NULL, e) < 0)
			return -1;
		const int item = sweep_item(w, i);
		classes[i] = (struct sweep_class){
			.first = c->first,
			.points = c->points,
			.how = c->how,
			.why = copy(a, c->why),
			.label = item >= 0 ? v->items[item].label : NULL,
			.verdict = item >= 0 ? &v->items[item].verdict : NULL,
			.kept = item >= 0 && v->items[item].kept,
			.confirmed =
				c->again >= 0 ? v->items[c->again].verdict.outcome : OUTCOME_COUNT,
			.second = c->alone,
			.second_label = c->second >= 0 ? v->items[c->second].label : NULL,
		};
	}
	const char **notes = arena_alloc(a, (w->note_count + 1) * sizeof(*notes));
	for (size_t i = 0; i < w->note_count; i++)
		notes[i] = copy(a, w->notes[i]);
	*s = (struct sweep){
		.strike = copy(a, w->ask.strike),
		.kinds = copy(a, w->ask.points),
		.section = copy(a, w->ask.in),
		.points = points_of(a, &w->list),
		.point_count = w->list.count,
		.classes = classes,
		.class_count = w->class_count,
		.pairs = w->ask.pairs,
		.spoilt = w->spoilt,
		.reduced = w->class_count < w->list.count || !w->ask.no_reduce,
		.complete = complete(w),
		.cut = copy(a, w->cut),
		.took = w->took,
		.jobs = w->jobs,
		.cores = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
		.notes = notes,
		.note_count = w->note_count,
	};
	if (s->cut == NULL && w->ask.shard.total > 1)
		s->cut = arena_printf(a, "shard %u of %u", w->ask.shard.index, w->ask.shard.total);
	put_retries(a, w, s);
	sweep_group_all(a, s);
	run_set_sweep(run, s);
	return 0;
}
