/* SPDX-License-Identifier: MIT */
#include "tests/drill/host_picture.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "tests/unit/runner.h"

enum { LINES_MAX = 65536, SETTLE_TRIES = 500 };

static char *lines[LINES_MAX];
static size_t line_count;

static void add(char *line)
{
	ck_assert_uint_lt(line_count, LINES_MAX);
	lines[line_count++] = line;
}

static int tree_entry(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)f;
	if (type == FTW_D || type == FTW_DP || strncmp(path, "/sys", 4) != 0)
		add(mem_printf("path %s", path));
	return 0;
}

static void add_file_lines(const char *kind, const char *path)
{
	struct err e = { 0 };
	GUARD_BUF struct buf text = { 0 };
	MUST(io_read_file(AT_FDCWD, path, 4 << 20, &text, &e));
	char *save = text.data;
	for (char *line; (line = strsep(&save, "\n")) != NULL;) {
		/* Counters of /proc/net/dev change; the name before the colon is what counts. */
		if (strcmp(kind, "link") == 0)
			line[strcspn(line, ":")] = '\0';
		if (line[0] != '\0')
			add(mem_printf("%s %s", kind, line));
	}
}

static bool is_ours(const char *comm)
{
	return strncmp(comm, "backout", 7) == 0 && strncmp(comm, "backout-tests", 13) != 0;
}

static void add_processes(void)
{
	GUARD(dir) DIR *d = opendir("/proc");
	for (struct dirent *de; (de = readdir(d)) != NULL;) {
		char path[300], comm[64] = "", ns[64] = "";
		if (!isdigit((unsigned char)de->d_name[0]))
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%s/comm", de->d_name);
		FILE *f = fopen(path, "re");
		if (f != NULL && fgets(comm, sizeof(comm), f) != NULL && is_ours(comm))
			add(mem_printf("process %s %s", de->d_name, comm));
		if (f != NULL)
			(void)fclose(f);
		(void)snprintf(path, sizeof(path), "/proc/%s/ns/net", de->d_name);
		if (readlink(path, ns, sizeof(ns) - 1) > 0)
			add(mem_printf("netns %s", ns));
	}
}

static void add_loops(void)
{
	GUARD(dir) DIR *d = opendir("/sys/block");
	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
		char path[300];
		(void)snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", de->d_name);
		if (access(path, F_OK) == 0)
			add_file_lines("loop", path);
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void host_picture(struct buf *ret, const char *dir)
{
	line_count = 0;
	(void)nftw("/sys/fs/cgroup", tree_entry, 32, FTW_PHYS);
	(void)nftw(dir, tree_entry, 32, FTW_PHYS);
	add_file_lines("mount", "/proc/self/mountinfo");
	add_file_lines("link", "/proc/net/dev");
	add_processes();
	add_loops();
	qsort(lines, line_count, sizeof(lines[0]), by_text);
	buf_clear(ret);
	for (size_t i = 0; i < line_count; i++) {
		if (i == 0 || strcmp(lines[i], lines[i - 1]) != 0)
			buf_printf(ret, "%s\n", lines[i]);
	}
	for (size_t i = 0; i < line_count; i++)
		free(lines[i]);
}

void host_settle(void)
{
	struct timespec pause = { 0, 10 * 1000 * 1000 };
	for (int i = 0; i < SETTLE_TRIES; i++) {
		line_count = 0;
		add_processes();
		bool any = false;
		for (size_t k = 0; k < line_count; k++) {
			any = any || strncmp(lines[k], "process ", 8) == 0;
			free(lines[k]);
		}
		if (!any)
			return;
		(void)nanosleep(&pause, NULL);
	}
}

void host_same(const struct buf *before, const struct buf *after, const char *when)
{
	if (before->len == after->len && memcmp(before->data, after->data, after->len) == 0)
		return;
	FILE *a = fopen("/tmp/backout-before.txt", "we"),
	     *b = fopen("/tmp/backout-after.txt", "we");
	(void)fputs(buf_str(before), a);
	(void)fputs(buf_str(after), b);
	(void)fclose(a);
	(void)fclose(b);
	FILE *p = popen("diff /tmp/backout-before.txt /tmp/backout-after.txt", "re");
	char text[4096];
	size_t n = fread(text, 1, sizeof(text) - 1, p);
	text[n] = '\0';
	(void)pclose(p);
	(void)remove("/tmp/backout-before.txt");
	(void)remove("/tmp/backout-after.txt");
	ck_abort_msg("the host is not as it was %s:\n%s", when, text);
}
