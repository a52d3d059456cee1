/* SPDX-License-Identifier: MIT */
#include "reports/timeline.h"

#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "reports/paint.h"

enum { LANE_WIDTH = 64 };

/*
 * How each event reads. In a template {key} is a string or a number, {key:ns} a time, {key:MiB} a
 * size and {key?yes|no} one of two words by a boolean; [...] is left out when a key inside it is
 * absent or empty.
 */
static const char *const templates[] = {
	[EVENT_DRILL_BEGIN] = "begin[, role {role}][, fault {fault}][, seed {seed}]",
	[EVENT_NODE_UP] = "node {node} up[ after {took:ns}]",
	[EVENT_NODE_DOWN] = "node {node} DOWN[: {why}]",
	[EVENT_LINK_UP] = "link of {node} up[ at {address}]",
	[EVENT_SERVICE_READY] = "service {service} ready on {node}[ after {took:ns}]",
	[EVENT_SERVICE_FAILED] = "service {service} failed on {node}: {why}",
	[EVENT_SERVICE_DOWN] = "service {service} not up again on {node}: {why}",
	[EVENT_SERVICE_ENDED] =
		"service {service} ended on {node}[, exit {exit}][, signal {signal}]",
	[EVENT_NOTICE] = "note: {what}",
	[EVENT_STEADY_BEFORE] = "{ok?steady|not steady} before the patch[: {why}]",
	[EVENT_STATE_CAPTURED] =
		"fingerprint {phase} of {node}[, {entries} entries][, took {took:ns}]",
	[EVENT_FAULT_PREPARED] = "fault prepared[ in {took:ns}]",
	[EVENT_PATCH_BEGIN] = "PATCH begins",
	[EVENT_STEP_BEGIN] = "{section} step {step} begins[ on {node}]",
	[EVENT_STEP_END] = "{section} step {step} {ok?done|FAILED}[ after {took:ns}][, processor "
			   "{cpu:ns}][, peak memory {memory_peak:MiB}][, read {io_read:MiB}]"
			   "[, written {io_written:MiB}][: {why}]",
	[EVENT_TRIGGER_HIT] = "trigger {kind} ({exact?exact|inexact})[: {detail}]",
	[EVENT_FAULT_APPLIED] = "STRIKE[: {detail}]",
	[EVENT_FAULT_FAILED] = "strike could not be made: {why}",
	[EVENT_FAULT_FELT] = "FELT[: {evidence}]",
	[EVENT_FAULT_UNDONE] = "fault undone, {verified?verified|NOT VERIFIED}[: {detail}]",
	[EVENT_PATCH_END] = "patch {ok?done|FAILED}[: {why}]",
	[EVENT_PROBE_CHANGED] = "probe {probe} {ok?holds|FAILS}[: {detail}]",
	[EVENT_GOAL] = "goal {ok?reached|MISSED}[: {probe}][, {why}]",
	[EVENT_DETECTED] = "DETECTED by {by}[: {why}]",
	[EVENT_NO_ROLLBACK] = "no rollback called for[: {why}]",
	[EVENT_ROLLBACK_BEGIN] = "ROLLBACK {rollback} begins",
	[EVENT_ROLLBACK_END] = "rollback {ok?done|FAILED}[: {why}]",
	[EVENT_ROLLBACK_SKIPPED] = "rollback left out[: {why}]",
	[EVENT_HEALTHY] = "HEALTHY[ (settle {settle:ns}, resolution {resolution:ns})]",
	[EVENT_NOT_HEALTHY] = "NOT HEALTHY[ after {waited:ns}][: {why}]",
	[EVENT_LEFTOVER] = "left over: {what}",
	[EVENT_HARNESS_ERROR] = "harness error: {why}[ ({where})]",
	[EVENT_ROLLBACK_AGAIN] = "ROLLBACK once more: {why}",
	[EVENT_PATCH_AGAIN] = "PATCH once more: {ok?its goal holds|FAILED}[: {why}]",
	[EVENT_HEALTH_UNASKED] = "health not asked: {why}",
	[EVENT_RECORDED] = "{points} points recorded",
	[EVENT_BRANCHED] = "branched from {from} at: {point}",
	[EVENT_STOPPED] = "stopped: {why}",
	[EVENT_TEARDOWN] = "teardown[, took {took:ns}][, left over: {leftovers}]",
	[EVENT_SEALED] = "sealed[, {events} events][, peak memory {peak_rss:MiB}]",
};

