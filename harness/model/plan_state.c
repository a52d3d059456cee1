/* SPDX-License-Identifier: MIT */
/* `state`: what is compared, and what is not. */
#include <string.h>

#include "harness/base/guard.h"
#include "harness/model/plan_parts.h"
#include "harness/model/state.h"

static const char *const compare_names[] = {
#define X(id, text) text,
	IGNORE_COMPARE(X)
#undef X
		NULL,
};

static const struct param ignore_rows[] = {
	{ .name = "path",
	  .type = PARAM_PATH,
	  .offset = offsetof(struct ignore_plan, path),
	  .required = true,
	  .help = "pattern: * within a name, ** across names, ? one byte" },
	{ .name = "why",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct ignore_plan, why),
	  .required = true,
	  .help = "stands in reports" },
	{ .name = "compare",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct ignore_plan, compare),
	  .names = compare_names,
	  .def = "nothing",
	  .help = "what still counts: nothing, that it is there, or all but its content" },
	{ 0 },
};

static const struct param also_rows[] = {
	{ .name = "name",
	  .type = PARAM_NAME,
	  .offset = offsetof(struct also_plan, name),
	  .required = true,
	  .help = "stands in reports" },
	{ .name = "on",
	  .type = PARAM_NODE,
	  .offset = offsetof(struct also_plan, node),
	  .required = true,
	  .help = "where it runs" },
	{ .name = "run",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct also_plan, run),
	  .required = true,
	  .help = "shell command whose output is part of the state" },
	{ 0 },
};

const struct param plan_state_rows[] = {
	{ .name = "on",
	  .type = PARAM_STRINGS,
	  .offset = offsetof(struct state_plan, nodes),
	  .help = "the nodes that are compared; without it all" },
	{ .name = "masks",
	  .type = PARAM_STRINGS,
	  .offset = offsetof(struct state_plan, masks),
	  .help = "named sets of paths that every run changes" },
	{ .name = "ignore",
	  .type = PARAM_LIST,
	  .offset = offsetof(struct state_plan, ignore),
	  .sub = ignore_rows,
	  .size = sizeof(struct ignore_plan),
	  .help = "paths of this scenario" },
	{ .name = "also",
	  .type = PARAM_LIST,
	  .offset = offsetof(struct state_plan, also),
	  .sub = also_rows,
	  .size = sizeof(struct also_plan),
	  .help = "commands asked for state" },
	{ 0 },
};

/* The i-th of a list of strings that may have been written as one string. */
static const struct json *word_at(const struct json *list, size_t i)
{
	return json_type(list) == JSON_ARRAY ? plan_element(list, i) : list;
}

static int check_nodes(struct compile *c, const struct json *state, struct err *e)
{
	const struct strings *on = &c->plan->state.nodes;
	for (size_t i = 0; i < on->count; i++) {
		if (plan_node(c->plan, on->items[i]) == NULL)
			return json_err(e, c->ctx.doc, word_at(json_get(state, "on"), i),
					"there is no node \"%s\"; %s", on->items[i],
					plan_suggest(c, on->items[i], c->pd->nodes.items,
						     c->pd->nodes.count));
		for (size_t k = 0; k < i; k++)
			if (strcmp(on->items[k], on->items[i]) == 0)
				return json_err(e, c->ctx.doc, word_at(json_get(state, "on"), i),
						"\"%s\" is here twice; remove one", on->items[i]);
	}
	return 0;
}

static int check_masks(struct compile *c, const struct json *state, struct err *e)
{
	const struct strings *masks = &c->plan->state.masks;
	size_t count = 0;
	while (state_masks[count] != NULL)
		count++;
	GUARD(mem) const char **names = mem_array(count, sizeof(char *));
	for (size_t i = 0; i < count; i++)
		names[i] = state_masks[i]->name;
	for (size_t i = 0; i < masks->count; i++)
		if (state_mask_find(masks->items[i]) == NULL)
			return json_err(e, c->ctx.doc, word_at(json_get(state, "masks"), i),
					"there is no mask \"%s\"; %s", masks->items[i],
					plan_suggest(c, masks->items[i], names, count));
	return 0;
}

static int check_ignore(struct compile *c, const struct json *state, struct err *e)
{
	const struct ignore_plan *rows = c->plan->state.ignore.items;
	for (size_t i = 0; i < c->plan->state.ignore.count; i++)
		if (rows[i].why[0] == '\0')
			return json_err(e, c->ctx.doc,
					json_get(plan_element(json_get(state, "ignore"), i), "why"),
					"why: an empty reason; say why \"%s\" may differ",
					rows[i].path);
	return 0;
}

int plan_state(struct compile *c, struct err *e)
{
	struct state_plan *s = &c->plan->state;
	const struct json *state = plan_top(c, "state");
	if (state != NULL) {
		if (param_decode(&c->ctx, plan_state_rows, NULL, state, s, NULL, e) < 0 ||
		    check_nodes(c, state, e) < 0 || check_masks(c, state, e) < 0 ||
		    check_ignore(c, state, e) < 0)
			return -1;
		if (s->also.count > 0 &&
		    plan_check_names(c, s->also.items, sizeof(struct also_plan),
				     json_get(state, "also"), e) < 0)
			return -1;
	}
	if (s->nodes.count == 0)
		s->nodes = c->pd->nodes;
	return 0;
}
