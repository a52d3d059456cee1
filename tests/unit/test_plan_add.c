/* SPDX-License-Identifier: MIT */
/* Faults as text: added to a plan one by one, and the same again from what they say. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/catalog.h"
#include "harness/model/plan.h"
#include "tests/unit/fake_catalog.h"
#include "tests/unit/runner.h"

static const char scenario[] =
	"{ \"vars\": { \"who\": \"web\", \"odd\": \"{{who}}\", \"file\": \"/usr/bin/x\" },"
	" \"nodes\": { \"web\": { \"root\": { \"debian\": \"sid\" }, \"address\": "
	"\"10.0.0.2/24\" } },"
	" \"patch\": [ { \"name\": \"up {{who}}\", \"on\": \"web\", \"run\": \"up\" } ],"
	" \"rollback\": \"back\", \"rollbacks\": {"
	" \"back\": [ { \"name\": \"down\", \"on\": \"web\", \"run\": \"down\" } ] },"
	" \"faults\": [ { \"name\": \"cut {{who}}\", \"inject\": { \"link.down\": \"{{who}}\" },"
	" \"at\": { \"step\": \"up {{who}}\" } },"
	" { \"name\": \"odd\", \"inject\": { \"package.script\": { \"node\": \"web\", \"deb\": "
	"\"/a/{{{{b{{odd}}\", \"script\": \"preinst\", \"reindex\": \"x\" } } } ] }";

static struct plan_doc *load(void)
{
	struct err e = { 0 };
	struct plan_doc *d = NULL;
	GUARD(mem) char *path = mem_printf("%s/scenario.json", test_dir());
	MUST(io_write_file(AT_FDCWD, path, scenario, strlen(scenario), 0644, &e));
	MUST(plan_load(&d, path, &fake_catalog, NULL, &e));
	return d;
}

static const struct fault_plan *add(struct plan_doc *d, const char *text)
{
	struct err e = { 0 };
	const struct fault_plan *f = NULL;
	GUARD(mem) char *gone = mem_strdup(text);
	MUST(plan_add_fault(d, "point", gone, &fake_catalog, &f, &e));
	memset(gone, 'x', strlen(gone));
	return f;
}

static void refuse(struct plan_doc *d, const char *text, const char *why)
{
	struct err e = { 0 };
	const struct fault_plan *f = NULL;
	ck_assert_int_eq(plan_add_fault(d, "point 7", text, &fake_catalog, &f, &e), -1);
	ck_assert_str_eq(e.why, why);
	ck_assert_int_eq(e.exit, EXIT_BAD_SCENARIO);
	ck_assert_ptr_null(f);
}

START_TEST(test_added)
{
	struct plan_doc *d = load();
	const struct fault_plan *f =
		add(d, "{ \"name\": \"cut web\", // as in the scenario\n"
		       " \"inject\": { \"link.down\": \"web\" }, \"at\": { \"step\": \"down\","
		       " \"program\": { \"path\": \"/bin/{{x\", \"nth\": 3 } }, \"expect\": "
		       "[\"stuck\"] }");
	ck_assert_str_eq(f->name, "cut web");
	ck_assert_str_eq(f->slug, "cut-web-2");
	ck_assert(f->in_rollback);
	ck_assert_int_eq(f->until, UNTIL_ROLLBACK_END);
	ck_assert_uint_eq(f->expect, UINT64_C(1) << OUTCOME_STUCK);
	ck_assert_str_eq(((const struct fake_node *)f->inject)->node, "web");
	const struct fake_program *at = f->at;
	ck_assert_str_eq(at->path, "/bin/{{x"); /* no variables in here */
	ck_assert_uint_eq(at->nth, 3);
	ck_assert_str_eq(f->text, "{\"name\":\"cut web\",\"inject\":{\"link.down\":\"web\"},"
				  "\"at\":{\"step\":\"down\",\"program\":{\"path\":\"/bin/{{x\","
				  "\"nth\":3}},\"expect\":[\"stuck\"]}");
	ck_assert_uint_eq(plan_get(d)->fault_count, 2);
	plan_free(d);
}
END_TEST

