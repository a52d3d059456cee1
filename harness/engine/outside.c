/* SPDX-License-Identifier: MIT */
#include "harness/engine/outside.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"

enum { NET_FILE_MAX = 4 << 20 /* bytes */ };

static const char *const net_files[] = { "fib_trie", "if_inet6" };

/* A kernel without IPv6 has no if_inet6. */
static int net_state(const struct node *n, char ret[HASH_TEXT], struct err *e)
{
	GUARD_BUF struct buf all = { 0 };
	for (size_t i = 0; i < sizeof(net_files) / sizeof(net_files[0]); i++) {
		char path[64];
		(void)snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)node_init_pid(n),
			       net_files[i]);
		if (access(path, F_OK) == 0 &&
		    io_read_file(AT_FDCWD, path, NET_FILE_MAX, &all, e) < 0)
			return -1;
	}
	hash_text(buf_str(&all), all.len, ret);
	return 0;
}

int outside_look(struct outside *o, const struct node *n, const struct upper_size *size,
		 struct err *e)
{
	char net[HASH_TEXT];
	if (o->why != NULL)
		return 0;
	if (net_state(n, net, e) < 0)
		return -1;
	if (!o->looked)
		memcpy(o->net, net, sizeof(net));
	o->looked = true;
	if (size->mounts_changed)
		o->why = "the workflow has mounted or unmounted something, which no kept state "
			 "carries";
	else if (strcmp(net, o->net) != 0)
		o->why = "the workflow has changed addresses or routes, which no kept state "
			 "carries";
	return 0;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

void outside_pass(struct outside *o, const char *key)
{
	const char *space = strchr(key, ' ');
	if (o->why != NULL)
		return;
	if (begins(key, "sethostname"))
		o->why = "the workflow has named its host anew, which no kept state carries";
	else if (space != NULL && (begins(space + 1, "/proc/sys/") || begins(space + 1, "/sys/")))
		o->why = "the workflow has written to /proc/sys or /sys, which no kept state "
			 "carries";
}
