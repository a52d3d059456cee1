/* SPDX-License-Identifier: MIT */
/* The lines of an image's files: taken in a process of its own from a node in which nothing has
 * run. */
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/capture_base.h"
#include "harness/sandbox/image_internal.h"
#include "harness/sandbox/node.h"

struct making {
	struct owner *owner;
	const struct image *image;
	const char *scratch, *path;
};

static int make_lines(void *arg, struct err *e)
{
	const struct making *m = arg;
	struct loop *loop = NULL;
	struct node *n = NULL;
	GUARD(mem) char *work = mem_printf("%s/node", m->scratch);
	const struct node_spec spec = {
		.name = "image",
		.root_kind = NODE_ROOT_IMAGE,
		.root_path = m->image->path,
		.work_dir = work,
	};
	if (io_mkdirs(work, 0700, e) < 0 || loop_create(&loop, e) < 0)
		return -1;
	int ret = node_create(&n, loop, m->owner, &spec, e);
	if (ret == 0)
		ret = capture_base_write(n, m->image->digest, m->path, e);
	if (node_destroy(n, e) > 0)
		ret = -1;
	loop_destroy(loop);
	return ret;
}

int image_lines(struct owner *o, struct image *i, struct err *e)
{
	struct image_slot s;
	if (i->is_dir || i->is_tree || i->on_disk || i->lines != NULL)
		return 0;
	/* Who makes the lines holds the image's lock: others wait and find them. */
	if (image_slot_open(o, i->key, &s, e) < 0)
		return -1;
	GUARD(mem) char *path = mem_printf("%s/%s.lines", s.dir, s.key);
	int found = capture_base_open(&i->lines, path, i->digest, e);
	if (found == 0) {
		struct making m = { o, i, s.scratch, path };
		const struct job j = {
			.fn = make_lines, .arg = &m, .clone_flags = CLONE_NEWNS, .stdin_fd = -1
		};
		const struct image_progress none = { 0 };
		GUARD_BUF struct buf tail = { 0 };
		found = job_run(&j, &none, &tail, e) < 0
				? -1
				: capture_base_open(&i->lines, path, i->digest, e);
		if (found == 0)
			found = ERR(e, 0, "'%s' is not what was written there", path);
	}
	image_slot_close(&s);
	return found < 0 ? err_prefix(e, "fingerprint of the image %s", i->key) : 0;
}
