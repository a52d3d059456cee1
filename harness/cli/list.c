/* SPDX-License-Identifier: MIT */
/* `backout list [KIND]`: what this build knows, told by the tables that the parser uses. */
#include <stdio.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/log.h"
#include "harness/cli/options.h"
#include "harness/engine/catalog.h"
#include "harness/model/outcome.h"
#include "harness/model/state.h"
#include "reports/report.h"

extern const struct command command_list;

struct printer {
	struct buf *out;
	bool json, first;
};

/* ---- one entry ---- */

static void json_member(struct buf *b, const char *key, const char *value)
{
	if (value == NULL)
		return;
	buf_putc(b, ',');
	buf_json(b, key);
	buf_putc(b, ':');
	buf_json(b, value);
}

static void entry_begin(struct printer *p, const char *name, const char *help)
{
	if (!p->json) {
		buf_printf(p->out, "  %s: %s\n", name, help);
		return;
	}
	buf_puts(p->out, p->first ? "{\"name\":" : ",{\"name\":");
	buf_json(p->out, name);
	json_member(p->out, "help", help);
	p->first = false;
}

static void entry_end(struct printer *p)
{
	if (p->json)
		buf_putc(p->out, '}');
}

static void entry_fact(struct printer *p, const char *key, const char *value)
{
	if (p->json)
		json_member(p->out, key, value);
	else if (value != NULL)
		buf_printf(p->out, "      %s: %s\n", key, value);
}

static void put_kind(struct printer *p, const struct kind *k, const char *facts)
{
	entry_begin(p, k->name, k->help);
	entry_fact(p, "applied", k->applied);
	entry_fact(p, "felt", k->felt);
	entry_fact(p, "strikes", facts);
	if (p->json) {
		buf_puts(p->out, ",\"parameters\":");
		param_schema(p->out, k->params, k->shorthand);
		if (k->expect != NULL) {
			buf_puts(p->out, ",\"expect\":");
			param_schema(p->out, k->expect, NULL);
		}
	} else {
		param_help(p->out, k->params, "      ");
		if (k->expect != NULL)
			param_help(p->out, k->expect, "      expect.");
	}
	entry_end(p);
}

/* ---- the lists ---- */

static void put_injectors(struct printer *p)
{
	for (const struct kind *const *k = catalog_get()->injectors; *k != NULL; k++)
		put_kind(p, *k, (*k)->lasting ? "lasts until it is undone" : "over at once");
}

static void put_triggers(struct printer *p)
{
	for (const struct kind *const *k = catalog_get()->triggers; *k != NULL; k++)
		put_kind(p, *k, (*k)->exact ? "exactly" : "inexactly");
}

static void put_probes(struct printer *p)
{
	for (const struct kind *const *k = catalog_get()->probes; *k != NULL; k++)
		put_kind(p, *k, NULL);
}

static void put_masks(struct printer *p)
{
	static const char *const compares[] = {
#define X(id, text) [COMPARE_##id] = text,
		IGNORE_COMPARE(X)
#undef X
	};
	for (size_t i = 0; state_masks[i] != NULL; i++) {
		const struct mask *m = state_masks[i];
		entry_begin(p, m->name, m->help);
		if (p->json)
			buf_puts(p->out, ",\"rows\":[");
		for (size_t r = 0; r < m->row_count; r++) {
			const struct mask_row *row = &m->rows[r];
			if (!p->json) {
				buf_printf(p->out, "      %s (still compared: %s): %s\n", row->path,
					   compares[row->compare], row->why);
				continue;
			}
			buf_puts(p->out, r == 0 ? "{\"path\":" : ",{\"path\":");
			buf_json(p->out, row->path);
			json_member(p->out, "compare", compares[row->compare]);
			json_member(p->out, "why", row->why);
			buf_putc(p->out, '}');
		}
		if (p->json)
			buf_putc(p->out, ']');
		entry_end(p);
	}
}

static void put_reports(struct printer *p)
{
	for (size_t i = 0; report_formats[i] != NULL; i++) {
		entry_begin(p, report_formats[i]->name, report_formats[i]->help);
		entry_end(p);
	}
}

static void put_outcomes(struct printer *p)
{
	char exit[16];
	for (unsigned o = 0; o < OUTCOME_COUNT; o++) {
		entry_begin(p, outcome_name((enum outcome)o), outcome_help((enum outcome)o));
		(void)snprintf(exit, sizeof(exit), "%d", outcome_exit((enum outcome)o));
		entry_fact(p, "exit", exit);
		entry_end(p);
	}
}

static const struct {
	const char *name;
	void (*put)(struct printer *p);
} lists[] = {
	{ "injectors", put_injectors }, { "triggers", put_triggers }, { "probes", put_probes },
	{ "masks", put_masks },         { "reports", put_reports },   { "outcomes", put_outcomes },
};
enum { LIST_COUNT = sizeof(lists) / sizeof(lists[0]) };

static int known(const char *kind, struct err *e)
{
	const char *names[LIST_COUNT];
	GUARD_BUF struct buf all = { 0 };
	for (size_t i = 0; i < LIST_COUNT; i++) {
		if (kind == NULL || strcmp(kind, lists[i].name) == 0)
			return 0;
		names[i] = lists[i].name;
		buf_printf(&all, "%s%s", i > 0 ? ", " : "", names[i]);
	}
	const char *near = json_nearest(kind, names, LIST_COUNT);
	if (near != NULL)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "list: no kind '%s'; did you mean '%s'?",
			      kind, near);
	return ERR_AS(e, EXIT_USAGE_ERROR, 0, "list: no kind '%s'; there are %s", kind,
		      buf_str(&all));
}

static void put_lists(struct buf *out, const char *kind, bool json)
{
	bool first = true;
	buf_puts(out, json ? "{" : "");
	for (size_t i = 0; i < LIST_COUNT; i++) {
		if (kind != NULL && strcmp(kind, lists[i].name) != 0)
			continue;
		struct printer p = { .out = out, .json = json, .first = true };
		if (json)
			buf_printf(out, "%s\"%s\":[", first ? "" : ",", lists[i].name);
		else
			buf_printf(out, "%s%s\n", first ? "" : "\n", lists[i].name);
		lists[i].put(&p);
		buf_puts(out, json ? "]" : "");
		first = false;
	}
	buf_puts(out, json ? "}\n" : "");
}

static int list_run(int argc, char **argv)
{
	struct err e = { 0 };
	bool json = false;
	struct arguments args;
	const struct option_row rows[] = {
		{ "json", OPTION_FLAG, &json, NULL, "for programs" },
		{ 0 },
	};
	OPTIONS_OR_RETURN(&command_list, rows, argc, argv, &args, &e);
	const char *kind = args.count > 0 ? args.items[0] : NULL;
	int rc = options_need(&command_list, &args, 0, 1, &e);
	if (rc == 0)
		rc = known(kind, &e);
	options_free(&args);
	if (rc < 0)
		return log_err(&e);
	GUARD_BUF struct buf out = { 0 };
	put_lists(&out, kind, json);
	(void)fwrite(buf_str(&out), 1, out.len, stdout);
	return EXIT_OK;
}

const struct command command_list = {
	.name = "list",
	.help = "list injectors, triggers, probes, masks, reports, outcomes",
	.usage = "[KIND] [--json]",
	.run = list_run,
};
