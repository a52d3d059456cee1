/* SPDX-License-Identifier: MIT */
/* Private to param*.c: one row for each enum param_type. */
#ifndef BACKOUT_MODEL_PARAM_TYPE_H
#define BACKOUT_MODEL_PARAM_TYPE_H

#include "harness/base/buf.h"
#include "harness/model/param.h"

struct param_type_row {
	const char *name;   /* in help */
	const char *phrase; /* in errors: what to write; NULL: made from the row's names */
	/* From the text of a string; NULL: a string will not do. Sets e without a position. */
	int (*from_text)(const struct param_ctx *c, const struct param *row, const char *text,
			 void *field, struct err *e);
	/* From other JSON; NULL: only a string will do. Errors with a position; 1: wrong type. */
	int (*from_json)(const struct param_ctx *c, const struct param *row,
			 const struct json *value, void *field, struct err *e);
	const char *schema; /* NULL: made from the row */
};

extern const struct param_type_row param_types[];

/* The row of that name. The caller's own mistake when there is none. */
const struct param *param_row(const struct param *rows, const char *name);
/* "a", "b" or "c" */
void param_join(struct buf *out, const char *const *names, size_t count, const char *last);
size_t param_count(const char *const *names);
/* A value's key, for as long as what is decoded. */
const char *param_key(const struct param_ctx *c, const struct json *value);

#endif
