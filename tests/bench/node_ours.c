/* SPDX-License-Identifier: MIT */
/* Nodes as the engine makes them. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/ownfile.h"
#include "tests/bench/node.h"

int ours_begin(struct site *s, struct err *e)
{
	/* As the program does: forks of it have no file of the host. */
	if (ownfile_leave(e) < 0 || owner_create(&s->owner, s->state, e) < 0)
		return -1;
	return loop_create(&s->loop, e);
}

/* Nodes come and go: the number is the one on the switch, and in the address. */
static int plug(struct site *s, struct node *n, unsigned number, struct err *e)
{
	struct ip ip = { { 10, 0, (uint8_t)(number >> 8), (uint8_t)(number & 255) },
			 IP4_BYTES,
			 16 };
	const struct link_spec link = { .on = "bench", .ips = &ip, .ip_count = 1 };
	const struct host_spec host = {
		.name = node_name(n), .netns_fd = node_netns_fd(n), .links = &link, .link_count = 1
	};
	return network_attach(s->net, &host, e);
}

static char *work_of(const struct site *s, unsigned number)
{
	return mem_printf("%s/%u", owner_work_dir(s->owner), number);
}

int ours_up(struct site *s, unsigned number, struct node **ret, struct err *e)
{
	GUARD(mem) char *work = work_of(s, number);
	GUARD(mem) char *name = mem_printf("%s-%u", s->mark, number);
	static const char *const argv[] = { "true", NULL };
	const struct spawn_spec run = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	const struct node_spec spec = {
		.name = name,
		.root_kind = NODE_ROOT_DIR,
		.root_path = s->root,
		.work_dir = work,
		.limits = { .memory = MEMORY_LIMIT, .pids = PIDS_LIMIT },
	};
	if (mkdir(work, 0700) < 0)
		return ERR(e, errno, "mkdir '%s'", work);
	if (node_create(ret, s->loop, s->owner, &spec, e) < 0)
		return -1;
	int status = plug(s, *ret, number, e);
	if (status == 0)
		status = node_run(*ret, &run, 5 * NS_PER_S, NULL, 0, e);
	if (status > 0)
		return ERR(e, 0, "true ended with status %d", status);
	return status;
}

int ours_once(struct site *s, struct err *e)
{
	struct node *n = NULL;
	const unsigned number = 1 + s->serial % 60000; /* the first is the switch's network */
	GUARD(mem) char *work = work_of(s, number);
	int result = ours_up(s, number, &n, e);
	GUARD(mem) char *name = n != NULL ? mem_strdup(node_name(n)) : NULL;
	if (node_destroy(n, e) > 0 || result < 0)
		return -1;
	network_detach(s->net, name);
	return io_remove_tree(AT_FDCWD, work, e);
}
