/* SPDX-License-Identifier: MIT */
/* The schema says what the tables say: every field, every kind, nothing open. */
#include "harness/base/buf.h"
#include "harness/model/plan.h"
#include "tests/unit/fake_catalog.h"
#include "tests/unit/runner.h"

START_TEST(all_tables_are_in_it)
{
	struct buf b = { 0 };
	struct err e = { 0 };
	struct json_doc *doc = NULL;
	plan_schema(&fake_catalog, &b);
	MUST(json_parse(&doc, "schema.json", b.data, b.len, &e));
	const struct json *r = json_root(doc), *defs = json_get(r, "$defs");
	static const char *const top[] = { "$schema",      "title",     "include",       "vars",
					   "window",       "defaults",  "nodes",         "switches",
					   "steady_state", "goal",      "state",         "patch",
					   "rollback",     "rollbacks", "rollback_when", "faults" };
	const struct json *properties = json_get(r, "properties");
	ck_assert_uint_eq(json_size(properties), sizeof(top) / sizeof(top[0]));
	for (size_t i = 0; i < sizeof(top) / sizeof(top[0]); i++)
		ck_assert_ptr_nonnull(json_get(properties, top[i]));
	for (size_t i = 0; fake_catalog.injectors[i] != NULL; i++)
		ck_assert_ptr_nonnull(json_get(json_get(json_get(defs, "inject"), "properties"),
					       fake_catalog.injectors[i]->name));
	for (size_t i = 0; fake_catalog.triggers[i] != NULL; i++)
		ck_assert_ptr_nonnull(json_get(json_get(json_get(defs, "at"), "properties"),
					       fake_catalog.triggers[i]->name));
	for (size_t i = 0; fake_catalog.probes[i] != NULL; i++)
		ck_assert_ptr_nonnull(
			json_get(json_get(json_get(defs, "probe"), "dependentSchemas"),
				 fake_catalog.probes[i]->name));
	static const char *const closed[] = { "node", "probe", "inject", "at", "fault" };
	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
		ck_assert(!json_get_bool(json_get(defs, closed[i]), "additionalProperties", true));
	json_doc_free(doc);
	buf_free(&b);
}
END_TEST

Suite *suite_schema(void)
{
	Suite *s = suite_create("schema");
	TCase *t = tcase_create("schema");
	tcase_add_test(t, all_tables_are_in_it);
	suite_add_tcase(s, t);
	return s;
}
