/* SPDX-License-Identifier: MIT */
#include "harness/cli/live_view.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/cli/settings.h"
#include "reports/live.h"

struct live_view {
	struct live *live;
	char *label; /* of the drill under way */
};

static void note(void *arg, const char *line)
{
	const struct live_view *v = arg;
	live_say(v->live, line);
}

static void begin(void *arg, const char *label, size_t index, size_t total)
{
	struct live_view *v = arg;
	GUARD(mem) char *name = mem_printf("[%zu/%zu] %s", index, total, label);
	free(v->label);
	v->label = mem_strdup(label);
	live_begin(v->live, name);
}

static void line(void *arg, const char *text, size_t len)
{
	const struct live_view *v = arg;
	live_line(v->live, text, len);
}

static void tick(void *arg)
{
	const struct live_view *v = arg;
	live_tick(v->live);
}

static void end(void *arg, const struct run_item *item)
{
	const struct live_view *v = arg;
	if (strcmp(v->label, item->label) == 0) {
		live_verdict(v->live, item->role == ROLE_KNOCKOUT ? NULL : &item->verdict);
		return;
	}
	/* A drill that waited for its counter-proof. */
	GUARD(mem)
	char *text = mem_printf("%s: %s, %s", item->label, outcome_name(item->verdict.outcome),
				item->verdict.why);
	live_say(v->live, text);
}

struct live_view *live_view_open(struct run_progress *progress)
{
	struct live_view *v = mem_alloc(sizeof(*v));
	v->live = live_create(stderr, isatty(STDERR_FILENO) == 1, settings_colour(stderr));
	*progress = (struct run_progress){ note, begin, line, tick, end, v };
	return v;
}

void live_view_sweep(struct live_view *v, const struct sweep_progress *p)
{
	live_sweep(v->live, p);
}

void live_view_close(struct live_view *v)
{
	if (v == NULL)
		return;
	live_destroy(v->live);
	free(v->label);
	free(v);
}
