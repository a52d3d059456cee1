/* SPDX-License-Identifier: MIT */
#include "harness/engine/sweep.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/engine/catalog.h"
#include "harness/engine/needs.h"
#include "harness/engine/roots.h"
#include "harness/engine/sweep_folder.h"
#include "harness/engine/sweep_private.h"
#include "harness/sandbox/host.h"
#include "harness/sandbox/pointwatch.h"

enum {
	PASS_FIRST = 32, /* classes of the first pass under a budget; each next has twice as many */
	CONFIRM_MAX = 24, /* findings that are struck once more from the start */
};

void sweep_say(struct sweeping *w, const char *fmt, ...)
{
	char text[ERR_WHY_MAX];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	session_note(&w->s, text);
	if (w->note_count < SWEEP_NOTES_MAX)
		w->notes[w->note_count++] = arena_strdup(w->arena, text);
}

bool sweep_over(struct sweeping *w)
{
	if (w->cut == NULL && *w->s.interrupted != 0)
		w->cut = "interrupted";
	if (w->cut == NULL && w->until != 0 && clock_now() >= w->until)
		w->cut = "the budget is used up";
	return w->cut != NULL;
}

void sweep_tell(struct sweeping *w)
{
	struct sweep_progress p = {
		.points_total = w->list.count,
		.started = w->began,
		.now = clock_now(),
		.jobs = w->jobs,
	};
	const struct run_view *v = run_view(w->s.run);
	for (size_t i = 0; i < w->class_count; i++) {
		const struct swept *c = &w->classes[i];
		p.drills_total += !c->skip;
		if (c->item < 0 || c->busy)
			continue;
		p.drills_done++;
		p.points_done += c->points;
		p.failing_points += v->items[c->item].verdict.pass ? 0 : c->points;
		p.failing_drills += !v->items[c->item].verdict.pass;
	}
	if (w->watch->progress != NULL)
		w->watch->progress(w->watch->arg, &p);
}

struct record_spec sweep_record(const struct sweeping *w)
{
	const char *points = w->ask.points;
	bool calls = strcmp(points, "calls") == 0, edges = strcmp(points, "steps") == 0;
	bool lines = strcmp(points, "lines") == 0;
	/* A strike that answers a call has nothing to answer where a program starts. */
	unsigned with_calls = w->strike.needs_call ? POINTS_CALLS : POINTS_CALLS | POINTS_PROGRAMS;
	return (struct record_spec){
		.kinds = edges || lines ? 0U
			 : calls        ? with_calls
					: POINTS_PROGRAMS,
		.steps = edges,
		.lines = lines,
		.in_patch = strcmp(w->ask.in, "rollback") != 0,
		.in_rollback = strcmp(w->ask.in, "patch") != 0,
		.power = w->strike.leaves == LEAVES_DURABLE,
		.offer_fd = -1,
	};
}

/* `record`: NULL for the run whose rollback runs twice. */
static int clean_run(struct sweeping *w, char letter, const struct record_spec *record,
		     struct err *e)
{
	struct one_drill d;
	if (one_drill_make(&d, &w->s, (struct drill_id){ ROLE_CONTROL, NULL, letter }, e) < 0)
		return -1;
	d.spec.record = record;
	d.spec.rollback_twice = letter == CONTROL_TWICE;
	int item = one_drill_run(&w->s, &d, e);
	one_drill_free(&d);
	return item < 0 ? -1 : 0;
}

/* Classes still to be drilled in this way, in the order of `w->order`. */
static size_t pending(const struct sweeping *w, enum sweep_how how, size_t *ret, size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < w->class_count && n < max; i++) {
		const struct swept *c = &w->classes[w->order[i]];
		if (c->how == how && c->item < 0 && !c->skip && !c->busy)
			ret[n++] = w->order[i];
	}
	return n;
}

