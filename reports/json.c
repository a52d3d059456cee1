/* SPDX-License-Identifier: MIT */
/*
 * The report for programs: one JSON object. Members may be added later; none changes its
 * meaning or goes away within one `format`.
 *
 *	format       1
 *	run          name of the run's folder
 *	title, scenario {file, digest}, rollback (the plan that was drilled),
 *	rollback_to  where it ends: before or patched
 *	exit         exit code of the run
 *	result       the same as a word: passed, failed, inconclusive, broken, aborted, error
 *	vacuous      true: the oracle is blind
 *	target       {window_ns, recovery_ns, settle_ns, give_up_ns}
 *	controls, drills   lists of
 *	    name, label (folder in the run), outcome, pass, unexpected, unstable, why,
 *	    expect       what may follow (drills only)
 *	    injector, trigger, exact (drills only; exact false: struck by elapsed time)
 *	    shrunk       {drills, label, strikes} where that was tried: how many drills,
 *	                 the failing one with the fewest strikes (null: it takes all), how many
 *	    window_ns    first patch step -> healthy         null: does not apply
 *	    recovery_ns  strike -> healthy (control: rollback's begin -> healthy)
 *	    recovery     {detection_ns, decision_ns, rollback_ns, healing_ns}, its parts
 *	    strike, felt, detected    one line each, or null
 *	    sealed       false: the journal has no end
 *	    steps        [{section, step, node, ok, took_ns, cpu_ns, memory_peak, io_read,
 *	                 io_written}] what ran, and what its node used meanwhile: bytes, null
 *	                 where the host does not count it
 *	    peak_rss     bytes, of the drill's process; null when unsealed
 *	    findings     [{outcome, evidence}] every row of the verdict table that holds
 *	    residue      [change] B (P where rollback_to is patched) -> after rollback; hidden
 *entries too, each with hidden_by residue_visible   how many are not hidden drift, drift_visible
 *likewise: the control's patched state -> this drill's knockouts    [{name, label, sealed}] noise
 *[change] between the two controls hidden       [{by, why, count}] each mask and ignore row, and
 *how often it hid an entry sweep        null, or what sweep_json.c describes change       {node,
 *kind, key, what (added|removed|changed), owner (null: no package), attrs [{name, before, after}],
 *hidden_by, hidden_why}
 */
#include <stdlib.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "reports/json_put.h"
#include "reports/report.h"
#include "reports/sweep.h"

enum { JSON_REPORT_FORMAT = 1 };

static void put_fault(struct buf *b, const struct fault_plan *f)
{
	json_put_str(b, "injector", f->injector->name);
	json_put_str(b, "trigger", f->trigger->name);
	json_put_bool(b, "exact", f->trigger->exact);
	json_put_open(b, "expect", '[');
	for (unsigned o = 0; o < OUTCOME_COUNT; o++)
		if (f->expect & OUTCOME_BIT(o))
			json_put_str(b, NULL, outcome_name((enum outcome)o));
	buf_putc(b, ']');
}

static void put_timing(struct buf *b, const struct timing *t)
{
	json_put_ns(b, "window_ns", t->window);
	json_put_ns(b, "recovery_ns", t->recovery);
	json_put_open(b, "recovery", '{');
	json_put_ns(b, "detection_ns", t->detection);
	json_put_ns(b, "decision_ns", t->decision);
	json_put_ns(b, "rollback_ns", t->rollback);
	json_put_ns(b, "healing_ns", t->healing);
	buf_putc(b, '}');
}

static void put_sealed(struct buf *b, const struct journal *j)
{
	bool sealed = j != NULL && journal_sealed(j);
	json_put_bool(b, "sealed", sealed);
	const struct event *end = sealed ? journal_find(j, EVENT_SEALED, 0) : NULL;
	json_put_ns(b, "peak_rss", end != NULL ? json_get_int(end->fields, "peak_rss", -1) : -1);
}

