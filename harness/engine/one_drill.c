/* SPDX-License-Identifier: MIT */
#include "harness/engine/one_drill.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/pool.h"

int one_drill_make_as(struct one_drill *ret, const struct session *s, struct drill_id id,
		      const char *label, struct err *e)
{
	struct one_drill d = { .id = id, .label = mem_strdup(label) };
	d.dir = mem_printf("%s/%s", s->dir, d.label);
	d.name = mem_strdup(d.label);
	for (char *c = d.name; *c != '\0'; c++)
		if (*c == '/')
			*c = '-';
	d.spec = (struct drill_spec){
		.plan = s->plan,
		.fault = id.fault,
		.role = id.role,
		.name = d.name,
		.dir = d.dir,
		.owner = s->owner,
		.roots = s->roots,
		.seed = s->seed,
		.host_json = s->host_json,
		.live_fd = -1,
		.unsynced = s->unsynced && id.role != ROLE_CONTROL,
		.keep = s->keep && id.role == ROLE_DRILL,
	};
	if (io_mkdirs(d.dir, 0755, e) < 0 ||
	    (id.fault != NULL && fault_file_write(d.dir, id.fault, !d.spec.unsynced, e) < 0)) {
		one_drill_free(&d);
		return -1;
	}
	*ret = d;
	return 0;
}

int one_drill_make(struct one_drill *ret, const struct session *s, struct drill_id id,
		   struct err *e)
{
	GUARD(mem) char *label = run_label(id.role, id.fault, id.letter);
	return one_drill_make_as(ret, s, id, label, e);
}

void one_drill_free(struct one_drill *d)
{
	free(d->label);
	free(d->dir);
	free(d->name);
	memset(d, 0, sizeof(*d));
}

int one_drill_run(struct session *s, struct one_drill *d, struct err *e)
{
	const struct run_progress *p = s->progress;
	if (p->begin != NULL)
		p->begin(p->arg, d->label, ++s->index, s->total);
	/* A drill's process that dies leaves an unsealed journal, which is judged as that. */
	struct err died = { 0 };
	if (pool_run(s->pool, &d->spec, p->line, p->arg, &died) < 0)
		session_note(s, died.why);
	int index = run_add(s->run, d->id.role, d->id.fault, d->id.letter, e);
	if (index >= 0 && p->end != NULL)
		p->end(p->arg, &run_view(s->run)->items[index]);
	return index;
}

int one_drill(struct session *s, struct drill_id id, struct err *e)
{
	struct one_drill d;
	if (one_drill_make(&d, s, id, e) < 0)
		return -1;
	int index = one_drill_run(s, &d, e);
	one_drill_free(&d);
	return index;
}

bool one_drill_needs_knockout(const struct session *s, int index)
{
	const struct run_item *item = &run_view(s->run)->items[index];
	/* For a fault inside the rollback the control's patched state serves. */
	return !item->fault->in_rollback && verdict_needs_knockout(&item->verdict);
}

/* The knock-out of a drill that has been judged, which is then judged once more. */
static int knock_out(struct session *s, int index, struct err *e)
{
	const struct fault_plan *fault = run_view(s->run)->items[index].fault;
	s->total++;
	if (one_drill(s, (struct drill_id){ ROLE_KNOCKOUT, fault, 0 }, e) < 0)
		return -1;
	if (s->progress->end != NULL)
		s->progress->end(s->progress->arg, &run_view(s->run)->items[index]);
	return 0;
}

int one_drill_proved(struct session *s, const struct fault_plan *fault, struct err *e)
{
	int drill = one_drill(s, (struct drill_id){ ROLE_DRILL, fault, 0 }, e);
	if (drill < 0)
		return -1;
	if (*s->interrupted == 0 && one_drill_needs_knockout(s, drill) &&
	    knock_out(s, drill, e) < 0)
		return -1;
	return run_settle_kept(s->run, drill, true, e) < 0 ? -1 : drill;
}
