/* SPDX-License-Identifier: MIT */
/* plan.json: everything resolved, every unit in its name. */
#include <inttypes.h>

#include "harness/model/plan_parts.h"

static void key(struct buf *out, const char *name, bool *first)
{
	buf_puts(out, *first ? "" : ",");
	*first = false;
	buf_json(out, name);
	buf_putc(out, ':');
}

static void text(struct buf *out, const char *name, const char *value, bool *first)
{
	if (value == NULL)
		return;
	key(out, name, first);
	buf_json(out, value);
}

static void number(struct buf *out, const char *name, int64_t value, bool *first)
{
	key(out, name, first);
	buf_printf(out, "%" PRId64, value);
}

static void flags(struct buf *out, const char *name, uint64_t bits, const char *const *names)
{
	bool first = true;
	buf_printf(out, ",\"%s\":[", name);
	for (size_t i = 0; names[i] != NULL; i++) {
		if ((bits >> i & 1) == 0)
			continue;
		buf_puts(out, first ? "" : ",");
		buf_json(out, names[i]);
		first = false;
	}
	buf_putc(out, ']');
}

static void kind_object(struct buf *out, const char *name, const struct kind *kind,
			const void *params)
{
	bool first = true;
	buf_printf(out, ",\"%s\":{\"%s\":{", name, kind->name);
	param_write(out, kind->params, params, &first);
	buf_putc(out, '}');
	if (kind->expect != NULL && kind->expect[0].type != PARAM_END) {
		first = true;
		buf_puts(out, "},\"expect\":{");
		param_write(out, kind->expect, params, &first);
	}
	buf_putc(out, '}');
}

static void probe_object(struct buf *out, const struct probe_plan *p)
{
	static const char *const when[] = {
#define X(id, name) name,
		PROBE_WHEN(X)
#undef X
			NULL,
	};
	bool first = true;
	buf_putc(out, '{');
	text(out, "name", p->name, &first);
	text(out, "on", p->node, &first);
	kind_object(out, "probe", p->kind, p->params);
	number(out, "every_ns", p->every, &first);
	number(out, "timeout_ns", p->timeout, &first);
	number(out, "tolerate_failures", (int64_t)p->tolerate_failures, &first);
	number(out, "tolerate_for_ns", p->tolerate_for, &first);
	flags(out, "when", p->when, when);
	buf_putc(out, '}');
}

static void probes(struct buf *out, const char *name, const struct probe_plan *list, size_t count)
{
	buf_printf(out, ",\n\"%s\":[", name);
	for (size_t i = 0; i < count; i++) {
		buf_puts(out, i > 0 ? ",\n " : "\n ");
		probe_object(out, &list[i]);
	}
	buf_putc(out, ']');
}

static void steps(struct buf *out, const struct step_plan *list, size_t count)
{
	buf_putc(out, '[');
	for (size_t i = 0; i < count; i++) {
		bool first = true;
		buf_puts(out, i > 0 ? ",\n {" : "\n {");
		param_write(out, plan_step_rows, &list[i], &first);
		buf_putc(out, '}');
	}
	buf_putc(out, ']');
}

static void services(struct buf *out, const struct list *list)
{
	const struct service_plan *s = list->items;
	buf_puts(out, ",\"services\":{");
	for (size_t i = 0; i < list->count; i++) {
		bool first = true;
		buf_puts(out, i > 0 ? "," : "");
		buf_json(out, s[i].name);
		buf_puts(out, ":{");
		param_write(out, plan_service_rows, &s[i], &first);
		if (s[i].ready != NULL) {
			key(out, "ready", &first);
			probe_object(out, s[i].ready);
		}
		buf_putc(out, '}');
	}
	buf_putc(out, '}');
}

/* Those of the node's rows that lie in struct node_plan itself. */
static void node_fields(struct buf *out, const struct node_plan *node)
{
	bool first = true;
	for (const struct param *row = plan_node_rows; row->type != PARAM_END; row++) {
		const struct param one[] = { *row, { 0 } };
		if (row->offset < sizeof(*node))
			param_write(out, one, node, &first);
	}
}