START_TEST(test_variables_are_resolved)
{
	struct plan_doc *d = load();
	const struct fault_plan *f = plan_get(d)->faults;
	ck_assert_str_eq(f[0].text, "{\"name\":\"cut web\",\"inject\":{\"link.down\":\"web\"},"
				    "\"at\":{\"step\":\"up web\"}}");
	/* What a variable holds is not looked through once more, here and when it is added. */
	const struct fault_plan *odd = add(d, f[1].text);
	ck_assert_str_eq(((const struct fake_package *)odd->inject)->deb, "/a/{{b{{who}}");
	ck_assert_str_eq(odd->text, f[1].text);
	plan_free(d);
}
END_TEST

START_TEST(test_refused)
{
	struct plan_doc *d = load();
	refuse(d, "{ \"name\": \"a\",\n  \"inject\": { \"link.down\": \"wbe\" } }",
	       "point 7:2:28: node: there is no node \"wbe\"; did you mean \"web\"?");
	refuse(d,
	       "{ \"name\": \"a\", \"inject\": { \"link.down\": \"web\" }, \"at\": { \"step\": "
	       "\"dwon\" } }",
	       "point 7:1:66: there is no step \"dwon\"; did you mean \"down\"?");
	refuse(d, "{ \"name\": \"a\"", "point 7:1:14: the text ends here; expected ',' or '}'");
	/* Nothing of these is left behind. */
	ck_assert_str_eq(
		add(d, "{ \"name\": \"a\", \"inject\": { \"link.down\": \"web\" } }")->slug, "a");
	plan_free(d);
}
END_TEST

START_TEST(test_slug_given)
{
	static const char text[] = "{ \"name\": \"a\", \"inject\": { \"link.down\": \"web\" } }";
	struct err e = { 0 };
	struct plan_doc *d = load();
	const struct fault_plan *f = NULL, *other = NULL;
	MUST(plan_add_fault_as(d, "a-10", "x", text, &fake_catalog, &f, &e));
	ck_assert_str_eq(f->slug, "a-10");
	ck_assert_int_eq(plan_add_fault_as(d, "a-10", "x", text, &fake_catalog, &other, &e), -1);
	ck_assert_str_eq(e.why, "x:1:1: another fault is called \"a-10\" already");
	err_clear(&e);
	/* A name counts on behind its own, and steps over what was given. */
	for (int i = 1; i < 12; i++) {
		char slug[16] = "a";
		if (i > 1)
			(void)snprintf(slug, sizeof(slug), "a-%d", i < 10 ? i : i + 1);
		ck_assert_str_eq(add(d, text)->slug, slug);
	}
	plan_free(d);
}
END_TEST

START_TEST(test_thousands)
{
	enum { MANY = 5000 };
	struct plan_doc *d = load();
	const struct fault_plan **all = mem_array(MANY, sizeof(struct fault_plan *));
	for (size_t i = 0; i < MANY; i++) {
		GUARD(mem)
		char *text = mem_printf("{\"name\":\"kill\",\"inject\":{\"link.down\":\"web\"},"
					"\"at\":{\"program\":{\"path\":\"/bin/p%zu\"}}}",
					i);
		all[i] = add(d, text);
	}
	ck_assert_str_eq(all[0]->slug, "kill");
	ck_assert_str_eq(all[MANY - 1]->slug, "kill-5000");
	ck_assert_str_eq(((const struct fake_program *)all[77]->at)->path, "/bin/p77");
	ck_assert_ptr_nonnull(strstr(all[77]->text, "\"/bin/p77\""));
	free(all);
	plan_free(d);
}
END_TEST

/* --- every fault of every scenario --- */

static void write_params(struct buf *b, const struct kind *k, const void *params)
{
	bool first = true;
	buf_printf(b, "%s {", k->name);
	param_write(b, k->params, params, &first);
	buf_puts(b, "}\n");
}

static void write_fault(struct buf *b, const struct fault_plan *f)
{
	buf_printf(b, "%s\n", f->name);
	write_params(b, f->injector, f->inject);
	write_params(b, f->trigger, f->at);
	buf_printf(b, "rollback %d step %d until %d %lld expect %llx\n%s\n", f->in_rollback,
		   f->step, (int)f->until, (long long)f->until_ns, (unsigned long long)f->expect,
		   f->text);
}

