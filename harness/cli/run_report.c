/* SPDX-License-Identifier: MIT */
#include "harness/cli/run_report.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/model/json.h"

enum { FORMATS_MAX = 32 };

void run_report_make(struct run_report *ret, const struct run_view *view)
{
	ret->items = mem_array(view->count + 1, sizeof(*ret->items));
	for (size_t i = 0; i < view->count; i++) {
		const struct run_item *it = &view->items[i];
		ret->items[i] = (struct report_item){
			.label = it->label,
			.role = it->role,
			.fault = it->fault,
			.verdict = it->role == ROLE_KNOCKOUT ? NULL : &it->verdict,
			.journal = it->journal,
		};
	}
	ret->input = (struct report_input){
		.plan = view->plan,
		.id = view->id,
		.dir = view->dir,
		.items = ret->items,
		.count = view->count,
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
