/* SPDX-License-Identifier: MIT */
/* What the kernel tells of a node: processes, mounts. Read in this host's /proc. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/capture_internal.h"

enum {
	PROC_TEXT_MAX = 64 << 20, /* bytes of a table in /proc */
	PROCESSES_MAX = 65536,
	COMMAND_LINE_MAX = 32 * 1024, /* bytes; the rest is cut and said to be */
};

int capture_read_proc(pid_t pid, const char *name, struct buf *ret, struct err *e)
{
	char path[64];
	struct err own = { 0 };
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	buf_clear(ret);
	if (io_read_file(AT_FDCWD, path, PROC_TEXT_MAX, ret, &own) == 0)
		return 1;
	if (own.code == ENOENT || own.code == ESRCH)
		return 0;
	if (!err_is_set(e))
		*e = own;
	return -1;
}

/* ---- processes ---- */

/* The state letter of /proc/PID/stat behind the name in brackets, which may hold anything. */
static char stat_state(struct buf *stat, char **name)
{
	char *open = strchr(buf_str(stat), '(');
	char *close = strrchr(buf_str(stat), ')');
	if (open == NULL || close == NULL || close < open || close[1] != ' ')
		return '?';
	*close = '\0';
	*name = open + 1;
	return close[2];
}

static void command_line(struct buf *text, struct buf *ret)
{
	size_t len = text->len < COMMAND_LINE_MAX ? text->len : COMMAND_LINE_MAX;
	while (len > 0 && text->data[len - 1] == '\0')
		len--;
	for (size_t i = 0; i < len; i++)
		buf_putc(ret, text->data[i] != '\0' ? text->data[i] : ' ');
	if (text->len > COMMAND_LINE_MAX)
		buf_puts(ret, " ... (cut)");
}

/* A process that ends meanwhile is absent. */
static int add_process(pid_t pid, struct tally *t, struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	GUARD_BUF struct buf line = { 0 };
	char link[64], exe[PATH_MAX], *name = NULL;
	int ret = capture_read_proc(pid, "stat", &text, e);
	if (ret <= 0)
		return ret;
	char state = stat_state(&text, &name);
	if (state == 'Z' || state == 'X') {
		if (state == 'Z')
			tally_add(t, mem_printf("zombie %s", name));
		return 0;
	}
	(void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	ssize_t len = readlink(link, exe, sizeof(exe) - 1);
	if (len < 0)
		return errno == ENOENT || errno == ESRCH
			       ? 0
			       : ERR(e, errno, "read the executable of process %d", (int)pid);
	exe[len] = '\0';
	if ((ret = capture_read_proc(pid, "status", &text, e)) <= 0)
		return ret;
	unsigned uid = 0;
	const char *uids = strstr(buf_str(&text), "\nUid:");
	if (uids == NULL || sscanf(uids, " Uid: %*u %u", &uid) != 1)
		return ERR(e, 0, "the kernel does not tell the user of process %d", (int)pid);
	if ((ret = capture_read_proc(pid, "cmdline", &text, e)) <= 0)
		return ret;
	buf_printf(&line, "%s uid=%u ", exe, uid);
	command_line(&text, &line);
	tally_add(t, buf_take(&line));
	return 0;
}

int capture_processes(struct capture *c, struct err *e)
{
	GUARD(mem) pid_t *pids = mem_array(PROCESSES_MAX, sizeof(*pids));
	struct tally t = { 0 };
	int count = node_processes(c->node, pids, PROCESSES_MAX, e);
	int ret = count < 0 ? -1 : 0;
	for (int i = 0; ret == 0 && i < count; i++)
		ret = add_process(pids[i], &t, e);
	if (ret == 0)
		ret = tally_write(&t, c, STATE_PROCESS, e);
	tally_free(&t);
	return ret;
}

/* ---- mounts ---- */

struct mount_line {
	char *point, *type, *source, *own, *super;
	size_t order; /* as mounted: later ones lie over earlier ones */
};

/* mountinfo writes blanks and backslashes in octal. */
static void unescape(char *s)
{
	char *to = s;
	for (const char *from = s; *from != '\0';) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] != '\0' &&
		    from[3] != '\0') {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
				       (from[3] - '0'));
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/* An overlay's folders are the harness's own, and other ones in each drill; "uuid" stands only
 * where an upper folder is mounted for the first time, not where a node begins with the state of
 * one. */
