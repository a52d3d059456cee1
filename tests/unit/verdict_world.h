/* SPDX-License-Identifier: MIT */
/*
 * A small world to judge: a plan, one fault, and the journals of two controls, a drill and its
 * knock-out as lists of lines. world_good() makes records that end as `restored`; tests change
 * single lines and look at what the verdict makes of it.
 */
#ifndef TESTS_UNIT_VERDICT_WORLD_H
#define TESTS_UNIT_VERDICT_WORLD_H

#include "harness/base/buf.h"
#include "harness/base/mem.h"
#include "harness/model/verdict.h"

enum { SCRIPT_LINES_MAX = 48, SCRIPT_TEXT_MAX = 256 };

struct script_line {
	int64_t ms;
	enum event_kind kind;
	char fields[SCRIPT_TEXT_MAX]; /* without braces; the digest of a state comes by itself */
	char raw[SCRIPT_TEXT_MAX];    /* in place of all that, if not empty */
};

struct script {
	const char *name;
	struct script_line lines[SCRIPT_LINES_MAX];
	size_t count;
	const char *state[PHASE_COUNT]; /* the texts of node web */
	bool state_missing;             /* named in the journal, not in the record */
	bool bad_digest;
	bool torn;          /* half a line at the end */
	int64_t events_off; /* what `sealed` miscounts */
};

struct world {
	struct plan plan;
	struct kind kind;
	struct fault_plan fault;
	struct script control_a, control_b, drill, knockout;
	bool no_control, no_control_b, no_knockout;
};

extern const char STATE_B[], STATE_P[], STATE_HALF[], STATE_NOISY_P[];

void world_good(struct world *w);
/* Drill: the patch works all the same; no rollback is called for. */
void world_tolerated(struct world *w);
/* Drill: the fault strikes the second step of a clean rollback. */
void world_in_rollback(struct world *w);

/* The line of that kind whose fields hold `needle` (NULL: any); fails the test if there is none. */
struct script_line *script_find(struct script *s, enum event_kind k, const char *needle);
void script_set(struct script *s, enum event_kind k, const char *needle, const char *fields);
void script_drop(struct script *s, size_t i);
void script_drop_kind(struct script *s, enum event_kind k, const char *needle);
/* Behind the line found so. */
void script_add(struct script *s, enum event_kind after, const char *needle, enum event_kind k,
		const char *fields);
/* Everything from that line on is later by so much. */
void script_delay(struct script *s, enum event_kind k, const char *needle, int64_t ms);

/* 0, or -1 when the records cannot be read. */
int world_try(struct arena *a, struct world *w, struct verdict *ret, struct err *e);
struct verdict world_judge(struct arena *a, struct world *w);
struct verdict world_judge_control(struct arena *a, struct world *w);
struct verdict_run world_controls(struct arena *a, struct world *w);
bool world_holds(const struct verdict *v, enum outcome o);

#endif
