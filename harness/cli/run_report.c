/* SPDX-License-Identifier: MIT */
#include "harness/cli/run_report.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/cli/settings.h"
#include "harness/model/json.h"

enum { FORMATS_MAX = 32 };

void run_report_make(struct run_report *ret, const struct run_view *view)
{
	size_t count = 0;
	ret->items = mem_array(view->count + 1, sizeof(*ret->items));
	for (size_t i = 0; i < view->count; i++) {
		const struct run_item *it = &view->items[i];
		if (view->sweep != NULL && it->role != ROLE_CONTROL)
			continue; /* the sweep tells of them, class by class */
		ret->items[count++] = (struct report_item){
			.label = it->label,
			.role = it->role,
			.fault = it->fault,
			.verdict = it->role == ROLE_KNOCKOUT ? NULL : &it->verdict,
			.journal = it->journal,
			.kept = it->kept,
		};
	}
	ret->input = (struct report_input){
		.plan = view->plan,
		.id = view->id,
		.dir = view->dir,
		.items = ret->items,
		.count = count,
		.sweep = view->sweep,
		.controls = &view->controls,
		.exit = view->exit,
	};
}

void run_report_free(struct run_report *r)
{
	free(r->items);
	memset(r, 0, sizeof(*r));
}

int run_report_format(const char *name, const struct report_format **ret, struct err *e)
{
	const char *names[FORMATS_MAX];
	size_t count = 0;
	*ret = report_find(name);
	if (*ret != NULL)
		return 0;
	for (; report_formats[count] != NULL && count < FORMATS_MAX; count++)
		names[count] = report_formats[count]->name;
	const char *near = json_nearest(name, names, count);
	return ERR_AS(e, EXIT_USAGE_ERROR, 0, "no report format '%s'; %s%s", name,
		      near != NULL ? "did you mean " : "see `backout list reports`",
		      near != NULL ? near : "");
}

/* Every format as a file of the run's folder. */
static int write_reports(const struct run_view *view, const struct report_input *input,
			 struct err *e)
{
	static const struct {
		const char *format, *file;
	} files[] = {
		{ "text", "report.txt" },
		{ "json", "verdict.json" },
		{ "junit", "report.xml" },
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		GUARD(mem) char *path = mem_printf("%s/%s", view->dir, files[i].file);
		GUARD(file) FILE *f = fopen(path, "we");
		if (f == NULL)
			return ERR(e, errno, "create '%s'", path);
		if (report_find(files[i].format)->write(f, input, false, e) < 0)
			return -1;
		if (fflush(f) != 0)
			return ERR(e, errno, "write '%s'", path);
	}
	return 0;
}

int run_report_publish(const struct run_view *view, const char *format, struct err *e)
{
	struct run_report report;
	run_report_make(&report, view);
	int result = write_reports(view, &report.input, e);
	if (result == 0 && format != NULL)
		result = report_find(format)->write(stdout, &report.input, settings_colour(stdout),
						    e);
	run_report_free(&report);
	return result;
}

int run_report_end(struct run *run, int result, bool json, int interrupted, struct err *e)
{
	if (result == 0)
		result = run_report_publish(run_view(run), json ? "json" : "text", e);
	if (result == 0)
		result = run_view(run)->exit;
	run_free(run);
	if (result >= 0 && interrupted == SIGINT)
		return EXIT_INTERRUPTED;
	return result;
}