static void add_options(const char *options, struct buf *ret)
{
	static const char *const ours[] = { "lowerdir", "upperdir", "workdir", "datadir", "uuid=" };
	const char *sep = "";
	while (*options != '\0') {
		size_t len = strcspn(options, ",");
		bool drop = false;
		for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
			drop |= strncmp(options, ours[i], strlen(ours[i])) == 0;
		if (!drop) {
			buf_puts(ret, sep);
			buf_add(ret, options, len);
			sep = ",";
		}
		options += len + (options[len] == ',');
	}
}

/* "ID PARENT MAJ:MIN ROOT POINT OPTIONS [TAGS] - TYPE SOURCE SUPER" */
static bool split_mount(char *line, struct mount_line *ret)
{
	char *words[6], *tail = strstr(line, " - ");
	if (tail == NULL)
		return false;
	*tail = '\0';
	tail += 3;
	for (size_t i = 0; i < 6; i++)
		if ((words[i] = strsep(&line, " ")) == NULL)
			return false;
	ret->point = words[4];
	ret->own = words[5];
	ret->type = strsep(&tail, " ");
	ret->source = strsep(&tail, " ");
	ret->super = tail;
	if (ret->super == NULL)
		return false;
	unescape(ret->point);
	unescape(ret->source);
	return true;
}

static int by_point(const void *a, const void *b)
{
	const struct mount_line *x = a, *y = b;
	int c = strcmp(x->point, y->point);
	return c != 0 ? c : x->order < y->order ? -1 : 1;
}

static int write_mount(struct capture *c, const struct mount_line *m, const char *key,
		       struct err *e)
{
	GUARD_BUF struct buf options = { 0 };
	add_options(m->own, &options);
	buf_putc(&options, ';');
	add_options(m->super, &options);
	state_line_begin(&c->out, STATE_MOUNT, key);
	state_line_str(&c->out, "fstype", m->type);
	state_line_str(&c->out, "options", buf_str(&options));
	/* A disk's loop device is another one each time. */
	bool disk = strcmp(m->point, "/") == 0 && node_on_disk(c->node);
	state_line_str(&c->out, "source", disk ? "disk" : m->source);
	state_line_end(&c->out);
	return capture_line(c, e);
}

struct mount_list {
	struct mount_line *items;
	size_t count;
};

static int write_mounts(struct capture *c, struct mount_list *l, struct err *e)
{
	size_t over = 1;
	/* Stacked ones first get their own keys, for it is the keys that must be in order. */
	qsort(l->items, l->count, sizeof(*l->items), by_point);
	GUARD(mem) char **keys = mem_array(l->count + 1, sizeof(*keys));
	for (size_t i = 0; i < l->count; i++) {
		bool same = i > 0 && strcmp(l->items[i].point, l->items[i - 1].point) == 0;
		over = same ? over + 1 : 1;
		keys[i] = same ? mem_printf("%s#%zu", l->items[i].point, over)
			       : mem_strdup(l->items[i].point);
	}
	for (size_t i = 0; i < l->count; i++)
		l->items[i].point = keys[i];
	qsort(l->items, l->count, sizeof(*l->items), by_point);
	int ret = 0;
	for (size_t i = 0; i < l->count; i++) {
		if (ret == 0)
			ret = write_mount(c, &l->items[i], l->items[i].point, e);
		free(l->items[i].point);
	}
	return ret;
}

int capture_mounts(struct capture *c, struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	struct mount_list l = { 0 };
	int ret = capture_read_proc(node_init_pid(c->node), "mountinfo", &text, e);
	if (ret < 0)
		return -1;
	if (ret == 0)
		return ERR(e, 0, "its init is gone");
	for (char *line, *rest = text.data; (line = strsep(&rest, "\n")) != NULL;) {
		struct mount_line m = { .order = l.count };
		if (line[0] == '\0')
			continue;
		if (!split_mount(line, &m)) {
			free(l.items);
			return ERR(e, 0,
				   "the kernel's list of mounts has a line of an unknown form");
		}
		l.items = mem_grow(l.items, l.count + 1, sizeof(*l.items));
		l.items[l.count++] = m;
	}
	ret = write_mounts(c, &l, e);
	free(l.items);
	return ret;
}
