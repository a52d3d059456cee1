/* SPDX-License-Identifier: MIT */
/*
 * The journal: one JSON object a line, `t` in nanoseconds since the drill's start on
 * CLOCK_MONOTONIC, `event` one of the rows below. The first line is drill.begin, the last is
 * sealed; without that line it reads as a killed harness, and still reads.
 */
#ifndef BACKOUT_MODEL_EVENT_H
#define BACKOUT_MODEL_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/model/json.h"

enum { JOURNAL_FORMAT = 1 };

/* id, name, its fields */
/* clang-format off */
#define EVENTS(X)                                                                            \
	X(DRILL_BEGIN, "drill.begin", "format, version, role (control|drill|knockout), name, fault, seed, scenario (digest), rollback, host (kernel, cgroups), started (wall clock)") \
	X(NODE_UP, "node.up", "node, root (digest), mount (options), took, again (true: it was down)") \
	X(NODE_DOWN, "node.down", "node, why (until it is up again)")                         \
	X(LINK_UP, "link.up", "node, switch, address, rate")                                         \
	X(SERVICE_READY, "service.ready", "node, service, took")                             \
	X(SERVICE_FAILED, "service.failed", "node, service, why")                            \
	X(SERVICE_DOWN, "service.down", "node, service, why (it did not come up again with its node)") \
	X(SERVICE_ENDED, "service.ended", "node, service, exit, signal (a foreground service that ended)") \
	X(NOTICE, "notice", "what: something that a reader should know (a missing kernel feature, a limit that was hit)") \
	X(STEADY_BEFORE, "steady.before", "ok, why")                                         \
	X(STATE_CAPTURED, "state.captured", "node, phase (before|patched|after), file, digest, entries, took") \
	X(FAULT_PREPARED, "fault.prepared", "fault, took")                                   \
	X(PATCH_BEGIN, "patch.begin", "")                                                    \
	X(STEP_BEGIN, "step.begin", "section (patch|rollback|patch again), step, index, node")           \
	X(STEP_END, "step.end", "section, step, index, node, ok, exit, signal, timed_out, may_fail, why, took, log_bytes, log_dropped, memory_peak (bytes), cpu (ns), io_read, io_written (bytes): of its node meanwhile, each where the host counts it") \
	X(TRIGGER_HIT, "trigger.hit", "fault, kind, exact, detail")                          \
	X(FAULT_APPLIED, "fault.applied", "fault, detail")                                   \
	X(FAULT_FAILED, "fault.failed", "fault, why (the strike could not be made)")         \
	X(FAULT_FELT, "fault.felt", "fault, evidence")                                       \
	X(FAULT_UNDONE, "fault.undone", "fault, verified, detail")                           \
	X(PATCH_END, "patch.end", "ok, why")                                                 \
	X(PROBE_CHANGED, "probe.changed", "probe, ok, detail, started (t at which that try began)") \
	X(GOAL, "goal", "ok, probe, why")                                                    \
	X(DETECTED, "detected", "by (step_failed|goal_missed|steady_state_lost), why")       \
	X(NO_ROLLBACK, "rollback.not_called", "why")                                         \
	X(ROLLBACK_BEGIN, "rollback.begin", "rollback, clean (true: the control backs out a patch that worked)") \
	X(ROLLBACK_END, "rollback.end", "ok, why")                                           \
	X(ROLLBACK_AGAIN, "rollback.again", "why (the rollback runs once more from its start), asked (by the harness: nothing struck it)") \
	X(PATCH_AGAIN, "patch.again", "ok, why (the patch was run once more behind the rollback; its steps are of section \"patch again\")") \
	X(ROLLBACK_SKIPPED, "rollback.skipped", "why (the knock-out leaves it out)")         \
	X(HEALTHY, "healthy", "since (t of the interval's start), settle, resolution")       \
	X(NOT_HEALTHY, "not_healthy", "why, waited")                                         \
	X(HEALTH_UNASKED, "health.not_asked", "why (a knock-out whose state alone is proof)") \
	X(RECORDED, "recorded", "points, file (the points that this clean run met)")         \
	X(BRANCHED, "branched", "from (the recording whose journal stands before this line), point, state, detail") \
	X(LEFTOVER, "leftover", "what")                                                      \
	X(HARNESS_ERROR, "harness.error", "why, where")                                      \
	X(STOPPED, "stopped", "why, signal")                                                 \
	X(TEARDOWN, "teardown", "took, leftovers")                                           \
	X(SEALED, "sealed", "events (how many lines come before this one), peak_rss (bytes, of the drill's process)")

enum event_kind {
#define X(id, name, fields) EVENT_##id,
	EVENTS(X)
#undef X
	EVENT_KIND_COUNT
};
/* clang-format on */

const char *event_name(enum event_kind k);
const char *event_fields(enum event_kind k);
int event_from_name(const char *name); /* -1: unknown */

/* Writing: journal lines are built from a list of fields. */
struct field {
	const char *key;
	enum { FIELD_STR, FIELD_INT, FIELD_BOOL, FIELD_JSON } type;
	const char *s; /* STR: NULL is left out; JSON: literal text */
	int64_t i;
};
#define F_STR(k, v)                                                                                \
	{                                                                                          \
		.key = (k), .type = FIELD_STR, .s = (v)                                            \
	}
#define F_INT(k, v)                                                                                \
	{                                                                                          \
		.key = (k), .type = FIELD_INT, .i = (int64_t)(v)                                   \
	}
#define F_BOOL(k, v)                                                                               \
	{                                                                                          \
		.key = (k), .type = FIELD_BOOL, .i = (v) ? 1 : 0                                   \
	}
#define F_JSON(k, v)                                                                               \
	{                                                                                          \
		.key = (k), .type = FIELD_JSON, .s = (v)                                           \
	}

/* Appends one whole line with its newline; `fields` ends with an all-zero row. */
void event_encode(struct buf *out, int64_t t, enum event_kind k, const struct field *fields);

/* Reading. */
struct event {
	int64_t t;
	enum event_kind kind;
	const struct json *fields; /* the whole object */
};

struct journal;
/* Reads as far as the lines are whole. A torn last line (no newline, or no JSON) is dropped and
 * makes it unsealed; an unknown event, a line without a `t` of 0 or more, or a broken line in
 * the middle is an error (exit 70). `text` is copied. */
int journal_parse(struct journal **ret, const char *name, const char *text, size_t len,
		  struct err *e);
void journal_free(struct journal *j); /* NULL-safe */
size_t journal_count(const struct journal *j);
const struct event *journal_at(const struct journal *j, size_t i);
bool journal_sealed(const struct journal *j); /* its last line is `sealed`, and whole */
/* First event of that kind at or after index `from`; NULL when none. */
const struct event *journal_find(const struct journal *j, enum event_kind k, size_t from);
size_t journal_index(const struct journal *j, const struct event *ev);
const char *journal_name(const struct journal *j);

#endif
