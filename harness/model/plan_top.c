/* SPDX-License-Identifier: MIT */
/* The top level of a scenario: its fields, and which rollback was chosen. */
#include <string.h>

#include "harness/base/guard.h"
#include "harness/model/plan_parts.h"

static const char *const when_names[] = {
#define X(id, text) text,
	ROLLBACK_WHEN(X)
#undef X
		NULL,
};

#define LONGER_THAN_NOTHING .min = (uint64_t)NS_PER_MS
const struct param plan_window_rows[] = {
	{ .name = "target",
	  .type = PARAM_DURATION,
	  .offset = offsetof(struct window_plan, target),
	  .def = "60s",
	  LONGER_THAN_NOTHING,
	  .help = "from the first patch step to healthy again" },
	{ .name = "recovery",
	  .type = PARAM_DURATION,
	  .offset = offsetof(struct window_plan, recovery),
	  LONGER_THAN_NOTHING,
	  .help = "from the strike to healthy again; without it the target" },
	{ .name = "settle",
	  .type = PARAM_DURATION,
	  .offset = offsetof(struct window_plan, settle),
	  .def = "1s",
	  LONGER_THAN_NOTHING,
	  .help = "how long steady state must hold to count" },
	{ .name = "give_up",
	  .type = PARAM_DURATION,
	  .offset = offsetof(struct window_plan, give_up),
	  .def = "60s",
	  LONGER_THAN_NOTHING,
	  .help = "how long to wait for healthy after the rollback's end" },
	{ 0 },
};

static const struct param defaults_rows[] = {
	{ .name = "timeout",
	  .type = PARAM_DURATION,
	  .def = PLAN_TIMEOUT_DEFAULT,
	  LONGER_THAN_NOTHING,
	  .help = "of a step, and of a service to become ready" },
	{ 0 },
};

#define RAW(field, text, json_schema)                                                              \
	{                                                                                          \
		.name = (field), .type = PARAM_RAW, .offset = offsetof(struct plan_top, raw),      \
		.help = (text), .schema = (json_schema)                                            \
	}
#define LIST_OF(def) "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/" def "\"}}"
#define MAP_OF(ref)  "{\"type\":\"object\",\"additionalProperties\":" ref "}"

const struct param plan_top_rows[] = {
	{ .name = "$schema",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct plan_top, schema),
	  .help = "for editors" },
	{ .name = "title",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct plan_top, title),
	  .help = "one line for reports" },
	{ .name = "include",
	  .type = PARAM_FILE,
	  .offset = offsetof(struct plan_top, include),
	  .help = "another scenario, whose fields count where this file does not give them" },
	RAW("vars", "names for {{name}}",
	    MAP_OF("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"properties\":{"
		   "\"from\":"
		   "{\"type\":\"string\"},\"key\":{\"type\":\"string\"}},\"required\":[\"from\","
		   "\"key\"],\"additionalProperties\":false}]}")),
	{ .name = "window",
	  .type = PARAM_OBJECT,
	  .offset = offsetof(struct plan_top, window),
	  .sub = plan_window_rows,
	  .help = "targets and patience" },
	{ .name = "defaults",
	  .type = PARAM_OBJECT,
	  .offset = offsetof(struct plan_top, defaults),
	  .sub = defaults_rows,
	  .help = "for what steps and services do not say" },
	{ .name = "switches",
	  .type = PARAM_MAP,
	  .offset = offsetof(struct plan_top, switches),
	  .sub = plan_switch_rows,
	  .size = sizeof(struct switch_plan),
	  .help = "private networks that nodes have links to, by name; without it one, \"lan\"" },
	RAW("nodes", "the throw-away hosts, by name", MAP_OF("{\"$ref\":\"#/$defs/node\"}")),
	RAW("steady_state", "probes that hold for the old and the new version", LIST_OF("probe")),
	RAW("goal", "probes that hold only once the patch has taken effect", LIST_OF("probe")),
	{ .name = "state",
	  .type = PARAM_OBJECT,
	  .offset = offsetof(struct plan_top, state),
	  .sub = plan_state_rows,
	  .help = "what is compared before and after" },
	RAW("patch", "the workflow's steps", PLAN_STEPS_SCHEMA),
	{ .name = "rollback",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct plan_top, rollback),
	  .help = "which of the rollbacks to use" },
	RAW("rollbacks", "the back-out plans, by name",
	    MAP_OF("{\"anyOf\":[" PLAN_STEPS_SCHEMA ",{\"$ref\":\"#/$defs/rollback\"}]}")),
	{ .name = "rollback_when",
	  .type = PARAM_FLAGS,
	  .offset = offsetof(struct plan_top, rollback_when),
	  .names = when_names,
	  .def = "step_failed,goal_missed,steady_state_lost",
	  .help = "what calls for a rollback" },
	RAW("faults", "what to break, when, and what may follow", LIST_OF("fault")),
	{ 0 },
};

int plan_top_fields(struct compile *c, struct err *e)
{
	struct plan_top top = { 0 };
	for (size_t i = 0; i < (c->pd->includes ? 2 : 1); i++) {
		c->ctx.doc = c->pd->sources[i].doc;
		if (param_check_keys(&c->ctx, plan_top_rows, json_root(c->ctx.doc), NULL, e) < 0)
			return -1;
	}
	for (const struct param *row = plan_top_rows; row->type != PARAM_END; row++) {
		/* state names nodes, which are not known yet: plan_state.c */
		bool later = row->type == PARAM_RAW || strcmp(row->name, "state") == 0;
		if (!later && param_decode_row(&c->ctx, row, plan_top(c, row->name), &top, e) < 0)
			return -1;
	}
	c->plan->title = top.title != NULL ? top.title : c->plan->slug;
	c->plan->window = top.window;
	if (c->plan->window.recovery == 0)
		c->plan->window.recovery = c->plan->window.target;
	c->plan->rollback_when = top.rollback_when;
	c->plan->switches = top.switches;
	c->timeout = top.defaults.timeout;
	return 0;
}

int plan_rollback_choice(struct compile *c, struct err *e)
{
	const struct plan *p = c->plan;
	const char *name = c->options->rollback;
	const struct json *value = NULL;
	GUARD(mem) const char **names = mem_array(p->rollback_count, sizeof(char *));
	for (size_t i = 0; i < p->rollback_count; i++)
		names[i] = p->rollbacks[i].name;
	if (name == NULL) {
		value = plan_top(c, "rollback");
		if (value == NULL)
			return json_err(e, c->ctx.doc, json_root(c->ctx.doc),
					"\"rollback\" is missing; %s",
					plan_suggest(c, "", names, p->rollback_count));
		const struct param row = { .name = "rollback", .type = PARAM_STRING };
		if (param_decode_row(&c->ctx, &row, value, &name, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < p->rollback_count; i++) {
		if (strcmp(names[i], name) == 0) {
			c->plan->rollback = i;
			return 0;
		}
	}
	const char *instead = plan_suggest(c, name, names, p->rollback_count);
	if (value == NULL)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "--rollback: %s has no rollback \"%s\"; %s",
			      p->file, name, instead);
	return json_err(e, c->ctx.doc, value, "there is no rollback \"%s\"; %s", name, instead);
}
