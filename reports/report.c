/* SPDX-License-Identifier: MIT */
#include "reports/report.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"

/* A row of a mask hides for its own reason, so rows are told apart by both texts. */
static void hidden_add(struct report_hidden *rows, size_t *count, const struct change *c)
{
	const char *why = c->hidden_why != NULL ? c->hidden_why : "";
	for (size_t i = 0; i < *count; i++) {
		if (strcmp(rows[i].by, c->hidden_by) == 0 && strcmp(rows[i].why, why) == 0) {
			rows[i].count++;
			return;
		}
	}
	rows[(*count)++] = (struct report_hidden){ .by = c->hidden_by, .why = why, .count = 1 };
}

/* What the plan declares and nothing was hidden by. */
static void hidden_add_idle(struct report_hidden *rows, size_t *count, const char *by,
			    const char *why)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(rows[i].by, by) == 0)
			return;
	rows[(*count)++] = (struct report_hidden){ .by = by, .why = why != NULL ? why : "" };
}

static void hidden_add_all(struct report_hidden *rows, size_t *count, const struct changes *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->items[i].hidden_by != NULL)
			hidden_add(rows, count, &c->items[i]);
}

/* An upper bound for the number of rows: every hidden entry could have been hidden by another. */
static size_t hidden_max(const struct report_input *in)
{
	size_t max = in->plan->state.masks.count + in->plan->state.ignore.count;
	for (size_t i = 0; i < in->count; i++)
		if (in->items[i].verdict != NULL)
			max += in->items[i].verdict->residue.count +
			       in->items[i].verdict->drift.count;
	for (size_t i = 0; in->sweep != NULL && i < in->sweep->class_count; i++)
		if (in->sweep->classes[i].verdict != NULL)
			max += in->sweep->classes[i].verdict->residue.count +
			       in->sweep->classes[i].verdict->drift.count;
	return max;
}

size_t report_hidden(const struct report_input *in, struct report_hidden **ret)
{
	const struct state_plan *state = &in->plan->state;
	struct report_hidden *rows = mem_array(hidden_max(in) + 1, sizeof(*rows));
	size_t count = 0;
	for (size_t i = 0; i < in->count; i++) {
		if (in->items[i].verdict == NULL)
			continue;
		hidden_add_all(rows, &count, &in->items[i].verdict->residue);
		hidden_add_all(rows, &count, &in->items[i].verdict->drift);
	}
	for (size_t i = 0; in->sweep != NULL && i < in->sweep->class_count; i++) {
		if (in->sweep->classes[i].verdict == NULL)
			continue;
		hidden_add_all(rows, &count, &in->sweep->classes[i].verdict->residue);
		hidden_add_all(rows, &count, &in->sweep->classes[i].verdict->drift);
	}
	for (size_t i = 0; i < state->masks.count; i++) {
		const struct mask *mask = state_mask_find(state->masks.items[i]);
		hidden_add_idle(rows, &count, state->masks.items[i],
				mask != NULL ? mask->help : NULL);
	}
	const struct ignore_plan *ignore = state->ignore.items;
	for (size_t i = 0; i < state->ignore.count; i++)
		hidden_add_idle(rows, &count, ignore[i].path, ignore[i].why);
	*ret = rows;
	return count;
}

void report_count(const struct report_input *in, struct report_counts *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < in->count; i++) {
		const struct verdict *v = in->items[i].verdict;
		if (v == NULL)
			continue;
		ret->drills++;
		if (v->pass)
			ret->passed++;
		else if (outcome_exit(v->outcome) == EXIT_INCONCLUSIVE)
			ret->inconclusive++;
		else
			ret->failed++;
	}
}

size_t report_shrunk(const struct report_input *in, const struct report_item *it,
		     const struct report_item **ret)
{
	static const char word[] = " shrunk ";
	size_t tries = 0;
	*ret = NULL;
	for (size_t i = 0; it->fault != NULL && i < in->count; i++) {
		const struct report_item *o = &in->items[i];
		const size_t len = strlen(it->fault->name);
		if (o->role != ROLE_DRILL || o->verdict == NULL ||
		    strncmp(o->fault->name, it->fault->name, len) != 0 ||
		    strncmp(o->fault->name + len, word, strlen(word)) != 0)
			continue;
		tries++;
		if (verdict_failed(o->verdict) &&
		    (*ret == NULL || o->fault->joined < (*ret)->fault->joined))
			*ret = o;
	}
	return tries;
}

const char *report_result(int exit)
{
	static const struct {
		int exit;
		const char *word;
	} words[] = {
		{ EXIT_OK, "passed" },
		{ EXIT_FAILED, "failed" },
		{ EXIT_INCONCLUSIVE, "inconclusive" },
		{ EXIT_BROKEN, "broken" },
		{ EXIT_INTERRUPTED, "aborted" },
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].exit == exit)
			return words[i].word;
	return "error";
}

const char *report_item_name(const struct report_item *it)
{
	return it->fault != NULL ? it->fault->name : it->label;
}

