/* SPDX-License-Identifier: MIT */
/* Which disk is below a path: limits of input and output are set on whole disks. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/cgroup_limits.h"

enum { INFO_MAX = 4 << 20 /* bytes of mountinfo */, NUMBER_MAX = 64 };

/* File systems with a device number of their own, as btrfs, name the disk as the mount's source. */
static bool source_of(const char *path, dev_t *ret, char type[64])
{
	struct err ignored = { 0 };
	struct stat st;
	size_t best = 0;
	char found[1024] = "";
	GUARD_BUF struct buf info = { 0 };
	GUARD(mem) char *real = realpath(path, NULL);
	if (real == NULL ||
	    io_read_file(AT_FDCWD, "/proc/self/mountinfo", INFO_MAX, &info, &ignored) < 0)
		return false;
	for (const char *line = buf_str(&info); *line != '\0';) {
		char mount[1024], kind[64], source[1024];
		const char *tail = strstr(line, " - ");
		if (tail != NULL && sscanf(line, "%*s %*s %*s %*s %1023s", mount) == 1 &&
		    sscanf(tail + 3, "%63s %1023s", kind, source) == 2) {
			size_t len = strcmp(mount, "/") == 0 ? 0 : strlen(mount);
			if (strncmp(real, mount, len) == 0 &&
			    (real[len] == '/' || real[len] == '\0') && len + 1 > best) {
				best = len + 1;
				(void)snprintf(found, sizeof(found), "%s", source);
				(void)snprintf(type, 64, "%s", kind);
			}
		}
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	if (found[0] != '/' || stat(found, &st) < 0 || !S_ISBLK(st.st_mode))
		return false;
	*ret = st.st_rdev;
	return true;
}

int cgroup_disk_of(const char *path, char ret[32], struct err *e)
{
	struct stat st;
	char type[64] = "no disk";
	if (stat(path, &st) < 0)
		return ERR(e, errno, "look at '%s'", path);
	dev_t dev = st.st_dev;
	if (major(dev) == 0 && !source_of(path, &dev, type))
		return ERR_AS(e, EXIT_UNAVAILABLE, 0,
			      "limits.io: '%s' is on %s, which no disk backs: nothing could be "
			      "limited. Keep the state folder on a disk (--state DIR)",
			      path, type);
	GUARD(mem) char *sys = mem_printf("/sys/dev/block/%u:%u", major(dev), minor(dev));
	GUARD(mem) char *partition = mem_printf("%s/partition", sys);
	GUARD(mem) char *whole = mem_printf("%s/../dev", sys);
	(void)snprintf(ret, 32, "%u:%u", major(dev), minor(dev));
	if (access(partition, F_OK) < 0)
		return 0;
	GUARD_BUF struct buf text = { 0 };
	if (io_read_file(AT_FDCWD, whole, NUMBER_MAX, &text, e) < 0)
		return -1;
	(void)snprintf(ret, 32, "%.*s", (int)strcspn(buf_str(&text), "\n"), buf_str(&text));
	return 0;
}
