/* SPDX-License-Identifier: MIT */
/* Colours for a terminal: only where they were asked for. */
#ifndef REPORTS_PAINT_H
#define REPORTS_PAINT_H

#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/model/verdict.h"

#define PAINT_RED    "\033[31m"
#define PAINT_GREEN  "\033[32m"
#define PAINT_YELLOW "\033[33m"
#define PAINT_BOLD   "\033[1m"
#define PAINT_DIM    "\033[2m"
#define PAINT_OFF    "\033[0m"

static inline const char *paint(bool colour, const char *code)
{
	return colour ? code : "";
}

/* Green for a pass, yellow where too little was proved, red for the rest. */
static inline const char *paint_verdict(bool colour, const struct verdict *v)
{
	if (v->pass)
		return paint(colour, PAINT_GREEN);
	bool unproved = outcome_exit(v->outcome) == EXIT_INCONCLUSIVE;
	return paint(colour, unproved ? PAINT_YELLOW : PAINT_RED);
}

#endif
