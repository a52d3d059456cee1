/* SPDX-License-Identifier: MIT */
#include "harness/cli/sweep_plans.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/cli/run_report.h"
#include "harness/cli/settings.h"
#include "harness/cli/sweep_view.h"
#include "harness/engine/catalog.h"
#include "harness/engine/session.h"
#include "reports/compare.h"

#define ALL_PLANS "all"

struct plans {
	char *names[PLAN_ROLLBACKS_MAX];
	char *dirs[PLAN_ROLLBACKS_MAX];
	struct run *runs[PLAN_ROLLBACKS_MAX]; /* NULL: not come to */
	int exits[PLAN_ROLLBACKS_MAX];
	size_t count;
	char *dir; /* of all */
};

bool sweep_plans_asked(const char *rollback)
{
	return rollback != NULL && (strcmp(rollback, ALL_PLANS) == 0 || strchr(rollback, ','));
}

static int add(struct plans *p, const char *name, size_t len, struct err *e)
{
	if (p->count == PLAN_ROLLBACKS_MAX)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "--rollback: more than %d plans",
			      PLAN_ROLLBACKS_MAX);
	for (size_t i = 0; i < p->count; i++)
		if (strlen(p->names[i]) == len && strncmp(p->names[i], name, len) == 0)
			return ERR_AS(e, EXIT_USAGE_ERROR, 0, "--rollback: '%s' is named twice",
				      p->names[i]);
	p->names[p->count++] = mem_printf("%.*s", (int)len, name);
	return 0;
}

static bool has_plan(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->rollback_count; i++)
		if (strcmp(plan->rollbacks[i].name, name) == 0)
			return true;
	return false;
}

static int unknown(const struct plan *plan, const char *name, struct err *e)
{
	GUARD_BUF struct buf list = { 0 };
	for (size_t i = 0; i < plan->rollback_count; i++)
		buf_printf(&list, "%s%s", i > 0 ? ", " : "", plan->rollbacks[i].name);
	return ERR_AS(e, EXIT_USAGE_ERROR, 0,
		      "--rollback: the scenario has no plan '%s'; it has %s", name, buf_str(&list));
}

static int list(struct plans *p, const struct plan *plan, const char *asked, struct err *e)
{
	if (strcmp(asked, ALL_PLANS) == 0) {
		for (size_t i = 0; i < plan->rollback_count; i++)
			if (add(p, plan->rollbacks[i].name, strlen(plan->rollbacks[i].name), e) < 0)
				return -1;
		return 0;
	}
	for (const char *s = asked; *s != '\0';) {
		size_t len = strcspn(s, ",");
		if (len > 0 && add(p, s, len, e) < 0)
			return -1;
		if (len > 0 && !has_plan(plan, p->names[p->count - 1]))
			return unknown(plan, p->names[p->count - 1], e);
		s += len + (s[len] == ',');
	}
	if (p->count == 0)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "--rollback: '%s' names no plan", asked);
	return 0;
}

static int prepare(struct plans *p, const struct sweep_options *o, struct err *e)
{
	const struct plan_options options = { .vars = o->run.vars };
	struct plan_doc *doc;
	if (plan_load(&doc, o->run.scenario, catalog_get(), &options, e) < 0)
		return -1;
	const struct plan *plan = plan_get(doc);
	int result = list(p, plan, o->run.rollback, e);
	if (result == 0) {
		GUARD(mem) char *slug = mem_printf("%s-plans", plan->slug);
		result = run_folder_make(o->run.runs_dir, slug, &p->dir, e);
	}
	plan_free(doc);
	for (size_t i = 0; result == 0 && i < p->count; i++)
		p->dirs[i] = mem_printf("%s/plans/%s", p->dir, p->names[i]);
	return result;
}

static int sweep_one(struct plans *p, size_t i, const struct sweep_options *o, int *interrupted,
		     struct err *e)
{
	struct sweep_options mine = *o;
	mine.run.rollback = p->names[i];
	mine.run.dir = p->dirs[i];
	if (sweep_view_execute(&p->runs[i], &mine, interrupted, e) < 0)
		return err_prefix(e, "plan '%s'", p->names[i]);
	p->exits[i] = run_view(p->runs[i])->exit;
	return run_report_publish(run_view(p->runs[i]), NULL, e);
}

static int write_table(const struct plans *p, const struct sweep_plan_row *rows, size_t count,
		       bool json, struct err *e)
{
	static const char *const files[] = { "compare.txt", "compare.json" };
	for (size_t i = 0; i < 2; i++) {
		GUARD(mem) char *path = mem_printf("%s/%s", p->dir, files[i]);
		GUARD(file) FILE *f = fopen(path, "we");
		if (f == NULL)
			return ERR(e, errno, "create '%s'", path);
		int done = i == 0 ? compare_text(f, rows, count, false, e)
				  : compare_json(f, rows, count, e);
		if (done < 0)
			return -1;
	}
	return json ? compare_json(stdout, rows, count, e)
		    : compare_text(stdout, rows, count, settings_colour(stdout), e);
}

/* Of the plan that does best; but what makes all plans worthless comes first. */
static int exit_of(const struct plans *p, const struct sweep_plan_row *rows, size_t count)
{
	static const int first[] = { EXIT_HARNESS, EXIT_BROKEN };
	for (size_t k = 0; k < sizeof(first) / sizeof(first[0]); k++)
		for (size_t i = 0; i < p->count; i++)
			if (p->runs[i] != NULL && p->exits[i] == first[k])
				return first[k];
	size_t best = sweep_plan_best(rows, count);
	for (size_t i = 0; best < count && i < p->count; i++)
		if (strcmp(p->names[i], rows[best].rollback) == 0)
			return p->exits[i];
	return EXIT_INCONCLUSIVE;
}

static int compare(const struct plans *p, bool json, struct err *e)
{
	struct sweep_plan_row rows[PLAN_ROLLBACKS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < p->count; i++) {
		const struct run_view *view = p->runs[i] != NULL ? run_view(p->runs[i]) : NULL;
		const struct plan *plan = view != NULL ? view->plan : NULL;
		if (view != NULL && view->sweep != NULL)
			sweep_plan_row(&rows[count++], &plan->rollbacks[plan->rollback], p->dirs[i],
				       view->sweep);
		else if (p->runs[i] != NULL)
			(void)fprintf(stderr, "plan '%s' was not swept: see %s/report.txt\n",
				      p->names[i], p->dirs[i]);
	}
	if (write_table(p, rows, count, json, e) < 0)
		return -1;
	return exit_of(p, rows, count);
}

int sweep_plans_run(const struct sweep_options *o, bool json, struct err *e)
{
	struct plans p = { 0 };
	int interrupted = 0;
	int result = prepare(&p, o, e);
	for (size_t i = 0; result == 0 && i < p.count && interrupted == 0; i++)
		result = sweep_one(&p, i, o, &interrupted, e);
	if (result == 0)
		result = compare(&p, json, e);
	if (result >= 0 && interrupted == SIGINT)
		result = EXIT_INTERRUPTED;
	for (size_t i = 0; i < p.count; i++) {
		run_free(p.runs[i]);
		free(p.names[i]);
		free(p.dirs[i]);
	}
	free(p.dir);
	return result;
}
