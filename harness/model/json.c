/* SPDX-License-Identifier: MIT */
#include "harness/model/json.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/model/json_scan.h"

struct json {
	enum json_type type;
	bool truth, whole;
	uint32_t value_at, key_at; /* offsets into the document's text */
	const char *key, *string;  /* cJSON's */
	double number;
	int64_t integer; /* with `whole` */
	size_t size;
	const struct json *first, *next;
};

struct json_doc {
	char *name, *text;
	cJSON *tree;        /* owns keys and strings */
	struct json *nodes; /* in the order in which the values begin; the root is the first */
	size_t count;
};

static const struct {
	const char *name;
} types[] = {
	[JSON_NULL] = { "null" },       [JSON_BOOL] = { "true or false" },
	[JSON_NUMBER] = { "a number" }, [JSON_STRING] = { "a string" },
	[JSON_ARRAY] = { "a list" },    [JSON_OBJECT] = { "an object" },
};

static enum json_type type_of(const cJSON *c)
{
	switch (c->type & 0xFF) {
	case cJSON_True:
	case cJSON_False:
		return JSON_BOOL;
	case cJSON_Number:
		return JSON_NUMBER;
	case cJSON_String:
		return JSON_STRING;
	case cJSON_Array:
		return JSON_ARRAY;
	case cJSON_Object:
		return JSON_OBJECT;
	default:
		return JSON_NULL;
	}
}

/* From the text, because a double rounds above 2^53. */
static bool whole_number(const char *text, int64_t *ret)
{
	char *end = NULL;
	errno = 0;
	long long v = strtoll(text, &end, 10);
	if (errno != 0 || *end == '.' || *end == 'e' || *end == 'E')
		return false;
	*ret = v;
	return true;
}

/* Gives the next node to `c` and the ones after it to what `c` holds. */
static struct json *build(struct json_doc *d, const struct json_marks *marks, const cJSON *c)
{
	assert(d->count < marks->count);
	const struct json_mark *m = &marks->items[d->count];
	struct json *v = &d->nodes[d->count++];
	v->type = type_of(c);
	v->value_at = m->value;
	v->key_at = m->key != JSON_NO_KEY ? m->key : m->value;
	v->key = m->key != JSON_NO_KEY ? c->string : NULL;
	v->truth = (c->type & 0xFF) == cJSON_True;
	v->string = v->type == JSON_STRING ? c->valuestring : NULL;
	v->number = v->type == JSON_NUMBER ? c->valuedouble : 0;
	v->whole = v->type == JSON_NUMBER && whole_number(d->text + m->value, &v->integer);
	const struct json **link = &v->first;
	for (const cJSON *child = c->child; child != NULL; child = child->next) {
		struct json *made = build(d, marks, child);
		*link = made;
		link = &made->next;
		v->size++;
	}
	return v;
}

static int by_key(const void *a, const void *b)
{
	const struct json *x = *(const struct json *const *)a, *y = *(const struct json *const *)b;
	int order = strcmp(x->key, y->key);
	return order != 0 ? order : (x->key_at > y->key_at) - (x->key_at < y->key_at);
}

static int check_duplicates(const struct json_doc *d, const struct json *object, struct err *e)
{
	if (object->type != JSON_OBJECT || object->size < 2)
		return 0;
	GUARD(mem) const struct json **sorted = mem_array(object->size, sizeof(struct json *));
	size_t n = 0;
	for (const struct json *v = object->first; v != NULL; v = v->next)
		sorted[n++] = v;
	qsort(sorted, n, sizeof(struct json *), by_key);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(sorted[i - 1]->key, sorted[i]->key) != 0)
			continue;
		return json_key_err(e, d, sorted[i],
				    "\"%s\" is here twice; the first is in line %u", sorted[i]->key,
				    json_key_pos(d, sorted[i - 1]).line);
	}
	return 0;
}

static int read_document(struct json_doc *d, size_t len, struct json_marks *marks, struct err *e)
{
	GUARD_BUF struct buf clean = { 0 };
	if (json_scan(d->name, d->text, len, marks, e) < 0)
		return -1;
	json_unescape_bytes(d->text, len, &clean);
	d->tree = cJSON_ParseWithLength(buf_str(&clean), clean.len + 1);
	if (d->tree == NULL)
		return ERR(e, 0, "%s: the scanner took a text that cJSON does not", d->name);
	d->nodes = mem_array(marks->count, sizeof(*d->nodes));
	(void)build(d, marks, d->tree);
	assert(d->count == marks->count);
	for (size_t i = 0; i < d->count; i++)
		if (check_duplicates(d, &d->nodes[i], e) < 0)
			return -1;
	return 0;
}

int json_parse(struct json_doc **ret, const char *name, const char *text, size_t len, struct err *e)
{
	struct json_marks marks = { 0 };
	struct json_doc *d = mem_alloc(sizeof(*d));
	d->name = mem_strdup(name);
	d->text = mem_alloc(len + 1);
	if (len > 0)
		memcpy(d->text, text, len);
	int rc = read_document(d, len, &marks, e);
	free(marks.items);
	if (rc < 0) {
		json_doc_free(d);
		return -1;
	}
	*ret = d;
	return 0;
}

