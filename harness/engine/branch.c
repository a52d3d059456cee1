/* SPDX-License-Identifier: MIT */
#include "harness/engine/branch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/drill_private.h"
#include "harness/engine/health.h"
#include "harness/engine/record_file.h"
#include "harness/engine/recorder.h"
#include "harness/sandbox/process.h"

/* The fingerprints that the recording took before this point are the branch's, too. */
static int link_states(const struct drill *d, const char *prefix, const char *to, struct err *e)
{
	for (enum state_phase p = PHASE_BEFORE; p < PHASE_AFTER; p++) {
		for (size_t i = 0; i < d->plan->node_count; i++) {
			GUARD(mem)
			char *name = drill_state_file(p, d->plan->nodes[i].name);
			if (strstr(prefix, name) == NULL)
				continue;
			GUARD(mem) char *old = mem_printf("%s/%s", d->spec->branch->from_dir, name);
			GUARD(mem) char *new = mem_printf("%s/%s", to, name);
			if (link(old, new) < 0)
				return ERR(e, errno, "link '%s' to '%s'", old, new);
		}
	}
	return 0;
}

static void journal_undone(struct drill *d, bool verified, const char *detail)
{
	journal_put(d->journal, EVENT_FAULT_UNDONE, F_STR("fault", d->spec->fault->name),
		    F_BOOL("verified", verified), F_STR("detail", detail));
}

/* Nothing of the workflow may run in the new nodes: that is what the strike means. */
static int undo_kill(struct drill *d, struct err *e)
{
	int running = 0;
	for (size_t i = 0; i < d->plan->node_count; i++) {
		int n = node_processes(d->nodes[i].node, NULL, 0, e);
		if (n < 0)
			return -1;
		running += n;
	}
	GUARD(mem)
	char *text =
		mem_printf("the nodes begin with what was written; %d processes in them", running);
	journal_undone(d, running == 0, text);
	return 0;
}

/* The struck node goes down and boots, as it does behind a crash in mid-workflow: what lay in
 * memory is lost, its services start again. */
static int undo_crash(struct drill *d, struct err *e)
{
	const struct branch_spec *b = d->spec->branch;
	const struct step_plan *step = plan_step(d->plan, b->in_rollback, b->step);
	struct node *n = drill_node(d, step->node)->node;
	if (node_kill(n, e) < 0)
		return -1;
	drill_node_crashed(d, n, "crashed");
	if (drill_node_boot(d, n, e) < 0)
		return -1;
	struct err silent = { 0 };
	bool answers = node_answers(n, &silent) == 0;
	journal_undone(d, answers, answers ? "the node is up and its init answers" : silent.why);
	return 0;
}

static int undo(struct drill *d, struct err *e)
{
	return d->spec->branch->reboot ? undo_crash(d, e) : undo_kill(d, e);
}

static void journal_step_end(struct drill *d, const char *why)
{
	const struct branch_spec *b = d->spec->branch;
	const struct step_plan *step = plan_step(d->plan, b->in_rollback, b->step);
	journal_put(
		d->journal, EVENT_STEP_END, F_STR("section", b->in_rollback ? "rollback" : "patch"),
		F_STR("step", step->name), F_INT("index", b->step), F_STR("node", step->node),
		F_BOOL("ok", false), F_INT("exit", -1), F_INT("signal", SIGKILL),
		F_BOOL("timed_out", false), F_BOOL("may_fail", step->may_fail), F_STR("why", why),
		F_INT("took", 0), F_INT("log_bytes", 0), F_INT("log_dropped", 0));
}

static void journal_branched(struct drill *d)
{
	const struct branch_spec *b = d->spec->branch;
	journal_put(d->journal, EVENT_BRANCHED, F_STR("from", b->from), F_STR("point", b->key),
		    F_STR("state", b->state),
		    F_STR("detail", "the state kept at this point; the journal before this line is "
				    "the recording's"));
}

/* What the strike did, as a drill from the start would have it. */
static void journal_strike(struct drill *d, const char *why)
{
	const struct branch_spec *b = d->spec->branch;
	const char *fault = d->spec->fault->name;
	journal_put(d->journal, EVENT_TRIGGER_HIT, F_STR("fault", fault),
		    F_STR("kind", d->spec->fault->trigger->name), F_BOOL("exact", true),
		    F_STR("detail", b->detail));
	journal_put(d->journal, EVENT_FAULT_APPLIED, F_STR("fault", fault),
		    F_STR("detail", b->reboot
					    ? "the node is cut off here and boots again from what "
					      "was written"
					    : "the workflow is cut off here, all of its processes "
					      "at once"));
	journal_put(d->journal, EVENT_FAULT_FELT, F_STR("fault", fault),
		    F_STR("evidence", "the step went no further than this point"));
	journal_step_end(d, why);
}

/* How many entries differ from where the rollback has to end, in what the knock-out's folder holds
 * so far. */
static int count_visible(const struct drill *d, const char *dir, size_t *ret, struct err *e)
{
	struct record_file *file;
	if (record_open(&file, dir, e) < 0)
		return -1;
	struct arena *arena = arena_create();
	int result = verdict_visible(arena, d->spec->branch->controls, record_get(file), ret, e);
	arena_destroy(arena);
	record_close(file);
	return result;
}

