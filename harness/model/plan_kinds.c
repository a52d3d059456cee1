/* SPDX-License-Identifier: MIT */
/* Injectors, triggers and probes by the key that names them. */
#include <assert.h>

#include "harness/model/plan_parts.h"

static size_t kind_count(const struct kind *const *kinds)
{
	size_t n = 0;
	while (kinds[n] != NULL)
		n++;
	return n;
}

const char *const *plan_kind_names(struct compile *c, const struct kind *const *kinds)
{
	struct plan_doc *pd = c->pd;
	size_t slot = 0, count = kind_count(kinds);
	while (slot < PLAN_KIND_LISTS && pd->kind_names[slot].kinds != NULL &&
	       pd->kind_names[slot].kinds != kinds)
		slot++;
	assert(slot < PLAN_KIND_LISTS);
	if (pd->kind_names[slot].kinds == kinds)
		return pd->kind_names[slot].names;
	const char **names = arena_alloc(c->ctx.arena, (count + 1) * sizeof(char *));
	for (size_t i = 0; i < count; i++)
		names[i] = kinds[i]->name;
	pd->kind_names[slot].kinds = kinds;
	pd->kind_names[slot].names = names;
	return names;
}

const char *plan_suggest_kind(struct compile *c, const struct kind *const *kinds)
{
	return plan_suggest(c, "", plan_kind_names(c, kinds), kind_count(kinds));
}

int plan_pick_kind(struct compile *c, const struct json *object, const struct kind *const *kinds,
		   struct kind_pick *ret, struct err *e)
{
	*ret = (struct kind_pick){ 0 };
	for (size_t i = 0; kinds[i] != NULL; i++) {
		const struct json *v = json_get(object, kinds[i]->name);
		if (v == NULL)
			continue;
		if (ret->kind != NULL)
			return json_err(e, c->ctx.doc, object, "both \"%s\" and \"%s\"; keep one",
					ret->kind->name, kinds[i]->name);
		*ret = (struct kind_pick){ .kind = kinds[i], .value = v };
	}
	return 0;
}

static int decode_expect(struct compile *c, const struct kind *kind, const struct json *expect,
			 void *params, struct err *e)
{
	bool takes = kind->expect != NULL && kind->expect[0].type != PARAM_END;
	if (expect == NULL)
		return takes ? param_defaults(&c->ctx, kind->expect, params, e) : 0;
	if (!takes)
		return json_key_err(e, c->ctx.doc, expect, "\"%s\" takes no \"expect\"; remove it",
				    kind->name);
	return param_decode(&c->ctx, kind->expect, NULL, expect, params, NULL, e);
}

int plan_kind_params(struct compile *c, const struct kind_pick *pick, const struct json *expect,
		     const void **ret, struct err *e)
{
	const struct kind *kind = pick->kind;
	void *params = arena_alloc(c->ctx.arena, kind->size + 1);
	int rc;
	if (pick->value == NULL)
		rc = param_defaults(&c->ctx, kind->params, params, e);
	else
		rc = param_decode(&c->ctx, kind->params, kind->shorthand, pick->value, params, NULL,
				  e);
	if (rc < 0 || decode_expect(c, kind, expect, params, e) < 0)
		return -1;
	const char *wrong = kind->check != NULL ? kind->check(params) : NULL;
	if (wrong != NULL && pick->value != NULL)
		return json_err(e, c->ctx.doc, pick->value, "%s: %s", kind->name, wrong);
	if (wrong != NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "%s: %s", kind->name, wrong);
	*ret = params;
	return 0;
}
