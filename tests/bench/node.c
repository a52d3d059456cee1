/* SPDX-License-Identifier: MIT */
/*
 * What a node costs, and what it costs others:
 *	bench-node ROUNDS ROOT FOLDER SCRIPTS [LEVEL...]
 * ROOT is the lower of all roots; FOLDER, empty, takes all that is written; SCRIPTS has those of
 *the peers. A level is how many nodes live meanwhile, the one at work among them (default: 1 10 100
 * 1000). At each, the makers take turns in blocks, first one lane of each, then two side by side.
 * Prints a table a level, judges nothing, and says what is left over. A peer that cannot work here
 * is named with its reason. See tests/bench.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "tests/bench/node.h"

enum {
	LANES = 2,
	BLOCKS = 20,
	WARM = 2,      /* rounds of each lane that do not count */
	CROWDED = 500, /* nodes alive, from which on fewer rounds are made: */
	CROWDED_BLOCKS = 8,
	LEVELS_MAX = 16,
	LEVEL_MAX = 3000,
	GONE_S = 30, /* until all has to be gone */
};

static const struct maker makers[] = {
	{ "backout", ours_begin, ours_once, .rounds = 100 },
	{ "floor: its bare calls", floor_begin, floor_once, .rounds = 100 },
	{ "unshare, ip", .script = "unshare.sh", .rounds = 10 },
	{ "bubblewrap", .script = "bwrap.sh", .rounds = 10 },
	{ "crun", .script = "crun.sh", .no_v2 = true, .rounds = 10 },
	{ "runc", .script = "runc.sh", .rounds = 10 },
	{ "systemd-nspawn", .script = "nspawn.sh", .rounds = 5 },
	{ "podman", .script = "podman.sh", .no_v2 = true, .rounds = 5 },
};
enum { MAKERS = sizeof(makers) / sizeof(makers[0]), OURS = 0, FLOOR = 1 };

/* Of one maker at one level. */
struct measure {
	struct lane *lane[LANES];
	bool failed;
	double ms[ROUNDS_MAX]; /* of one lane alone */
	size_t count;
	double took[LANES]; /* s, of all rounds by one and by two lanes */
	size_t rounds[LANES];
	uint64_t peak;
};

struct bench {
	struct site base;
	unsigned rounds, levels[LEVELS_MAX], lanes;
	size_t level_count;
	struct measure of[MAKERS];
	double ratio[BLOCKS]; /* of ours to the floor's, block by block: what else runs on the
				 host comes and goes, and strikes both */
	double first, least;  /* p50 of ours at the first level; of peers to ours, the least */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signo)
{
	(void)signo;
	interrupted = 1;
}

