/* SPDX-License-Identifier: MIT */
/*
 * Inside of a node: the words that the harness and the node's init speak over their socket, and
 * what the node_*.c files share. Init is a fork of the harness, so pointers to static text are
 * valid on both sides.
 *
 *	harness -> init   GO                  the control groups are set: unshare theirs
 *	harness -> init   SPAWN + fds         out, err, filter, control group, exec pipe
 *	init -> harness   READY               the node is built, or why not
 *	child -> harness  STARTED + pidfd     its own, with its credentials from the kernel
 *	child -> harness  FILTERED + fd       the listener of its filter, when one was asked for
 *	harness -> init   BOOT                PID 1 becomes systemd, where init is another one
 *	harness -> init   PING                and init -> harness PONG: it lives and serves
 *	init -> harness   EXITED, FORK_FAILED
 */
#ifndef BACKOUT_SANDBOX_NODE_PRIVATE_H
#define BACKOUT_SANDBOX_NODE_PRIVATE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/base/loop.h"
#include "harness/sandbox/cgroup.h"
#include "harness/sandbox/node.h"

enum {
	NODE_OPTIONS_MAX = 512,      /* bytes of the overlay's mount options */
	NODE_NOTICE_MAX = 256,       /* bytes */
	SPAWN_TEXT_MAX = 128 * 1024, /* bytes of argv, env, cwd and user of one program */
	SPAWN_WORDS_MAX = 1024,      /* argv and env */
	SPAWN_FILTER = 2,            /* its place among them */
	SPAWN_GROUP = 3,             /* likewise */
	SPAWN_FDS = 5,               /* out, err, filter, group, exec pipe */
};

#define NODE_DISK "disk.img" /* in the work folder */

enum msg_kind {
	MSG_GO,
	MSG_SPAWN,
	MSG_READY,
	MSG_STARTED,
	MSG_FILTERED,
	MSG_EXITED,
	MSG_FORK_FAILED,
	MSG_BOOT,
	MSG_PING,
	MSG_PONG
};

struct msg {
	enum msg_kind kind;
	uint32_t id; /* of the program */
	int value;   /* FILTERED: killable; EXITED: wait status; FORK_FAILED: errno */
};

struct msg_ready {
	enum msg_kind kind;
	struct err err; /* unset: built */
	char options[NODE_OPTIONS_MAX];
	char notice[NODE_NOTICE_MAX];
	char device[DISK_DEVICE_MAX]; /* of a disk */
	size_t mounts;
};

/* Behind it come, each NUL-terminated: cwd, user, argv words, env words. */
struct msg_spawn {
	enum msg_kind kind;
	uint32_t id;
	uint32_t argc, envc;
	uint32_t has_fd[SPAWN_FDS - 1]; /* out, err: else /dev/null; filter; group */
	uint32_t terminal;
	uint32_t group_v2; /* CLONE_INTO_CGROUP takes it */
	char text[];
};
static_assert(sizeof(struct msg_spawn) == offsetof(struct msg_spawn, text),
	      "the text is sent right behind the struct");

/* What a child that could not exec writes into its exec pipe; its end alone means: it did. */
enum spawn_stage { STAGE_IO, STAGE_FILTER, STAGE_USER, STAGE_CWD, STAGE_EXEC };
struct spawn_failure {
	enum spawn_stage stage;
	int code; /* errno */
};

struct node {
	struct loop *loop;
	struct node_spec spec; /* its strings are the node's */
	char *root_path;       /* of init's root in /proc; never NULL */
	struct node_cgroup *cgroup;
	pid_t init;      /* PID 1. 0: none, or reaped */
	pid_t server;    /* ours in it: init, or where that is systemd another one */
	int pidfd, sock; /* of init; our end */
	int root_fd, netns_fd, pidns_fd;
	int proc_fd; /* its own procfs, whatever is mounted over it by now */
	bool alive;
	int end_status;            /* of an init that ended by itself, as waitpid(2) gives it */
	bool answered;             /* PONG came */
	unsigned refused;          /* programs of the workflow that a dead node could not start */
	char disk_name[HASH_TEXT]; /* what node_disk_name() said last; "": nothing */
	uint64_t disk_named;       /* the device's writes by then */
	struct loop_src *sock_src, *child_src;
	struct proc *procs;
	uint32_t last_id;
	char pidns[64];                /* "pid:[4026532281]" */
	char before[NODE_OPTIONS_MAX]; /* ready.options of its last life */
	struct msg_ready ready;
};

struct proc {
	struct proc *next;
	struct node *node; /* NULL: destroyed before us */
	uint32_t id;
	pid_t pid;
	int pidfd;
	int listener; /* of its filter; -1 */
	bool killable;
	bool started, running;
	bool apart;
	bool filtered;  /* a listener is to come before it counts as settled */
	bool starting;  /* node_spawn() has not returned yet: the exit is told later */
	bool *settled;  /* what node_spawn() waits for */
	int fork_error; /* errno, 0: none */
	int status;
	proc_exit_fn fn;
	void *arg;
	struct loop_src *late; /* tells an exit that came before node_spawn() had returned */
};

/* node_init.c: the child's whole life. Never returns. */
struct init_task {
	const struct node_spec *spec;
	const char *before; /* options of the root's mount in the node's last life; "": none */
	const struct sock_fprog *refused;        /* baseline.h */
	const struct sock_fprog *refused_system; /* likewise, of a PID 1 that becomes systemd */
	int sock, harness_pidfd;
};
_Noreturn void node_init_main(const struct init_task *task);

/* node_root.c, in the harness: the folders of a node's root in its empty work folder, and what the
 * node begins with in them; nothing of it is left after a failure. */
int node_root_make(const struct node_spec *spec, struct err *e);
void node_root_remove(const char *work_dir);

/* node_mounts.c, in the node's own mount namespace. */
int node_mounts(const struct init_task *task, struct msg_ready *ready, struct err *e);
int node_count_mounts(const char *pid, size_t *ret, struct err *e); /* "self", or a number */

/* node_systemd.c, in PID 1 of a node whose root boots. */
int node_systemd_prepare(const struct init_task *task, struct err *e);
/* Returns in the fork, which serves from here on. PID 1 itself becomes systemd once a byte is
 * written to *ret_word. Nothing but the C library is called from here on. */
int node_systemd_fork(const struct init_task *task, int *ret_word, struct err *e);

/* node_exec.c: in a fork of init; never returns. */
_Noreturn void node_exec_child(const struct msg_spawn *m, size_t len, const int fds[SPAWN_FDS],
			       int sock);

/* node_spawn.c */
void node_on_message(void *arg, uint32_t events);
ssize_t node_receive_ready(struct node *n); /* into n->ready, and who sent it */
void node_procs_die(struct node *n);        /* init is gone */
void node_procs_orphan(struct node *n);     /* the node is about to be freed */

#endif
