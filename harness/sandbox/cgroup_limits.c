/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/cgroup_limits.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"

enum {
	VALUE_MAX = 1 << 16,     /* bytes of a knob's text */
	CPU_PERIOD_US = 100000,  /* the kernel's default period */
	CPU_QUOTA_MIN_US = 1000, /* the kernel refuses less */
	CPUS_MAX = 1024,         /* processors, as cpu_set_t has it */
};

static void put(struct knobs *ret, const char *file, const char *value)
{
	struct knob *k = &ret->items[ret->count++];
	k->file = file;
	(void)snprintf(k->value, sizeof(k->value), "%s", value);
}

static void put_number(struct knobs *ret, const char *file, uint64_t n)
{
	char text[32];
	(void)snprintf(text, sizeof(text), "%" PRIu64, n);
	put(ret, file, text);
}

/* Swap comes second: v1 counts it together with memory, of which it may not be less. Without the
 * word "swap" a node that has a memory limit has none. */
static int memory_knobs(const struct cgroup_limits *l, bool v2, const char *parent,
			struct knobs *ret, struct err *e)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t memory = l->memory / page * page, swap = l->swap / page * page;
	(void)parent;
	if (l->memory == 0)
		return l->swap == 0 ? 0
				    : ERR_AS(e, EXIT_BAD_SCENARIO, 0,
					     "a limit of swap needs one of memory");
	if (memory == 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "a memory limit of %" PRIu64 " bytes is less than a page", l->memory);
	put_number(ret, v2 ? "memory.max" : "memory.limit_in_bytes", memory);
	put_number(ret, v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes",
		   v2 ? swap : memory + swap);
	ret->items[1].optional = swap == 0;
	return 0;
}

static int pids_knobs(const struct cgroup_limits *l, bool v2, const char *parent, struct knobs *ret,
		      struct err *e)
{
	(void)v2;
	(void)parent;
	(void)e;
	if (l->pids > 0)
		put_number(ret, "pids.max", l->pids);
	return 0;
}

static int cpu_knobs(const struct cgroup_limits *l, bool v2, const char *parent, struct knobs *ret,
		     struct err *e)
{
	uint64_t quota = (uint64_t)(l->cpu * CPU_PERIOD_US / 100);
	(void)parent;
	if (l->cpu > 0 && quota < CPU_QUOTA_MIN_US)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "a cpu limit of %g%% is less than the kernel's least, 1%%", l->cpu);
	char text[64];
	(void)snprintf(text, sizeof(text), "%" PRIu64 " %d", quota, CPU_PERIOD_US);
	if (quota > 0 && v2)
		put(ret, "cpu.max", text);
	else if (quota > 0)
		put_number(ret, "cpu.cfs_quota_us", quota);
	return 0;
}

static int read_cpus(const char *text, bool set[CPUS_MAX])
{
	memset(set, 0, CPUS_MAX * sizeof(*set));
	for (const char *p = text;;) {
		char *end;
		if (*p < '0' || *p > '9')
			return -1;
		unsigned long first = strtoul(p, &end, 10), last = first;
		if (*end == '-' && end[1] >= '0' && end[1] <= '9')
			last = strtoul(end + 1, &end, 10);
		if (last < first || last >= CPUS_MAX)
			return -1;
		for (unsigned long i = first; i <= last; i++)
			set[i] = true;
		if (*end == '\0' || *end == '\n')
			return 0;
		if (*end != ',')
			return -1;
		p = end + 1;
	}
}

int cgroup_cpus(const char *text, char *ret, size_t size)
{
	bool set[CPUS_MAX];
	size_t len = 0;
	ret[0] = '\0';
	if (read_cpus(text, set) < 0)
		return -1;
	for (int i = 0; i < CPUS_MAX && len < size; i++) {
		int last = i;
		if (!set[i])
			continue;
		while (last + 1 < CPUS_MAX && set[last + 1])
			last++;
		const char *comma = len > 0 ? "," : "";
		len += (size_t)(last > i
					? snprintf(ret + len, size - len, "%s%d-%d", comma, i, last)
					: snprintf(ret + len, size - len, "%s%d", comma, i));
		i = last;
	}
	return len < size ? 0 : -1;
}

