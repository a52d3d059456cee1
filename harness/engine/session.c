/* SPDX-License-Identifier: MIT */
#include "harness/engine/session.h"

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
#include "harness/engine/roots.h"
#include "harness/sandbox/cgroup.h"
#include "harness/sandbox/cgroup_base.h"
#include "harness/sandbox/userns.h"

enum { RUN_FORMAT = 1 };

void session_note(void *arg, const char *line)
{
	struct session *s = arg;
	if (s->progress->note != NULL)
		s->progress->note(s->progress->arg, line);
}

static void collected(void *arg, const char *kind, const char *name, const char *tag)
{
	GUARD(mem)
	char *line = mem_printf("collected from a dead harness (%s): %s %s", tag, kind, name);
	session_note(arg, line);
}

int session_own(struct session *s, struct err *e)
{
	if (userns_notice() != NULL)
		session_note(s, userns_notice());
	if (owner_collect(s->state_dir, collected, s, e) < 0)
		return -1;
	if (owner_create(&s->owner, s->state_dir, e) < 0)
		return -1;
	/* Before the drills are forked, which share it; what fails is said where it matters. */
	const struct cgroup_base *base;
	struct err no_base = { 0 };
	(void)cgroup_base(&base, s->owner, &no_base);
	return 0;
}

int session_disown(struct session *s, int result, struct err *e)
{
	struct err left = { 0 };
	pool_destroy(s->pool);
	s->pool = NULL;
	if (owner_destroy(s->owner, &left) > 0 && result == 0)
		result = ERR(e, 0, "something of this run is left on the host: %s", left.why);
	s->owner = NULL;
	return result;
}

int session_seed(struct session *s, const char *seed, struct err *e)
{
	uint64_t n;
	if (seed != NULL) {
		if (strlen(seed) >= SEED_TEXT)
			return ERR_AS(e, EXIT_USAGE_ERROR, 0, "--seed takes at most %d characters",
				      SEED_TEXT - 1);
		(void)snprintf(s->seed, sizeof(s->seed), "%s", seed);
		return 0;
	}
	if (getrandom(&n, sizeof(n), 0) != (ssize_t)sizeof(n))
		return ERR(e, errno, "getrandom");
	(void)snprintf(s->seed, sizeof(s->seed), "%016" PRIx64, n);
	return 0;
}

int run_folder_make(const char *runs_dir, const char *slug, char **ret, struct err *e)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	(void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", gmtime_r(&now, &tm));
	uint16_t tail;
	if (getrandom(&tail, sizeof(tail), 0) != (ssize_t)sizeof(tail))
		return ERR(e, errno, "getrandom");
	if (io_mkdirs(runs_dir, 0755, e) < 0) {
		e->exit = EXIT_UNAVAILABLE;
		return err_prefix(e, "the folder for runs (--runs DIR)");
	}
	GUARD(mem) char *dir = mem_printf("%s/%s-%s-%04x", runs_dir, stamp, slug, tail);
	if (mkdir(dir, 0755) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno,
			      "make the run folder '%s' (another place: --runs DIR)", dir);
	*ret = take_ptr(&dir);
	return 0;
}

static int make_folder(struct session *s, struct err *e)
{
	if (s->dir != NULL)
		return io_mkdirs(s->dir, 0755, e);
	return run_folder_make(s->runs_dir, s->plan->slug, &s->dir, e);
}

static void describe_host(struct session *s)
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
	s->host_json = buf_take(&b);
}

static int write_in(struct session *s, const char *name, const struct buf *text, struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/%s", s->dir, name);
	return io_write_file(AT_FDCWD, path, buf_str(text), text->len, 0644, e);
}

static int write_inputs(struct session *s, const char *more, struct err *e)
{
	GUARD_BUF struct buf b = { 0 };
	plan_effective(s->doc, &b);
	if (write_in(s, "scenario.json", &b, e) < 0)
		return -1;
	buf_clear(&b);
	plan_to_json(s->plan, &b);
	if (write_in(s, "plan.json", &b, e) < 0)
		return -1;
	buf_clear(&b);
	buf_printf(&b, "%s\n", s->host_json);
	if (write_in(s, "host.json", &b, e) < 0)
		return -1;
	buf_clear(&b);
	buf_printf(&b, "{\"format\":%d,\"backout\":\"%s\",\"scenario\":", RUN_FORMAT,
		   BACKOUT_VERSION);
	buf_json(&b, s->plan->file);
	buf_printf(&b, ",\"digest\":\"%s\",\"rollback\":", s->plan->digest);
	buf_json(&b, s->plan->rollbacks[s->plan->rollback].name);
	buf_puts(&b, ",\"seed\":");
	buf_json(&b, s->seed);
	buf_puts(&b, ",\"roots\":{");
	for (size_t i = 0; i < s->plan->node_count; i++) {
		buf_puts(&b, i > 0 ? "," : "");
		buf_json(&b, s->plan->nodes[i].name);
		buf_printf(&b, ":\"%s\"", s->roots[i].digest);
	}
	buf_printf(&b, "}%s%s}\n", more != NULL ? "," : "", more != NULL ? more : "");
	return write_in(s, "run.json", &b, e);
}

int session_folder(struct session *s, const char *more, struct err *e)
{
	describe_host(s);
	if (make_folder(s, e) < 0 || write_inputs(s, more, e) < 0)
		return -1;
	s->run = run_new(s->doc, s->dir);
	s->doc = NULL;
	return pool_create(&s->pool, s->progress->tick, s->progress->arg, s->interrupted, e);
}

int session_reopen(struct session *s, const char *dir, struct err *e)
{
	describe_host(s);
	s->dir = mem_strdup(dir);
	return pool_create(&s->pool, s->progress->tick, s->progress->arg, s->interrupted, e);
}

void session_close(struct session *s)
{
	roots_free(s->roots, s->plan != NULL ? s->plan->node_count : 0);
	plan_free(s->doc);
	free(s->dir);
	free(s->host_json);
}
