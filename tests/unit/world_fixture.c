/* SPDX-License-Identifier: MIT */
#include "tests/unit/world_fixture.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"

enum { SCRIPT_MAX = 8192 };

void world_host(const char *script)
{
	ck_assert_msg(system(script) == 0, "%s", script);
}

/* A root of our own to be changed: files, hard links, folders with things in them. */
const char *world_root(void)
{
	static char root[400];
	char script[SCRIPT_MAX];
	(void)snprintf(root, sizeof(root), "%s", test_dir());
	(void)snprintf(
		script, sizeof(script),
		"set -e; cp -a %s/. %s/; cd %s; mkdir -p w/dir/sub w/full w/gone etc tmp run "
		"dev/shm; cd w;"
		" for i in 1 2 3 4 5 6; do echo file $i >f$i; done; echo linked >a; ln a b; ln a c;"
		" echo pair >p1; ln p1 dir/p2; echo pair >q1; ln q1 q2; echo in >dir/in;"
		" echo deep >dir/sub/deep; echo x >full/x; echo y >full/y; echo z >gone/z; ln -s "
		"f1 l1;"
		" mkfifo fifo; chmod 2755 full; chown 3:4 f6; echo suid >s; chmod 4755 s;"
		" head -c 300000 /dev/zero >big; echo 7 >old.pid; i=../var/lib/dpkg/info; mkdir -p "
		"$i;"
		" printf '/w\n/w/f1\n/w/f2\n/w/dir/in\n/w/gone/z\n/w/absent\n/w/dir\n/w/l1\n' "
		">$i/one.list;"
		" printf '/w/f2\n/w/f3\n/w/a\n/w/full/x\n' >$i/two:amd64.list;"
		" printf '/w/f2\n/w/f1\n' >$i/first.list; : "
		">../var/lib/dpkg/status",
		test_busybox_root(), root, root);
	world_host(script);
	return root;
}

/* Each changes something else about the world, as a step would. */
const char *const world_changes[] = {
	"true",
	"echo new >/w/new; mkdir -p /w/n/e/w; echo 1 >/w/n/e/w/f; chmod 1770 /w/n/e; chown 5:6 "
	"/w/n",
	"rm /w/f1; rm -r /w/gone; rm /w/l1",
	"echo other >/w/f2; mv /w/f3 /w/f3.bak; echo 3 >/w/f3.new; mv /w/f3.new /w/f3",
	"chmod 4711 /w/f4; chown 7:8 /w/f5; chmod 700 /w/full; chown 9 /w/dir; chmod 711 /w; chmod "
	"751 /",
	"rm -r /w/full; echo now a file >/w/full",
	"rm /w/f1; mkdir /w/f1; echo in it >/w/f1/f",
	"mkdir /w/own; echo 1 >/w/own/f; mkdir /w/own/d; mv /w/own /w/moved",
	"rm -r /w/full; mkdir /w/full; echo only >/w/full/only; chmod 2750 /w/full",
	"mv /w/dir /w/moved; mv /w/moved/sub /w/sub; echo 1 >/w/moved/new; chmod 700 /w/sub",
	"mv /w/dir /w/full/in; mkdir /w/dir; echo 2 >/w/dir/f; mv /w/gone /w/gone2; rm -r /w/gone2",
	"mv /w/full /full; mv /full/x /w/x; mv /full /w/full",
	"echo more >>/w/a", /* all three show it */
	"echo more >>/w/a; rm /w/a",
	"echo more >>/w/b; rm /w/a /w/c",
	"cp -p /w/a /w/a.new; mv /w/a.new /w/a",
	"ln /w/a /w/d; echo other >/w/d; echo pair2 >>/w/dir/p2; rm /w/p1",
	"chmod 600 /w/q2; ln /w/q1 /w/dir/q3; rm /w/q1 /w/q2",
	"echo 1 >/w/h1; ln /w/h1 /w/dir/h2; ln /w/h1 /tmp/h 2>/dev/null || true; ln /w/h1 /w/h3; "
	"rm /w/h3",
	"ln -sfn /nowhere /w/l1; ln -s \"$(printf 'a\\nb')\" /w/l2; mkfifo /w/p; mknod /w/c5 c 1 5;"
	" mknod /w/b7 b 7 1; chown -h 1:1 /w/l2",
	"rm /w/fifo; echo no fifo >/w/fifo; chmod 600 /w/s; echo x >>/w/s; chmod 6711 /w/s",
	"rm /w/*; echo 1 >'/w/ '; echo 2 >\"$(printf '/w/\\377\\n\"\\\\')\"; echo 3 >/w/-rf; mkdir "
	"/w/...",
	"echo 1 >/run/f; ln /run/f /run/g; ln -s f /run/l; mkdir -m 1777 /run/d; mkfifo /run/d/p;"
	" chown 2:3 /run/d; rm -r /run/lock; echo 2 >/tmp/t; chmod 700 /tmp; chown 4 /tmp; echo 3 "
	">/dev/shm/s;"
	" mkdir -p /tmp/x/y/z; chmod 0 /tmp/x/y/z; mknod /tmp/n c 1 3",
	"dd if=/dev/zero of=/w/sparse bs=1 count=0 seek=50000000 2>/dev/null; echo end >>/w/sparse;"
	" dd if=/dev/zero of=/tmp/sparse bs=1 count=0 seek=50000000 2>/dev/null; echo x >>/w/big;"
	" cp /w/big /tmp/big; : >/w/empty",
	"rm -r /w /srv; mkdir /w; echo 1 >/w/1",
	"nc -lU /run/sock >/dev/null 2>&1 & sleep 0.1; nc -lU /w/sock >/dev/null 2>&1 & sleep 0.1;"
	" kill -9 $(jobs -p); true",
};
static_assert(sizeof(world_changes) / sizeof(world_changes[0]) == WORLD_CHANGES, "all are tried");

void world_attributes(struct node *n)
{
	char script[1500];
	(void)snprintf(script, sizeof(script),
		       "cd %s && python3 -c \"import os\n"
		       "os.setxattr('w/f6', 'user.long', b'v' * 3000)\n"
		       "os.setxattr('w/dir', 'trusted.d', bytes([0, 255]))\n"
		       "os.setxattr('w/s', 'security.capability', "
		       "bytes.fromhex('0100000202000000000000000000000000000000'))\n"
		       "os.symlink('x', 'w/lx')\n"
		       "os.setxattr('w/lx', 'trusted.l', b'2', 0, follow_symlinks=False)\n"
		       "os.setxattr('run', 'trusted.r', b'3')\"",
		       node_root_path(n));
	world_host(script);
}

const char *world_image(void)
{
	static char image[450];
	char command[1000];
	const char *root = world_root();
	(void)snprintf(image, sizeof(image), "%s.erofs", root);
	(void)snprintf(command, sizeof(command), "mkfs.erofs %s %s >/dev/null 2>&1", image, root);
	world_host(command);
	return image;
}