/* Under a budget pass by pass, so that each beginning of the order is drilled before the next. */
static int drill_branches(struct sweeping *w, struct err *e)
{
	size_t max = w->o->budget > 0 ? PASS_FIRST : w->class_count;
	GUARD(mem) size_t *some = mem_array(w->class_count + 1, sizeof(*some));
	for (; !sweep_over(w); max *= 2) {
		size_t n = pending(w, SWEEP_BRANCH, some, max);
		if (n == 0)
			break;
		if (sweep_pass(w, some, n, e) < 0)
			return -1;
	}
	return 0;
}

/* Until fewer than so many run; 1: until all have ended and are taken in. */
static int wait_jobs(struct sweeping *w, size_t below, struct err *e)
{
	while (below > 1 ? w->active >= below : w->work != NULL) {
		if (pool_turn(w->s.pool, INT64_MAX, e) < 0 || sweep_reap(w, e) < 0)
			return -1;
		sweep_tell(w);
	}
	return 0;
}

static int drill_reruns(struct sweeping *w, struct err *e)
{
	size_t next;
	while (!sweep_over(w) && pending(w, SWEEP_RERUN, &next, 1) == 1)
		if (sweep_start_rerun(w, next, TRY_CLASS, e) < 0 || wait_jobs(w, w->jobs, e) < 0)
			return -1;
	return wait_jobs(w, 1, e);
}

/* A branch's window has the slowness of its recording in it, and that of a drill whose rollback is
 * recorded too: whether a drill is late is for a real strike alone to say. */
static bool is_slowed(const struct sweeping *w, const struct swept *c)
{
	return c->how == SWEEP_BRANCH || (w->ask.pairs && !w->list.items[c->first].in_rollback);
}

static int retry_late(struct sweeping *w, struct err *e)
{
	const struct run_view *v = run_view(w->s.run);
	for (size_t i = 0; i < w->class_count && *w->s.interrupted == 0; i++) {
		const struct swept *c = &w->classes[i];
		if (!is_slowed(w, c) || c->item < 0 || c->again >= 0 ||
		    v->items[c->item].verdict.outcome != OUTCOME_LATE)
			continue;
		if (sweep_start_rerun(w, i, TRY_AGAIN, e) < 0 || wait_jobs(w, w->jobs, e) < 0)
			return -1;
	}
	return wait_jobs(w, 1, e);
}

/* The first point of each defect that a branch has found, struck for real. */
static int confirm(struct sweeping *w, struct err *e)
{
	const struct sweep *s = run_view(w->s.run)->sweep;
	for (size_t i = 0; i < s->group_count && i < CONFIRM_MAX && *w->s.interrupted == 0; i++) {
		size_t cls = s->groups[i].classes[0];
		const struct swept *c = &w->classes[cls];
		if (c->how != SWEEP_BRANCH || c->again >= 0)
			continue;
		if (sweep_start_rerun(w, cls, TRY_AGAIN, e) < 0 || wait_jobs(w, w->jobs, e) < 0)
			return -1;
	}
	return wait_jobs(w, 1, e);
}

static size_t step_of(const struct sweeping *w, const struct point *p)
{
	const size_t step = p->step_index * 2 + p->in_rollback;
	return p->after == POINT_ALONE
		       ? step
		       : step * PLAN_STEPS_MAX +
				 w->list.items[w->classes[p->after].first].step_index;
}

/* Of the classes from `from` on, behind those that have their order. */
static void put_in_order(struct sweeping *w, size_t from)
{
	const size_t n = w->class_count - from;
	GUARD(mem) size_t *step = mem_array(n + 1, sizeof(*step));
	w->order = mem_grow(w->order, w->class_count + 1, sizeof(*w->order));
	size_t *order = w->order + from;
	for (size_t i = 0; i < n; i++) {
		order[i] = i;
		step[i] = step_of(w, &w->list.items[w->classes[from + i].first]);
	}
	if (w->o->budget > 0) {
		sweep_order(order, n, w->s.seed);
		sweep_order_each(order, n, step);
	}
	for (size_t i = 0; i < n; i++)
		order[i] += from;
}

