/* SPDX-License-Identifier: MIT */
/*
 * A node: a throw-away host. Its own mount, PID, network, UTS, IPC and cgroup namespaces; an
 * overlay root; a small init of ours as PID 1 that reaps, spawns on request over a socketpair
 * and dies with the harness (parent-death signal, and the socket's end). All of it is gone when
 * that init is dead: mounts and namespaces go with the last process.
 *
 * Inside: / overlay (index=on,xino=on, read back; xino only where root and work folder lie on
 * different file systems, else the kernel has no use for it), /proc, minimal /dev with devpts, shm,
 * tmpfs on /run and /tmp, /sys read-only; confined as confine.h says. `sh` children get an empty
 * environment but PATH, HOME, TERM=dumb, LANG=C.UTF-8 and what the spec adds. Needs CAP_SYS_ADMIN
 * and friends: root, or root of a user namespace, with NODE_ROOT_COPY.
 */
#ifndef BACKOUT_SANDBOX_NODE_H
#define BACKOUT_SANDBOX_NODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/base/loop.h"
#include "harness/sandbox/cgroup.h"
#include "harness/sandbox/disk.h"
#include "harness/sandbox/filter.h"
#include "harness/sandbox/owner.h"

/* The first pid of a node's programs, inside (where the kernel has CONFIG_CHECKPOINT_RESTORE). */
enum { NODE_PIDS_FROM = 10000 };

enum node_root { NODE_ROOT_IMAGE, NODE_ROOT_DIR, NODE_ROOT_DISK, NODE_ROOT_COPY };

struct node_spec {
	const char *name;         /* also the host name */
	enum node_root root_kind; /* IMAGE: an erofs file (mounted from the file, else by a loop
				     device with autoclear); DIR: any directory. Both as the lower.
				     DISK: a file system (disk.h) of which the node gets a copy of
				     its own as its root, without an overlay; COPY: any
				     directory, copied whole as the root, for who may not mount
				     an overlay with index=on (userns.h) */
	enum disk_fs root_fs;     /* DISK */
	const char *root_path;
	const char *mask; /* DIR: NULL, or a folder with what the upper begins with, to hide parts
			     of the root by overlayfs's own marks */
	const char *mounted;  /* IMAGE: where node_mount_image() has put it; NULL: nowhere yet */
	const char *work_dir; /* existing empty folder for upper and work, on a real file system;
				 the caller removes it after node_destroy() */
	struct cgroup_limits limits;
	bool may_mount; /* its programs mount and enter namespaces: as good as root on the host */
	bool systemd;   /* PID 1 is the root's own systemd: node_start_system() */
	bool no_new_privs; /* set-uid programs and file capabilities give nothing */
	const char *from;  /* NULL: a pristine node. Else a folder as upper_copy() makes it, of a
			      node with this very root: the new one begins with that state (a DISK
			      with the disk in there instead of root_path's). Taken
			      apart whatever comes of it; on the file system of work_dir */
};

struct buf;
struct node;

/* An image, read-only, on an existing folder of the caller's mount namespace: nodes that share one
 * mount share what the kernel keeps of it in memory. umount(2) ends it. */
int node_mount_image(const char *path, const char *where, struct err *e);

/* On success the node runs (its init waits for work) and belongs to the caller; on failure
 * nothing is left. The new network namespace has only a `lo`, up. */
int node_create(struct node **ret, struct loop *loop, struct owner *owner,
		const struct node_spec *spec, struct err *e);
/* Kills everything in it, waits (also on a stopped loop; ten seconds at most), removes its
 * cgroups. NULL-safe, half-built-safe. Not from inside a program's proc_exit_fn. Programs not yet
 * freed stay valid, as ended ones; their callbacks are not called any more. Returns the count of
 * host objects left, with the first cause in e. */
unsigned node_destroy(struct node *n, struct err *e);

