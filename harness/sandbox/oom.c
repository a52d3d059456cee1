/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/oom.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RECORD_MAX = 8192 }; /* bytes; the kernel's records are shorter */

int oom_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		(void)lseek(fd, 0, SEEK_END);
	return fd;
}

/* ",key=VALUE," of the record; NULL: it has none. A program's name may hold commas. */
static const char *value(const char *line, const char *key, const char *next, size_t *len)
{
	const char *from = strstr(line, key);
	const char *to = from != NULL ? strstr(from + strlen(key), next) : NULL;
	if (to == NULL)
		return NULL;
	from += strlen(key);
	*len = (size_t)(to - from);
	return from;
}

/* "6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,...,oom_memcg=/a/GROUP,task_memcg=/a/GROUP/workflow,
 * task=tail,pid=12,uid=0", Linux 4.20 and later. oom_memcg is the group whose limit it was. */
bool oom_line(const char *line, const char *group, char *ret, size_t size)
{
	size_t len = 0, name = 0, pid = 0, tail = strlen(group);
	if (strstr(line, ";oom-kill:constraint=CONSTRAINT_MEMCG,") == NULL)
		return false;
	const char *of = value(line, ",oom_memcg=", ",task_memcg=", &len);
	const char *task = value(line, ",task=", ",pid=", &name);
	const char *number = value(line, ",pid=", ",uid=", &pid);
	if (of == NULL || task == NULL || number == NULL || len <= tail ||
	    of[len - tail - 1] != '/' || strncmp(of + len - tail, group, tail) != 0)
		return false;
	(void)snprintf(ret, size, "%.*s (pid %.*s of the host)", (int)name, task, (int)pid, number);
	return true;
}

unsigned oom_victims(int fd, const char *group, char *ret, size_t size)
{
	char record[RECORD_MAX], one[128];
	unsigned count = 0;
	size_t len = 0;
	ret[0] = '\0';
	while (fd >= 0) {
		ssize_t n = read(fd, record, sizeof(record) - 1);
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue; /* EPIPE: older records are gone; it goes on with the next */
		if (n <= 0)
			break;
		record[n] = '\0';
		if (!oom_line(record, group, one, sizeof(one)))
			continue;
		if (len + strlen(one) + sizeof(", ") > size)
			continue; /* no room: counted by the caller, not named */
		len += (size_t)snprintf(ret + len, size - len, "%s%s", count++ > 0 ? ", " : "",
					one);
	}
	return count;
}