static const struct {
	const char *mark, *word;
} change_text[] = {
	[CHANGE_ADDED] = { "+", "added" },
	[CHANGE_REMOVED] = { "-", "removed" },
	[CHANGE_CHANGED] = { "~", "changed" },
};

const char *report_change_mark(enum change_what w)
{
	return change_text[w].mark;
}

const char *report_change_word(enum change_what w)
{
	return change_text[w].word;
}

void report_change_attrs(struct buf *out, const struct change *c)
{
	for (size_t i = 0; i < c->attr_count; i++) {
		const struct change_attr *a = &c->attrs[i];
		if (i > 0)
			buf_puts(out, ", ");
		report_safe(out, a->name);
		buf_putc(out, ' ');
		if (c->what == CHANGE_CHANGED) {
			report_safe(out, a->before != NULL ? a->before : "(none)");
			buf_puts(out, " -> ");
			report_safe(out, a->after != NULL ? a->after : "(none)");
		} else {
			const char *value = c->what == CHANGE_REMOVED ? a->before : a->after;
			report_safe(out, value != NULL ? value : "(none)");
		}
	}
}

const char *report_change_owner(const struct change *c, char *buf, size_t size)
{
	assert(size > 0);
	buf[0] = '\0';
	if (c->owner != NULL)
		(void)snprintf(buf, size, "owner %s", c->owner);
	else if (c->kind == STATE_FILE)
		(void)snprintf(buf, size, "no package owns it");
	return buf;
}

void report_change_line(struct buf *out, const struct change *c)
{
	char owner[160];
	buf_printf(out, "%s %s %s ", report_change_mark(c->what), c->node,
		   state_kind_name(c->kind));
	report_safe(out, c->key);
	if (c->attr_count > 0)
		buf_puts(out, ": ");
	report_change_attrs(out, c);
	if (report_change_owner(c, owner, sizeof(owner))[0] != '\0')
		buf_printf(out, " [%s]", owner);
}

void report_fact(struct buf *out, const char *name, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	buf_printf(out, "    %-9s ", name);
	report_safe(out, text);
	buf_putc(out, '\n');
}

void report_verdict_facts(struct buf *out, const struct verdict *v)
{
	report_fact(out, "strike", v->strike);
	report_fact(out, "felt", v->felt);
	report_fact(out, "detected", v->detected);
	for (size_t i = 0; i < v->finding_count; i++) {
		const struct finding *f = &v->findings[i];
		/* The deciding row has been told as the why. */
		if (f->evidence == NULL || (v->why != NULL && strcmp(f->evidence, v->why) == 0))
			continue;
		buf_printf(out, "    also      %s: ", outcome_name(f->outcome));
		report_safe(out, f->evidence);
		buf_putc(out, '\n');
	}
}

const char *report_hint(enum outcome o)
{
	static const char *const hints[OUTCOME_COUNT] = {
		[OUTCOME_HARNESS_ERROR] =
			"this is a fault of backout or of this host, not of the workflow: "
			"see `backout doctor`, then `backout gc`",
		[OUTCOME_ABORTED] = "run it again; nothing was proved",
		[OUTCOME_BROKEN] = "mend the patch or the goal first: it fails without any fault",
		[OUTCOME_VACUOUS] = "what the patch changes is masked or not looked at: "
				    "check `state` (on, masks, ignore, also)",
		[OUTCOME_NOT_REACHED] = "move the trigger (`at`): the fault did not strike, or "
					"nothing in the workflow met it",
		[OUTCOME_DRIFTED] =
			"the patch says 0 and is half done: make its steps, the goal or "
			"the steady state notice",
		[OUTCOME_STUCK] = "the rollback cannot get past this state: add a repair step, or "
				  "give it more time",
		[OUTCOME_DEGRADED] = "the rollback ends and the service stays ill: what does it "
				     "not bring back?",
		[OUTCOME_RESIDUE] = "the rollback leaves these entries: clean them up, or declare "
				    "them under `state.ignore` with a reason",
		[OUTCOME_LATE] = "the parts of the recovery say where the time goes",
		[OUTCOME_UNPROVEN] = "without the counter-proof this pass says nothing: see why "
				     "the knock-out did not strike",
	};
	return hints[o];
}

const char *report_time(int64_t ns, char *buf, size_t size)
{
	if (ns >= 0)
		return clock_text(ns, buf, size);
	(void)snprintf(buf, size, "-");
	return buf;
}

const char *report_rate(double per_s, char *buf, size_t size)
{
	int decimals = per_s >= 99.95 ? 0 : per_s >= 9.995 ? 1 : per_s >= 0.9995 ? 2 : 3;
	(void)snprintf(buf, size, "%.*f", decimals, per_s);
	return buf;
}

int report_put(FILE *out, const struct buf *b, struct err *e)
{
	errno = 0;
	if (fwrite(buf_str(b), 1, b->len, out) != b->len || fflush(out) != 0)
		return ERR(e, errno, "write the report");
	return 0;
}

int report_width(const char *text)
{
	int n = 0;
	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void report_safe(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		char c = *text;
		if ((unsigned char)c < 0x20 || c == 0x7f)
			c = '?';
		buf_putc(out, c);
	}
}