/* The host dies, and boots again. node_kill(): all its processes die at once, its namespaces and
 * memory file systems are lost, and the descriptors below are -1 until the next boot; what ran
 * ends with SIGKILL, and callbacks say so before this returns. Not from inside a proc_exit_fn. A
 * dead node stays one: 0. node_boot(): the same root as it was left, everything else anew (its
 * link, too: link_reattach()); on failure it is down as before. */
int node_kill(struct node *n, struct err *e);
int node_boot(struct node *n, struct err *e);
/* A power cut, of a node on a disk: its processes stop, its disk is copied as it is, without what
 * the file system holds in memory, and after node_kill() the copy is its disk. On failure it runs
 * on. Said in `ret`: what was done. */
struct node_cut {
	uint64_t lost;  /* bytes of the disk that memory held otherwise, in blocks of 4 KiB */
	unsigned tries; /* copies, until none was disturbed by a write */
	bool steady;    /* false: even the last one was */
	int64_t took;   /* ns, of the last copy */
};
int node_power_cut(struct node *n, struct node_cut *ret, struct err *e);
/* The disk of a node that runs, whole and written back, as a file `to` that does not exist yet, and
 * does not after a failure. Its processes stand meanwhile, and go on. */
int node_disk_copy(const struct node *n, const char *to, struct err *e);
/* Names what a power cut would leave of the disk at this moment. 1: named; 0: the disk is written
 * to all the time. Read again only once it has been written to since the last time. */
int node_disk_name(struct node *n, char ret[HASH_TEXT], struct err *e);
/* Of a node with systemd: its PID 1 waits until the first of these, so that all else of the node
 * can be set up before. node_system_wait() runs the loop until the default target is reached, at
 * most timeout_ns (ETIMEDOUT), and puts the names of failed units into `failed`, one a line. */
int node_start_system(struct node *n, struct err *e);
int node_system_wait(struct node *n, int64_t timeout_ns, struct buf *failed, struct err *e);
/* The node's control groups, for counting, freezing and killing; the node's, never NULL. */
struct node_cgroup *node_cgroup(const struct node *n);
const struct cgroup_limits *node_limits(const struct node *n); /* but for cpus and io_of */
/* Its init is asked and answers (two seconds at most); may tell ends of programs. */
int node_answers(struct node *n, struct err *e);
/* Of one that went down by itself: why. Down it stays; node_kill() before a node_boot(). */
const char *node_end(const struct node *n);
/* How many programs, but those `apart`, could not be started since it is down. */
unsigned node_refused(const struct node *n);

const char *node_name(const struct node *n);
const char *node_work_dir(const struct node *n);
pid_t node_init_pid(const struct node *n); /* PID 1, in the harness's PID namespace */
/* PID 1, or what serves the harness beside a systemd: the ancestor of what is nobody else's. */
bool node_is_own(const struct node *n, pid_t host_pid);
bool node_has_systemd(const struct node *n);
int node_root_fd(const struct node *n);  /* O_PATH of the node's /; the node's, do not close */
int node_netns_fd(const struct node *n); /* likewise */
int node_pidns_fd(const struct node *n);
const char *node_mount_options(const struct node *n); /* of its root, as read back */
bool node_on_disk(const struct node *n);              /* NODE_ROOT_DISK */
bool node_is_copy(const struct node *n);              /* NODE_ROOT_COPY */
const char *node_notice(const struct node *n); /* what the kernel did not give; NULL: nothing */
/* A path under /proc/INIT/root for APIs that take only paths; valid while the node is up, and
 * leads nowhere when it is down. */
const char *node_root_path(const struct node *n);
/* Host pid of a pid seen inside the node, 0 when there is none; and the reverse. */
pid_t node_host_pid(const struct node *n, pid_t inside);
pid_t node_inside_pid(pid_t host_pid);
/* Host pids of all processes in it but the harness's own (init, or what serves beside systemd),
 * also of those in PID namespaces below the node's; count (it may exceed `max`, then the rest is
 * not in `pids`), -1 on error. */
