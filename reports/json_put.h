/* SPDX-License-Identifier: MIT */
/* Writing the json report: `"name":value` with the comma in front where one is due; a NULL name
 * for elements of a list. Whoever opens a bracket closes it by hand. */
#ifndef REPORTS_JSON_PUT_H
#define REPORTS_JSON_PUT_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/base/buf.h"
#include "harness/model/state.h"

void json_put_key(struct buf *b, const char *name);
void json_put_str(struct buf *b, const char *name, const char *value); /* NULL: null */
void json_put_bool(struct buf *b, const char *name, bool value);
void json_put_int(struct buf *b, const char *name, int64_t value);
void json_put_ns(struct buf *b, const char *name,
		 int64_t ns); /* null when it does not apply (< 0) */
void json_put_open(struct buf *b, const char *name, char bracket);
/* A change of state, and a list of them, as the format's head describes. */
void json_put_change(struct buf *b, const char *name, const struct change *c);
void json_put_changes(struct buf *b, const char *name, const struct changes *c);

#endif
