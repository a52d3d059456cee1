/* SPDX-License-Identifier: MIT */
/* A sweep with its live view on stderr. */
#ifndef BACKOUT_CLI_SWEEP_VIEW_H
#define BACKOUT_CLI_SWEEP_VIEW_H

#include "harness/engine/sweep.h"

/* As sweep_execute(). */
int sweep_view_execute(struct run **ret, const struct sweep_options *o, int *interrupted,
		       struct err *e);

#endif