static int drill_second(struct sweeping *w, size_t cls, struct err *e)
{
	if (*w->s.interrupted != 0)
		return 0;
	return sweep_start_rerun(w, cls, TRY_SECOND, e) < 0 ? -1 : wait_jobs(w, 1, e);
}

/* Of the first pair of each defect: whether it takes both strikes. */
static int shrink_pairs(struct sweeping *w, struct err *e)
{
	const struct sweep *s = run_view(w->s.run)->sweep;
	for (size_t i = 0; i < s->group_count && i < CONFIRM_MAX && *w->s.interrupted == 0; i++)
		if (sweep_pairs_shrink(w, s->groups[i].classes[0], drill_second, e) < 0)
			return -1;
	return 0;
}

/* Behind the last class of each sort that came back: there most of the patch had been done. */
static int retry_patch(struct sweeping *w, struct err *e)
{
	static const enum outcome back[] = { OUTCOME_RESTORED, OUTCOME_HARMLESS };
	const struct run_view *v = run_view(w->s.run);
	for (size_t k = 0; w->ask.retry_patch && k < sizeof(back) / sizeof(back[0]); k++) {
		for (size_t i = w->singles; i-- > 0 && *w->s.interrupted == 0;) {
			const int item = sweep_item(w, i);
			if (item < 0 || v->items[item].verdict.outcome != back[k] ||
			    w->list.items[w->classes[i].first].in_rollback)
				continue;
			if (w->classes[i].retry < 0 &&
			    (sweep_start_rerun(w, i, TRY_PATCH, e) < 0 || wait_jobs(w, 1, e) < 0))
				return -1;
			break;
		}
	}
	return 0;
}

/* A rollback that is to be run again after a strike is to stand it without one, too. */
static int roll_back_twice(struct sweeping *w, struct err *e)
{
	const bool asked = strcmp(w->ask.in, "patch") != 0 && sweep_strike_leaves_state(&w->strike);
	if (!asked || *w->s.interrupted != 0 || run_has_control(w->s.run, CONTROL_TWICE))
		return 0;
	w->s.total++;
	return clean_run(w, CONTROL_TWICE, NULL, e);
}

/* Behind all others, since these tell of which points they are made. */
static int drill_pairs(struct sweeping *w, struct err *e)
{
	if (sweep_pairs_list(w, e) < 0)
		return -1;
	put_in_order(w, w->singles);
	sweep_tell(w);
	return sweep_start_knockouts(w, e) < 0 ? -1 : drill_reruns(w, e);
}

static int sweep_all(struct sweeping *w, struct err *e)
{
	if (sweep_classify(w, e) < 0)
		return -1;
	sweep_base_states(w);
	put_in_order(w, 0);
	if (sweep_resume(w, e) < 0)
		return -1;
	w->took = w->before;
	w->began = clock_now();
	w->until = w->o->budget > 0 ? w->began + w->o->budget : 0;
	sweep_tell(w);
	if (sweep_write(w, e) < 0 || roll_back_twice(w, e) < 0 || sweep_start_knockouts(w, e) < 0 ||
	    drill_branches(w, e) < 0 || drill_reruns(w, e) < 0)
		return -1;
	if (retry_late(w, e) < 0 || drill_pairs(w, e) < 0 || sweep_publish(w, e) < 0 ||
	    confirm(w, e) < 0 || shrink_pairs(w, e) < 0 || retry_patch(w, e) < 0)
		return -1;
	sweep_say_kept(w);
	if (sweep_publish(w, e) < 0 || sweep_sync(w, e) < 0)
		return -1;
	return sweep_write(w, e);
}

static int make_drills(struct sweeping *w, struct err *e)
{
	const struct record_spec spec = sweep_record(w);
	w->s.total = 2;
	for (char letter = 'a'; letter <= 'b'; letter++)
		if (*w->s.interrupted == 0 && !run_has_control(w->s.run, letter) &&
		    clean_run(w, letter, &spec, e) < 0)
			return -1;
	if (run_conclude(w->s.run, e) < 0)
		return -1;
	if (*w->s.interrupted == 0 && run_worth_drilling(w->s.run) && sweep_all(w, e) < 0)
		return -1;
	return run_conclude(w->s.run, e);
}

