/* SPDX-License-Identifier: MIT */
/* What one does with a node's groups: freeze, kill, count. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/cgroup_private.h"
#include "harness/sandbox/objects.h"
#include "harness/sandbox/oom.h"

enum {
	FREEZE_MS_MAX = 2000,
	POLL_NS = 100 * 1000,
	NS_PER_US = 1000,
	VALUE_MAX = 1 << 16, /* bytes of a file of a group */
};

/* ---- freeze and kill ---- */

static int need_tree(const struct node_cgroup *c, struct err *e)
{
	return c->tree != NULL ? 0
			       : ERR_AS(e, EXIT_UNAVAILABLE, 0, "%s",
					c->notice != NULL ? c->notice : "no control groups");
}

static int ask_freeze(const struct node_cgroup *c, int dir, bool frozen, struct err *e)
{
	return c->tree_v2 ? io_write_knob(dir, "cgroup.freeze", frozen ? "1" : "0", e)
			  : io_write_knob(dir, "freezer.state", frozen ? "FROZEN" : "THAWED", e);
}

static bool is_frozen(const struct node_cgroup *c, int dir)
{
	struct err ignored = { 0 };
	GUARD_BUF struct buf text = { 0 };
	if (io_read_file(dir, c->tree_v2 ? "cgroup.events" : "freezer.state", VALUE_MAX, &text,
			 &ignored) < 0)
		return false;
	return strstr(buf_str(&text), c->tree_v2 ? "frozen 1\n" : "FROZEN\n") != NULL;
}

int cgroup_node_freeze(const struct node_cgroup *c, enum cgroup_part part, bool frozen,
		       struct err *e)
{
	if (need_tree(c, e) < 0)
		return -1;
	const int dir = c->dirs[part];
	int64_t deadline = clock_now() + FREEZE_MS_MAX * NS_PER_MS;
	if (ask_freeze(c, dir, frozen, e) < 0)
		return -1;
	while (is_frozen(c, dir) != frozen) {
		if (clock_now() >= deadline) {
			struct err ignored = { 0 };
			(void)ask_freeze(c, dir, false, &ignored);
			return ERR(e, ETIMEDOUT, "control group '%s/%s' did not %s", c->tree,
				   cgroup_part_names[part], frozen ? "freeze" : "thaw");
		}
		(void)nanosleep(&(struct timespec){ .tv_nsec = POLL_NS }, NULL);
	}
	return 0;
}

/* Without cgroup.kill (v1, and v2 before Linux 5.14): none can fork while all are frozen. What is
 * frozen by v1 dies when it thaws. */
static int kill_frozen(const struct node_cgroup *c, enum cgroup_part part, struct err *e)
{
	int result = cgroup_node_freeze(c, part, true, e);
	objects_kill_members(c->dirs[part]);
	for (enum cgroup_part p = CGROUP_WORKFLOW; part == CGROUP_NODE && p < CGROUP_PARTS; p++)
		if (c->dirs[p] >= 0)
			objects_kill_members(c->dirs[p]);
	struct err ignored = { 0 };
	return cgroup_node_freeze(c, part, false, result == 0 ? e : &ignored) < 0 ? -1 : result;
}

int cgroup_node_kill(struct node_cgroup *c, enum cgroup_part part, struct err *e)
{
	struct err no_kill = { 0 };
	if (need_tree(c, e) < 0)
		return -1;
	c->killed[part] = true;
	if (c->tree_v2 && io_write_knob(c->dirs[part], "cgroup.kill", "1", &no_kill) == 0)
		return 0;
	return kill_frozen(c, part, e);
}

/* ---- count ---- */