void json_doc_free(struct json_doc *d)
{
	if (d == NULL)
		return;
	cJSON_Delete(d->tree);
	free(d->nodes);
	free(d->text);
	free(d->name);
	free(d);
}

const struct json *json_root(const struct json_doc *d)
{
	return d->nodes;
}

enum json_type json_type(const struct json *v)
{
	return v->type;
}

const char *json_type_name(const struct json *v)
{
	return types[v->type].name;
}

const char *json_key(const struct json *v)
{
	return v->key;
}

const char *json_string(const struct json *v)
{
	return v->string;
}

bool json_bool(const struct json *v)
{
	return v->truth;
}

double json_number(const struct json *v)
{
	return v->number;
}

bool json_int64(const struct json *v, int64_t *ret)
{
	if (v->whole)
		*ret = v->integer;
	return v->whole;
}

size_t json_size(const struct json *v)
{
	return v->size;
}

const struct json *json_first(const struct json *v)
{
	return v->first;
}

const struct json *json_next(const struct json *v)
{
	return v->next;
}

const struct json *json_get(const struct json *object, const char *key)
{
	if (object->type != JSON_OBJECT)
		return NULL;
	for (const struct json *v = object->first; v != NULL; v = v->next)
		if (strcmp(v->key, key) == 0)
			return v;
	return NULL;
}

const char *json_get_string(const struct json *object, const char *key, const char *fallback)
{
	const struct json *v = json_get(object, key);
	return v != NULL && v->string != NULL ? v->string : fallback;
}

int64_t json_get_int(const struct json *object, const char *key, int64_t fallback)
{
	const struct json *v = json_get(object, key);
	return v != NULL && v->whole ? v->integer : fallback;
}

bool json_get_bool(const struct json *object, const char *key, bool fallback)
{
	const struct json *v = json_get(object, key);
	return v != NULL && v->type == JSON_BOOL ? v->truth : fallback;
}

struct json_pos json_value_pos(const struct json_doc *d, const struct json *v)
{
	return json_offset_pos(d->name, d->text, v->value_at);
}

struct json_pos json_key_pos(const struct json_doc *d, const struct json *v)
{
	return json_offset_pos(d->name, d->text, v->key_at);
}

static int err_at(struct err *e, struct json_pos p, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

static int err_at(struct err *e, struct json_pos p, const char *fmt, va_list ap)
{
	char why[ERR_WHY_MAX];
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "%s:%u:%u: %s", p.name, p.line, p.column, why);
}

int json_err(struct err *e, const struct json_doc *d, const struct json *v, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int rc = err_at(e, json_value_pos(d, v), fmt, ap);
	va_end(ap);
	return rc;
}

int json_key_err(struct err *e, const struct json_doc *d, const struct json *v, const char *fmt,
		 ...)
{
	va_list ap;
	va_start(ap, fmt);
	int rc = err_at(e, json_key_pos(d, v), fmt, ap);
	va_end(ap);
	return rc;
}

enum { NEAREST_MAX = 64 }; /* longer words are not compared */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein, with two swapped neighbours as one edit. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][NEAREST_MAX + 1] = { { 0 } };
	size_t la = strlen(a), lb = strlen(b);
	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *row = rows[i % 3];
		const size_t *up = rows[(i - 1) % 3], *up2 = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t change = up[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = least(change, least(up[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], up2[j - 2] + 1);
		}
	}
	return rows[la % 3][lb];
}

const char *json_nearest(const char *word, const char *const *names, size_t count)
{
	size_t len = strlen(word);
	if (len > NEAREST_MAX)
		return NULL;
	size_t best = len / 3 + 1;
	const char *found = NULL;
	for (size_t i = 0; i < count; i++) {
		if (strlen(names[i]) > NEAREST_MAX)
			continue;
		size_t n = distance(word, names[i]);
		if (n < best) {
			best = n;
			found = names[i];
		}
	}
	return found;
}

static void print_number(const struct json *v, struct buf *out)
{
	int64_t whole = 0;
	if (json_int64(v, &whole))
		buf_printf(out, "%lld", (long long)whole);
	else
		buf_printf(out, "%.17g", json_number(v));
}

static void print_string(const void *arg, const struct json *v, struct buf *out)
{
	(void)arg;
	buf_json(out, json_string(v));
}

void json_print_strings(const struct json *v, const struct json_strings *strings, struct buf *out)
{
	const bool object = json_type(v) == JSON_OBJECT;
	switch (json_type(v)) {
	case JSON_NULL:
		buf_puts(out, "null");
		return;
	case JSON_BOOL:
		buf_puts(out, json_bool(v) ? "true" : "false");
		return;
	case JSON_NUMBER:
		print_number(v, out);
		return;
	case JSON_STRING:
		strings->write(strings->arg, v, out);
		return;
	default:
		break;
	}
	buf_putc(out, object ? '{' : '[');
	for (const struct json *m = json_first(v); m != NULL; m = json_next(m)) {
		buf_puts(out, m != json_first(v) ? "," : "");
		if (object) {
			buf_json(out, json_key(m));
			buf_putc(out, ':');
		}
		json_print_strings(m, strings, out);
	}
	buf_putc(out, object ? '}' : ']');
}

void json_print(const struct json *v, struct buf *out)
{
	static const struct json_strings as_they_are = { print_string, NULL };
	json_print_strings(v, &as_they_are, out);
}
