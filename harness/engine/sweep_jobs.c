/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/branch.h"
#include "harness/engine/sweep_folder.h"
#include "harness/engine/sweep_private.h"

struct sweep_job {
	struct sweep_job *next;
	struct sweeping *sweeping;
	size_t cls;
	enum sweep_try try;
	struct one_drill drill;
	struct branch_spec branch;
	struct branch_copy copy; /* a branch's */
	char *knockout_dir;
	bool over;
	struct err died;
};

static void job_free(struct sweep_job *j)
{
	one_drill_free(&j->drill);
	free(j->copy.dir);
	free(j->knockout_dir);
	free(j);
}

static void ended(void *arg, const struct err *died)
{
	struct sweep_job *j = arg;
	j->over = true;
	j->died = *died;
	j->sweeping->active--;
}

/* Classes whose drills did not pass and have ended: those that are kept, or are not. */
static size_t count_kept(const struct sweeping *w, bool kept)
{
	const struct run_view *v = run_view(w->s.run);
	size_t n = 0;
	for (size_t i = 0; i < w->class_count; i++) {
		const struct swept *c = &w->classes[i];
		if (c->item >= 0 && !c->busy && !v->items[c->item].verdict.pass)
			n += v->items[c->item].kept == kept;
	}
	return n;
}

/* The verdict of a class's drill is final. */
static int settle(struct sweeping *w, size_t cls, struct err *e)
{
	struct swept *c = &w->classes[cls];
	bool room = count_kept(w, true) < SWEEP_KEPT_MAX; /* it counts as busy yet */
	c->busy = false;
	return w->o->run.keep && c->item >= 0 ? run_settle_kept(w->s.run, c->item, room, e) : 0;
}

void sweep_say_kept(struct sweeping *w)
{
	size_t not_kept = count_kept(w, false);
	if (w->o->run.keep)
		sweep_say(w,
			  "kept: what the nodes had written in %zu drills that did not pass; not "
			  "kept: %zu (a sweep keeps %d at most)",
			  count_kept(w, true), not_kept, SWEEP_KEPT_MAX);
}

static int start(struct sweeping *w, struct sweep_job *j, struct err *e)
{
	const struct worker_hooks hooks = { NULL, ended, j };
	j->drill.spec.base_states = w->bases;
	j->drill.spec.keep = w->o->run.keep && j->try == TRY_CLASS &&
			     j->drill.id.role == ROLE_DRILL && count_kept(w, true) < SWEEP_KEPT_MAX;
	if (pool_start(w->s.pool, &j->drill.spec, &hooks, e) < 0) {
		job_free(j);
		return -1;
	}
	j->next = w->work;
	w->work = j;
	w->active++;
	w->classes[j->cls].busy = true;
	return 0;
}

static struct sweep_job *job_new(struct sweeping *w, size_t cls, enum sweep_try t)
{
	struct sweep_job *j = mem_alloc(sizeof(*j));
	j->sweeping = w;
	j->cls = cls;
	j->try = t;
	return j;
}

static int make_knockout_dir(struct sweeping *w, struct sweep_job *j, struct err *e)
{
	const struct fault_plan *f = j->drill.id.fault;
	GUARD(mem) char *label = run_label(ROLE_KNOCKOUT, f, 0);
	j->knockout_dir = mem_printf("%s/%s", w->s.dir, label);
	if (io_mkdirs(j->knockout_dir, 0755, e) < 0 ||
	    fault_file_write(j->knockout_dir, f, !j->drill.spec.unsynced, e) < 0)
		return -1;
	j->branch.knockout_dir = j->knockout_dir;
	return 0;
}

/* Pairs are made of the rollback behind a strike. */
static void record_behind(struct sweeping *w, struct sweep_job *j)
{
	const struct point *p = &w->list.items[w->classes[j->cls].first];
	if (!w->ask.pairs || p->in_rollback)
		return;
	w->behind = sweep_record(w);
	w->behind.in_patch = false;
	w->behind.in_rollback = true;
	j->drill.spec.record = &w->behind;
}

int sweep_start_branch(struct sweeping *w, size_t cls, const struct branch_copy *copy,
		       struct err *e)
{
	const struct fault_plan *f = sweep_fault(w, cls, TRY_CLASS, e);
	if (f == NULL)
		return -1;
	struct sweep_job *j = job_new(w, cls, TRY_CLASS);
	j->copy = *copy;
	if (one_drill_make(&j->drill, &w->s, (struct drill_id){ ROLE_DRILL, f, 0 }, e) < 0) {
		job_free(j);
		return -1;
	}
	j->branch = (struct branch_spec){
		.dir = copy->dir,
		.from = copy->from,
		.from_dir = copy->from_dir,
		.key = copy->at.key,
		.detail = copy->at.detail,
		.state = j->copy.at.state,
		.in_rollback = copy->at.in_rollback,
		.step = copy->at.step_index,
		.t = copy->t,
		.reboot = w->strike.leaves == LEAVES_BOOTED,
	};
	/* What a strike in the rollback is measured by is the control. */
	if (!copy->at.in_rollback && (make_knockout_dir(w, j, e) < 0 ||
				      run_controls(w->s.run, &j->branch.controls, e) < 0)) {
		job_free(j);
		return -1;
	}
	j->drill.spec.branch = &j->branch;
	record_behind(w, j);
	return start(w, j, e);
}

