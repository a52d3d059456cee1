/* SPDX-License-Identifier: MIT */
#include "harness/engine/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/catalog.h"
#include "harness/engine/needs.h"
#include "harness/engine/pool.h"
#include "harness/engine/roots.h"
#include "harness/sandbox/cgroup.h"
#include "harness/sandbox/host.h"
#include "harness/sandbox/owner.h"

enum { RUN_FORMAT = 1, SEED_TEXT = 17 };

struct making {
	const struct run_options *options;
	const struct run_progress *progress;
	const struct plan *plan;
	struct plan_doc *doc; /* until the run owns it */
	struct run *run;
	struct owner *owner;
	struct pool *pool;
	struct image *roots;
	char *dir;
	char *host_json;
	char seed[SEED_TEXT];
	size_t index, total;
	int *interrupted;
};

static void note(void *arg, const char *line)
{
	struct making *m = arg;
	if (m->progress->note != NULL)
		m->progress->note(m->progress->arg, line);
}

static void collected(void *arg, const char *kind, const char *name, const char *tag)
{
	GUARD(mem)
	char *line = mem_printf("collected from a dead harness (%s): %s %s", tag, kind, name);
	note(arg, line);
}

static int draw_seed(struct making *m, struct err *e)
{
	uint64_t n;
	if (m->options->seed != NULL) {
		if (strlen(m->options->seed) >= SEED_TEXT)
			return ERR_AS(e, EXIT_USAGE_ERROR, 0, "--seed takes at most %d characters",
				      SEED_TEXT - 1);
		(void)snprintf(m->seed, sizeof(m->seed), "%s", m->options->seed);
		return 0;
	}
	if (getrandom(&n, sizeof(n), 0) != (ssize_t)sizeof(n))
		return ERR(e, errno, "getrandom");
	(void)snprintf(m->seed, sizeof(m->seed), "%016" PRIx64, n);
	return 0;
}

static int make_folder(struct making *m, struct err *e)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	(void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", gmtime_r(&now, &tm));
	uint16_t tail;
	if (getrandom(&tail, sizeof(tail), 0) != (ssize_t)sizeof(tail))
		return ERR(e, errno, "getrandom");
	if (io_mkdirs(m->options->runs_dir, 0755, e) < 0) {
		e->exit = EXIT_UNAVAILABLE;
		return err_prefix(e, "the folder for runs (--runs DIR)");
	}
	m->dir = mem_printf("%s/%s-%s-%04x", m->options->runs_dir, stamp, m->plan->slug, tail);
	if (mkdir(m->dir, 0755) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno,
			      "make the run folder '%s' (another place: --runs DIR)", m->dir);
	return 0;
}

static void describe_host(struct making *m)
{
	struct utsname u;
	struct buf b = { 0 };
	(void)uname(&u);
	buf_puts(&b, "{\"kernel\":");
	buf_json(&b, u.release);
	buf_puts(&b, ",\"machine\":");
	buf_json(&b, u.machine);
	buf_printf(&b, ",\"cgroups\":\"%s\",\"processors\":%ld,\"backout\":\"%s\"}",
		   cgroup_mode_name(cgroup_mode()), sysconf(_SC_NPROCESSORS_ONLN), BACKOUT_VERSION);
	m->host_json = buf_take(&b);
}

static int write_in(struct making *m, const char *name, const struct buf *text, struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/%s", m->dir, name);
	return io_write_file(AT_FDCWD, path, buf_str(text), text->len, 0644, e);
}

static int write_inputs(struct making *m, struct err *e)
{
	GUARD_BUF struct buf b = { 0 };
	plan_effective(m->doc, &b);
	if (write_in(m, "scenario.json", &b, e) < 0)
		return -1;
	buf_clear(&b);
	plan_to_json(m->plan, &b);
	if (write_in(m, "plan.json", &b, e) < 0)
		return -1;
	buf_clear(&b);
	buf_printf(&b, "%s\n", m->host_json);
	if (write_in(m, "host.json", &b, e) < 0)
		return -1;
	buf_clear(&b);
	buf_printf(&b, "{\"format\":%d,\"backout\":\"%s\",\"scenario\":", RUN_FORMAT,
		   BACKOUT_VERSION);
	buf_json(&b, m->plan->file);
	buf_printf(&b, ",\"digest\":\"%s\",\"rollback\":", m->plan->digest);
	buf_json(&b, m->plan->rollbacks[m->plan->rollback].name);
	buf_puts(&b, ",\"seed\":");
	buf_json(&b, m->seed);
	buf_puts(&b, ",\"roots\":{");
	for (size_t i = 0; i < m->plan->node_count; i++) {
		buf_puts(&b, i > 0 ? "," : "");
		buf_json(&b, m->plan->nodes[i].name);
		buf_printf(&b, ":\"%s\"", m->roots[i].digest);
	}
	buf_puts(&b, "}}\n");
	return write_in(m, "run.json", &b, e);
}

