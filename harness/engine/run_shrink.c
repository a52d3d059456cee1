/* SPDX-License-Identifier: MIT */
#include "harness/engine/run_shrink.h"

#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/engine/catalog.h"
#include "harness/engine/one_drill.h"
#include "harness/model/shrink.h"

enum { TRIES_MAX = 64 /* drills for one fault */ };

struct shrinking {
	struct session *s;
	const struct fault_plan *whole;
	const struct json *text; /* of the whole */
	size_t tries;
	struct err *e;
};

static const struct json *strike_at(const struct json *all, size_t n)
{
	const struct json *v = json_first(all);
	while (n-- > 0)
		v = json_next(v);
	return v;
}

/* The fault of these strikes alone: one stands in the fault itself, several under "all". */
static void put_fault(const struct shrinking *w, const char *name, const size_t *subset, size_t n,
		      struct buf *out)
{
	const struct json *all = json_get(w->text, "all"), *expect = json_get(w->text, "expect");
	buf_puts(out, "{\"name\":");
	buf_json(out, name);
	if (expect != NULL) {
		buf_puts(out, ",\"expect\":");
		json_print(expect, out);
	}
	if (n == 1) {
		GUARD_BUF struct buf one = { 0 };
		json_print(strike_at(all, subset[0]), &one);
		buf_printf(out, ",%s", buf_str(&one) + 1); /* behind its brace */
		return;
	}
	buf_puts(out, ",\"all\":[");
	for (size_t i = 0; i < n; i++) {
		buf_puts(out, i > 0 ? "," : "");
		json_print(strike_at(all, subset[i]), out);
	}
	buf_puts(out, "]}");
}

static int fails(void *arg, const size_t *subset, size_t n)
{
	struct shrinking *w = arg;
	const struct fault_plan *f = NULL;
	GUARD_BUF struct buf text = { 0 };
	GUARD(mem) char *name = mem_printf("%s shrunk %zu", w->whole->name, ++w->tries);
	if (*w->s->interrupted != 0)
		return -1;
	put_fault(w, name, subset, n, &text);
	if (plan_add_fault(run_doc(w->s->run), name, buf_str(&text), catalog_get(), &f, w->e) < 0)
		return -1;
	w->s->total++;
	int item = one_drill_proved(w->s, f, w->e);
	return item < 0 ? -1 : verdict_failed(&run_view(w->s->run)->items[item].verdict);
}

int run_shrink(struct session *s, int item, struct err *e)
{
	const struct run_item *it = &run_view(s->run)->items[item];
	struct shrinking w = { .s = s, .whole = it->fault, .e = e };
	size_t set[PLAN_JOINED_MAX], n = it->fault->joined + 1;
	struct shrink_result r;
	struct json_doc *doc;
	if (n == 1 || !verdict_failed(&it->verdict))
		return 0;
	if (json_parse(&doc, w.whole->name, w.whole->text, strlen(w.whole->text), e) < 0)
		return -1;
	w.text = json_root(doc);
	for (size_t i = 0; i < n; i++)
		set[i] = i;
	shrink(set, &n, TRIES_MAX, fails, &w, &r);
	json_doc_free(doc);
	if (r.broken && err_is_set(e))
		return -1;
	if (!r.minimal && *s->interrupted == 0) {
		GUARD(mem)
		char *line = mem_printf("%s: not shrunk further than %zu strikes within %d drills",
					w.whole->name, n, TRIES_MAX);
		session_note(s, line);
	}
	return 0;
}
