/* SPDX-License-Identifier: MIT */
#include "reports/live.h"

#include <stdlib.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/model/event.h"
#include "harness/model/json.h"
#include "reports/paint.h"
#include "reports/report.h"
#include "reports/timeline.h"

enum { TERMINAL_WIDTH = 80, SWEEP_LINE_EVERY_S = 10 };

struct live {
	FILE *out;
	bool terminal, colour;
	bool drawn;                 /* a status line stands on the terminal */
	char *name;                 /* of the drill that runs; NULL: none */
	char *phase;                /* what happened last, in words */
	int64_t begun;              /* CLOCK_MONOTONIC */
	char sweep[TERMINAL_WIDTH]; /* the line of a sweep; "": none */
	int64_t sweep_told;         /* when a plain line was written last; -1: never */
	bool sweep_over;
};

/* Events that a log should show; a terminal shows all of them in turn. */
static const bool important[EVENT_KIND_COUNT] = {
	[EVENT_SERVICE_FAILED] = true, [EVENT_NOTICE] = true,       [EVENT_STEP_END] = true,
	[EVENT_FAULT_APPLIED] = true,  [EVENT_FAULT_FAILED] = true, [EVENT_FAULT_FELT] = true,
	[EVENT_FAULT_UNDONE] = true,   [EVENT_DETECTED] = true,     [EVENT_ROLLBACK_BEGIN] = true,
	[EVENT_ROLLBACK_END] = true,   [EVENT_HEALTHY] = true,      [EVENT_NOT_HEALTHY] = true,
	[EVENT_NODE_DOWN] = true,      [EVENT_SERVICE_DOWN] = true, [EVENT_LEFTOVER] = true,
	[EVENT_HARNESS_ERROR] = true,  [EVENT_STOPPED] = true,
};

struct live *live_create(FILE *out, bool terminal, bool colour)
{
	struct live *l = mem_alloc(sizeof(*l));
	*l = (struct live){ .out = out, .terminal = terminal, .colour = colour, .sweep_told = -1 };
	return l;
}

/* Away with the status line, so that something lasting can take its place. */
static void wipe(struct live *l)
{
	if (l->drawn)
		(void)fputs("\r\033[K", l->out);
	l->drawn = false;
}

void live_destroy(struct live *l)
{
	if (l == NULL)
		return;
	wipe(l);
	(void)fflush(l->out);
	free(l->name);
	free(l->phase);
	free(l);
}

static double elapsed(const struct live *l)
{
	return (double)(clock_now() - l->begun) / (double)NS_PER_S;
}

void live_tick(struct live *l)
{
	if (!l->terminal)
		return;
	if (l->name == NULL && l->sweep[0] != '\0') {
		(void)fprintf(l->out, "\r\033[K%s", l->sweep);
		(void)fflush(l->out);
		l->drawn = true;
	}
	if (l->name == NULL)
		return;
	/* A line that wraps could not be wiped again: terminals of 80 columns are the least. */
	(void)fprintf(l->out, "\r\033[K  %-30.30s %6.1f s  %.36s", l->name, elapsed(l),
		      l->phase != NULL ? l->phase : "");
	(void)fflush(l->out);
	l->drawn = true;
}

void live_begin(struct live *l, const char *name)
{
	wipe(l);
	free(l->name);
	free(l->phase);
	l->name = mem_strdup(name);
	l->phase = mem_strdup("begins");
	l->begun = clock_now();
	if (!l->terminal)
		(void)fprintf(l->out, "%s: begins\n", name);
	(void)fflush(l->out);
	live_tick(l);
}

void live_line(struct live *l, const char *line, size_t len)
{
	struct err e = { 0 };
	struct json_doc *doc = NULL;
	GUARD_BUF struct buf words = { 0 };
	if (l->name == NULL || json_parse(&doc, "journal", line, len, &e) < 0)
		return;
	const struct json *fields = json_root(doc);
	int kind = event_from_name(json_get_string(fields, "event", ""));
	if (kind >= 0) {
		struct event ev = { .t = json_get_int(fields, "t", 0),
				    .kind = (enum event_kind)kind,
				    .fields = fields };
		timeline_words(&words, &ev);
		free(l->phase);
		l->phase = mem_strdup(buf_str(&words));
		if (!l->terminal && important[kind])
			(void)fprintf(l->out, "%s: %+.3f s %s\n", l->name,
				      (double)ev.t / (double)NS_PER_S, l->phase);
		(void)fflush(l->out);
		live_tick(l);
	}
	json_doc_free(doc);
}

