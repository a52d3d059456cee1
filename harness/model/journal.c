/* SPDX-License-Identifier: MIT */
#include "harness/model/event.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

struct row {
	struct event event;
	struct json_doc *doc;
};

struct journal {
	char *name;
	struct row *rows;
	size_t count, room;
	bool torn;
};

enum { LINE_TORN, LINE_ADDED };

void journal_free(struct journal *j)
{
	if (j == NULL)
		return;
	for (size_t i = 0; i < j->count; i++)
		json_doc_free(j->rows[i].doc);
	free(j->rows);
	free(j->name);
	free(j);
}

static void add_row(struct journal *j, const struct event *ev, struct json_doc *doc)
{
	if (j->count == j->room) {
		j->room = j->room > 0 ? j->room * 2 : 64;
		j->rows = mem_grow(j->rows, j->room, sizeof(*j->rows));
	}
	j->rows[j->count++] = (struct row){ .event = *ev, .doc = doc };
}

static int bad_line(struct journal *j, size_t number, const char *why, struct err *e)
{
	return ERR(e, 0, "journal '%s', line %zu: %s", j->name, number, why);
}

/* -1 with e set, or a LINE_ value. */
static int add_line(struct journal *j, const char *line, size_t len, bool last, struct err *e)
{
	size_t number = j->count + 1;
	struct json_doc *doc = NULL;
	struct err why = { 0 };
	struct event ev = { 0 };

	if (json_parse(&doc, j->name, line, len, &why) < 0) {
		if (last)
			return LINE_TORN;
		return ERR(e, 0, "journal '%s', line %zu is broken: %s", j->name, number, why.why);
	}
	ev.fields = json_root(doc);
	const char *name = json_get_string(ev.fields, "event", NULL);
	int kind = name != NULL ? event_from_name(name) : -1;
	const struct json *t = json_get(ev.fields, "t");
	if (kind < 0 || t == NULL || !json_int64(t, &ev.t) || ev.t < 0) {
		int rc = kind < 0 ? bad_line(j, number, "no event that this version knows", e)
				  : bad_line(j, number, "no time `t` in nanoseconds", e);
		json_doc_free(doc);
		return rc;
	}
	ev.kind = (enum event_kind)kind;
	add_row(j, &ev, doc);
	return LINE_ADDED;
}

int journal_parse(struct journal **ret, const char *name, const char *text, size_t len,
		  struct err *e)
{
	struct journal *j = mem_alloc(sizeof(*j));
	const char *end = text + len;
	j->name = mem_strdup(name);

	for (const char *line = text; line < end && !j->torn;) {
		const char *nl = memchr(line, '\n', (size_t)(end - line));
		if (nl == NULL) {
			j->torn = true;
			break;
		}
		int rc = add_line(j, line, (size_t)(nl - line), nl + 1 == end, e);
		if (rc < 0) {
			journal_free(j);
			return -1;
		}
		j->torn = rc == LINE_TORN;
		line = nl + 1;
	}
	*ret = j;
	return 0;
}

size_t journal_count(const struct journal *j)
{
	return j->count;
}

const struct event *journal_at(const struct journal *j, size_t i)
{
	assert(i < j->count);
	return &j->rows[i].event;
}

bool journal_sealed(const struct journal *j)
{
	return !j->torn && j->count > 0 && j->rows[j->count - 1].event.kind == EVENT_SEALED;
}

const struct event *journal_find(const struct journal *j, enum event_kind k, size_t from)
{
	for (size_t i = from; i < j->count; i++)
		if (j->rows[i].event.kind == k)
			return &j->rows[i].event;
	return NULL;
}

size_t journal_index(const struct journal *j, const struct event *ev)
{
	/* `event` is the first member of its row. */
	const struct row *row = (const struct row *)(const void *)ev;
	assert(row >= j->rows);
	assert(row < j->rows + j->count);
	return (size_t)(row - j->rows);
}

const char *journal_name(const struct journal *j)
{
	return j->name;
}
