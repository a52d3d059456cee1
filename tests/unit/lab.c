/* SPDX-License-Identifier: MIT */
#include "tests/unit/lab.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/image.h"
#include "tests/unit/runner.h"

enum { FILE_MAX = 16 << 20, OUTPUT_MAX = 64 << 10 };

static void open_lab(struct lab *lab)
{
	struct err e = { 0 };
	memset(lab, 0, sizeof(*lab));
	MUST(loop_create(&lab->loop, &e));
	MUST(owner_create(&lab->owner, test_dir(), &e));
}

static void make_nodes(struct lab *lab, size_t nodes, const struct node_spec *like)
{
	struct err e = { 0 };
	ck_assert_uint_le(nodes, LAB_NODES_MAX);
	for (; lab->count < nodes; lab->count++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "n%zu", lab->count);
		GUARD(mem) char *work = mem_printf("%s/%s", owner_work_dir(lab->owner), name);
		MUST(io_mkdirs(work, 0755, &e));
		struct node_spec spec = *like;
		spec.name = name;
		spec.work_dir = work;
		MUST(node_create(&lab->node[lab->count], lab->loop, lab->owner, &spec, &e));
	}
}

void lab_begin(struct lab *lab, size_t nodes)
{
	open_lab(lab);
	make_nodes(lab, nodes,
		   &(struct node_spec){ .root_kind = NODE_ROOT_DIR,
					.root_path = test_busybox_root() });
}

void lab_begin_mounting(struct lab *lab)
{
	open_lab(lab);
	make_nodes(lab, 1,
		   &(struct node_spec){ .root_kind = NODE_ROOT_DIR,
					.root_path = test_busybox_root(),
					.may_mount = true });
}

void lab_begin_disks(struct lab *lab, size_t nodes, enum disk_fs fs, uint64_t size)
{
	struct err e = { 0 };
	struct image base, disk;
	const struct image_disk_spec spec = { fs, size };
	const struct image_progress_to nobody = { 0 };
	open_lab(lab);
	MUST(image_dir(test_busybox_root(), &base, &e));
	MUST(image_disk(lab->owner, &base, &spec, &nobody, &disk, &e));
	make_nodes(lab, nodes,
		   &(struct node_spec){
			   .root_kind = NODE_ROOT_DISK, .root_fs = fs, .root_path = disk.path });
	image_free(&base);
	image_free(&disk);
}

void lab_links(struct lab *lab, uint64_t rate)
{
	struct err e = { 0 };
	MUST(network_create(&lab->net, &e));
	MUST(network_add_switch(lab->net, "lan", 1500, &e));
	for (size_t i = 0; i < lab->count; i++) {
		const struct ip ip = { { 10, 9, 0, (uint8_t)(i + 1) }, IP4_BYTES, 24 };
		const struct link_spec link = { "lan", &ip, 1, rate };
		const struct host_spec spec = { .name = node_name(lab->node[i]),
						.netns_fd = node_netns_fd(lab->node[i]),
						.links = &link,
						.link_count = 1 };
		MUST(network_attach(lab->net, &spec, &e));
		lab->link[i] = network_find(lab->net, spec.name, "lan");
	}
	MUST(network_seal(lab->net, &e));
}

uint32_t lab_addr(const struct net_link *l)
{
	size_t count;
	uint32_t addr;
	memcpy(&addr, link_ips(l, &count)->bytes, sizeof(addr));
	return addr;
}

void lab_end(struct lab *lab)
{
	struct err e = { 0 };
	network_destroy(lab->net);
	for (size_t i = 0; i < lab->count; i++)
		ck_assert_msg(node_destroy(lab->node[i], &e) == 0, "%s", e.why);
	ck_assert_msg(owner_destroy(lab->owner, &e) == 0, "%s", e.why);
	loop_destroy(lab->loop);
}

static char *inside(struct lab *lab, size_t node, const char *path)
{
	return mem_printf("%s%s", node_root_path(lab->node[node]), path);
}

static void put(struct lab *lab, size_t node, const char *to, const struct buf *data)
{
	struct err e = { 0 };
	GUARD(mem) char *path = inside(lab, node, to);
	GUARD(mem) char *folder = mem_strdup(path);
	*strrchr(folder, '/') = '\0';
	MUST(io_mkdirs(folder, 0755, &e));
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	ck_assert_int_ge(fd, 0);
	MUST(io_write_all(fd, buf_str(data), data->len, &e));
	ck_assert_int_eq(fchmod(fd, 0755), 0);
	ck_assert_int_eq(close(fd), 0);
}

void lab_copy(struct lab *lab, size_t node, const char *from, const char *to)
{
	struct err e = { 0 };
	GUARD_BUF struct buf data = { 0 };
	MUST(io_read_file(AT_FDCWD, from, FILE_MAX, &data, &e));
	put(lab, node, to, &data);
}

void lab_write(struct lab *lab, size_t node, const char *to, const char *text)
{
	GUARD_BUF struct buf data = { 0 };
	buf_puts(&data, text);
	put(lab, node, to, &data);
}

bool lab_exists(struct lab *lab, size_t node, const char *path)
{
	GUARD(mem) char *full = inside(lab, node, path);
	return access(full, F_OK) == 0;
}

int lab_sh(struct lab *lab, size_t node, const char *script, struct buf *out)
{
	struct err e = { 0 };
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	int status = node_run(lab->node[node], &spec, 20 * NS_PER_S, out,
			      out != NULL ? OUTPUT_MAX : 0, &e);
	ck_assert_msg(status >= 0, "%s: %s", script, e.why);
	return status;
}

struct step_run {
	bool done;
	int status;
};

static void step_ended(void *arg, int status)
{
	struct step_run *r = arg;
	r->status = status;
	r->done = true;
}

int lab_step(struct lab *lab, size_t node, const char *script)
{
	struct err e = { 0 };
	struct step_run r = { 0 };
	struct proc *p = NULL;
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	MUST(node_spawn(lab->node[node], &spec, step_ended, &r, &p, &e));
	lab_run(lab, &r.done, 20 * NS_PER_S);
	proc_free(p);
	return r.status;
}

void lab_run(struct lab *lab, const bool *done, int64_t ns)
{
	struct err e = { 0 };
	const bool never = false;
	int rc = loop_wait(lab->loop, done != NULL ? done : &never, clock_now() + ns, &e);
	ck_assert_msg(rc >= 0, "%s", e.why);
	ck_assert_msg(done == NULL || rc == 1, "what was waited for did not happen");
}