int node_processes(const struct node *n, pid_t *pids, size_t max, struct err *e);
bool node_alive(const struct node *n);
/* Is this one of the mount points that every node has? And how many these are. */
bool node_own_mount(const char *point);
size_t node_own_mounts(const struct node *n);

enum spawn_stdin { STDIN_NULL };

struct spawn_spec {
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH inside */
	const char *const *env;  /* extra "K=V", NULL-terminated; may be NULL */
	const char *cwd;         /* NULL: / */
	const char *user;        /* name or number inside the node (its own passwd and group files;
				    an unknown number is its own group); NULL: root */
	int out_fd;              /* stdout and stderr; -1: /dev/null. Stays the caller's */
	int err_fd;              /* -1: the same as out_fd */
	bool terminal;           /* out_fd is one: stdin too, and the program's controlling one */
	bool apart;              /* not the workflow's own: a probe, a service, the harness's work.
				    What it starts is none of a step's program starts */
	bool service;            /* of these, one that goes into the group of services */
	const struct filter *filter; /* of the program and all that it starts; NULL: none. The
					listener has to be taken and served: proc_take_listener() */
};

struct proc; /* a program that the harness started in a node; ends with proc_free() */
/* `status` as waitpid(2) gives it. Called inside loop_wait(), never before node_spawn() has
 * returned and never after proc_free(), which may be called in it. Also called (with SIGKILL as
 * the status) when the node dies under it. */
typedef void (*proc_exit_fn)(void *arg, int status);

/* A pair of terminals in the node's own devpts: what is started on `*ret_inside` finds it under
 * /dev/pts. The master does not block. Both are the caller's. */
int node_terminal(const struct node *n, int *ret_master, int *ret_inside, struct err *e);

/* Starts it as a session of its own. The exec is confirmed before this returns: an absent
 * program, an unknown user or cwd is an error here, in words ("no such program: ..."). While
 * waiting it runs the loop, for a program-start watch may hold the exec; on a stopped loop it
 * fails and nothing runs. A program killed before its exec counts as started. */
int node_spawn(struct node *n, const struct spawn_spec *spec, proc_exit_fn fn, void *arg,
	       struct proc **ret, struct err *e);
pid_t proc_pid(const struct proc *p); /* host pid; also right when it has ended */
int proc_pidfd(const struct proc *p); /* the proc's, do not close */
bool proc_running(const struct proc *p);
/* To the process alone (by pidfd: never to another one). An ended one is an error, ESRCH. */
int proc_signal(const struct proc *p, int signo, struct err *e);
/* Hands over the listener of its filter (see callwatch.h); -1: none, or taken before. An untaken
 * one is closed with the proc: every call that the filter holds then fails with ENOSYS.
 * *killable as in filter_install(). */
int proc_take_listener(struct proc *p, bool *killable);
void proc_free(struct proc *p); /* NULL-safe; a running one is left to the node */

/* Is this process (also one that is held just before its first exec) one that was spawned `apart`,
 * or a descendant of one by parentage? A process whose parents are gone is not. May tell ends of
 * programs that have come meanwhile. */
bool node_is_apart(struct node *n, pid_t host_pid);
/* The program that was spawned and that this process is, or descends from by parentage; 0: none.
 * Known already while node_spawn() waits for that program's start. */
pid_t node_spawned_pid(struct node *n, pid_t host_pid);

/* Run argv to its end (always `apart`), at most timeout_ns, collecting at most `max` bytes of
 * output (may be NULL: then to the spec's descriptors; else these are not used). Runs the loop
 * meanwhile. Returns the wait status, or -1 (also on time-out, ETIMEDOUT: it and its descendants
 * are killed). Output that a left-behind child writes later is not waited for. For set-up work, not
 * for steps. */
int node_run(struct node *n, const struct spawn_spec *spec, int64_t timeout_ns, struct buf *out,
	     size_t max, struct err *e);

#endif
