/* SPDX-License-Identifier: MIT */
/*
 * What it costs a step to be watched without being struck:
 *	bench-calls ROUNDS ROOT STATE PREPARE WORK [FILE...]
 * ROOT is a folder or an image; the files are copied to /srv in the node; PREPARE and WORK are
 * shell scripts. Each round runs PREPARE and times WORK once in every way. Prints a row a way: its
 * median, the median of its ratios to the way without filter of the same round, and the processor
 * time of this program, which answers. strace, where it is installed, holds the same calls with a
 * fault that never comes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/log.h"
#include "tests/bench/rig.h"

enum { ROUNDS_MAX = 1000, ARGS_MAX = 40 };

extern const struct trigger_kind trigger_syscall, trigger_point;

/* The calls of family "any" that strace knows by name; "?" where it may not. */
#define ANY                                                                                        \
	"open,openat,?openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,"      \
	"unlink,unlinkat,mkdir,mkdirat,rmdir,mknod,mknodat,chmod,fchmod,fchmodat,?fchmodat2,"      \
	"chown,fchown,lchown,fchownat,setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,"      \
	"fremovexattr,truncate,ftruncate,fallocate,utime,utimes,futimesat,utimensat,fsync,"        \
	"fdatasync,sync_file_range,sync,syncfs,copy_file_range,sendfile,splice,mount,"             \
	"?move_mount,?mount_setattr,pivot_root,umount2,sethostname,setdomainname"
#define WRITES ",write,pwrite64,writev,pwritev,pwritev2"
#define STRACE(set)                                                                                \
	"strace", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=" set, "-e",       \
		"inject=" set ":error=ENOENT:when=65535"

static const struct {
	const char *name;
	const struct trigger_kind *kind; /* NULL: no filter */
	const char *at;
	const char *outside[ARGS_MAX]; /* what runs it instead */
} ways[] = {
	{ "no filter", NULL, NULL, { NULL } },
	{ "any call, counted", &trigger_syscall, "{\"nth\":1000000000}", { NULL } },
	{ "any call, by path", &trigger_syscall, "{\"path\":\"/nowhere/**\"}", { NULL } },
	{ "points, with writes", &trigger_point, "\"mkdir /nowhere, in -, #1\"", { NULL } },
	{ "strace", NULL, NULL, { STRACE(ANY) } },
	{ "strace, pinned", NULL, NULL, { "taskset", "-c", "0", STRACE(ANY) } },
	{ "strace, with writes", NULL, NULL, { STRACE(ANY WRITES) } },
	{ "strace, writes, pinned", NULL, NULL, { "taskset", "-c", "0", STRACE(ANY WRITES) } },
};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

struct bench {
	struct rig rig;
	bool strace, taskset;
	double ms[WAYS][ROUNDS_MAX], cpu[WAYS][ROUNDS_MAX], ratio[WAYS][ROUNDS_MAX];
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

/* From outside into the node, for a tracer of this host. */
static int run_outside(struct bench *b, const char *const *runner, const char *work, struct err *e)
{
	char target[16];
	const char *argv[ARGS_MAX + 24];
	size_t n = 0;
	(void)snprintf(target, sizeof(target), "%d", (int)node_init_pid(b->rig.node));
	const char *const inside[] = {
		"env",
		"-i",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root",
		"TERM=dumb",
		"LANG=C.UTF-8",
		"nsenter",
		"-m",
		"-u",
		"-i",
		"-n",
		"-p",
		"-t",
		target,
		"sh",
		"-ec",
		work,
		NULL
	};
	for (; runner[n] != NULL; n++)
		argv[n] = runner[n];
	memcpy(argv + n, inside, sizeof(inside));
	pid_t pid = fork();
	if (pid == 0) {
		loop_child_reset();
		int null = open("/dev/null", O_RDWR);
		if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
			_exit(126);
		(void)execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	int status;
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return ERR(e, errno, "run '%s'", argv[0]);
	return status == 0 ? 0 : ERR(e, 0, "'%s' ended with %#x", argv[0], (unsigned)status);
}

static int one_way(struct bench *b, size_t way, size_t round, const char *work, struct err *e)
{
	struct rig_trigger t = { 0 };
	const struct trigger_env env = { .fire = fired, .notice = noticed };
	if (ways[way].at != NULL && rig_arm(&b->rig, &t, ways[way].kind, ways[way].at, &env, e) < 0)
		return -1;
	int64_t begin = clock_now();
	clock_t cpu = clock();
	int result = ways[way].outside[0] != NULL ? run_outside(b, ways[way].outside, work, e)
						  : rig_step(&b->rig, work, t.kind, t.trigger, e);
	b->ms[way][round] = (double)(clock_now() - begin) / (double)NS_PER_MS;
	b->cpu[way][round] = (double)(clock() - cpu) * 1000 / CLOCKS_PER_SEC;
	rig_disarm(&t);
	return result;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static bool can(const struct bench *b, size_t way)
{
	const char *first = ways[way].outside[0];
	if (first == NULL)
		return true;
	return b->strace && (strcmp(first, "taskset") != 0 || b->taskset);
}

static void print(struct bench *b, size_t count)
{
	for (size_t way = 0; way < WAYS; way++) {
		if (!can(b, way))
			continue;
		qsort(b->ms[way], count, sizeof(double), by_value);
		qsort(b->cpu[way], count, sizeof(double), by_value);
		qsort(b->ratio[way], count, sizeof(double), by_value);
		(void)printf("  %-23s p50 %9.2f ms   x%.2f (%.2f to %.2f)", ways[way].name,
			     b->ms[way][count / 2], b->ratio[way][count / 2], b->ratio[way][0],
			     b->ratio[way][count - 1]);
		if (ways[way].at != NULL)
			(void)printf("   of it backout %.0f ms", b->cpu[way][count / 2]);
		(void)printf("\n");
	}
	if (!b->strace)
		(void)printf("  strace: not installed (apt-get install strace), skipped\n");
}

static int rounds(struct bench *b, size_t count, const char *prepare, const char *work,
		  struct err *e)
{
	for (size_t i = 0; i < count; i++)
		for (size_t way = 0; way < WAYS; way++) {
			if (!can(b, way))
				continue;
			if (rig_step(&b->rig, prepare, NULL, NULL, e) < 0 ||
			    one_way(b, way, i, work, e) < 0)
				return -1;
			b->ratio[way][i] = b->ms[way][i] / b->ms[0][i];
		}
	print(b, count);
	return 0;
}

static bool installed(const char *program)
{
	GUARD(mem) char *command = mem_printf("command -v %s > /dev/null", program);
	const char *const argv[] = { "sh", "-c", command, NULL };
	pid_t pid = fork();
	int status = 1;
	if (pid == 0) {
		(void)execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
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
	b.strace = installed("strace");
	b.taskset = installed("taskset");
	int result = rig_up(&b.rig, argv[2], argv[3], argv + 6, &e);
	if (result == 0)
		result = rounds(&b, count, argv[4], argv[5], &e);
	rig_down(&b.rig);
	if (result < 0)
		log_warn("%s", e.why);
	return result < 0 ? 1 : 0;
}