/* The kernel of v2 takes processors that are not there and gives the parent's instead. */
static int cpus_offered(const char *parent, const char *file, const char *asked, struct err *e)
{
	bool want[CPUS_MAX], have[CPUS_MAX];
	GUARD(mem) char *path = mem_printf("%s/%s", parent, file);
	GUARD_BUF struct buf text = { 0 };
	if (io_read_file(AT_FDCWD, path, VALUE_MAX, &text, e) < 0)
		return -1;
	if (read_cpus(asked, want) < 0 || read_cpus(buf_str(&text), have) < 0)
		return ERR(e, 0, "'%s' and '%s' are not both lists of processors", asked, path);
	for (int i = 0; i < CPUS_MAX; i++)
		if (want[i] && !have[i])
			return ERR_AS(e, EXIT_UNAVAILABLE, 0,
				      "limits.cpus asks for processor %d; this host offers %.*s", i,
				      (int)strcspn(buf_str(&text), "\n"), buf_str(&text));
	return 0;
}

static int cpuset_knobs(const struct cgroup_limits *l, bool v2, const char *parent,
			struct knobs *ret, struct err *e)
{
	char cpus[KNOB_TEXT_MAX];
	if (l->cpus == NULL)
		return 0;
	if (cgroup_cpus(l->cpus, cpus, sizeof(cpus)) < 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "limits.cpus: \"%s\" is no list of processors; write \"0\", \"0-3\" "
			      "or \"0,2\"",
			      l->cpus);
	if (cpus_offered(parent, v2 ? "cpuset.cpus.effective" : "cpuset.effective_cpus", cpus, e) <
	    0)
		return -1;
	put(ret, "cpuset.cpus", cpus);
	if (v2)
		return 0;
	/* A v1 group without memory nodes takes no process. */
	GUARD(mem) char *path = mem_printf("%s/cpuset.effective_mems", parent);
	GUARD_BUF struct buf mems = { 0 };
	if (io_read_file(AT_FDCWD, path, VALUE_MAX, &mems, e) < 0)
		return -1;
	char *text = mems.data;
	if (text != NULL)
		text[strcspn(text, "\n")] = '\0';
	put(ret, "cpuset.mems", buf_str(&mems));
	return 0;
}

static int io_knobs(const struct cgroup_limits *l, bool v2, const char *parent, struct knobs *ret,
		    struct err *e)
{
	char disk[32], text[128], number[2][32] = { "max", "max" };
	const uint64_t asked[2] = { l->io_read, l->io_write };
	static const char *const files[2] = { "blkio.throttle.read_bps_device",
					      "blkio.throttle.write_bps_device" };
	(void)parent;
	if (asked[0] == 0 && asked[1] == 0)
		return 0;
	if (cgroup_disk_of(l->io_of, disk, e) < 0)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		if (asked[i] == 0)
			continue;
		(void)snprintf(number[i], sizeof(number[i]), "%" PRIu64, asked[i]);
		(void)snprintf(text, sizeof(text), "%s %s", disk, number[i]);
		if (!v2)
			put(ret, files[i], text);
	}
	(void)snprintf(text, sizeof(text), "%s rbps=%s wbps=%s", disk, number[0], number[1]);
	if (v2)
		put(ret, "io.max", text);
	return 0;
}

static const struct {
	const char *v1, *v2;
	int (*knobs)(const struct cgroup_limits *l, bool v2, const char *parent, struct knobs *ret,
		     struct err *e);
} controllers[CONTROLLER_COUNT] = {
	[MEMORY] = { "memory", "memory", memory_knobs },
	[PIDS] = { "pids", "pids", pids_knobs },
	[CPU] = { "cpu", "cpu", cpu_knobs },
	[CPUSET] = { "cpuset", "cpuset", cpuset_knobs },
	[IO] = { "blkio", "io", io_knobs },
};

const char *cgroup_controller_name(enum controller_id id, bool v2)
{
	return v2 ? controllers[id].v2 : controllers[id].v1;
}

int cgroup_knobs(enum controller_id id, const struct cgroup_limits *l, bool v2, const char *parent,
		 struct knobs *ret, struct err *e)
{
	ret->count = 0;
	return controllers[id].knobs(l, v2, parent, ret, e);
}

/* A line of it begins with the value, and a blank or nothing follows. */
int cgroup_knob_held(const char *dir, const struct knob *k, struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/%s", dir, k->file);
	GUARD_BUF struct buf text = { 0 };
	size_t len = strlen(k->value);
	if (io_read_file(AT_FDCWD, path, VALUE_MAX, &text, e) < 0)
		return -1;
	for (const char *line = buf_str(&text); *line != '\0';) {
		if (strncmp(line, k->value, len) == 0 && strchr(" \n", line[len]) != NULL)
			return 0;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return ERR(e, 0, "'%s' was set to %s and reads %.*s", path, k->value,
		   (int)strcspn(buf_str(&text), "\n"), buf_str(&text));
}