/* One {...}; false when the event has no such field, or an empty one. */
static bool put_slot(struct buf *out, const char *slot, size_t len, const struct json *fields)
{
	char text[96], time[32];
	if (len >= sizeof(text))
		return false;
	memcpy(text, slot, len);
	text[len] = '\0';
	char *mode = strpbrk(text, ":?");
	char how = '\0';
	if (mode != NULL) {
		how = *mode;
		*mode++ = '\0';
	}
	const struct json *v = json_get(fields, text);
	if (v == NULL)
		return false;
	int64_t n = 0;
	if (how == '?') {
		char *no = strchr(mode, '|');
		*no++ = '\0';
		buf_puts(out, json_bool(v) ? mode : no);
	} else if (json_string(v) != NULL) {
		report_safe(out, json_string(v));
		return json_string(v)[0] != '\0';
	} else if (json_int64(v, &n)) {
		if (how == ':' && strcmp(mode, "MiB") == 0)
			buf_printf(out, "%.1f MiB", (double)n / (1 << 20));
		else if (how == ':')
			buf_puts(out, clock_text(n, time, sizeof(time)));
		else
			buf_printf(out, "%lld", (long long)n);
	} else {
		return false;
	}
	return true;
}

/* A template up to `end`; false when a slot had nothing to say. */
static bool put_template(struct buf *out, const char *t, const char *end, const struct json *fields)
{
	bool whole = true;
	while (t < end) {
		if (*t == '{') {
			const char *close = strchr(t, '}');
			whole &= put_slot(out, t + 1, (size_t)(close - t - 1), fields);
			t = close + 1;
		} else if (*t == '[') {
			const char *close = strchr(t, ']');
			size_t mark = out->len;
			if (!put_template(out, t + 1, close, fields)) {
				out->len = mark;
				out->data[mark] = '\0';
			}
			t = close + 1;
		} else {
			buf_putc(out, *t++);
		}
	}
	return whole;
}

void timeline_words(struct buf *out, const struct event *ev)
{
	const char *t = templates[ev->kind];
	if (t == NULL)
		t = event_name(ev->kind);
	(void)put_template(out, t, t + strlen(t), ev->fields);
}

/* ---- lanes ---- */

struct span {
	int64_t from, to; /* -1: not there */
};

enum lane { LANE_PATCH, LANE_FAULT, LANE_ROLLBACK, LANE_HEALTHY, LANE_COUNT };

static const struct {
	const char *name;
	char mark;
	enum event_kind from, to;
} lanes[LANE_COUNT] = {
	[LANE_PATCH] = { "patch", '=', EVENT_PATCH_BEGIN, EVENT_PATCH_END },
	[LANE_FAULT] = { "fault", '#', EVENT_FAULT_APPLIED, EVENT_FAULT_UNDONE },
	[LANE_ROLLBACK] = { "rollback", '=', EVENT_ROLLBACK_BEGIN, EVENT_ROLLBACK_END },
	[LANE_HEALTHY] = { "healthy", '+', EVENT_HEALTHY, EVENT_TEARDOWN },
};

static int64_t time_of(const struct journal *j, enum event_kind k)
{
	const struct event *ev = journal_find(j, k, 0);
	if (ev == NULL)
		return -1;
	return k == EVENT_HEALTHY ? json_get_int(ev->fields, "since", ev->t) : ev->t;
}

static struct span lane_span(const struct journal *j, enum lane lane, int64_t end)
{
	struct span s = { .from = time_of(j, lanes[lane].from), .to = time_of(j, lanes[lane].to) };
	if (s.to < s.from || s.to > end)
		s.to = end;
	return s;
}

