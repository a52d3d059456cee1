/* SPDX-License-Identifier: MIT */
/* Faults: what, when, how long, and what may follow. */
#include <assert.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/model/plan_parts.h"

#define EDGE_TRIGGER "edge" /* what `at` means when it names no trigger */

struct fault_file {
	const char *name, *until;
	const struct json *inject, *at, *all;
	uint64_t expect;
	bool again;
};

/* Where the step of `at` is looked for. */
enum at_section { AT_EITHER, AT_PATCH, AT_ROLLBACK };
static const char *const section_names[] = { "either", "patch", "rollback", NULL };

struct at_file {
	const char *step;
	int section;
};

const char *const outcome_expect_names[] = {
#define X(id, name, exit, help) name,
	OUTCOMES(X)
#undef X
		NULL,
};

/* The rows of a single drill's verdict: the others never let a fault pass. */
static const char *const expect_names[] = {
	"tolerated", "drifted",  "stuck",    "degraded", "residue",
	"late",      "restored", "harmless", NULL,
};
enum { EXPECT_FIRST = OUTCOME_TOLERATED, EXPECT_COUNT = OUTCOME_HARMLESS - OUTCOME_TOLERATED + 1 };
static_assert(sizeof(expect_names) / sizeof(expect_names[0]) == EXPECT_COUNT + 1,
	      "the outcomes from tolerated to harmless, in their order");

static const char *const until_names[] = { "step_end", "rollback", "rollback_end" };

/* What one strike is; a fault holds one, or several under "all". */
/* clang-format off */
#define STRIKE_ROWS \
	{ .name = "inject", \
	  .type = PARAM_RAW, \
	  .offset = offsetof(struct fault_file, inject), \
	  .schema = "{\"$ref\":\"#/$defs/inject\"}", \
	  .help = "what to break" }, \
	{ .name = "at", \
	  .type = PARAM_RAW, \
	  .offset = offsetof(struct fault_file, at), \
	  .schema = "{\"$ref\":\"#/$defs/at\"}", \
	  .help = "when; without it as the first patch step starts" }, \
	{ .name = "until", \
	  .type = PARAM_STRING, \
	  .offset = offsetof(struct fault_file, until), \
	  .help = "a duration, step_end, rollback or rollback_end; without it rollback " \
		  "(rollback_end " \
		  "for a fault inside a rollback)" }, \
	{ .name = "again", \
	  .type = PARAM_BOOL, \
	  .offset = offsetof(struct fault_file, again), \
	  .def = "false", \
	  .help = "of a fault inside the rollback: if the rollback fails by it, it runs once more " \
		  "from its start, and that is judged" }
/* clang-format on */

const struct param plan_strike_rows[] = { STRIKE_ROWS, { 0 } };

const struct param plan_fault_rows[] = {
	{ .name = "name",
	  .type = PARAM_NAME,
	  .offset = offsetof(struct fault_file, name),
	  .required = true,
	  .help = "stands in reports and folder names" },
	STRIKE_ROWS,
	{ .name = "all",
	  .type = PARAM_RAW,
	  .offset = offsetof(struct fault_file, all),
	  .schema = "{\"type\":\"array\",\"minItems\":2,\"items\":{\"$ref\":\"#/$defs/strike\"}}",
	  .help = "several strikes in one drill, each with its own inject, at, until and again; "
		  "instead of these" },
	{ .name = "expect",
	  .type = PARAM_FLAGS,
	  .offset = offsetof(struct fault_file, expect),
	  .names = expect_names,
	  .def = "restored,harmless,tolerated",
	  .help = "what passes" },
	{ 0 },
};

const struct param plan_at_rows[] = {
	{ .name = "step",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct at_file, step),
	  .help = "a step of the patch or of the chosen rollback" },
	{ .name = "section",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct at_file, section),
	  .names = section_names,
	  .def = "either",
	  .help = "where that step is, when both have one of this name" },
	{ 0 },
};

static int find_step(const struct step_plan *steps, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(steps[i].name, name) == 0)
			return (int)i;
	return PLAN_NO_STEP;
}

