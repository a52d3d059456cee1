/* SPDX-License-Identifier: MIT */
/* Fingerprints for the verdict: only those that a journal names, with the digest it names. */
#include "harness/model/judge.h"

#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/hash.h"

enum { LIST_MAX = 4 }; /* entries that an evidence sentence names */

static const char *const change_words[] = { "added", "removed", "changed" };

static int text_of(const struct facts *f, const char *node, enum state_phase phase,
		   struct state_text *ret, struct err *e)
{
	const struct event *ev = facts_captured(f->journal, node, phase);
	char digest[HASH_TEXT];
	*ret = (struct state_text){ 0 };
	if (ev == NULL)
		return 0;
	for (size_t i = 0; i < f->record->state_count; i++)
		if (strcmp(f->record->states[i].node, node) == 0)
			*ret = f->record->states[i].phase[phase];
	if (ret->data == NULL)
		return ERR(e, 0, "%s: the fingerprint '%s' of node '%s' is missing",
			   journal_name(f->journal), state_phase_names[phase], node);
	hash_text(ret->data, ret->len, digest);
	if (strcmp(digest, facts_text(ev, "digest")) != 0)
		return ERR(e, 0,
			   "%s: the fingerprint '%s' of node '%s' has digest %s, the journal "
			   "says %s",
			   journal_name(f->journal), state_phase_names[phase], node, digest,
			   facts_text(ev, "digest"));
	return 0;
}

int judge_compare(struct judge *j, const struct facts *a, enum state_phase pa,
		  const struct facts *b, enum state_phase pb, struct compared *ret, struct err *e)
{
	*ret = (struct compared){ .complete = true };
	for (size_t i = 0; i < facts_node_count(j->plan); i++) {
		const char *node = facts_node(j->plan, i);
		struct state_text before, after;
		if (text_of(a, node, pa, &before, e) < 0 || text_of(b, node, pb, &after, e) < 0)
			return -1;
		if (before.data == NULL || after.data == NULL)
			ret->complete = false;
		else if (state_diff(j->arena, node, before, after, &ret->changes, e) < 0)
			return err_prefix(e, "%s", journal_name(b->journal));
	}
	ret->visible = state_mask(&j->plan->state, &ret->changes);
	return 0;
}

int judge_arrival(struct judge *j, const struct facts *f, enum state_phase end,
		  struct compared *ret, struct err *e)
{
	if (!j->forward)
		return judge_compare(j, f, PHASE_BEFORE, f, end, ret, e);
	/* A control has a P of its own, and no other drill's noise in it. */
	if (j->fault == NULL)
		return judge_compare(j, f, PHASE_PATCHED, f, end, ret, e);
	if (!j->has_control || !j->control_a.sealed)
		return 0;
	if (judge_compare(j, &j->control_a, PHASE_PATCHED, f, end, ret, e) < 0)
		return -1;
	if (j->has_control_b && j->control_b.sealed)
		ret->visible = state_mask_noise(&j->noise.changes, &ret->changes);
	return 0;
}

const char *judge_list(struct arena *arena, const struct compared *c)
{
	struct buf text GUARD_BUF = { 0 };
	size_t named = 0;
	buf_printf(&text, "%zu %s", c->visible, c->visible == 1 ? "entry" : "entries");
	for (size_t i = 0; i < c->changes.count && named < LIST_MAX; i++) {
		const struct change *ch = &c->changes.items[i];
		if (ch->hidden_by != NULL)
			continue;
		buf_printf(&text, "%s %s %s %s on %s", named++ > 0 ? "," : ":",
			   change_words[ch->what], state_kind_name(ch->kind), ch->key, ch->node);
		if (ch->what == CHANGE_CHANGED)
			for (size_t k = 0; k < ch->attr_count; k++)
				buf_printf(&text, "%s%s", k > 0 ? " " : " (", ch->attrs[k].name);
		buf_puts(&text, ch->what == CHANGE_CHANGED ? ")" : "");
	}
	if (c->visible > named)
		buf_printf(&text, ", and %zu more", c->visible - named);
	return arena_strdup(arena, buf_str(&text));
}

bool judge_blind(const struct facts *control, const struct compared *b_to_p)
{
	return control->sealed && control->patch_ok && control->goal_ok && b_to_p->complete &&
	       b_to_p->visible == 0 && control->patched_steady;
}
