/* SPDX-License-Identifier: MIT */
/*
 * A fingerprint written as its difference from another one of the same run: a sweep has thousands,
 * and nearly all of their lines are the same. In the order of the lines:
 *
 *	{"delta_of":"../../control-a/state-before-web.jsonl","digest":"..."}
 *	-{"kind":"file","key":"/etc/hosts"		this line of the other one is not there
 *	+{"kind":"file","key":"/etc/hosts",...}		but this one
 *
 * `delta_of` counts from the folder of the file that says it; `digest` is the other text's.
 */
#ifndef BACKOUT_MODEL_STATE_DELTA_H
#define BACKOUT_MODEL_STATE_DELTA_H

#include <stdbool.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/base/hash.h"
#include "harness/model/state.h"

/* What another text is told from; that one is whole itself. */
struct state_base {
	struct state_text text;
	const char *file;   /* its name for `delta_of` */
	const char *digest; /* of the text */
};

/* Both texts as state.h has them. */
int state_delta_write(const struct state_base *base, struct state_text now, struct buf *ret,
		      struct err *e);

bool state_is_delta(struct state_text t);
/* The name and the digest that its first line holds; *ret_file is the caller's to free(). */
int state_delta_base(struct state_text delta, char **ret_file, char ret_digest[HASH_TEXT],
		     struct err *e);
/* The whole text again; what does not fit the base is an error. */
int state_delta_expand(struct state_text base, struct state_text delta, struct buf *ret,
		       struct err *e);

#endif