static void drop(struct bench *b, size_t maker, const struct err *e)
{
	struct measure *m = &b->of[maker];
	for (size_t i = 0; i < LANES; i++) {
		lane_end(m->lane[i]);
		m->lane[i] = NULL;
	}
	m->failed = true;
	(void)printf("  %-22s cannot work here: %s\n", makers[maker].name, e->why);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static size_t blocks_of(unsigned level)
{
	return level >= CROWDED ? CROWDED_BLOCKS : BLOCKS;
}

/* `lanes` of them, `count` rounds each, at once. Returns the median in ms. */
static double block(struct bench *b, size_t maker, size_t lanes, size_t count)
{
	struct measure *m = &b->of[maker];
	const int64_t *took;
	const size_t first = m->count;
	struct err e = { 0 };
	int64_t begin = clock_now();
	int result = 0;
	for (size_t i = 0; i < lanes; i++)
		lane_go(m->lane[i], count);
	for (size_t i = 0; i < lanes; i++) {
		if (lane_wait(m->lane[i], &took, &e) < 0)
			result = -1;
		for (size_t k = 0; result == 0 && lanes == 1 && k < count && m->count < ROUNDS_MAX;
		     k++)
			m->ms[m->count++] = (double)took[k] / (double)NS_PER_MS;
	}
	m->took[lanes - 1] += (double)(clock_now() - begin) / (double)NS_PER_S;
	m->rounds[lanes - 1] += lanes * count;
	if (result < 0)
		drop(b, maker, &e);
	qsort(m->ms + first, m->count - first, sizeof(m->ms[0]), by_value);
	return m->ms[first + (m->count - first) / 2];
}

static void start(struct bench *b, size_t maker)
{
	struct measure *m = &b->of[maker];
	const int64_t *ignored;
	const bool failed = m->failed;
	struct err e = { 0 };
	memset(m, 0, sizeof(*m));
	m->failed = failed;
	for (size_t i = 0; !m->failed && i < LANES; i++) {
		if (lane_start(&m->lane[i], &makers[maker], &b->base, b->lanes++, &e) < 0) {
			drop(b, maker, &e);
			break;
		}
		lane_go(m->lane[i], WARM);
		if (lane_wait(m->lane[i], &ignored, &e) < 0)
			drop(b, maker, &e);
	}
	if (!m->failed && lane_peak(m->lane[0], &m->peak, &e) < 0)
		drop(b, maker, &e);
}

/* ---- the table ---- */

static double at(const struct measure *m, unsigned percent)
{
	return m->count > 0 ? m->ms[m->count * percent / 100] : 0;
}

static void print_level(struct bench *b, unsigned level)
{
	const double ours = at(&b->of[OURS], 50);
	(void)printf("  %-22s %7s %9s %9s %9s %9s %8s %11s\n", "", "rounds", "p50 ms", "p99 ms",
		     "/s by 1", "/s by 2", "to ours", "memory KiB");
	for (size_t i = 0; i < MAKERS; i++) {
		const struct measure *m = &b->of[i];
		if (m->failed)
			continue;
		(void)printf("  %-22s %7zu %9.2f %9.2f %9.1f %9.1f %8.2f %11.0f\n", makers[i].name,
			     m->count, at(m, 50), at(m, 99), (double)m->rounds[0] / m->took[0],
			     (double)m->rounds[1] / m->took[1], at(m, 50) / ours,
			     (double)m->peak / 1024);
		if (i > FLOOR && (b->least == 0 || at(m, 50) / ours < b->least))
			b->least = at(m, 50) / ours;
	}
	if (b->first == 0)
		b->first = ours;
	const size_t blocks = blocks_of(level);
	(void)printf("  %u alive: ours to the floor x%.2f (blocks: %.2f to %.2f), to ours at %u "
		     "alive x%.2f\n",
		     level, b->ratio[blocks / 2], b->ratio[blocks / 10], b->ratio[blocks * 9 / 10],
		     b->levels[0], ours / b->first);
	(void)fflush(stdout);
}

/* ---- levels ---- */

static void take_turns(struct bench *b, unsigned level, size_t lanes)
{
	for (size_t k = 0; k < blocks_of(level) && !interrupted; k++) {
		double ms[MAKERS] = { 0 };
		for (size_t i = 0; i < MAKERS; i++) {
			size_t count = b->rounds * makers[i].rounds / 100 / BLOCKS;
			if (!b->of[i].failed)
				ms[i] = block(b, i, lanes, count > 0 ? count : 1);
		}
		if (lanes == 1)
			b->ratio[k] = ms[OURS] / ms[FLOOR];
	}
}

static void measure(struct bench *b, unsigned level)
{
	for (size_t i = 0; i < MAKERS; i++)
		start(b, i);
	for (size_t lanes = 1; lanes <= LANES; lanes++)
		take_turns(b, level, lanes);
	qsort(b->ratio, blocks_of(level), sizeof(b->ratio[0]), by_value);
	for (size_t i = 0; i < MAKERS; i++) {
		struct measure *m = &b->of[i];
		qsort(m->ms, m->count, sizeof(m->ms[0]), by_value);
		for (size_t k = 0; k < LANES; k++)
			lane_end(m->lane[k]);
	}
}

/* "MemAvailable" of the host in KiB: what else runs there shows, too. */
static double available(void)
{
	struct err ignored = { 0 };
	GUARD_BUF struct buf text = { 0 };
	(void)io_read_file(AT_FDCWD, "/proc/meminfo", 1 << 16, &text, &ignored);
	const char *p = strstr(buf_str(&text), "MemAvailable:");
	return p != NULL ? strtod(p + strlen("MemAvailable:"), NULL) : 0;
}

static int one_level(struct bench *b, unsigned level, struct err *e)
{
	struct crowd *crowd;
	const double before = available();
	int64_t begin = clock_now();
	if (crowd_start(&crowd, &b->base, level - 1, e) < 0)
		return -1;
	(void)printf("%u alive", level);
	if (level > 1)
		(void)printf(" (the others made in %.1f s",
			     (double)(clock_now() - begin) / (double)NS_PER_S);
	if (level >= CROWDED)
		(void)printf("; the host has %.0f KiB less for each",
			     (before - available()) / (level - 1));
	if (level > 1)
		(void)printf(")");
	(void)printf(":\n");
	measure(b, level);
	const bool done = !b->of[OURS].failed && !b->of[FLOOR].failed && !interrupted;
	if (done)
		print_level(b, level);
	else if (interrupted)
		(void)ERR_AS(e, EXIT_INTERRUPTED, 0, "interrupted");
	else
		(void)ERR(e, 0, "without these there is nothing to compare");
	return crowd_end(crowd, e) < 0 || !done ? -1 : 0;
}

static int all_levels(struct bench *b, struct err *e)
{
	const unsigned interfaces = host_interfaces();
	int64_t deadline;
	for (size_t i = 0; i < b->level_count; i++)
		if (one_level(b, b->levels[i], e) < 0)
			return -1;
	for (deadline = clock_now() + GONE_S * NS_PER_S;;) {
		GUARD_BUF struct buf what = { 0 };
		unsigned left = left_over(b->base.mark, &what);
		left += host_interfaces() > interfaces ? host_interfaces() - interfaces : 0;
		if (left > 0 && clock_now() < deadline) {
			(void)nanosleep(&(struct timespec){ .tv_nsec = 100 * NS_PER_MS }, NULL);
			continue;
		}
		(void)printf("%sthe peers' least is x%.2f of ours; left over: %u\n", buf_str(&what),
			     b->least, left);
		return left > 0 ? ERR(e, 0, "%u things are left over", left) : 0;
	}
}

static int read_args(struct bench *b, int argc, char **argv)
{
	static const unsigned usual[] = { 1, 10, 100, 1000 };
	b->rounds = argc > 4 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	b->base.root = realpath(argv[2], NULL);
	b->base.dir = realpath(argv[3], NULL);
	b->base.scripts = realpath(argv[4], NULL);
	for (int i = 5; i < argc && b->level_count < LEVELS_MAX; i++)
		b->levels[b->level_count++] = (unsigned)strtoul(argv[i], NULL, 10);
	if (b->level_count == 0) {
		memcpy(b->levels, usual, sizeof(usual));
		b->level_count = sizeof(usual) / sizeof(usual[0]);
	}
	for (size_t i = 0; i < b->level_count; i++)
		if (b->levels[i] == 0 || b->levels[i] > LEVEL_MAX)
			return -1;
	return b->rounds == 0 || b->rounds > ROUNDS_MAX ? -1 : 0;
}

int main(int argc, char **argv)
{
	static struct bench b;
	struct err e = { 0 };
	if (argc < 5 || read_args(&b, argc, argv) < 0) {
		(void)fprintf(stderr, "usage: bench-node ROUNDS ROOT FOLDER SCRIPTS [LEVEL...]\n");
		return EXIT_USAGE_ERROR;
	}
	b.base.state = mem_printf("%s/state", b.base.dir);
	b.base.mark = mem_printf("bench%d", (int)getpid());
	/* What runtimes leave running is ours, and counted. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)sigaction(SIGINT, &(struct sigaction){ .sa_handler = on_signal }, NULL);
	(void)sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_signal }, NULL);
	return all_levels(&b, &e) < 0 ? log_err(&e) : EXIT_OK;
}
