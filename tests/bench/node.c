/* SPDX-License-Identifier: MIT */
/*
 * How long things take, as medians:
 *	bench-node node COUNT ROOT STATE   a node over ROOT: create, run `true`, destroy
 *	bench-node run COUNT COMMAND...    a command: start to end
 * Prints "p50 p99" in milliseconds. See tests/bench.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/io.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/sandbox/node.h"

enum { COUNT_MAX = 100000 };

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static void print(int64_t *took, size_t count)
{
	qsort(took, count, sizeof(*took), by_value);
	(void)printf("%.2f %.2f\n", (double)took[count / 2] / (double)NS_PER_MS,
		     (double)took[count * 99 / 100] / (double)NS_PER_MS);
}

static int one_node(struct loop *loop, struct owner *owner, const char *root, struct err *e)
{
	struct node *node;
	char *work = mem_printf("%s/bench", owner_work_dir(owner));
	if (mkdir(work, 0700) < 0)
		return ERR(e, errno, "mkdir '%s'", work);
	const struct node_spec spec = {
		.name = "bench",
		.root_kind = NODE_ROOT_DIR,
		.root_path = root,
		.work_dir = work,
		.limits = { .memory = 256 << 20, .pids = 64 },
	};
	if (node_create(&node, loop, owner, &spec, e) < 0)
		return -1;
	const char *const argv[] = { "true", NULL };
	const struct spawn_spec run = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	int status = node_run(node, &run, 5 * NS_PER_S, NULL, 0, e);
	if (node_destroy(node, e) > 0 || status < 0)
		return -1;
	int result = status == 0 ? io_remove_tree(AT_FDCWD, work, e)
				 : ERR(e, 0, "true ended with status %d", status);
	free(work);
	return result;
}

static int bench_node(size_t count, const char *root, const char *state, int64_t *took,
		      struct err *e)
{
	struct owner *owner;
	struct loop *loop;
	if (owner_create(&owner, state, e) < 0 || loop_create(&loop, e) < 0)
		return -1;
	int result = 0;
	for (size_t i = 0; result == 0 && i < count; i++) {
		int64_t start = clock_now();
		result = one_node(loop, owner, root, e);
		took[i] = clock_now() - start;
	}
	loop_destroy(loop);
	return owner_destroy(owner, e) > 0 ? -1 : result;
}

static int bench_run(size_t count, char **argv, int64_t *took, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		int status;
		int64_t start = clock_now();
		pid_t pid = fork();
		if (pid == 0) {
			(void)execvp(argv[0], argv);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			return ERR(e, 0, "%s failed", argv[0]);
		took[i] = clock_now() - start;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	size_t count = argc > 3 ? strtoul(argv[2], NULL, 10) : 0;
	if (count == 0 || count > COUNT_MAX) {
		(void)fprintf(stderr,
			      "usage: bench-node node COUNT ROOT STATE | run COUNT CMD...\n");
		return EXIT_USAGE_ERROR;
	}
	int64_t *took = mem_array(count, sizeof(*took));
	int result = -1;
	if (strcmp(argv[1], "node") == 0 && argc == 5)
		result = bench_node(count, argv[3], argv[4], took, &e);
	else if (strcmp(argv[1], "run") == 0)
		result = bench_run(count, argv + 3, took, &e);
	if (result < 0)
		return log_err(&e);
	print(took, count);
	free(took);
	return EXIT_OK;
}