static int start_whole(struct sweeping *w, size_t cls, enum sweep_try t, struct drill_id id,
		       struct err *e)
{
	struct sweep_job *j = job_new(w, cls, t);
	if (one_drill_make(&j->drill, &w->s, id, e) < 0) {
		job_free(j);
		return -1;
	}
	j->drill.spec.patch_again = t == TRY_PATCH && id.role == ROLE_DRILL;
	if (t == TRY_CLASS && id.role == ROLE_DRILL)
		record_behind(w, j);
	return start(w, j, e);
}

int sweep_start_rerun(struct sweeping *w, size_t cls, enum sweep_try t, struct err *e)
{
	const struct fault_plan *f = sweep_fault(w, cls, t, e);
	if (f == NULL)
		return -1;
	return start_whole(w, cls, t, (struct drill_id){ ROLE_DRILL, f, 0 }, e);
}

static bool has_journal(const char *dir)
{
	GUARD(mem) char *path = mem_printf("%s/journal.jsonl", dir);
	return access(path, F_OK) == 0;
}

static int add_branch(struct sweeping *w, struct sweep_job *j, struct err *e)
{
	const struct fault_plan *f = j->drill.id.fault;
	struct swept *c = &w->classes[j->cls];
	c->item = run_add(w->s.run, ROLE_DRILL, f, 0, e);
	if (c->item < 0)
		return -1;
	int knockout = -1;
	if (j->knockout_dir != NULL && has_journal(j->knockout_dir)) {
		knockout = run_add(w->s.run, ROLE_KNOCKOUT, f, 0, e);
		if (knockout < 0)
			return -1;
	}
	if (settle(w, j->cls, e) < 0)
		return -1;
	/* Every later drill is a fork of this process. */
	run_forget(w->s.run, c->item);
	if (knockout >= 0)
		run_forget(w->s.run, knockout);
	return io_remove_tree(AT_FDCWD, j->copy.dir, e);
}

static int add_whole(struct sweeping *w, struct sweep_job *j, struct err *e)
{
	struct swept *c = &w->classes[j->cls];
	const struct drill_id *id = &j->drill.id;
	int item = run_add(w->s.run, id->role, id->fault, 0, e);
	if (item < 0)
		return -1;
	if (id->role == ROLE_KNOCKOUT)
		return settle(w, j->cls, e);
	*sweep_slot(c, j->try) = item;
	if (*w->s.interrupted != 0 || !one_drill_needs_knockout(&w->s, item))
		return settle(w, j->cls, e);
	c->busy = false;
	return start_whole(w, j->cls, j->try, (struct drill_id){ ROLE_KNOCKOUT, id->fault, 0 }, e);
}

/* What an interruption has cut is not drilled: nothing of it stays. */
static int add_whole_or_none(struct sweeping *w, struct sweep_job *j, struct err *e)
{
	struct swept *c = &w->classes[j->cls];
	bool whole = true;
	if (*w->s.interrupted != 0 &&
	    sweep_folder_prune_one(w->s.dir, j->drill.id.fault->slug, &whole, e) < 0)
		return -1;
	if (whole)
		return j->drill.spec.branch != NULL ? add_branch(w, j, e) : add_whole(w, j, e);
	*sweep_slot(c, j->try) = -1;
	c->busy = false;
	return 0;
}

/* A drill that was whole when its sweep was killed, and waits for its counter-proof. */
int sweep_start_knockouts(struct sweeping *w, struct err *e)
{
	for (size_t i = 0; i < w->class_count; i++) {
		const struct swept *c = &w->classes[i];
		if (c->item < 0 || run_has_knockout(w->s.run, c->item) ||
		    !one_drill_needs_knockout(&w->s, c->item))
			continue;
		if (start_whole(w, i, TRY_CLASS, (struct drill_id){ ROLE_KNOCKOUT, c->fault, 0 },
				e) < 0)
			return -1;
	}
	return 0;
}

int sweep_reap(struct sweeping *w, struct err *e)
{
	int result = 0;
	for (struct sweep_job **at = &w->work; result == 0 && *at != NULL;) {
		struct sweep_job *j = *at;
		if (!j->over) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		if (err_is_set(&j->died))
			session_note(&w->s, j->died.why);
		result = add_whole_or_none(w, j, e);
		job_free(j);
		at = &w->work; /* a knock-out may have come in front */
	}
	return result;
}

void sweep_drop_jobs(struct sweeping *w)
{
	while (w->work != NULL) {
		struct sweep_job *next = w->work->next;
		job_free(w->work);
		w->work = next;
	}
}