static int no_such_step(struct compile *c, const struct json *at, const char *name, struct err *e)
{
	const struct plan *p = c->plan;
	const struct rollback_plan *chosen = &p->rollbacks[p->rollback];
	size_t count = 0;
	GUARD(mem)
	const char **names = mem_array(p->patch_count + chosen->step_count, sizeof(char *));
	for (size_t i = 0; i < p->rollback_count; i++) {
		const struct rollback_plan *r = &p->rollbacks[i];
		if (r != chosen && find_step(r->steps, r->step_count, name) != PLAN_NO_STEP)
			return json_err(e, c->ctx.doc, at,
					"step \"%s\" is one of rollback \"%s\", but "
					"\"%s\" is the chosen rollback",
					name, r->name, chosen->name);
	}
	for (size_t i = 0; i < p->patch_count; i++)
		names[count++] = p->patch[i].name;
	for (size_t i = 0; i < chosen->step_count; i++)
		names[count++] = chosen->steps[i].name;
	return json_err(e, c->ctx.doc, at, "there is no step \"%s\"; %s", name,
			plan_suggest(c, name, names, count));
}

static int resolve_step(struct compile *c, const struct json *at, const struct at_file *file,
			struct fault_plan *f, struct err *e)
{
	const struct plan *p = c->plan;
	const char *name = file->step;
	const struct rollback_plan *r = &p->rollbacks[p->rollback];
	int in_patch = file->section == AT_ROLLBACK ? PLAN_NO_STEP
						    : find_step(p->patch, p->patch_count, name);
	int in_rollback =
		file->section == AT_PATCH ? PLAN_NO_STEP : find_step(r->steps, r->step_count, name);
	if (in_patch != PLAN_NO_STEP && in_rollback != PLAN_NO_STEP)
		return json_err(e, c->ctx.doc, at,
				"step \"%s\" is in the patch and in rollback \"%s\"; write "
				"\"section\": \"patch\" or \"rollback\" beside it",
				name, r->name);
	if (in_patch == PLAN_NO_STEP && in_rollback == PLAN_NO_STEP)
		return no_such_step(c, at, name, e);
	f->in_rollback = in_rollback != PLAN_NO_STEP;
	f->step = f->in_rollback ? in_rollback : in_patch;
	return 0;
}

static int pick_edge(struct compile *c, struct kind_pick *pick, struct err *e)
{
	for (size_t i = 0; c->catalog->triggers[i] != NULL; i++)
		if (strcmp(c->catalog->triggers[i]->name, EDGE_TRIGGER) == 0)
			pick->kind = c->catalog->triggers[i];
	if (pick->kind == NULL)
		return ERR(e, 0, "there is no trigger \"%s\"", EDGE_TRIGGER);
	return 0;
}

static int decode_at(struct compile *c, const struct json *at, struct fault_plan *f, struct err *e)
{
	struct at_file file = { 0 };
	struct kind_pick pick = { 0 };
	const char *const *names = plan_kind_names(c, c->catalog->triggers);
	f->step = at != NULL ? PLAN_ANY_STEP : 0;
	if (at != NULL) {
		if (param_decode(&c->ctx, plan_at_rows, NULL, at, &file, names, e) < 0 ||
		    plan_pick_kind(c, at, c->catalog->triggers, &pick, e) < 0)
			return -1;
		if (file.step != NULL && resolve_step(c, json_get(at, "step"), &file, f, e) < 0)
			return -1;
		if (file.step == NULL && pick.kind == NULL)
			return json_err(e, c->ctx.doc, at,
					"at: empty; name a \"step\" or a trigger, or leave "
					"\"at\" out");
	}
	if (pick.kind == NULL && pick_edge(c, &pick, e) < 0)
		return -1;
	f->trigger = pick.kind;
	return plan_kind_params(c, &pick, NULL, &f->at, e);
}

static int decode_inject(struct compile *c, const struct json *inject, struct fault_plan *f,
			 struct err *e)
{
	static const struct param none[] = { { 0 } };
	struct kind_pick pick;
	const char *const *names = plan_kind_names(c, c->catalog->injectors);
	if (json_type(inject) != JSON_OBJECT)
		return json_err(e, c->ctx.doc, inject,
				"inject: this is %s; write an object with one "
				"injector",
				json_type_name(inject));
	if (param_check_keys(&c->ctx, none, inject, names, e) < 0 ||
	    plan_pick_kind(c, inject, c->catalog->injectors, &pick, e) < 0)
		return -1;
	if (pick.kind == NULL)
		return json_err(e, c->ctx.doc, inject, "inject: empty; %s",
				plan_suggest_kind(c, c->catalog->injectors));
	f->injector = pick.kind;
	return plan_kind_params(c, &pick, NULL, &f->inject, e);
}