/* "key NUMBER" on a line of its own; an empty key: the file's only number. */
static uint64_t number_in(const char *dir, const char *file, const char *key)
{
	struct err ignored = { 0 };
	if (dir == NULL)
		return UINT64_MAX;
	GUARD(mem) char *path = mem_printf("%s/%s", dir, file);
	GUARD_BUF struct buf text = { 0 };
	size_t len = strlen(key);
	if (io_read_file(AT_FDCWD, path, VALUE_MAX, &text, &ignored) < 0)
		return UINT64_MAX;
	for (const char *line = buf_str(&text); *line != '\0';) {
		const char *at = line + len + (len > 0);
		if (strncmp(line, key, len) == 0 && (len == 0 || line[len] == ' ') && *at >= '0' &&
		    *at <= '9')
			return strtoull(at, NULL, 10);
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return UINT64_MAX;
}

/* The sum of what follows `word` on all lines: "8:0 rbytes=1 wbytes=2", "8:0 Read 1". */
static uint64_t sum_in(const char *dir, const char *file, const char *word)
{
	struct err ignored = { 0 };
	if (dir == NULL)
		return UINT64_MAX;
	GUARD(mem) char *path = mem_printf("%s/%s", dir, file);
	GUARD_BUF struct buf text = { 0 };
	uint64_t sum = 0;
	if (io_read_file(AT_FDCWD, path, VALUE_MAX, &text, &ignored) < 0)
		return UINT64_MAX;
	for (const char *p = buf_str(&text); (p = strstr(p, word)) != NULL;) {
		p += strlen(word);
		sum += strtoull(p, NULL, 10);
	}
	return sum;
}

static uint64_t peak_of(const struct node_cgroup *c)
{
	char text[32];
	if (c->of[MEMORY].v1 != NULL)
		return number_in(c->of[MEMORY].path, "memory.max_usage_in_bytes", "");
	ssize_t n = c->peak >= 0 ? pread(c->peak, text, sizeof(text) - 1, 0) : -1;
	if (n <= 0)
		return UINT64_MAX;
	text[n] = '\0';
	return strtoull(text, NULL, 10);
}

/* Processor time is counted by v2 itself, with or without a controller. */
static uint64_t cpu_of(const struct node_cgroup *c)
{
	if (!c->tree_v2 || c->tree == NULL)
		return c->of[CPU].v1 != NULL ? number_in(c->of[CPU].path, "cpuacct.usage", "")
					     : UINT64_MAX;
	uint64_t us = number_in(c->tree, "cpu.stat", "usage_usec");
	return us == UINT64_MAX ? us : us * NS_PER_US;
}

/* v1 counts memory with swap first: where that limit is the same, it is the one that is hit, and
 * kernels of late (6.18) do not count those. */
static uint64_t hits_v1(const char *dir)
{
	uint64_t alone = number_in(dir, "memory.failcnt", "");
	uint64_t with_swap = number_in(dir, "memory.memsw.failcnt", "");
	return alone != UINT64_MAX && with_swap != UINT64_MAX ? alone + with_swap : alone;
}

void cgroup_node_use(const struct node_cgroup *c, struct cgroup_use *ret)
{
	const bool memory_v1 = c->of[MEMORY].v1 != NULL, io_v1 = c->of[IO].v1 != NULL;
	const char *memory = c->of[MEMORY].path, *io = c->of[IO].path;
	const char *io_file = io_v1 ? "blkio.throttle.io_service_bytes_recursive" : "io.stat";
	ret->memory_peak = peak_of(c);
	ret->memory_hits = memory_v1 ? hits_v1(memory) : number_in(memory, "memory.events", "max");
	ret->memory_kills =
		number_in(memory, memory_v1 ? "memory.oom_control" : "memory.events", "oom_kill");
	ret->cpu = cpu_of(c);
	ret->io_read = sum_in(io, io_file, io_v1 ? " Read " : "rbytes=");
	ret->io_written = sum_in(io, io_file, io_v1 ? " Write " : "wbytes=");
}

/* Without the log a count that grew while the limit was hit has to do: v2 counts in a group also
 * those of its members that were killed for another's limit, or for want of memory on the host. */
unsigned cgroup_node_killed(struct node_cgroup *c, char *ret, size_t size)
{
	struct cgroup_use use;
	cgroup_node_use(c, &use);
	ret[0] = '\0';
	if (c->of[MEMORY].path == NULL || c->memory_limit == 0 || use.memory_kills == UINT64_MAX ||
	    use.memory_kills <= c->memory_kills)
		return 0;
	unsigned count = (unsigned)(use.memory_kills - c->memory_kills);
	c->memory_kills = use.memory_kills;
	const char *group = strrchr(c->of[MEMORY].path, '/') + 1;
	unsigned named = oom_victims(c->kernel_log, group, ret, size);
	if (named == 0 && c->of[MEMORY].v1 == NULL && use.memory_hits == 0)
		return 0;
	size_t len = strlen(ret);
	if (named == 0)
		(void)snprintf(ret, size, count > 1 ? "%u processes" : "a process", count);
	else if (named < count)
		(void)snprintf(ret + len, size - len, " and %u more", count - named);
	return count;
}

bool cgroup_node_anew(struct node_cgroup *c)
{
	struct err ignored = { 0 };
	if (c->of[MEMORY].v1 == NULL)
		return c->peak >= 0 && pwrite(c->peak, "0", 1, 0) == 1;
	GUARD(mem) char *path = mem_printf("%s/memory.max_usage_in_bytes", c->of[MEMORY].path);
	return io_write_knob(AT_FDCWD, path, "0", &ignored) == 0;
}
