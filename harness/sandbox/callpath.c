/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/callpath.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness/base/mem.h"

enum { PAGE = 4096 /* the least; reading stops at its end, for the next may be absent */ };

static bool read_memory(pid_t task, uint64_t at, void *ret, size_t len)
{
	struct iovec to = { ret, len };
	struct iovec from = { (void *)(uintptr_t)at, len };
	return process_vm_readv(task, &to, 1, &from, 1, 0) == (ssize_t)len;
}

static bool read_text(pid_t task, uint64_t at, char ret[PATH_MAX])
{
	for (size_t len = 0; len < PATH_MAX;) {
		size_t part = PAGE - (size_t)((at + len) % PAGE);
		if (part > PATH_MAX - len)
			part = PATH_MAX - len;
		if (!read_memory(task, at + len, ret + len, part))
			return false;
		if (memchr(ret + len, '\0', part) != NULL)
			return true;
		len += part;
	}
	return false; /* the kernel will refuse it: ENAMETOOLONG */
}

/* Where a link below /proc/TASK leads, when that is a file inside the node. */
static bool read_link(pid_t task, const char *name, char ret[PATH_MAX])
{
	static const char gone[] = " (deleted)";
	const size_t tail = sizeof(gone) - 1;
	char link[64];
	(void)snprintf(link, sizeof(link), "/proc/%d/%s", (int)task, name);
	ssize_t len = readlink(link, ret, PATH_MAX - 1);
	if (len <= 0 || ret[0] != '/')
		return false;
	ret[len] = '\0';
	if ((size_t)len > tail && strcmp(ret + len - tail, gone) == 0)
		ret[(size_t)len - tail] = '\0';
	return true;
}

static bool read_fd(pid_t task, int fd, char ret[PATH_MAX])
{
	char name[32];
	if (fd == AT_FDCWD)
		return read_link(task, "cwd", ret);
	(void)snprintf(name, sizeof(name), "fd/%d", fd);
	return read_link(task, name, ret);
}

void callpath_normalise(char *path)
{
	char *out = path;
	for (const char *p = path; *p != '\0';) {
		while (*p == '/')
			p++;
		size_t len = strcspn(p, "/");
		if (len == 2 && p[0] == '.' && p[1] == '.') {
			while (out > path && *--out != '/')
				;
		} else if (len > 0 && !(len == 1 && p[0] == '.')) {
			*out++ = '/';
			memmove(out, p, len);
			out += len;
		}
		p += len;
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
}

char *callpath_read(pid_t task, const struct call_row *row, const uint64_t args[CALL_ARGS],
		    unsigned which)
{
	int at = row->file[which].at, path = row->file[which].path;
	char text[PATH_MAX] = "", base[PATH_MAX] = "";
	if (at == CALL_ARG_NONE && path == CALL_ARG_NONE)
		return NULL;
	/* Without a path (utimensat(2) takes NULL) it is about the descriptor itself. */
	bool named = path != CALL_ARG_NONE && args[path] != 0;
	if (named && !read_text(task, args[path], text))
		return NULL;
	int fd = at == CALL_ARG_NONE ? AT_FDCWD : (int)args[at];
	bool known = text[0] == '/' ? read_link(task, "root", base) : read_fd(task, fd, base);
	if (!known)
		return NULL;
	char *whole = mem_printf("%s/%s", base, text);
	callpath_normalise(whole);
	return whole;
}

bool callpath_keeps(pid_t task, int fd)
{
	char link[64];
	struct stat st;
	(void)snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)task, fd);
	return stat(link, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
}

bool callpath_open_flags(pid_t task, uint64_t how, uint64_t *ret)
{
	struct open_how copy = { 0 };
	if (!read_memory(task, how, &copy, sizeof(copy.flags)))
		return false;
	*ret = copy.flags;
	return true;
}