static int decode_until(struct compile *c, const struct json *value, const char *text,
			struct fault_plan *f, struct err *e)
{
	struct err sub = { 0 };
	f->until = f->in_rollback ? UNTIL_ROLLBACK_END : UNTIL_ROLLBACK;
	if (value == NULL)
		return 0;
	for (int i = 0; i < 3; i++) {
		if (strcmp(text, until_names[i]) != 0)
			continue;
		f->until = (enum plan_until)(UNTIL_STEP_END + i);
		if (f->in_rollback && f->until == UNTIL_ROLLBACK)
			return json_err(e, c->ctx.doc, value,
					"until: \"rollback\" is over before a step of the "
					"rollback starts; write \"step_end\", \"rollback_end\" or "
					"a duration");
		return 0;
	}
	f->until = UNTIL_DURATION;
	if (param_parse_duration(text, &f->until_ns, &sub) < 0)
		return json_err(e, c->ctx.doc, value,
				"until: \"%s\" is not known here; write a duration "
				"such as \"5s\", \"step_end\", \"rollback\" or \"rollback_end\"",
				text);
	if (f->until_ns < NS_PER_MS)
		return json_err(e, c->ctx.doc, value, "until: %s is too little; write at least 1ms",
				text);
	return 0;
}

static int decode_strike(struct compile *c, const struct json *v, const struct fault_file *file,
			 struct fault_plan *f, struct err *e)
{
	if (file->inject == NULL)
		return json_err(e, c->ctx.doc, v, "\"inject\" is missing; write what to break");
	if (decode_inject(c, file->inject, f, e) < 0 || decode_at(c, file->at, f, e) < 0)
		return -1;
	if (f->injector->answers_call && !f->trigger->holds_call)
		return json_err(e, c->ctx.doc, v,
				"%s answers a system call, and trigger \"%s\" holds none; write "
				"\"at\": {\"syscall\": ...}",
				f->injector->name, f->trigger->name);
	f->again = file->again;
	if (f->again && !f->in_rollback)
		return json_err(e, c->ctx.doc, json_get(v, "again"),
				"again: the fault strikes no step of the rollback; leave it out");
	if (plan_fault_disk(c, v, f, e) < 0 || plan_fault_links(c, v, f, e) < 0)
		return -1;
	return decode_until(c, json_get(v, "until"), file->until, f, e);
}

/* Two that hold calls of one step would need two filters with listeners, and the kernel has one. */
static int check_joined(struct compile *c, const struct json *v, const struct fault_plan *first,
			const struct fault_plan *f, struct err *e)
{
	for (const struct fault_plan *o = first; o != f; o = o->next) {
		bool same =
			o->step == f->step || o->step == PLAN_ANY_STEP || f->step == PLAN_ANY_STEP;
		if (same && o->in_rollback == f->in_rollback && o->trigger->holds_call &&
		    f->trigger->holds_call)
			return json_err(e, c->ctx.doc, v,
					"all: two strikes cannot both hold system calls of one "
					"step; let one of them have another trigger");
	}
	return 0;
}

static int decode_all(struct compile *c, const struct json *all, struct fault_plan *f,
		      struct err *e)
{
	struct fault_plan *first = f;
	if (plan_check_list(c, all, PLAN_JOINED_MAX, "strike", e) < 0)
		return -1;
	for (const struct json *v = json_first(all); v != NULL; v = json_next(v)) {
		struct fault_file file = { 0 };
		if (v != json_first(all)) {
			struct fault_plan *next = arena_alloc(c->ctx.arena, sizeof(*next));
			next->name = arena_printf(c->ctx.arena, "%s, %zu", first->name,
						  ++first->joined + 1);
			f->next = next;
			f = next;
		}
		if (param_decode(&c->ctx, plan_strike_rows, NULL, v, &file, NULL, e) < 0 ||
		    decode_strike(c, v, &file, f, e) < 0 || check_joined(c, v, first, f, e) < 0)
			return -1;
		if (f->in_rollback < first->in_rollback)
			return json_err(e, c->ctx.doc, v,
					"all: a strike in the patch comes before those in the "
					"rollback; put it first");
	}
	return 0;
}

int plan_decode_fault(struct compile *c, const struct json *v, struct fault_plan *f, struct err *e)
{
	struct fault_file file = { 0 };
	if (param_decode(&c->ctx, plan_fault_rows, NULL, v, &file, NULL, e) < 0)
		return -1;
	f->name = file.name;
	f->expect = file.expect << EXPECT_FIRST;
	if (file.all != NULL && (file.inject != NULL || file.at != NULL || file.until != NULL))
		return json_err(
			e, c->ctx.doc, file.all,
			"all: beside it no inject, at or until; write them into its members");
	if (file.all != NULL ? decode_all(c, file.all, f, e) < 0
			     : decode_strike(c, v, &file, f, e) < 0)
		return -1;
	f->text = plan_fault_text(c, v);
	return 0;
}

