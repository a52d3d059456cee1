/* SPDX-License-Identifier: MIT */
/*
 * What an armed trigger `syscall` that does not fire costs a step:
 *	bench-calls ROUNDS ROOT STATE PREPARE WORK [FILE...]
 * ROOT is a folder or an image; the files are copied to /srv in the node; PREPARE and WORK are
 *shell scripts. Each round runs PREPARE and times WORK once in every way. Prints a row a way: its
 *median and the median of its ratios to the way without filter of the same round.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/model/json.h"
#include "harness/sandbox/node.h"
#include "harness/triggers/trigger.h"

enum { ROUNDS_MAX = 1000, PATIENCE_S = 600 };

extern const struct trigger_kind trigger_syscall;

static const struct {
	const char *name, *at;
} ways[] = {
	{ "no filter", NULL },
	{ "any call, counted", "{\"nth\":1000000000}" },
	{ "any call, by path", "{\"path\":\"/nowhere/**\"}" },
	{ "write, by path", "{\"call\":\"write\",\"path\":\"/nowhere/**\"}" },
};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

struct bench {
	struct loop *loop;
	struct owner *owner;
	struct node *node;
	double ms[WAYS][ROUNDS_MAX], ratio[WAYS][ROUNDS_MAX];
};

static void fired(void *arg, const struct strike_site *site)
{
	(void)arg;
	log_warn("the trigger fired: %s", site->detail);
	exit(1);
}

static void noticed(void *arg, const char *text)
{
	(void)arg;
	log_warn("%s", text);
}

struct end {
	bool done;
	int status;
};

static void ended(void *arg, int status)
{
	struct end *end = arg;
	*end = (struct end){ true, status };
}

/* As the engine runs a step. */
static int run(struct bench *b, const char *script, struct trigger *t, struct err *e)
{
	const char *const argv[] = { "sh", "-ec", script, NULL };
	struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	struct proc *p;
	struct end end = { 0 };
	if (t != NULL && trigger_syscall.enter(t, e) < 0)
		return -1;
	spec.filter = t != NULL ? trigger_syscall.filter(t) : NULL;
	if (node_spawn(b->node, &spec, ended, &end, &p, e) < 0)
		return -1;
	if (t != NULL && trigger_syscall.started(t, p, e) < 0)
		return -1;
	int got = loop_wait(b->loop, &end.done, clock_now() + PATIENCE_S * NS_PER_S, e);
	if (t != NULL)
		trigger_syscall.leave(t);
	proc_free(p);
	if (got <= 0 || end.status != 0)
		return ERR(e, 0, "'%s' ended with status %#x", script, (unsigned)end.status);
	return 0;
}

static int one_way(struct bench *b, size_t way, const char *work, double *ret_ms, struct err *e)
{
	struct trigger *t = NULL;
	struct arena *arena = arena_create();
	struct json_doc *doc = NULL;
	if (ways[way].at != NULL) {
		if (json_parse(&doc, "at", ways[way].at, strlen(ways[way].at), e) < 0)
			return -1;
		struct param_ctx c = { .arena = arena, .doc = doc, .dir = "/" };
		void *at = arena_alloc(arena, trigger_syscall.kind.size);
		if (param_decode(&c, trigger_syscall.kind.params, NULL, json_root(doc), at, NULL,
				 e) < 0)
			return -1;
		struct trigger_env env = {
			.loop = b->loop, .node = b->node, .fire = fired, .notice = noticed
		};
		if (trigger_syscall.create(&t, &env, at, e) < 0)
			return -1;
	}
	int64_t begin = clock_now();
	int result = run(b, work, t, e);
	*ret_ms = (double)(clock_now() - begin) / (double)NS_PER_MS;
	trigger_syscall.destroy(t);
	json_doc_free(doc);
	arena_destroy(arena);
	return result;
}

static int copy_in(struct bench *b, const char *from, struct err *e)
{
	enum { FILE_MAX = 256 << 20 };
	GUARD_BUF struct buf data = { 0 };
	const char *slash = strrchr(from, '/');
	GUARD(mem)
	char *to =
		mem_printf("%s/srv/%s", node_root_path(b->node), slash != NULL ? slash + 1 : from);
	if (io_read_file(AT_FDCWD, from, FILE_MAX, &data, e) < 0)
		return -1;
	return io_write_file(AT_FDCWD, to, data.data, data.len, 0644, e);
}

static int node_up(struct bench *b, const char *root, char **files, struct err *e)
{
	struct stat st;
	GUARD(mem) char *work = mem_printf("%s/bench", owner_work_dir(b->owner));
	if (stat(root, &st) < 0 || mkdir(work, 0700) < 0)
		return ERR(e, errno, "'%s' or '%s'", root, work);
	const struct node_spec spec = {
		.name = "bench",
		.root_kind = S_ISDIR(st.st_mode) ? NODE_ROOT_DIR : NODE_ROOT_IMAGE,
		.root_path = root,
		.work_dir = work,
	};
	if (node_create(&b->node, b->loop, b->owner, &spec, e) < 0)
		return -1;
	for (; *files != NULL; files++)
		if (copy_in(b, *files, e) < 0)
			return -1;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static int rounds(struct bench *b, size_t count, const char *prepare, const char *work,
		  struct err *e)
{
	for (size_t i = 0; i < count; i++)
		for (size_t way = 0; way < WAYS; way++) {
			if (run(b, prepare, NULL, e) < 0 ||
			    one_way(b, way, work, &b->ms[way][i], e) < 0)
				return -1;
			b->ratio[way][i] = b->ms[way][i] / b->ms[0][i];
		}
	for (size_t way = 0; way < WAYS; way++) {
		qsort(b->ms[way], count, sizeof(double), by_value);
		qsort(b->ratio[way], count, sizeof(double), by_value);
		(void)printf("  %-20s p50 %9.2f ms   x%.2f (%.2f to %.2f)\n", ways[way].name,
			     b->ms[way][count / 2], b->ratio[way][count / 2], b->ratio[way][0],
			     b->ratio[way][count - 1]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct bench b;
	struct err e = { 0 };
	size_t count = argc > 5 ? strtoul(argv[1], NULL, 10) : 0;
	if (count == 0 || count > ROUNDS_MAX) {
		log_warn("usage: bench-calls ROUNDS ROOT STATE PREPARE WORK [FILE...]");
		return EXIT_USAGE_ERROR;
	}
	int result = loop_create(&b.loop, &e);
	if (result == 0)
		result = owner_create(&b.owner, argv[3], &e);
	if (result == 0)
		result = node_up(&b, argv[2], argv + 6, &e);
	if (result == 0)
		result = rounds(&b, count, argv[4], argv[5], &e);
	(void)node_destroy(b.node, &e);
	(void)owner_destroy(b.owner, &e);
	loop_destroy(b.loop);
	if (result < 0)
		log_warn("%s", e.why);
	return result < 0 ? 1 : 0;
}