enum { VARS_MAX = 64 };

/* Variables that a scenario (or the one that it includes) takes from files that are made when it
 * is prepared: anything will do for them here. */
static void stand_ins(const struct json *root, struct pairs *vars)
{
	const struct json *given = json_get(root, "vars");
	for (const struct json *v = given != NULL ? json_first(given) : NULL; v != NULL;
	     v = json_next(v)) {
		ck_assert_uint_lt(vars->count, VARS_MAX);
		if (json_string(v) == NULL)
			vars->items[vars->count++] = (struct pair){ json_key(v), "1.0" };
	}
}

static struct json_doc *read_json(const char *path)
{
	GUARD_BUF struct buf text = { 0 };
	struct err e = { 0 };
	struct json_doc *doc = NULL;
	MUST(io_read_file(AT_FDCWD, path, JSON_TEXT_MAX, &text, &e));
	MUST(json_parse(&doc, path, buf_str(&text), text.len, &e));
	return doc;
}

static size_t same_again(const char *dir, const char *name)
{
	struct err e = { 0 };
	struct plan_doc *d = NULL;
	struct pair items[VARS_MAX];
	struct pairs vars = { items, 0 };
	GUARD(mem) char *path = mem_printf("%s/%s", dir, name);
	struct json_doc *doc = read_json(path), *included = NULL;
	const char *include = json_get_string(json_root(doc), "include", NULL);
	if (include != NULL) {
		GUARD(mem) char *other = mem_printf("%s/%s", dir, include);
		included = read_json(other);
	}
	bool own = included == NULL || json_get(json_root(doc), "vars") != NULL;
	stand_ins(json_root(own ? doc : included), &vars);
	/* As of a run: sources and prepared packages need not be there. */
	const struct plan_options options = { .archived = true, .vars = &vars };
	MUST(plan_load(&d, path, catalog_get(), &options, &e));
	const struct plan *p = plan_get(d);
	for (size_t i = 0; i < p->fault_count; i++) {
		GUARD_BUF struct buf was = { 0 }, is = { 0 };
		const struct fault_plan *f = NULL;
		MUST(plan_add_fault(d, path, p->faults[i].text, catalog_get(), &f, &e));
		write_fault(&was, &p->faults[i]);
		write_fault(&is, f);
		ck_assert_str_eq(buf_str(&was), buf_str(&is));
	}
	size_t count = p->fault_count;
	plan_free(d);
	json_doc_free(doc);
	json_doc_free(included);
	return count;
}

static int is_json(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');
	return dot != NULL && strcmp(dot, ".json") == 0 &&
	       strcmp(entry->d_name, "schema.json") != 0 &&
	       strcmp(entry->d_name, "versions.json") != 0;
}

static int is_folder(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && entry->d_name[0] != '.';
}

static size_t all_in(const char *dir)
{
	struct dirent **files = NULL;
	size_t faults = 0;
	int n = scandir(dir, &files, is_json, alphasort);
	for (int i = 0; i < n; i++) {
		faults += same_again(dir, files[i]->d_name);
		free(files[i]);
	}
	free(files);
	return faults;
}

START_TEST(test_every_scenario)
{
	struct dirent **folders = NULL;
	size_t faults = all_in("tests/drill/scenarios");
	int n = scandir("scenarios", &folders, is_folder, alphasort);
	for (int i = 0; i < n; i++) {
		GUARD(mem) char *dir = mem_printf("scenarios/%s", folders[i]->d_name);
		faults += all_in(dir);
		free(folders[i]);
	}
	free(folders);
	ck_assert_uint_gt(faults, 10);
}
END_TEST

Suite *suite_plan_add(void);
Suite *suite_plan_add(void)
{
	Suite *s = suite_create("plan_add");
	TCase *t = tcase_create("plan_add");
	tcase_add_test(t, test_added);
	tcase_add_test(t, test_variables_are_resolved);
	tcase_add_test(t, test_refused);
	tcase_add_test(t, test_slug_given);
	tcase_add_test(t, test_thousands);
	tcase_add_test(t, test_every_scenario);
	suite_add_tcase(s, t);
	return s;
}