static bool is_of_another_rollback(const struct plan *p, const struct json *strike)
{
	const struct json *at = json_get(strike, "at");
	const char *step = at != NULL ? json_get_string(at, "step", NULL) : NULL;
	const struct rollback_plan *chosen = &p->rollbacks[p->rollback];
	if (step == NULL || find_step(p->patch, p->patch_count, step) != PLAN_NO_STEP ||
	    find_step(chosen->steps, chosen->step_count, step) != PLAN_NO_STEP)
		return false;
	for (size_t i = 0; i < p->rollback_count; i++)
		if (find_step(p->rollbacks[i].steps, p->rollbacks[i].step_count, step) !=
		    PLAN_NO_STEP)
			return true;
	return false;
}

/* Where another rollback than the scenario's own was asked for, the faults that strike inside that
 * one have no place. */
static bool has_no_place(const struct compile *c, const struct json *fault)
{
	const struct json *all = json_type(fault) == JSON_OBJECT ? json_get(fault, "all") : NULL;
	if (json_type(fault) != JSON_OBJECT ||
	    (c->options->rollback == NULL && !c->options->archived))
		return false;
	if (all == NULL || json_type(all) != JSON_ARRAY)
		return is_of_another_rollback(c->plan, fault);
	for (const struct json *v = json_first(all); v != NULL; v = json_next(v))
		if (json_type(v) == JSON_OBJECT && is_of_another_rollback(c->plan, v))
			return true;
	return false;
}

int plan_faults(struct compile *c, struct err *e)
{
	struct plan *p = c->plan;
	const struct json *list = plan_top(c, "faults");
	if (list == NULL)
		return 0;
	if (plan_check_list(c, list, PLAN_FAULTS_MAX, NULL, e) < 0)
		return -1;
	p->faults = arena_alloc(c->ctx.arena, json_size(list) * sizeof(*p->faults) + 1);
	for (const struct json *v = json_first(list); v != NULL; v = json_next(v)) {
		struct fault_plan *f = &p->faults[p->fault_count];
		if (has_no_place(c, v))
			continue;
		if (plan_decode_fault(c, v, f, e) < 0)
			return -1;
		f->slug = plan_unique_slug(c, f->name);
		p->fault_count++;
	}
	/* With some left out the list gives no positions; their names were checked with the rest.
	 */
	if (p->fault_count < json_size(list))
		return 0;
	return plan_check_names(c, p->faults, sizeof(*p->faults), list, e);
}

static int add(struct compile *c, const char *slug, const struct json *v,
	       const struct fault_plan **ret, struct err *e)
{
	struct fault_plan f = { 0 };
	if (plan_decode_fault(c, v, &f, e) < 0)
		return -1;
	f.slug = slug != NULL ? plan_take_slug(c->pd, slug) : plan_unique_slug(c, f.name);
	if (f.slug == NULL)
		return json_err(e, c->ctx.doc, v, "another fault is called \"%s\" already", slug);
	struct fault_plan *kept = arena_alloc(c->ctx.arena, sizeof(*kept));
	*kept = f;
	*ret = kept;
	return 0;
}

int plan_add_fault_as(struct plan_doc *d, const char *slug, const char *origin, const char *text,
		      const struct catalog *catalog, const struct fault_plan **ret, struct err *e)
{
	static const struct plan_options none;
	struct json_doc *doc = NULL;
	size_t files = d->file_count;
	if (json_parse(&doc, origin, text, strlen(text), e) < 0)
		return -1;
	struct compile c = {
		.pd = d,
		.plan = &d->plan,
		.ctx = { .arena = d->arena,
			 .doc = doc,
			 .copies = true,
			 .dir = d->sources[0].dir,
			 .nodes = &d->nodes,
			 .linked = &d->linked,
			 .on_disk = &d->on_disk,
			 .file_seen = plan_note_file,
			 .file_arg = d },
		.catalog = catalog,
		.options = &none,
	};
	int rc = add(&c, slug, json_root(doc), ret, e);
	d->file_count = files; /* what was noted names values of this document */
	json_doc_free(doc);
	return rc;
}

int plan_add_fault(struct plan_doc *d, const char *origin, const char *text,
		   const struct catalog *catalog, const struct fault_plan **ret, struct err *e)
{
	return plan_add_fault_as(d, NULL, origin, text, catalog, ret, e);
}
