/* SPDX-License-Identifier: MIT */
/* What the files of one drill share: its context. Not for others. */
#ifndef BACKOUT_ENGINE_DRILL_PRIVATE_H
#define BACKOUT_ENGINE_DRILL_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/base/loop.h"
#include "harness/engine/drill.h"
#include "harness/engine/journal_file.h"
#include "harness/engine/output.h"
#include "harness/model/verdict.h"
#include "harness/sandbox/capture.h"
#include "harness/sandbox/network.h"
#include "harness/sandbox/node.h"

struct drill_node {
	const struct node_plan *plan;
	struct node *node;
	struct capture_cache *cache;
	char *work_dir;
	char *base_dir; /* holds work_dir and the saved copies of injectors */
	bool down;      /* and the journal says so */
};

struct drill_service {
	struct drill *drill;
	const struct service_plan *plan;
	const struct drill_node *at;
	struct proc *proc;
	bool ended;
	int status;
	unsigned starts; /* so far */
};

enum { DRILL_SERVICES_MAX = 128 };

struct health;
struct recorder;
struct strike;

struct drill {
	const struct drill_spec *spec;
	const struct plan *plan;
	struct loop *loop;
	struct journal_file *journal;
	struct output_set *outputs;
	struct network *net; /* NULL: no node has a link */
	struct drill_node *nodes;
	struct drill_service *services;
	size_t service_count;
	struct health *health;
	struct strike *strike;     /* NULL: a control, or a branch behind its strike */
	struct recorder *recorder; /* NULL: none */

	/* The step that runs now. */
	const struct step_plan *step;
	pid_t runner;  /* 0: none, or not known yet */
	bool starting; /* the loop runs while its program is being started */

	unsigned troubles; /* steps that failed, and what called for a rollback */

	bool patching; /* between patch.begin and patch.end */
	bool retrying; /* the patch, behind all that is judged */
	bool detected;
	bool stopped; /* by a signal; journalled */
	unsigned leftovers;
};

/* drill_nodes.c: nodes, links and services up and down. */
int drill_nodes_up(struct drill *d, struct err *e);
void drill_services_list(struct drill *d); /* none of them started */
/* 1: all ready; 0: one failed (journalled); -1: our own trouble or stopped. */
int drill_services_up(struct drill *d, struct err *e);
/* The same for one of them, from its beginning; `s` has its drill, node and plan. */
int drill_service_up(struct drill_service *s, struct err *e);
void drill_nodes_down(struct drill *d);
struct drill_node *drill_node(struct drill *d, const char *name); /* NULL: none */

/* drill_crash.c: a node that an injector has taken down, and its boot: link, capture's cache and
 * services. A service that does not come up again is journalled; that is health's to judge. */
void drill_node_crashed(struct drill *d, const struct node *n, const char *why);
/* Says of nodes that went down by themselves (reboot(2)) that they did. */
void drill_nodes_look(struct drill *d);
/* Its files are to be looked at: one that is down is switched on for that. */
int drill_node_needed(struct drill *d, struct drill_node *at, struct err *e);
int drill_node_boot(struct drill *d, struct node *n, struct err *e);

/* drill_systemd.c: the boot of nodes with systemd, before all services. As drill_services_up(). */
int drill_systems_up(struct drill *d, struct err *e);
/* Of one node, after a crash; of a node without systemd nothing. Not up is journalled. */
int drill_system_again(struct drill *d, const struct drill_node *at, struct err *e);

/* drill_steps.c */
/* A command of the plan, started in a node: a line for sh -ec, or its argv. */
struct drill_command {
	const char *run; /* NULL: exec */
	const struct strings *exec;
	const struct pairs *env;
};
/* `spec` has the rest (cwd, user, descriptors, ...); its argv and env are filled in here. */
int drill_spawn(struct node *n, const struct drill_command *c, struct spawn_spec *spec,
		proc_exit_fn fn, void *arg, struct proc **ret, struct err *e);
enum { STEPS_OK = 1, STEPS_FAILED = 0 };
/* Runs the list until a step fails that may not, or `stop_early` (may be NULL) becomes true
 * between two steps. `why` (ERR_WHY_MAX bytes) says what failed. */
int drill_steps(struct drill *d, bool in_rollback, const bool *stop_early, char *why,
		struct err *e);

/* drill.c: steady state is lost beyond its tolerance. */
void drill_steady_lost(struct drill *d, const char *why);
/* Something calls for a rollback; only the first counts. */
void drill_detect(struct drill *d, enum rollback_when by, const char *why);
void drill_journal_begin(struct drill *d);
void drill_journal_healthy(struct drill *d, int64_t since);
/* How long a system at rest may take to hold steady state before that counts as lost; ns. */
int64_t drill_patience(const struct plan *p);
int drill_roll_back(struct drill *d, struct err *e);
/* The rollback that runs now was struck and failed: once more. */
int drill_roll_back_again(struct drill *d, const char *why, struct err *e);
int drill_recover(struct drill *d, struct err *e);

/* drill_stand.c: at this moment the spec may ask the drill to stand still. `runner`: the struck
 * step's program, 0: none. */
void drill_stand(struct drill *d, enum drill_stop_at at, pid_t runner);

/* drill_state.c */
int drill_capture(struct drill *d, enum state_phase phase, struct err *e);
/* How the file of a fingerprint is called in the drill's folder; free() it. */
char *drill_state_file(enum state_phase phase, const char *node);

#endif