/* Index of the item in the run, or -1. */
static int one_drill(struct making *m, enum drill_role role, const struct fault_plan *fault,
		     char letter, struct err *e)
{
	GUARD(mem) char *label = run_label(role, fault, letter);
	GUARD(mem) char *dir = mem_printf("%s/%s", m->dir, label);
	GUARD(mem) char *name = mem_strdup(label);
	for (char *s = name; *s != '\0'; s++)
		if (*s == '/')
			*s = '-';
	if (io_mkdirs(dir, 0755, e) < 0 || (fault != NULL && fault_file_write(dir, fault, e) < 0))
		return -1;
	if (m->progress->begin != NULL)
		m->progress->begin(m->progress->arg, label, ++m->index, m->total);
	struct drill_spec spec = {
		.plan = m->plan,
		.fault = fault,
		.role = role,
		.name = name,
		.dir = dir,
		.owner = m->owner,
		.roots = m->roots,
		.seed = m->seed,
		.host_json = m->host_json,
		.live_fd = -1,
	};
	/* A drill's process that dies leaves an unsealed journal, which is judged as that. */
	struct err died = { 0 };
	if (pool_run(m->pool, &spec, m->progress->line, m->progress->arg, &died) < 0)
		note(m, died.why);
	int index = run_add(m->run, role, fault, letter, e);
	if (index >= 0 && m->progress->end != NULL)
		m->progress->end(m->progress->arg, &run_view(m->run)->items[index]);
	return index;
}

static bool selected(const struct making *m, const struct fault_plan *f)
{
	const char *want = m->options->fault;
	return want == NULL || strcmp(want, f->name) == 0 || strcmp(want, f->slug) == 0;
}

static int drill_and_knockout(struct making *m, const struct fault_plan *f, struct err *e)
{
	int drill = one_drill(m, ROLE_DRILL, f, 0, e);
	if (drill < 0)
		return -1;
	if (*m->interrupted != 0 || f->in_rollback ||
	    !verdict_needs_knockout(&run_view(m->run)->items[drill].verdict))
		return 0;
	m->total++;
	if (one_drill(m, ROLE_KNOCKOUT, f, 0, e) < 0)
		return -1;
	/* Judged once more, now with its counter-proof. */
	if (m->progress->end != NULL)
		m->progress->end(m->progress->arg, &run_view(m->run)->items[drill]);
	return 0;
}

/* A workflow that fails by itself, or an oracle that is blind, makes every drill worthless. */
static bool worth_drilling(struct making *m)
{
	const struct run_view *v = run_view(m->run);
	for (size_t i = 0; i < v->count; i++) {
		enum outcome o = v->items[i].verdict.outcome;
		if (o == OUTCOME_HARNESS_ERROR || o == OUTCOME_ABORTED || o == OUTCOME_BROKEN)
			return false;
	}
	return !v->controls.vacuous;
}

static int all_drills(struct making *m, struct err *e)
{
	for (size_t i = 0; i < m->plan->fault_count; i++)
		m->total += selected(m, &m->plan->faults[i]);
	if (m->options->fault != NULL && m->total == 0)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "no fault is called '%s'", m->options->fault);
	m->total += 2;
	for (char letter = 'a'; letter <= 'b'; letter++)
		if (*m->interrupted == 0 && one_drill(m, ROLE_CONTROL, NULL, letter, e) < 0)
			return -1;
	if (run_conclude(m->run, e) < 0)
		return -1;
	if (!worth_drilling(m))
		return 0;
	for (size_t i = 0; i < m->plan->fault_count; i++)
		if (*m->interrupted == 0 && selected(m, &m->plan->faults[i]) &&
		    drill_and_knockout(m, &m->plan->faults[i], e) < 0)
			return -1;
	return run_conclude(m->run, e);
}

static int execute(struct making *m, struct err *e)
{
	if (host_require(host_needs(m->plan), m->options->state_dir, e) < 0)
		return -1;
	if (owner_collect(m->options->state_dir, collected, m, e) < 0 ||
	    owner_create(&m->owner, m->options->state_dir, e) < 0)
		return -1;
	if (draw_seed(m, e) < 0)
		return -1;
	describe_host(m);
	if (roots_prepare(m->owner, m->plan, note, m, &m->roots, e) < 0)
		return -1;
	if (make_folder(m, e) < 0 || write_inputs(m, e) < 0)
		return -1;
	m->run = run_new(m->doc, m->dir);
	m->doc = NULL;
	if (pool_create(&m->pool, m->progress->tick, m->progress->arg, m->interrupted, e) < 0)
		return -1;
	return all_drills(m, e);
}

int run_execute(struct run **ret, const struct run_options *o, const struct run_progress *p,
		int *interrupted, struct err *e)
{
	struct plan_options options = { .rollback = o->rollback, .vars = o->vars };
	struct making m = { .options = o, .progress = p, .interrupted = interrupted };
	*interrupted = 0;
	if (plan_load(&m.doc, o->scenario, catalog_get(), &options, e) < 0)
		return -1;
	m.plan = plan_get(m.doc);
	int result = execute(&m, e);
	struct err left = { 0 };
	pool_destroy(m.pool);
	if (owner_destroy(m.owner, &left) > 0 && result == 0)
		result = ERR(e, 0, "something of this run is left on the host: %s", left.why);
	roots_free(m.roots, m.plan->node_count);
	plan_free(m.doc);
	free(m.dir);
	free(m.host_json);
	if (result == 0)
		*ret = m.run;
	else
		run_free(m.run);
	return result;
}
