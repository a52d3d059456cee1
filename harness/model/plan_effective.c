/* SPDX-License-Identifier: MIT */
/* The scenario once more, as one file that needs no other. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/model/plan_parts.h"

static const char *file_at(const struct plan_doc *d, const struct json *v)
{
	for (size_t i = 0; i < d->file_count; i++)
		if (d->files[i].value == v)
			return d->files[i].path;
	return NULL;
}

/* Names of files with the folder written out; a path that is gone stays as it was resolved. */
static void write_file(struct buf *out, const char *path, bool with_vars)
{
	GUARD(mem) char *full = realpath(path, NULL);
	GUARD_BUF struct buf literal = { 0 };
	for (const char *p = full != NULL ? full : path; *p != '\0'; p++) {
		buf_putc(&literal, *p);
		if (!with_vars || p[0] != '{' || p[1] != '{')
			continue;
		buf_puts(&literal, "{{{"); /* not the beginning of a variable */
		p++;
	}
	buf_json(out, buf_str(&literal));
}

struct writer {
	const struct plan_doc *doc;
	const struct param_ctx *resolve; /* puts variables in; NULL: they stay */
};

static void write_string(const void *arg, const struct json *v, struct buf *out)
{
	const struct writer *w = arg;
	const char *file = file_at(w->doc, v), *text = json_string(v);
	struct err ours = { 0 };
	if (file != NULL) {
		write_file(out, file, w->resolve == NULL);
		return;
	}
	if (w->resolve != NULL && param_text(w->resolve, v, &text, &ours) < 0)
		assert(false); /* it has been decoded before */
	buf_json(out, text);
}

static void write_value(const struct plan_doc *d, const struct param_ctx *resolve, struct buf *out,
			const struct json *v)
{
	const struct writer w = { d, resolve };
	const struct json_strings strings = { write_string, &w };
	json_print_strings(v, &strings, out);
}

const char *plan_fault_text(struct compile *c, const struct json *fault)
{
	GUARD_BUF struct buf b = { 0 };
	struct param_ctx resolve = c->ctx;
	struct arena *scratch = resolve.arena = arena_create();
	resolve.copies = false;
	write_value(c->pd, &resolve, &b, fault);
	arena_destroy(scratch);
	return arena_strdup(c->ctx.arena, buf_str(&b));
}

static void write_vars(const struct plan_doc *d, struct buf *out)
{
	buf_putc(out, '{');
	for (size_t i = 0; i < d->vars.count; i++) {
		buf_puts(out, i > 0 ? "," : "");
		buf_json(out, d->vars.items[i].key);
		buf_putc(out, ':');
		buf_json(out, d->vars.items[i].value);
	}
	buf_putc(out, '}');
}

void plan_effective(const struct plan_doc *d, struct buf *out)
{
	const char *before = "{\n ";
	for (const struct param *row = plan_top_rows; row->type != PARAM_END; row++) {
		const struct json *v = NULL;
		for (size_t i = d->includes ? 2 : 1; i-- > 0;) {
			const struct json *own = json_get(json_root(d->sources[i].doc), row->name);
			v = own != NULL ? own : v;
		}
		bool rollback = strcmp(row->name, "rollback") == 0;
		if (strcmp(row->name, "include") == 0 || (v == NULL && !rollback))
			continue;
		buf_printf(out, "%s\"%s\": ", before, row->name);
		before = ",\n ";
		if (rollback)
			buf_json(out, d->plan.rollbacks[d->plan.rollback].name);
		else if (strcmp(row->name, "vars") == 0)
			write_vars(d, out);
		else
			write_value(d, NULL, out, v);
	}
	buf_puts(out, "\n}\n");
}
