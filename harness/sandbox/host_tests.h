/* SPDX-License-Identifier: MIT */
/* The tests behind host.h; only host.c includes this. Each runs in a forked child of its own and
 * may change that process as it likes. It returns 0 with how it was seen in `detail`, or -1 with
 * the reason in `e`. */
#ifndef BACKOUT_SANDBOX_HOST_TESTS_H
#define BACKOUT_SANDBOX_HOST_TESTS_H

#include "harness/base/err.h"
#include "harness/sandbox/host.h"
#include "harness/sandbox/owner.h"

struct host_test {
	const char *state_dir; /* as asked for */
	struct owner *owner;   /* of what the tests make; NULL: it could not be made */
	const char *no_owner;  /* why not */
	char *detail;          /* HOST_DETAIL_MAX bytes */
};

#define X(id, name, needs, out) int host_test_##id(const struct host_test *t, struct err *e);
HOST_FEATURES(X)
#undef X

#define SAY(t, ...)         (void)snprintf((t)->detail, HOST_DETAIL_MAX, __VA_ARGS__)
#define LACKS(e, code, ...) ERR_AS(e, EXIT_UNAVAILABLE, code, __VA_ARGS__)

int host_need_state(const struct host_test *t, struct err *e); /* -1: there is no owner */

#endif
