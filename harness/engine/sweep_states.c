/* SPDX-License-Identifier: MIT */
/* A sweep takes thousands of fingerprints that differ little: each is written as its difference
 * from the first control's. */
#include <string.h>

#include "harness/base/mem.h"
#include "harness/engine/sweep_private.h"
#include "harness/model/facts.h"

static struct state_text text_of(const struct record *r, const char *node)
{
	for (size_t i = 0; i < r->state_count; i++)
		if (strcmp(r->states[i].node, node) == 0)
			return r->states[i].phase[PHASE_BEFORE];
	return (struct state_text){ 0 };
}

void sweep_base_states(struct sweeping *w)
{
	const struct plan *p = w->s.plan;
	const struct record *control = run_record(w->s.run, 0); /* which keeps its texts mapped */
	w->bases = arena_alloc(w->arena, (p->node_count + 1) * sizeof(*w->bases));
	for (size_t i = 0; i < p->node_count; i++) {
		const char *node = p->nodes[i].name;
		const struct event *ev = facts_captured(control->journal, node, PHASE_BEFORE);
		if (ev == NULL) /* not one whose state counts */
			continue;
		w->bases[i] = (struct state_base){
			.text = text_of(control, node),
			.file = arena_printf(w->arena, "../../control-a/%s",
					     json_get_string(ev->fields, "file", "")),
			.digest = json_get_string(ev->fields, "digest", ""),
		};
	}
}
