/* SPDX-License-Identifier: MIT */
/* Terminals inside a node. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/node.h"

int node_terminal(const struct node *n, int *ret_master, int *ret_inside, struct err *e)
{
	const int unlocked = 0;
	GUARD(mem) char *path = mem_printf("%s/dev/pts/ptmx", node_root_path(n));
	GUARD(fd) int master = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return ERR(e, errno, "a terminal in node '%s'", node_name(n));
	int inside = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (inside < 0)
		return ERR(e, errno, "open the terminal in node '%s'", node_name(n));
	*ret_inside = inside;
	*ret_master = take_fd(&master);
	return 0;
}