static void switches(struct buf *out, const struct plan *p)
{
	static const struct param row[] = { { .name = "switches",
					      .type = PARAM_MAP,
					      .sub = plan_switch_rows,
					      .size = sizeof(struct switch_plan) },
					    { 0 } };
	bool first = true;
	buf_puts(out, ",\n");
	param_write(out, row, &p->switches, &first);
}

static void nodes(struct buf *out, const struct plan *p)
{
	buf_puts(out, ",\n\"nodes\":{");
	for (size_t i = 0; i < p->node_count; i++) {
		buf_puts(out, i > 0 ? ",\n " : "\n ");
		buf_json(out, p->nodes[i].name);
		buf_puts(out, ":{");
		node_fields(out, &p->nodes[i]);
		services(out, &p->nodes[i].services);
		buf_putc(out, '}');
	}
	buf_putc(out, '}');
}

static void rollback(struct buf *out, const struct rollback_plan *r)
{
	if (r->to != TO_BEFORE)
		buf_printf(out, "{\"to\":\"%s\",\"steps\":", rollback_to_names[r->to]);
	steps(out, r->steps, r->step_count);
	if (r->to != TO_BEFORE)
		buf_putc(out, '}');
}

static void rollbacks(struct buf *out, const struct plan *p)
{
	static const char *const when[] = {
#define X(id, name) name,
		ROLLBACK_WHEN(X)
#undef X
			NULL,
	};
	buf_puts(out, ",\n\"rollback\":");
	buf_json(out, p->rollbacks[p->rollback].name);
	flags(out, "rollback_when", p->rollback_when, when);
	buf_puts(out, ",\n\"rollbacks\":{");
	for (size_t i = 0; i < p->rollback_count; i++) {
		buf_puts(out, i > 0 ? ",\n " : "\n ");
		buf_json(out, p->rollbacks[i].name);
		buf_putc(out, ':');
		rollback(out, &p->rollbacks[i]);
	}
	buf_putc(out, '}');
}

static void fault_object(struct buf *out, const struct plan *p, const struct fault_plan *f)
{
	static const char *const until[] = {
#define X(id, name) name,
		PLAN_UNTIL(X)
#undef X
	};
	bool first = true;
	buf_putc(out, '{');
	text(out, "name", f->name, &first);
	text(out, "slug", f->slug, &first);
	kind_object(out, "inject", f->injector, f->inject);
	kind_object(out, "at", f->trigger, f->at);
	text(out, "section", f->in_rollback ? "rollback" : "patch", &first);
	text(out, "step", f->step >= 0 ? plan_fault_step(p, f)->name : NULL, &first);
	text(out, "until", until[f->until], &first);
	if (f->until == UNTIL_DURATION)
		number(out, "until_ns", f->until_ns, &first);
	if (f->slug != NULL)
		flags(out, "expect", f->expect, outcome_expect_names);
	if (f->next != NULL) {
		buf_puts(out, ",\"next\":");
		fault_object(out, p, f->next);
	}
	buf_putc(out, '}');
}

void plan_to_json(const struct plan *p, struct buf *out)
{
	bool first = true;
	buf_putc(out, '{');
	text(out, "title", p->title, &first);
	text(out, "file", p->file, &first);
	text(out, "digest", p->digest, &first);
	key(out, "window", &first);
	buf_putc(out, '{');
	first = true;
	param_write(out, plan_window_rows, &p->window, &first);
	buf_putc(out, '}');
	switches(out, p);
	nodes(out, p);
	probes(out, "steady_state", p->steady, p->steady_count);
	probes(out, "goal", p->goal, p->goal_count);
	buf_puts(out, ",\n\"state\":{");
	first = true;
	param_write(out, plan_state_rows, &p->state, &first);
	buf_puts(out, "},\n\"patch\":");
	steps(out, p->patch, p->patch_count);
	rollbacks(out, p);
	buf_puts(out, ",\n\"faults\":[");
	for (size_t i = 0; i < p->fault_count; i++) {
		buf_puts(out, i > 0 ? ",\n " : "\n ");
		fault_object(out, p, &p->faults[i]);
	}
	buf_puts(out, "]}\n");
}
