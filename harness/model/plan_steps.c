/* SPDX-License-Identifier: MIT */
/* Steps: the patch and the rollbacks. */
#include "harness/model/plan_parts.h"

const struct param plan_step_rows[] = {
	{ .name = "name",
	  .type = PARAM_NAME,
	  .offset = offsetof(struct step_plan, name),
	  .help = "without it \"step N\"" },
	{ .name = "on",
	  .type = PARAM_NODE,
	  .offset = offsetof(struct step_plan, node),
	  .required = true,
	  .help = "where it runs" },
	{ .name = "run",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct step_plan, run),
	  .help = "shell command, run by sh -ec" },
	{ .name = "exec",
	  .type = PARAM_STRINGS,
	  .offset = offsetof(struct step_plan, exec),
	  .help = "or a program and its arguments" },
	{ .name = "timeout",
	  .type = PARAM_DURATION,
	  .offset = offsetof(struct step_plan, timeout),
	  .min = (uint64_t)NS_PER_MS,
	  .help = "without it defaults.timeout, else " PLAN_TIMEOUT_DEFAULT },
	{ .name = "may_fail",
	  .type = PARAM_BOOL,
	  .offset = offsetof(struct step_plan, may_fail),
	  .help = "its failure does not stop the steps that follow" },
	{ .name = "env",
	  .type = PARAM_PAIRS,
	  .offset = offsetof(struct step_plan, env),
	  .help = "added to its environment" },
	{ .name = "user",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct step_plan, user),
	  .help = "name or number; without it root" },
	{ .name = "cwd",
	  .type = PARAM_PATH,
	  .offset = offsetof(struct step_plan, cwd),
	  .help = "without it /" },
	{ 0 },
};

const char *const rollback_to_names[] = {
#define X(id, text) text,
	ROLLBACK_TO(X)
#undef X
		NULL,
};

struct rollback_file {
	int to;
	const struct json *steps;
};

const struct param plan_rollback_rows[] = {
	{ .name = "to",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct rollback_file, to),
	  .names = rollback_to_names,
	  .def = "before",
	  .help = "the state in which it ends: the one before the patch, or the patched one" },
	{ .name = "steps",
	  .type = PARAM_RAW,
	  .offset = offsetof(struct rollback_file, steps),
	  .required = true,
	  .schema = PLAN_STEPS_SCHEMA,
	  .help = "its steps" },
	{ 0 },
};

static int decode_steps(struct compile *c, const struct json *list, struct step_plan **ret,
			size_t *ret_count, struct err *e)
{
	size_t i = 0;
	if (plan_check_list(c, list, PLAN_STEPS_MAX, "step", e) < 0)
		return -1;
	struct step_plan *steps = arena_alloc(c->ctx.arena, json_size(list) * sizeof(*steps));
	for (const struct json *v = json_first(list); v != NULL; v = json_next(v)) {
		struct step_plan *s = &steps[i++];
		if (param_decode(&c->ctx, plan_step_rows, NULL, v, s, NULL, e) < 0 ||
		    plan_check_command(c, v, s->run, &s->exec, e) < 0)
			return -1;
		if (s->name == NULL)
			s->name = arena_printf(c->ctx.arena, "step %zu", i);
		if (s->timeout == 0)
			s->timeout = c->timeout;
	}
	*ret = steps;
	*ret_count = i;
	return plan_check_names(c, steps, sizeof(*steps), list, e);
}

/* A list of steps, or an object that says more. */
static int decode_rollback(struct compile *c, const struct json *v, struct rollback_plan *r,
			   struct err *e)
{
	struct rollback_file file = { .to = TO_BEFORE, .steps = v };
	if (json_type(v) == JSON_OBJECT &&
	    param_decode(&c->ctx, plan_rollback_rows, NULL, v, &file, NULL, e) < 0)
		return -1;
	r->to = file.to;
	return decode_steps(c, file.steps, &r->steps, &r->step_count, e);
}

static int decode_rollbacks(struct compile *c, const struct json *object, struct err *e)
{
	struct plan *p = c->plan;
	if (json_type(object) != JSON_OBJECT || json_size(object) == 0)
		return json_err(e, c->ctx.doc, object,
				"rollbacks: this is %s; write an object with a "
				"list of steps for each name",
				json_size(object) > 0 ? json_type_name(object) : "empty");
	if (json_size(object) > PLAN_ROLLBACKS_MAX)
		return json_err(e, c->ctx.doc, object,
				"rollbacks: %zu of them; at most %d are allowed", json_size(object),
				PLAN_ROLLBACKS_MAX);
	p->rollbacks = arena_alloc(c->ctx.arena, json_size(object) * sizeof(*p->rollbacks));
	for (const struct json *v = json_first(object); v != NULL; v = json_next(v)) {
		struct rollback_plan *r = &p->rollbacks[p->rollback_count++];
		r->name = json_key(v);
		if (!plan_name_ok(r->name, PLAN_WORD_LETTERS, PLAN_NAME_MAX))
			return json_key_err(e, c->ctx.doc, v,
					    "\"%s\" is not a rollback's name; write letters, "
					    "digits, \"-\", \"_\" or \".\"",
					    r->name);
		if (decode_rollback(c, v, r, e) < 0)
			return -1;
	}
	return 0;
}

int plan_steps(struct compile *c, struct err *e)
{
	const struct json *v = NULL;
	if (plan_top_needed(c, "patch", &v, e) < 0 ||
	    decode_steps(c, v, &c->plan->patch, &c->plan->patch_count, e) < 0)
		return -1;
	return plan_top_needed(c, "rollbacks", &v, e) < 0 ? -1 : decode_rollbacks(c, v, e);
}
