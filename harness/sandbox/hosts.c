/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/sandbox/rooted.h"

#define HOSTS "/etc/hosts"
enum { HOSTS_MAX = 1 << 20 /* bytes */, HOSTS_MODE = 0644 };

/* Is it a word of a line, behind the address and in front of a comment? */
static bool named(const char *text, const char *name)
{
	static const char blank[] = " \t\r";
	size_t len = strlen(name);
	for (const char *s = text; *s != '\0';) {
		const char *line = s, *end = s + strcspn(s, "#\n");
		s += strcspn(s, "\n");
		s += *s == '\n';
		for (size_t word = 0; line < end; word++) {
			line += strspn(line, blank);
			size_t n = strcspn(line, " \t\r\n#");
			if (word > 0 && n == len && strncmp(line, name, len) == 0)
				return true;
			line += n;
		}
	}
	return false;
}

static bool known(void *arg, const char *name)
{
	return named(buf_str(arg), name);
}

static int open_hosts(int root, bool there)
{
	if (there)
		return rooted_open(root, HOSTS, O_WRONLY | O_APPEND | O_NOCTTY, ROOTED_FOLLOW);
	GUARD(fd) int etc = rooted_open(root, "/etc", O_PATH | O_DIRECTORY, ROOTED_FOLLOW);
	if (etc < 0)
		return -1;
	return openat(etc, "hosts", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, HOSTS_MODE);
}

int hosts_write(const struct node *at, const struct network *n, const char **ret_why, struct err *e)
{
	GUARD_BUF struct buf old = { 0 };
	GUARD_BUF struct buf lines = { 0 };
	int there = rooted_read(node_root_fd(at), HOSTS, HOSTS_MAX, &old, e);
	if (there < 0)
		return -1;
	network_hosts(n, node_name(at), known, &old, &lines);
	if (lines.len == 0)
		return 1;
	GUARD(fd) int fd = open_hosts(node_root_fd(at), there == 1);
	if (fd < 0) {
		*ret_why = "its root has no /etc/hosts that can be written, so that names of nodes "
			   "do not resolve in it";
		return 0;
	}
	bool open_line = old.len > 0 && old.data[old.len - 1] != '\n';
	if (there == 0 && fchmod(fd, HOSTS_MODE) < 0)
		return ERR(e, errno, "mode of '%s'", HOSTS);
	if (open_line && io_write_all(fd, "\n", 1, e) < 0)
		return -1;
	return io_write_all(fd, buf_str(&lines), lines.len, e) < 0 ? -1 : 1;
}