static unsigned processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 0 ? (unsigned)n : 1;
}

/* An interrupted sweep's folder with what is whole in it. */
static int reopen(struct sweeping *w, struct err *e)
{
	const char *seed = NULL;
	const char *dir = w->o->resume;
	if (sweep_folder_ask(dir, w->arena, &w->ask, &seed, e) < 0 ||
	    sweep_folder_prune(dir, e) < 0 || run_load(&w->s.run, dir, e) < 0)
		return -1;
	w->s.plan = run_view(w->s.run)->plan;
	return session_seed(&w->s, seed, e);
}

static int load(struct sweeping *w, struct err *e)
{
	const struct run_options *o = &w->o->run;
	struct plan_options options = { .rollback = o->rollback, .vars = o->vars };
	if (w->o->resume != NULL)
		return reopen(w, e);
	if (plan_load(&w->s.doc, o->scenario, catalog_get(), &options, e) < 0)
		return -1;
	w->s.plan = plan_get(w->s.doc);
	return session_seed(&w->s, o->seed, e);
}

static int set_up(struct sweeping *w, struct err *e)
{
	GUARD_BUF struct buf more = { 0 };
	struct session *s = &w->s;
	const struct roots_note note = { session_note, s, s->runs_dir };
	uint64_t needs = host_needs(s->plan) | HOST_BIT(HOST_SECCOMP) | HOST_BIT(HOST_FANOTIFY);
	if (sweep_strike_parse(&w->strike, w->ask.strike, s->plan, e) < 0 ||
	    sweep_strike_fits(&w->strike, w->ask.points, e) < 0 ||
	    (s->doc != NULL && sweep_strike_try(&w->strike, s->doc, s->plan, e) < 0))
		return -1;
	if (w->ask.pairs && strcmp(w->ask.in, "rollback") == 0)
		return ERR_AS(
			e, EXIT_USAGE_ERROR, 0,
			"--pairs: the first strike of a pair is in the patch; take --in patch or "
			"both");
	if (host_require(needs, s->state_dir, e) < 0)
		return -1;
	if (session_own(s, e) < 0 || roots_prepare(s->owner, s->plan, &note, &s->roots, e) < 0 ||
	    sweep_place(w, e) < 0)
		return -1;
	if (w->o->resume != NULL)
		return session_reopen(s, w->o->resume, e);
	sweep_ask_json(&w->ask, &more);
	return session_folder(s, buf_str(&more), e);
}

int sweep_execute(struct run **ret, const struct sweep_options *o, const struct sweep_watch *watch,
		  int *interrupted, struct err *e)
{
	const char *notes[SWEEP_NOTES_MAX];
	struct sweeping w = {
		.s = { .dir = o->run.dir != NULL ? mem_strdup(o->run.dir) : NULL,
		       .state_dir = o->run.state_dir,
		       .runs_dir = o->run.runs_dir,
		       .progress = watch->run,
		       .unsynced = true,
		       .interrupted = interrupted },
		.o = o,
		.ask = o->ask,
		.watch = watch,
		.jobs = o->jobs > 0 ? o->jobs : processors(),
		.arena = arena_create(),
		.notes = notes,
	};
	*interrupted = 0;
	int result = load(&w, e);
	if (result == 0)
		result = set_up(&w, e) < 0 ? -1 : make_drills(&w, e);
	pool_destroy(w.s.pool);
	w.s.pool = NULL;
	sweep_leave_place(&w);
	result = session_disown(&w.s, result, e);
	sweep_drop_jobs(&w);
	session_close(&w.s);
	sweep_strike_free(&w.strike);
	point_list_free(&w.list);
	free(w.classes);
	free(w.order);
	arena_destroy(w.arena);
	if (result == 0)
		*ret = w.s.run;
	else
		run_free(w.s.run);
	return result;
}