void live_verdict(struct live *l, const struct verdict *v)
{
	if (l->name == NULL)
		return;
	wipe(l);
	const char *tone = v != NULL ? paint_verdict(l->colour, v) : "";
	const char *what = v != NULL ? outcome_name(v->outcome) : "knock-out done";
	/* Not a verdict yet: said again when the counter-proof is in. */
	if (v != NULL && v->outcome == OUTCOME_UNPROVEN)
		what = "clean (the counter-proof follows)";
	const char *off = v != NULL ? paint(l->colour, PAINT_OFF) : "";
	if (l->terminal)
		(void)fprintf(l->out, "  %-30.30s %6.1f s  %s%s%s\n", l->name, elapsed(l), tone,
			      what, off);
	else
		(void)fprintf(l->out, "%s: %s%s%s after %.1f s\n", l->name, tone, what, off,
			      elapsed(l));
	(void)fflush(l->out);
	free(l->name);
	l->name = NULL;
}

/* What is left to do takes as long as what was done took. */
static void put_left(struct buf *b, const struct sweep_progress *p, int64_t took)
{
	char text[32];
	if (p->drills_done == 0 || p->drills_done >= p->drills_total)
		return;
	double each = (double)took / (double)p->drills_done;
	int64_t left = (int64_t)(each * (double)(p->drills_total - p->drills_done));
	buf_printf(b, ", %s left", clock_text(left, text, sizeof(text)));
}

/* The rate is that of points: a class that is drilled once counts with all of its points. */
static void put_sweep(struct buf *b, const struct sweep_progress *p, bool terminal)
{
	int64_t took = p->now > p->started ? p->now - p->started : 0;
	char rate[32];
	buf_printf(b, "sweep: %zu/%zu points", p->points_done, p->points_total);
	if (!terminal)
		buf_printf(b, ", %zu/%zu drills by %u job%s", p->drills_done, p->drills_total,
			   p->jobs, p->jobs == 1 ? "" : "s");
	bool grouped = p->failing_groups > 0;
	size_t failing = grouped ? p->failing_groups : p->failing_drills;
	if (failing == 0)
		buf_puts(b, ", none fails");
	else
		buf_printf(b, ", %zu fail (%zu %s%s)", p->failing_points, failing,
			   grouped ? "group" : "drill", failing == 1 ? "" : "s");
	if (took > 0 && p->points_done > 0)
		buf_printf(b, ", %s/s",
			   report_rate((double)p->points_done * (double)NS_PER_S / (double)took,
				       rate, sizeof(rate)));
	put_left(b, p, took);
}

void live_sweep(struct live *l, const struct sweep_progress *p)
{
	GUARD_BUF struct buf line = { 0 };
	bool over = p->drills_done >= p->drills_total;
	bool due = l->sweep_told < 0 || p->now - l->sweep_told >= SWEEP_LINE_EVERY_S * NS_PER_S;
	if (l->sweep_over)
		return;
	put_sweep(&line, p, l->terminal);
	l->sweep_over = over;
	if (l->terminal && !over) {
		/* One column less: a full line would wrap on some terminals. */
		(void)snprintf(l->sweep, sizeof(l->sweep) - 1, "  %s", buf_str(&line));
		live_tick(l);
		return;
	}
	if (!over && !due)
		return;
	wipe(l);
	l->sweep[0] = '\0';
	l->sweep_told = p->now;
	(void)fprintf(l->out, "%s%s\n", l->terminal ? "  " : "", buf_str(&line));
	(void)fflush(l->out);
}

void live_say(struct live *l, const char *text)
{
	wipe(l);
	(void)fprintf(l->out, "%s\n", text);
	(void)fflush(l->out);
	live_tick(l);
}
