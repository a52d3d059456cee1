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
#include "tests/drill/program.h"
#include "tests/unit/runner.h"

enum { LINES_MAX = 65536, SETTLE_TRIES = 500 };

static char *lines[LINES_MAX];
static size_t line_count;

static void add(char *line)
{
	ck_assert_uint_lt(line_count, LINES_MAX);
	lines[line_count++] = line;
}

/* "backout-PID-STARTTIME..." of a harness that somebody else runs. */
static bool others_tag(const char *path)
{
	const char *tag = strstr(path, "/backout-");
	return tag != NULL && isdigit((unsigned char)tag[9]) && !program_is_ours(tag + 9);
}

static int tree_entry(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)f;
	if (strncmp(path, "/sys", 4) == 0 && others_tag(path))
		return 0;
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

/* A forked child keeps its arguments, whatever it calls itself; what it runs from is memory. */
static bool runs_our_program(const char *pid)
{
	char path[300];
	struct err gone = { 0 };
	GUARD_BUF struct buf args = { 0 };
	(void)snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	return io_read_file(AT_FDCWD, path, 1 << 20, &args, &gone) == 0 &&
	       strcmp(buf_str(&args), program_binary()) == 0;
}

static void add_processes(void)
{
	GUARD(dir) DIR *d = opendir("/proc");
	for (struct dirent *de; (de = readdir(d)) != NULL;)
		if (isdigit((unsigned char)de->d_name[0]) && runs_our_program(de->d_name))
			add(mem_printf("process %s", de->d_name));
}

static void add_loops(const char *dir)
{
	GUARD(dir) DIR *d = opendir("/sys/block");
	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
		char path[300];
		(void)snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", de->d_name);
		struct err e = { 0 };
		GUARD_BUF struct buf file = { 0 };
		if (io_read_file(AT_FDCWD, path, 4096, &file, &e) == 0 &&
		    strstr(buf_str(&file), dir) != NULL)
			add(mem_printf("loop %s %s", de->d_name, buf_str(&file)));
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
	add_loops(dir);
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
		for (size_t k = 0; k < line_count; k++)
			free(lines[k]);
		if (line_count == 0)
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
