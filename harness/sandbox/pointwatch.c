/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/pointwatch.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/base/mem.h"
#include "harness/sandbox/execwatch.h"
#include "harness/sandbox/lineage.h"

enum { DETAIL_MAX = 1024 };

/* The calls of one step's programs: told in its step, and served until the watch ends, for some may
 * outlive the step. */
struct served {
	struct served *next;
	struct call_watch *calls;
};

struct point_watch {
	struct loop *loop;
	struct node *node;
	unsigned kinds;
	point_fn fn;
	void *arg;
	bool tells;
	struct filter *filter;
	struct lineage *lineage;
	struct point_tally *tally;
	struct exec_watch *starts; /* NULL: no step */
	struct call_watch *calls;  /* of this step; NULL: none yet */
	struct served *served;     /* all */
};

/* `what` becomes the whole key. */
static bool tell(struct point_watch *w, const struct kin *k, struct buf *what,
		 struct point_event *ev)
{
	char key[POINT_KEY_MAX];
	buf_printf(what, ", in %s", k->chain);
	pointkey_text(key, buf_str(what), point_tally_next(w->tally, buf_str(what)));
	ev->key = key;
	ev->pid = k->pid;
	return w->fn(w->arg, ev);
}

static int inside(const struct kin *k)
{
	return k->pids.count > 0 ? (int)k->pids.pids[0] : 0;
}

/* ---- calls ---- */

static bool on_end(struct point_watch *w, pid_t task)
{
	lineage_keep_children(w->lineage, task);
	lineage_forget(w->lineage, task);
	return false;
}

static bool on_call(void *arg, struct call_stop *c)
{
	struct point_watch *w = arg;
	pid_t task = call_stop_task(c);
	const struct kin *k = lineage_find(w->lineage, task, true);
	if (k == NULL)
		return false; /* killed meanwhile */
	if (call_stop_row(c)->family == CALL_ENDS)
		return on_end(w, task);
	if (!w->tells || call_stop_again(c))
		return false;
	GUARD_BUF struct buf what = { 0 };
	char text[DETAIL_MAX / 2], detail[DETAIL_MAX];
	buf_puts(&what, call_stop_row(c)->name);
	for (size_t i = 0; i < CALL_PATHS_MAX; i++) {
		const char *path = call_stop_path(c, i);
		if (path == NULL)
			continue;
		buf_putc(&what, ' ');
		pointkey_path(&what, path, k->pids);
	}
	call_stop_text(c, text, sizeof(text));
	(void)snprintf(detail, sizeof(detail), "%s by %.300s (pid %d)", text, k->program,
		       inside(k));
	struct point_event ev = { .detail = detail, .call = c };
	return tell(w, k, &what, &ev);
}

/* ---- program starts ---- */

static void on_start(void *arg, const struct exec_event *started)
{
	struct point_watch *w = arg;
	/* First, for this may push the answer about the process itself out. */
	lineage_keep_children(w->lineage, started->pid);
	const struct kin *k = lineage_find(w->lineage, started->pid, false);
	if (k == NULL || !w->tells || (w->kinds & POINTS_PROGRAMS) == 0)
		return;
	GUARD_BUF struct buf what = { 0 };
	char detail[DETAIL_MAX];
	buf_puts(&what, "start ");
	pointkey_path(&what, started->path, k->pids);
	(void)snprintf(detail, sizeof(detail), "start of %.600s by %.300s (pid %d)", started->path,
		       k->chain[0] == '-' ? "the step" : k->program, inside(k));
	struct point_event ev = { .detail = detail, .program = started->path };
	(void)tell(w, k, &what, &ev);
}

/* ---- the watch ---- */

int point_watch_create(struct point_watch **ret, struct loop *loop, struct node *n, unsigned kinds,
		       point_fn fn, void *arg, struct err *e)
{
	struct point_watch *w = mem_alloc(sizeof(*w));
	w->loop = loop;
	w->node = n;
	w->kinds = kinds;
	w->fn = fn;
	w->arg = arg;
	w->lineage = lineage_create(n);
	w->tally = point_tally_create();
	/* Who is whose child is learnt in the same way for both kinds: keys must not differ. */
	if (filter_create(&w->filter, (kinds & POINTS_CALLS) != 0 ? CALL_ALL : CALL_ENDS, e) < 0) {
		point_watch_destroy(w);
		return -1;
	}
	*ret = w;
	return 0;
}

int point_watch_enter(struct point_watch *w, struct err *e)
{
	lineage_begin(w->lineage);
	point_tally_clear(w->tally);
	w->tells = true;
	return exec_watch_create(&w->starts, w->loop, w->node, on_start, w, e);
}

const struct filter *point_watch_filter(struct point_watch *w)
{
	return w->starts != NULL ? w->filter : NULL;
}

int point_watch_started(struct point_watch *w, struct proc *step, struct err *e)
{
	bool killable;
	int listener = proc_take_listener(step, &killable);
	lineage_root(w->lineage, proc_pid(step));
	if (listener < 0)
		return 0;
	struct served *s = mem_alloc(sizeof(*s));
	s->calls = call_watch_create(w->loop, on_call, w);
	s->next = w->served;
	w->served = s;
	w->calls = s->calls;
	call_watch_tell(w->calls, w->tells);
	return call_watch_add(w->calls, listener, e);
}

void point_watch_leave(struct point_watch *w)
{
	exec_watch_destroy(w->starts);
	w->starts = NULL;
	if (w->calls != NULL)
		call_watch_tell(w->calls, false);
	w->calls = NULL;
}

void point_watch_tell(struct point_watch *w, bool on)
{
	w->tells = on;
	if (w->calls != NULL)
		call_watch_tell(w->calls, on);
}

void point_watch_destroy(struct point_watch *w)
{
	if (w == NULL)
		return;
	point_watch_leave(w);
	while (w->served != NULL) {
		struct served *s = w->served;
		w->served = s->next;
		call_watch_destroy(s->calls);
		free(s);
	}
	filter_destroy(w->filter);
	lineage_destroy(w->lineage);
	point_tally_destroy(w->tally);
	free(w);
}
