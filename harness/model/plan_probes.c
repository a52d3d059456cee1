/* SPDX-License-Identifier: MIT */
/* Probes: steady state, goal, and a service's readiness. */
#include <string.h>

#include "harness/base/guard.h"
#include "harness/model/plan_parts.h"

#define DEFAULT_EVERY   "200ms"
#define DEFAULT_TIMEOUT "2s"

struct tolerate {
	uint64_t failures;
	int64_t time;
};

struct probe_file {
	struct probe_plan plan;
	const char *from;
	const struct json *expect;
	struct tolerate tolerate;
};

static const char *const when_names[] = {
#define X(id, text) text,
	PROBE_WHEN(X)
#undef X
		NULL,
};

static const struct param tolerate_rows[] = {
	{ .name = "failures",
	  .type = PARAM_UINT,
	  .offset = offsetof(struct tolerate, failures),
	  .help = "so many in a row still count as holding" },
	{ .name = "for",
	  .type = PARAM_DURATION,
	  .offset = offsetof(struct tolerate, time),
	  .help = "and for at most this long; without it no time limit" },
	{ 0 },
};

const struct param plan_probe_rows[] = {
	{ .name = "name",
	  .type = PARAM_NAME,
	  .offset = offsetof(struct probe_plan, name),
	  .help = "without it made from what it asks" },
	{ .name = "on",
	  .type = PARAM_NODE,
	  .offset = offsetof(struct probe_plan, node),
	  .help = "the node where it asks" },
	{ .name = "from",
	  .type = PARAM_NODE,
	  .offset = offsetof(struct probe_file, from),
	  .help = "the same, for questions over the network" },
	{ .name = "expect",
	  .type = PARAM_RAW,
	  .offset = offsetof(struct probe_file, expect),
	  .help = "the answer that holds" },
	{ .name = "every",
	  .type = PARAM_DURATION,
	  .offset = offsetof(struct probe_plan, every),
	  .def = DEFAULT_EVERY,
	  .min = (uint64_t)NS_PER_MS,
	  .help = "from one question to the next" },
	{ .name = "timeout",
	  .type = PARAM_DURATION,
	  .offset = offsetof(struct probe_plan, timeout),
	  .def = DEFAULT_TIMEOUT,
	  .min = (uint64_t)NS_PER_MS,
	  .help = "of one question" },
	{ .name = "tolerate",
	  .type = PARAM_OBJECT,
	  .offset = offsetof(struct probe_file, tolerate),
	  .sub = tolerate_rows,
	  .help = "a short outage that still counts as holding" },
	{ .name = "when",
	  .type = PARAM_FLAGS,
	  .offset = offsetof(struct probe_plan, when),
	  .names = when_names,
	  .def = "before,during,after",
	  .help = "when it must hold" },
	{ 0 },
};

/* "http http://web/" for {"http": "http://web/"}. */
static const char *default_name(struct compile *c, const struct kind *kind, const void *params)
{
	GUARD_BUF struct buf b = { 0 };
	for (const struct param *row = kind->params; row != NULL && row->type != PARAM_END; row++) {
		if (row->type != PARAM_STRING && row->type != PARAM_PATH && row->type != PARAM_NAME)
			continue;
		const char *text =
			*(const char *const *)((const void *)((const char *)params + row->offset));
		if (text != NULL) {
			buf_printf(&b, " %.60s", text);
			break;
		}
	}
	return arena_printf(c->ctx.arena, "%s%s", kind->name, buf_str(&b));
}

static int settle_node(struct compile *c, const struct json *value, const char *node,
		       struct probe_file *f, struct err *e)
{
	if (f->plan.node != NULL && f->from != NULL)
		return json_err(e, c->ctx.doc, value, "both \"on\" and \"from\"; keep one");
	if (f->plan.node == NULL)
		f->plan.node = f->from != NULL ? f->from : node;
	if (f->plan.node == NULL)
		return json_err(e, c->ctx.doc, value,
				"\"on\" is missing; write the name of the node where "
				"the probe asks");
	return 0;
}

int plan_probe(struct compile *c, const struct json *value, const char *node,
	       struct probe_plan *ret, struct err *e)
{
	struct probe_file f = { 0 };
	struct kind_pick pick;
	const char *const *names = plan_kind_names(c, c->catalog->probes);
	if (param_decode(&c->ctx, plan_probe_rows, NULL, value, &f, names, e) < 0 ||
	    settle_node(c, value, node, &f, e) < 0 ||
	    plan_pick_kind(c, value, c->catalog->probes, &pick, e) < 0)
		return -1;
	if (pick.kind == NULL)
		return json_err(e, c->ctx.doc, value, "a probe without a question; %s",
				plan_suggest_kind(c, c->catalog->probes));
	f.plan.kind = pick.kind;
	if (plan_kind_params(c, &pick, f.expect, &f.plan.params, e) < 0)
		return -1;
	if (f.plan.name == NULL)
		f.plan.name = default_name(c, pick.kind, f.plan.params);
	f.plan.tolerate_failures = f.tolerate.failures;
	f.plan.tolerate_for = f.tolerate.time;
	*ret = f.plan;
	return 0;
}

static int decode_probes(struct compile *c, const char *field, struct probe_plan **ret,
			 size_t *ret_count, struct err *e)
{
	const struct json *list = plan_top(c, field);
	if (list == NULL)
		return 0;
	if (plan_check_list(c, list, PLAN_PROBES_MAX, NULL, e) < 0)
		return -1;
	*ret = arena_alloc(c->ctx.arena, json_size(list) * sizeof(**ret) + 1);
	for (const struct json *v = json_first(list); v != NULL; v = json_next(v)) {
		struct probe_plan *p = &(*ret)[(*ret_count)++];
		if (plan_probe(c, v, NULL, p, e) < 0)
			return -1;
		if (p->kind->of_systemd && plan_node(c->plan, p->node)->init != INIT_SYSTEMD)
			return json_err(e, c->ctx.doc, v,
					"%s: node \"%s\" has no systemd; give it \"init\": "
					"\"systemd\", or ask something else",
					p->kind->name, p->node);
	}
	return plan_check_names(c, *ret, sizeof(**ret), list, e);
}

int plan_probes(struct compile *c, struct err *e)
{
	struct plan *p = c->plan;
	if (decode_probes(c, "steady_state", &p->steady, &p->steady_count, e) < 0 ||
	    decode_probes(c, "goal", &p->goal, &p->goal_count, e) < 0)
		return -1;
	for (size_t i = 0; i < p->goal_count; i++)
		for (size_t k = 0; k < p->steady_count; k++)
			if (strcmp(p->goal[i].name, p->steady[k].name) == 0)
				return json_err(e, c->ctx.doc, plan_element(plan_top(c, "goal"), i),
						"\"%s\" is a steady_state probe's name already; "
						"give this one "
						"another \"name\"",
						p->goal[i].name);
	return 0;
}