static void put_steps(struct buf *b, const struct journal *j)
{
	static const char *const used[][2] = { { "took", "took_ns" },
					       { "cpu", "cpu_ns" },
					       { "memory_peak", "memory_peak" },
					       { "io_read", "io_read" },
					       { "io_written", "io_written" } };
	json_put_open(b, "steps", '[');
	for (size_t i = 0; j != NULL && i < journal_count(j); i++) {
		const struct event *ev = journal_at(j, i);
		if (ev->kind != EVENT_STEP_END)
			continue;
		json_put_open(b, NULL, '{');
		json_put_str(b, "section", json_get_string(ev->fields, "section", NULL));
		json_put_str(b, "step", json_get_string(ev->fields, "step", NULL));
		json_put_str(b, "node", json_get_string(ev->fields, "node", NULL));
		json_put_bool(b, "ok", json_bool(json_get(ev->fields, "ok")));
		for (size_t k = 0; k < sizeof(used) / sizeof(used[0]); k++)
			json_put_ns(b, used[k][1], json_get_int(ev->fields, used[k][0], -1));
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

/* There is nothing to shrink in most drills. */
static void put_shrunk(struct buf *b, const struct report_input *in, const struct report_item *it)
{
	const struct report_item *least;
	const size_t tries = report_shrunk(in, it, &least);
	if (tries == 0)
		return;
	json_put_open(b, "shrunk", '{');
	json_put_int(b, "drills", (int64_t)tries);
	json_put_str(b, "label", least != NULL ? least->label : NULL);
	json_put_int(b, "strikes",
		     (int64_t)(least != NULL ? least->fault->joined : it->fault->joined) + 1);
	buf_putc(b, '}');
}

static void put_item(struct buf *b, const struct report_input *in, const struct report_item *it)
{
	const struct verdict *v = it->verdict;
	json_put_open(b, NULL, '{');
	json_put_str(b, "name", report_item_name(it));
	json_put_str(b, "label", it->label);
	if (it->role == ROLE_KNOCKOUT || v == NULL) {
		put_sealed(b, it->journal);
		buf_putc(b, '}');
		return;
	}
	json_put_str(b, "outcome", outcome_name(v->outcome));
	json_put_bool(b, "pass", v->pass);
	json_put_bool(b, "unexpected", v->unexpected);
	json_put_bool(b, "unstable", v->unstable);
	json_put_str(b, "why", v->why);
	if (it->fault != NULL)
		put_fault(b, it->fault);
	put_shrunk(b, in, it);
	put_timing(b, &v->timing);
	json_put_str(b, "strike", v->strike);
	json_put_str(b, "felt", v->felt);
	json_put_str(b, "detected", v->detected);
	put_steps(b, it->journal);
	put_sealed(b, it->journal);
	json_put_bool(b, "kept", it->kept);
	json_put_open(b, "findings", '[');
	for (size_t i = 0; i < v->finding_count; i++) {
		json_put_open(b, NULL, '{');
		json_put_str(b, "outcome", outcome_name(v->findings[i].outcome));
		json_put_str(b, "evidence", v->findings[i].evidence);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
	json_put_changes(b, "residue", &v->residue);
	json_put_int(b, "residue_visible", (int64_t)v->residue_visible);
	json_put_changes(b, "drift", &v->drift);
	json_put_int(b, "drift_visible", (int64_t)v->drift_visible);
	buf_putc(b, '}');
}

static void put_role(struct buf *b, const char *name, const struct report_input *in,
		     enum drill_role role)
{
	json_put_open(b, name, '[');
	for (size_t i = 0; i < in->count; i++)
		if (in->items[i].role == role)
			put_item(b, in, &in->items[i]);
	buf_putc(b, ']');
}

static void put_head(struct buf *b, const struct report_input *in)
{
	const struct plan *p = in->plan;
	json_put_int(b, "format", JSON_REPORT_FORMAT);
	json_put_str(b, "run", in->id);
	json_put_str(b, "title", p->title);
	json_put_open(b, "scenario", '{');
	json_put_str(b, "file", p->file);
	json_put_str(b, "digest", p->digest);
	buf_putc(b, '}');
	json_put_str(b, "rollback", p->rollback_count > 0 ? p->rollbacks[p->rollback].name : NULL);
	json_put_str(b, "rollback_to",
		     rollback_to_names[plan_goes_forward(p) ? TO_PATCHED : TO_BEFORE]);
	json_put_int(b, "exit", in->exit);
	json_put_str(b, "result", report_result(in->exit));
	json_put_bool(b, "vacuous", in->controls->vacuous);
	json_put_open(b, "target", '{');
	json_put_ns(b, "window_ns", p->window.target > 0 ? p->window.target : -1);
	json_put_ns(b, "recovery_ns", p->window.recovery > 0 ? p->window.recovery : -1);
	json_put_ns(b, "settle_ns", p->window.settle);
	json_put_ns(b, "give_up_ns", p->window.give_up);
	buf_putc(b, '}');
}

static int json_write(FILE *out, const struct report_input *in, bool colour, struct err *e)
{
	(void)colour;
	GUARD_BUF struct buf b = { 0 };
	buf_putc(&b, '{');
	put_head(&b, in);
	put_role(&b, "controls", in, ROLE_CONTROL);
	put_role(&b, "drills", in, ROLE_DRILL);
	put_role(&b, "knockouts", in, ROLE_KNOCKOUT);
	json_put_changes(&b, "noise", &in->controls->noise);
	json_put_open(&b, "hidden", '[');
	GUARD(mem) struct report_hidden *hidden = NULL;
	size_t count = report_hidden(in, &hidden);
	for (size_t i = 0; i < count; i++) {
		json_put_open(&b, NULL, '{');
		json_put_str(&b, "by", hidden[i].by);
		json_put_str(&b, "why", hidden[i].why);
		json_put_int(&b, "count", (int64_t)hidden[i].count);
		buf_putc(&b, '}');
	}
	buf_putc(&b, ']');
	sweep_json(&b, in);
	buf_puts(&b, "}\n");
	return report_put(out, &b, e);
}

const struct report_format report_json = {
	.name = "json",
	.help = "one JSON object with all that is known, for programs",
	.write = json_write,
};
