/* SPDX-License-Identifier: MIT */
/* What every injector, trigger and probe must have; whoever adds one is held to it. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/probes/list.h"
#include "harness/probes/probe.h"
#include "harness/triggers/list.h"
#include "harness/triggers/trigger.h"
#include "injectors/injector.h"
#include "injectors/list.h"
#include "tests/unit/runner.h"

enum { KINDS_MAX = 64 };

/* Bytes of the C type behind each row. */
static size_t field_size(const struct param *row)
{
	static const size_t sizes[] = {
		[PARAM_STRING] = sizeof(char *),
		[PARAM_NAME] = sizeof(char *),
		[PARAM_NODE] = sizeof(char *),
		[PARAM_PATH] = sizeof(char *),
		[PARAM_FILE] = sizeof(char *),
		[PARAM_BOOL] = sizeof(bool),
		[PARAM_UINT] = sizeof(uint64_t),
		[PARAM_DURATION] = sizeof(int64_t),
		[PARAM_SIZE] = sizeof(uint64_t),
		[PARAM_RATE] = sizeof(uint64_t),
		[PARAM_PERCENT] = sizeof(double),
		[PARAM_ENUM] = sizeof(int),
		[PARAM_FLAGS] = sizeof(uint64_t),
		[PARAM_SIGNAL] = sizeof(int),
		[PARAM_ADDRESSES] = sizeof(struct list),
		[PARAM_STRINGS] = sizeof(struct strings),
		[PARAM_OBJECT] = 1,
		[PARAM_LIST] = sizeof(struct list),
		[PARAM_MAP] = sizeof(struct list),
		[PARAM_PAIRS] = sizeof(struct pairs),
		[PARAM_RAW] = sizeof(struct json *),
	};
	ck_assert_uint_lt(row->type, sizeof(sizes) / sizeof(sizes[0]));
	return sizes[row->type];
}

static bool is_sentence_part(const char *s)
{
	return s != NULL && s[0] != '\0' && s[0] != ' ' && strchr(s, '\n') == NULL &&
	       s[strlen(s) - 1] != ' ';
}

/* lower case words, joined by dots or underscores */
static void check_name(const char *name)
{
	ck_assert_ptr_nonnull(name);
	ck_assert(islower((unsigned char)name[0]));
	for (const char *p = name; *p != '\0'; p++)
		ck_assert_msg(islower((unsigned char)*p) || isdigit((unsigned char)*p) ||
				      ((*p == '.' || *p == '_') && p[1] != '\0'),
			      "name '%s'", name);
}

static void check_rows(const struct kind *k, const struct param *rows)
{
	for (const struct param *r = rows; r->name != NULL; r++) {
		check_name(r->name);
		ck_assert_msg(r->type != PARAM_END, "%s.%s has no type", k->name, r->name);
		ck_assert_msg(is_sentence_part(r->help), "%s.%s has no help", k->name, r->name);
		ck_assert_msg(r->offset + field_size(r) <= k->size, "%s.%s lies outside its struct",
			      k->name, r->name);
		ck_assert_msg(!r->required || r->def == NULL, "%s.%s is required and has a default",
			      k->name, r->name);
		bool of_words = r->type == PARAM_ENUM || r->type == PARAM_FLAGS;
		ck_assert_msg(of_words == (r->names != NULL),
			      "%s.%s: words belong to ENUM and FLAGS", k->name, r->name);
		for (const struct param *other = rows; other != r; other++) {
			ck_assert_str_ne(other->name, r->name);
			ck_assert_msg(other->offset != r->offset, "%s: %s and %s share a field",
				      k->name, other->name, r->name);
		}
	}
}

static void check_shorthand(const struct kind *k)
{
	bool found = k->shorthand == NULL;
	for (const struct param *r = k->params; r->name != NULL; r++)
		found = found || strcmp(r->name, k->shorthand) == 0;
	ck_assert_msg(found, "%s: shorthand '%s' is no parameter", k->name, k->shorthand);
}

/* Every default decodes; what is not written stays as the row says. */
static void check_defaults(const struct kind *k, const struct param *rows)
{
	struct err e = { 0 };
	struct arena *arena = arena_create();
	struct param_ctx c = { .arena = arena, .dir = "." };
	static struct param optional[64];
	size_t n = 0;
	for (const struct param *r = rows; r->name != NULL; r++) {
		ck_assert_uint_lt(n + 1, sizeof(optional) / sizeof(optional[0]));
		if (!r->required)
			optional[n++] = *r;
	}
	memset(&optional[n], 0, sizeof(optional[n]));
	void *out = arena_alloc(arena, k->size);
	ck_assert_msg(param_defaults(&c, optional, out, &e) == 0, "%s: %s", k->name, e.why);
	arena_destroy(arena);
}