/* Nothing runs in the nodes that could mend them, so one patient look at health says all. */
static int ask_health(struct drill *d, struct err *e)
{
	int64_t since, begin = clock_now();
	const char *why = NULL;
	if (health_end_phase(d->health, e) < 0)
		return -1;
	int healthy = health_wait(d->health, d->plan->window.settle,
				  begin + drill_patience(d->plan), &since, &why, e);
	if (healthy < 0)
		return -1;
	if (healthy == 1)
		drill_journal_healthy(d, since);
	else
		journal_put(d->journal, EVENT_NOT_HEALTHY, F_STR("why", why),
			    F_INT("waited", clock_now() - begin));
	return health_quiet(d->health, e);
}

static int knock_out_body(struct drill *d, const char *prefix, size_t len, const char *why,
			  struct err *e)
{
	const struct branch_spec *b = d->spec->branch;
	size_t visible;
	drill_journal_begin(d);
	journal_continue(d->journal, prefix, len, b->t);
	if (link_states(d, prefix, d->spec->dir, e) < 0)
		return -1;
	journal_branched(d);
	journal_strike(d, why);
	journal_put(d->journal, EVENT_PATCH_END, F_BOOL("ok", false), F_STR("why", why));
	d->detected = false;
	drill_detect(d, WHEN_STEP_FAILED, why);
	journal_undone(d, true, "the drill, whose nodes these are, has seen to it");
	journal_put(d->journal, EVENT_ROLLBACK_SKIPPED, F_STR("why", "the knock-out"));
	if (drill_capture(d, PHASE_AFTER, e) < 0 || count_visible(d, d->spec->dir, &visible, e) < 0)
		return -1;
	if (visible == 0)
		return ask_health(d, e);
	journal_put(d->journal, EVENT_HEALTH_UNASKED,
		    F_STR("why", plan_goes_forward(d->plan)
					 ? "the state differs from P, which is proof enough"
					 : "the state differs from B, which is proof enough"));
	return 0;
}

/* The counter-proof, in the nodes of the drill itself before anything happens in them: taking
 * fingerprints changes nothing. It leaves a folder like any other knock-out. */
static int knock_out(struct drill *d, const char *prefix, size_t len, const char *why,
		     struct err *e)
{
	struct journal_file *own = d->journal;
	const struct drill_spec *spec = d->spec;
	struct drill_spec mine = *spec;
	GUARD(mem) char *path = mem_printf("%s/journal.jsonl", spec->branch->knockout_dir);
	struct journal_file *j;
	if (journal_create(&j, path, -1, e) < 0)
		return -1;
	journal_pause(j); /* until its past stands in it */
	mine.role = ROLE_KNOCKOUT;
	mine.dir = spec->branch->knockout_dir;
	d->journal = j;
	d->spec = &mine;
	int result = knock_out_body(d, prefix, len, why, e);
	if (result == 0) {
		journal_put(j, EVENT_TEARDOWN, F_INT("took", 0), F_INT("leftovers", 0),
			    F_STR("by", "the drill, whose nodes these are"));
		journal_put(j, EVENT_SEALED, F_INT("events", journal_events(j)));
	}
	d->journal = own;
	d->spec = spec;
	d->detected = true;
	struct err lost = { 0 };
	if (journal_close(j, !spec->unsynced, &lost) < 0 && result == 0) {
		*e = lost;
		result = -1;
	}
	return result;
}

static int patch_struck(struct drill *d, const struct buf *prefix, const char *why, struct err *e)
{
	journal_put(d->journal, EVENT_PATCH_END, F_BOOL("ok", false), F_STR("why", why));
	drill_detect(d, WHEN_STEP_FAILED, why);
	journal_go_on(d->journal);
	if (undo(d, e) < 0)
		return -1;
	journal_pause(d->journal);
	if (d->spec->branch->knockout_dir != NULL &&
	    knock_out(d, buf_str(prefix), prefix->len, why, e) < 0)
		return err_prefix(e, "knock-out");
	journal_go_on(d->journal);
	if (recorder_create(&d->recorder, d, e) < 0)
		return -1;
	return drill_roll_back(d, e);
}

static int rollback_struck(struct drill *d, const char *why, struct err *e)
{
	journal_go_on(d->journal);
	if (undo(d, e) < 0)
		return -1;
	journal_put(d->journal, EVENT_ROLLBACK_END, F_BOOL("ok", false), F_STR("why", why));
	return drill_roll_back_again(d, why, e);
}

int branch_play(struct drill *d, struct err *e)
{
	const struct branch_spec *b = d->spec->branch;
	GUARD_BUF struct buf prefix = { 0 };
	GUARD(mem) char *path = mem_printf("%s/" PREFIX_FILE, b->dir);
	if (io_read_file(AT_FDCWD, path, PREFIX_MAX, &prefix, e) < 0)
		return -1;
	journal_continue(d->journal, buf_str(&prefix), prefix.len, b->t);
	journal_pause(d->journal); /* making nodes is no part of the workflow */
	journal_branched(d);
	if (link_states(d, buf_str(&prefix), d->spec->dir, e) < 0 || drill_nodes_up(d, e) < 0)
		return -1;
	const struct step_plan *step = plan_step(d->plan, b->in_rollback, b->step);
	GUARD(mem) char *why = mem_printf("step '%s' was killed by SIGKILL", step->name);
	drill_services_list(d);
	journal_strike(d, why);
	int result = b->in_rollback ? rollback_struck(d, why, e) : patch_struck(d, &prefix, why, e);
	return result < 0 ? -1 : drill_recover(d, e);
}