static void put_lanes(struct buf *b, const struct journal *j)
{
	int64_t begin = time_of(j, EVENT_PATCH_BEGIN);
	if (begin < 0)
		return;
	/* Up to the last thing of interest; teardown's own time would only squeeze the picture. */
	static const enum event_kind ends[] = { EVENT_PATCH_END, EVENT_FAULT_UNDONE,
						EVENT_ROLLBACK_END, EVENT_HEALTHY,
						EVENT_NOT_HEALTHY };
	int64_t end = begin + 1;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		int64_t t = time_of(j, ends[i]);
		end = t > end ? t : end;
	}
	end += (end - begin) / 16; /* so that the healthy lane shows at all */
	char text[32];
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		struct span s = lane_span(j, (enum lane)lane, end);
		char row[LANE_WIDTH + 1];
		memset(row, '.', LANE_WIDTH);
		row[LANE_WIDTH] = '\0';
		if (s.from >= begin) {
			double scale = LANE_WIDTH / (double)(end - begin);
			int from = (int)((double)(s.from - begin) * scale);
			int to = (int)((double)(s.to - begin) * scale);
			for (int c = from; c < LANE_WIDTH && (c < to || c == from); c++)
				row[c] = lanes[lane].mark;
		}
		buf_printf(b, "%-9s |%s|\n", lanes[lane].name, row);
	}
	buf_printf(b, "%-9s 0%*s\n\n", "", LANE_WIDTH + 1,
		   clock_text(end - begin, text, sizeof(text)));
}

static const char *tone(enum event_kind k)
{
	switch (k) {
	case EVENT_FAULT_APPLIED:
	case EVENT_FAULT_FELT:
	case EVENT_FAULT_FAILED:
	case EVENT_NOT_HEALTHY:
	case EVENT_HARNESS_ERROR:
	case EVENT_LEFTOVER:
		return PAINT_RED;
	case EVENT_DETECTED:
	case EVENT_ROLLBACK_BEGIN:
		return PAINT_YELLOW;
	case EVENT_HEALTHY:
		return PAINT_GREEN;
	default:
		return "";
	}
}

/* What the table's words cannot say, for it needs the time that counts as zero. */
static void put_since(struct buf *b, const struct event *ev, int64_t zero)
{
	int64_t since = json_get_int(ev->fields, "since", -1);
	if (ev->kind == EVENT_HEALTHY && since >= 0)
		buf_printf(b, " since %+.3f s", (double)(since - zero) / (double)NS_PER_S);
}

static void put_events(struct buf *b, const struct journal *j, bool colour)
{
	int64_t patch = time_of(j, EVENT_PATCH_BEGIN);
	int64_t zero = patch >= 0 ? patch : 0;
	int64_t strike = time_of(j, EVENT_FAULT_APPLIED);
	buf_printf(b, "%12s%s\n", patch >= 0 ? "SINCE PATCH" : "SINCE BEGIN",
		   strike >= 0 ? "  SINCE STRIKE" : "");
	for (size_t i = 0; i < journal_count(j); i++) {
		const struct event *ev = journal_at(j, i);
		char since[32] = "";
		if (strike >= 0 && ev->t >= strike)
			(void)snprintf(since, sizeof(since), "%+.3f s",
				       (double)(ev->t - strike) / (double)NS_PER_S);
		buf_printf(b, "%+10.3f s  %*s  %s", (double)(ev->t - zero) / (double)NS_PER_S,
			   strike >= 0 ? 12 : 0, since, paint(colour, tone(ev->kind)));
		timeline_words(b, ev);
		put_since(b, ev, zero);
		buf_printf(b, "%s\n", tone(ev->kind)[0] != '\0' ? paint(colour, PAINT_OFF) : "");
	}
	if (!journal_sealed(j))
		buf_puts(b, "(the journal ends here, unsealed: the harness was killed)\n");
}

int timeline_write(FILE *out, const struct report_item *it, bool colour, struct err *e)
{
	GUARD_BUF struct buf b = { 0 };
	buf_printf(&b, "%s%s%s (%s)", paint(colour, PAINT_BOLD), report_item_name(it),
		   paint(colour, PAINT_OFF), it->label);
	if (it->verdict != NULL)
		buf_printf(&b, ": %s%s%s", paint_verdict(colour, it->verdict),
			   outcome_name(it->verdict->outcome), paint(colour, PAINT_OFF));
	buf_puts(&b, "\n\n");
	put_lanes(&b, it->journal);
	put_events(&b, it->journal, colour);
	return report_put(out, &b, e);
}