static void check_kind(const struct kind *k)
{
	check_name(k->name);
	ck_assert_msg(is_sentence_part(k->help), "%s has no help", k->name);
	ck_assert_msg(k->params != NULL, "%s has no parameters", k->name);
	ck_assert_msg(k->size > 0 || k->params[0].name == NULL, "%s: its rows need a size",
		      k->name);
	check_rows(k, k->params);
	check_shorthand(k);
	check_defaults(k, k->params);
}

static void check_unique(const struct kind *const *kinds, size_t count, size_t rows)
{
	ck_assert_uint_eq(count, rows);
	ck_assert_uint_gt(count, 0);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_str_ne(kinds[i]->name, kinds[j]->name);
}

#define COUNT_ROW(name) +1

START_TEST(injectors_conform)
{
	const struct kind *kinds[KINDS_MAX];
	size_t n = 0;
	for (; injectors[n] != NULL; n++) {
		const struct injector *i = injectors[n];
		kinds[n] = &i->kind;
		check_kind(&i->kind);
		ck_assert_msg(is_sentence_part(i->kind.applied), "%s: what applied means",
			      i->kind.name);
		ck_assert_msg(is_sentence_part(i->kind.felt), "%s: what felt means", i->kind.name);
		ck_assert_ptr_null(i->kind.expect);
		ck_assert(i->create != NULL && i->strike != NULL && i->undo != NULL);
		ck_assert(i->verify != NULL && i->destroy != NULL);
		i->destroy(NULL);
	}
	check_unique(kinds, n, 0 INJECTORS(COUNT_ROW));
}
END_TEST

START_TEST(triggers_conform)
{
	const struct kind *kinds[KINDS_MAX];
	size_t n = 0;
	for (; trigger_kinds[n] != NULL; n++) {
		const struct trigger_kind *t = trigger_kinds[n];
		kinds[n] = &t->kind;
		check_kind(&t->kind);
		ck_assert(t->kind.applied == NULL && t->kind.felt == NULL);
		ck_assert_ptr_null(t->kind.expect);
		ck_assert(t->create != NULL && t->enter != NULL && t->leave != NULL);
		ck_assert(t->destroy != NULL);
		t->destroy(NULL);
	}
	check_unique(kinds, n, 0 TRIGGERS(COUNT_ROW));
}
END_TEST

/* The rows of "expect" go into the same struct, and must not meet the others there. */
static void check_expect(const struct kind *k)
{
	ck_assert_msg(k->expect != NULL, "%s has no rows of \"expect\"", k->name);
	check_rows(k, k->expect);
	check_defaults(k, k->expect);
	for (const struct param *a = k->expect; a->name != NULL; a++)
		for (const struct param *b = k->params; b->name != NULL; b++)
			ck_assert_msg(a->offset != b->offset, "%s: expect.%s and %s share a field",
				      k->name, a->name, b->name);
}

START_TEST(probes_conform)
{
	const struct kind *kinds[KINDS_MAX];
	size_t n = 0;
	for (; probe_kinds[n] != NULL; n++) {
		const struct probe_kind *p = probe_kinds[n];
		kinds[n] = &p->kind;
		check_kind(&p->kind);
		check_expect(&p->kind);
		ck_assert_msg(p->kind.shorthand != NULL,
			      "%s: a scenario writes a probe as "
			      "\"%s\": \"...\"",
			      p->kind.name, p->kind.name);
		ck_assert(p->kind.applied == NULL && p->kind.felt == NULL);
		ck_assert(p->start != NULL && p->end != NULL);
		p->end(NULL);
	}
	check_unique(kinds, n, 0 PROBES(COUNT_ROW));
}
END_TEST

Suite *suite_conformance(void);
Suite *suite_conformance(void)
{
	Suite *s = suite_create("conformance");
	TCase *t = tcase_create("conformance");
	tcase_add_test(t, injectors_conform);
	tcase_add_test(t, triggers_conform);
	tcase_add_test(t, probes_conform);
	suite_add_tcase(s, t);
	return s;
}
