/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/engine/drill_private.h"

static bool in_state(const struct state_plan *s, const char *node)
{
	for (size_t i = 0; i < s->nodes.count; i++)
		if (strcmp(s->nodes.items[i], node) == 0)
			return true;
	return s->nodes.count == 0;
}

char *drill_state_file(enum state_phase phase, const char *node)
{
	return mem_printf("state-%s-%s.jsonl", state_phase_names[phase], node);
}

static int capture_node(struct drill *d, size_t node, enum state_phase phase, struct err *e)
{
	struct drill_node *at = &d->nodes[node];
	const struct also_plan *also = d->plan->state.also.items;
	struct capture_also *mine = mem_array(d->plan->state.also.count, sizeof(*mine));
	size_t count = 0;
	for (size_t i = 0; i < d->plan->state.also.count; i++)
		if (strcmp(also[i].node, at->plan->name) == 0)
			mine[count++] = (struct capture_also){ also[i].name, also[i].run };

	GUARD(mem) char *file = drill_state_file(phase, at->plan->name);
	GUARD(mem) char *path = mem_printf("%s/%s", d->spec->dir, file);
	GUARD(fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	const struct state_base *earlier = d->spec->base_states;
	if (earlier != NULL)
		earlier = earlier[node].text.data != NULL ? &earlier[node] : NULL;
	const struct capture_spec spec = {
		.also = mine,
		.also_count = count,
		.cache = at->cache,
		.base = d->spec->roots[node].lines,
		.told_from = earlier,
		.fd = fd,
	};
	if (drill_node_needed(d, at, e) < 0) {
		free(mine);
		return err_prefix(e, "node '%s' to be looked at", at->plan->name);
	}
	struct capture_result r;
	int result =
		fd < 0 ? ERR(e, errno, "create '%s'", path) : capture_state(at->node, &spec, &r, e);
	free(mine);
	if (result < 0)
		return err_prefix(e, "fingerprint of '%s'", at->plan->name);
	journal_put(d->journal, EVENT_STATE_CAPTURED, F_STR("node", at->plan->name),
		    F_STR("phase", state_phase_names[phase]), F_STR("file", file),
		    F_STR("digest", r.digest), F_INT("entries", r.entries), F_INT("took", r.took));
	return 0;
}

int drill_capture(struct drill *d, enum state_phase phase, struct err *e)
{
	for (size_t i = 0; i < d->plan->node_count; i++)
		if (in_state(&d->plan->state, d->nodes[i].plan->name) &&
		    capture_node(d, i, phase, e) < 0)
			return -1;
	return 0;
}
