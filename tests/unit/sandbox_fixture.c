/* SPDX-License-Identifier: MIT */
#include "tests/unit/sandbox_fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/sandbox/process.h"
#include "tests/unit/runner.h"

enum { TEXT_MAX = 4 << 20 };

static char net_before[16384];

static void read_text(const char *path, char *ret, size_t size)
{
	FILE *f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	size_t n = fread(ret, 1, size - 1, f);
	ret[n] = '\0';
	(void)fclose(f);
}

/* The names of the network devices of this namespace; their counters move. */
static void net_devices(char *ret, size_t size)
{
	char text[16384];
	read_text("/proc/net/dev", text, sizeof(text));
	ret[0] = '\0';
	char *save = NULL;
	for (char *l = strtok_r(text, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
		size_t len = strlen(ret);
		(void)snprintf(ret + len, size - len, "%.*s\n", (int)strcspn(l, ":"), l);
	}
}

void bench_open(struct bench *b)
{
	struct err e = { 0 };
	memset(b, 0, sizeof(*b));
	(void)snprintf(b->state, sizeof(b->state), "%s", test_dir());
	net_devices(net_before, sizeof(net_before));
	MUST(owner_create(&b->owner, b->state, &e));
	MUST(loop_create(&b->loop, &e));
}

static const char *group_part;
static unsigned group_count, scope_count;

static int see_group(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	const char *name = path + at->base, *end = strstr(name, ".scope");
	if (type != FTW_D || strstr(name, group_part) == NULL)
		return 0;
	if (end != NULL && end[strlen(".scope")] == '\0')
		scope_count++;
	else
		group_count++;
	return 0;
}

unsigned bench_groups(const char *part)
{
	group_part = part;
	group_count = scope_count = 0;
	(void)nftw("/sys/fs/cgroup", see_group, 16, FTW_PHYS);
	return group_count;
}

void bench_close(struct bench *b)
{
	struct err e = { 0 };
	char tag[128], after[16384];
	(void)snprintf(tag, sizeof(tag), "%s", owner_tag(b->owner));
	loop_destroy(b->loop);
	unsigned left = owner_destroy(b->owner, &e);
	ck_assert_msg(left == 0, "%u left: %s", left, e.why);
	ck_assert_uint_eq(bench_groups(tag) + scope_count, 0);
	GUARD(mem) char *folder = NULL;
	ck_assert(asprintf(&folder, "%s/owners/%s", b->state, tag) > 0);
	ck_assert_int_ne(access(folder, F_OK), 0);
	GUARD_BUF struct buf mounts = { 0 };
	MUST(io_read_file(AT_FDCWD, "/proc/self/mountinfo", TEXT_MAX, &mounts, &e));
	ck_assert_ptr_null(strstr(buf_str(&mounts), b->state));
	net_devices(after, sizeof(after));
	ck_assert_str_eq(net_before, after);
}

void bench_close_with(struct bench *b, struct node *n)
{
	struct err e = { 0 };
	unsigned left = node_destroy(n, &e);
	ck_assert_msg(left == 0, "%u left: %s", left, e.why);
	bench_close(b);
}

const char *bench_work(struct bench *b)
{
	static char path[512];
	(void)snprintf(path, sizeof(path), "%s/n%u", owner_work_dir(b->owner), b->nodes++);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	return path;
}

struct node *bench_node(struct bench *b, const char *name, const struct cgroup_limits *limits)
{
	struct err e = { 0 };
	struct node *n = NULL;
	struct node_spec spec = { .name = name,
				  .root_kind = NODE_ROOT_DIR,
				  .root_path = test_busybox_root(),
				  .may_mount = b->may_mount,
				  .work_dir = bench_work(b) };
	if (limits != NULL)
		spec.limits = *limits;
	MUST(node_create(&n, b->loop, b->owner, &spec, &e));
	return n;
}

const char *bench_image(void)
{
	static char path[400];
	char command[2048];
	const char *root = test_busybox_root();
	(void)snprintf(path, sizeof(path), "%s.erofs", root);
	(void)snprintf(command, sizeof(command),
		       "test -e '%1$s' || { mkfs.erofs '%1$s.new' '%2$s' >/dev/null 2>&1 &&"
		       " mv '%1$s.new' '%1$s'; }",
		       path, root);
	ck_assert_msg(system(command) == 0, "mkfs.erofs");
	return path;
}

int bench_sh(struct node *n, const char *script, struct buf *out)
{
	struct err e = { 0 };
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	int status = node_run(n, &spec, 10 * NS_PER_S, out, 1 << 16, &e);
	ck_assert_msg(status >= 0, "%s: %s", script, e.why);
	return status;
}

const char *bench_ask(struct node *n, const char *script)
{
	static char answer[1 << 16];
	GUARD_BUF struct buf out = { 0 };
	int status = bench_sh(n, script, &out);
	size_t len = out.len;
	while (len > 0 && out.data[len - 1] == '\n')
		len--;
	(void)snprintf(answer, sizeof(answer), "%.*s", (int)len, buf_str(&out));
	ck_assert_msg(status == 0, "%s: status %#x, output '%s'", script, (unsigned)status, answer);
	return answer;
}

bool bench_gone(pid_t pid)
{
	int64_t deadline = clock_now() + 5 * NS_PER_S;
	struct process p;
	while (process_read(pid, &p) && p.state != 'Z') {
		if (clock_now() > deadline)
			return false;
		(void)nanosleep(&(struct timespec){ .tv_nsec = NS_PER_MS }, NULL);
	}
	return true;
}
