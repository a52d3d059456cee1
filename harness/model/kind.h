/* SPDX-License-Identifier: MIT */
/*
 * What every injector, trigger and probe has in common: a name, a help line, parameters. The
 * scenario parser, the schema, `backout list` and the conformance test see only this, so that
 * the model needs to know none of them.
 */
#ifndef BACKOUT_MODEL_KIND_H
#define BACKOUT_MODEL_KIND_H

#include <stddef.h>

#include "harness/model/param.h"

struct kind {
	const char *name;    /* as written in a scenario: "process.kill" */
	const char *help;    /* one line */
	const char *applied; /* injectors: what `applied` means for it; NULL for others */
	const char *felt;    /* injectors: what `felt` means for it; NULL for others */
	const struct param *params;
	const char *shorthand; /* the row that a scalar sets, or NULL */
	size_t size;           /* bytes of the decoded parameters */
	/* Probes: the rows of "expect", decoded into the same struct; NULL for others. */
	const struct param *expect;
	/* Triggers: true when it strikes exactly where asked, false when it is approximate. */
	bool exact;
	/* Injectors: true when the effect lasts until it is undone (link.down), false when the
	 * strike is over at once (process.kill). */
	bool lasting;
	/* Triggers: it strikes with a system call held. Injectors: it answers that call, and needs
	 * such a trigger. */
	bool holds_call, answers_call;
	/* Injectors: its node must have a disk of its own. */
	bool on_disk;
	/* Probes: its node must boot a systemd of its own. */
	bool of_systemd;
	/* After decoding: what the rows cannot say ("program needs an absolute path"). May be NULL.
	 * Returns NULL when fine, else a static sentence that says what to write instead. */
	const char *(*check)(const void *params);
};

/* NULL-terminated lists. */
struct catalog {
	const struct kind *const *injectors;
	const struct kind *const *triggers;
	const struct kind *const *probes;
};

#endif
