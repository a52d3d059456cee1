/* SPDX-License-Identifier: MIT */
/*
 * The plan: a scenario with its names resolved, its numbers parsed and its defaults filled in.
 * Compiled once, then constant; everything in it lives in one arena.
 */
#ifndef BACKOUT_MODEL_PLAN_H
#define BACKOUT_MODEL_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/model/disk.h"
#include "harness/model/kind.h"
#include "harness/model/outcome.h"
#include "harness/model/param.h"

enum {
	PLAN_NODES_MAX = 64,
	PLAN_STEPS_MAX = 256, /* per list */
	PLAN_PROBES_MAX = 64,
	PLAN_FAULTS_MAX = 1024,
	PLAN_ROLLBACKS_MAX = 16,
	PLAN_JOINED_MAX = 8, /* strikes of one fault */
	PLAN_SWITCHES_MAX = 16,
	PLAN_ADDRESSES_MAX = 256, /* of all nodes together */
};

enum { PLAN_NO_STEP = -1, PLAN_ANY_STEP = -2 };

struct window_plan {
	int64_t target;   /* first patch step to healthy; ns */
	int64_t recovery; /* strike to healthy; ns */
	int64_t settle;   /* length of the healthy interval; ns */
	int64_t give_up;  /* after the rollback's end: how long to wait for healthy; ns */
};

struct file_plan {
	const char *dest; /* key: absolute path in the node */
	const char *from; /* path on this host (resolved), or NULL */
	const char *text; /* literal content, or NULL */
	int mode;         /* -1: the source's */
};

struct probe_plan {
	const char *name;
	const char *node; /* `on` or `from`: where it runs */
	const struct kind *kind;
	const void *params;
	int64_t every, timeout;
	uint64_t tolerate_failures; /* consecutive failures that still count as holding */
	int64_t tolerate_for;       /* and for at most this long; 0: no time limit */
	uint64_t when;              /* bit mask of enum probe_when */
};

/* clang-format off */
#define PROBE_WHEN(X) X(BEFORE, "before") X(DURING, "during") X(AFTER, "after")
enum probe_when {
#define X(id, text) PROBE_##id,
	PROBE_WHEN(X)
#undef X
};
/* clang-format on */

struct service_plan {
	const char *name;
	const char *run;     /* sh -ec, or NULL */
	struct strings exec; /* argv, or empty */
	const char *user;    /* NULL: root */
	const char *cwd;
	struct pairs env;
	const struct probe_plan *ready; /* NULL: ready when started */
	int64_t timeout;                /* to become ready; ns */
};

/* id, the field that says so, what it is of on this host, an example */
/* clang-format off */
#define PLAN_ROOTS(X) \
	X(DEBIAN, "debian", NOTHING, "RELEASE") X(DIR, "dir", FOLDER, "FOLDER") \
	X(TAR, "tar", FILE, "FILE") X(EROFS, "erofs", FILE, "FILE") \
	X(SQUASHFS, "squashfs", FILE, "FILE") X(OCI, "oci", EITHER, "FOLDER or FILE") \
	X(HOST, "host", NOTHING, "true")
enum root_kind {
#define X(id, field, of, example) ROOT_##id,
	PLAN_ROOTS(X)
#undef X
	ROOT_COUNT
};
/* clang-format on */

struct root_plan {
	enum root_kind kind;
	const char *suite;      /* ROOT_DEBIAN */
	struct strings include; /* ROOT_DEBIAN: packages, "name" or "name=version" */
	const char *dir;        /* ROOT_DIR: resolved path; ROOT_HOST: "/" */
	const char *tar, *erofs, *squashfs, *oci; /* resolved paths, of the kind that it is */
	const char *tag;                          /* ROOT_OCI: which image; NULL: the only one */
	bool host;                                /* ROOT_HOST */
	struct strings hide; /* ROOT_HOST: absolute paths that nodes do not see */
};
/* Its root is what this host has now, not an image. */
bool plan_root_live(const struct root_plan *r);

struct disk_plan {
	bool given;    /* false: an overlay over the root */
	uint64_t size; /* bytes */
	int fs;        /* enum disk_fs */
};

struct limits_plan {
	uint64_t memory;  /* bytes; 0: none */
	uint64_t pids;    /* 0: none */
	double cpu;       /* percent of one processor; 0: none */
	uint64_t swap;    /* bytes beside memory; 0: none */
	const char *cpus; /* processors, "0-2,5"; NULL: all */
	struct {
		uint64_t read, write; /* bytes per second; 0: no limit */
	} io;
};

struct switch_plan {
	const char *name; /* key */
	uint64_t mtu;     /* bytes */
};

struct link_plan {
	const char *on;        /* key: the switch */
	struct list addresses; /* struct ip, at least one */
	uint64_t rate;         /* bytes per second, each way; 0: unlimited */
};

struct route_plan {
	const char *to_text, *via_text; /* as they were written */
	struct ip to, via;              /* a default route's `to`: prefix 0 */
};

/* clang-format off */
#define NODE_INIT(X) X(MINIMAL, "minimal") X(SYSTEMD, "systemd")
enum node_init { /* what PID 1 of a node is */
#define X(id, text) INIT_##id,
	NODE_INIT(X)
#undef X
};
/* clang-format on */

struct node_plan {
	const char *name;
	struct root_plan root;
	struct disk_plan disk;
	struct list links;  /* struct link_plan, in the file's order: eth0, eth1, ... */
	struct list routes; /* struct route_plan */
	bool forward;       /* packets for others go on */
	struct limits_plan limits;
	int init; /* enum node_init */
	bool may_mount, no_new_privs;
	struct list files;    /* struct file_plan, sorted by dest */
	struct strings setup; /* sh -ec commands, run once into a cached layer */
	struct list services; /* struct service_plan, in the file's order */
};

struct step_plan {
	const char *name;
	const char *node;
	const char *run;     /* sh -ec, or NULL */
	struct strings exec; /* argv, or empty */
	int64_t timeout;
	bool may_fail;
	struct pairs env;
	const char *user; /* NULL: root */
	const char *cwd;  /* NULL: / */
};

/* clang-format off */
#define ROLLBACK_TO(X) X(BEFORE, "before") X(PATCHED, "patched")
enum rollback_to { /* the state in which a rollback ends */
#define X(id, text) TO_##id,
	ROLLBACK_TO(X)
#undef X
};
/* clang-format on */
extern const char *const rollback_to_names[]; /* NULL-terminated */

struct rollback_plan {
	const char *name;
	struct step_plan *steps;
	size_t step_count;
	int to; /* enum rollback_to */
};

/* clang-format off */
#define PLAN_UNTIL(X) X(DURATION, "duration") X(STEP_END, "step_end") X(ROLLBACK, "rollback") \
	X(ROLLBACK_END, "rollback_end")
enum plan_until {
#define X(id, text) UNTIL_##id,
	PLAN_UNTIL(X)
#undef X
};
/* clang-format on */

struct fault_plan {
	const char *name;
	const char *slug; /* unique, fit for a folder name */
	/* Its JSON, which needs no other file and no variables: plan_add_fault() of it gives the
	 * same fault. */
	const char *text;
	const struct kind *injector;
	const void *inject; /* its decoded parameters */
	const struct kind *trigger;
	const void *at;   /* its decoded parameters */
	bool in_rollback; /* the step below is one of the chosen rollback's */
	int step;         /* index, or PLAN_ANY_STEP */
	enum plan_until until;
	int64_t until_ns; /* UNTIL_DURATION */
	uint64_t expect;  /* bit mask of enum outcome: what passes */
	bool again;       /* a rollback that fails by it runs once more */
	/* Struck in the same drill, too; NULL: nothing more. The first is the one that the drill is
	 * named after; it is in the patch unless all are in the rollback. The others have a name,
	 * but no slug, text or expect. */
	const struct fault_plan *next;
	size_t joined; /* how many come behind it */
};

/* clang-format off */
#define ROLLBACK_WHEN(X) X(STEP_FAILED, "step_failed") X(GOAL_MISSED, "goal_missed") \
	X(STEADY_LOST, "steady_state_lost")
enum rollback_when {
#define X(id, text) WHEN_##id,
	ROLLBACK_WHEN(X)
#undef X
	ROLLBACK_WHEN_COUNT
};
/* clang-format on */

/* clang-format off */
#define IGNORE_COMPARE(X) X(NOTHING, "nothing") X(EXISTENCE, "existence") X(META, "meta")
enum ignore_compare { /* what is still compared under an ignored path */
#define X(id, text) COMPARE_##id,
	IGNORE_COMPARE(X)
#undef X
};
/* clang-format on */

struct ignore_plan {
	const char *path; /* pattern: * within a name, ** across names, ? one byte */
	const char *why;
	int compare; /* enum ignore_compare */
};

struct also_plan {
	const char *name, *node, *run; /* its stdout is part of the state */
};

struct state_plan {
	struct strings nodes; /* `on`; empty in the file: every node */
	struct strings masks;
	struct list ignore; /* struct ignore_plan */
	struct list also;   /* struct also_plan */
};

struct plan {
	const char *title;
	const char *file; /* the scenario's path as given */
	const char *dir;  /* its folder */
	const char *slug; /* for run folders */
	struct window_plan window;
	struct list switches; /* struct switch_plan, at least one */
	struct node_plan *nodes;
	size_t node_count;
	struct probe_plan *steady;
	size_t steady_count;
	struct probe_plan *goal;
	size_t goal_count;
	struct state_plan state;
	struct step_plan *patch;
	size_t patch_count;
	struct rollback_plan *rollbacks;
	size_t rollback_count;
	size_t rollback;        /* the chosen one */
	uint64_t rollback_when; /* bit mask */
	struct fault_plan *faults;
	size_t fault_count;
	char digest[33]; /* XXH3-128, hex: the texts of the scenario and the files that it includes
			    or takes variables from */
};

struct plan_options {
	const char *rollback;     /* --rollback NAME; NULL: the file's */
	const struct pairs *vars; /* --var NAME=VALUE; override the file's */
	/* A run folder's scenario.json: sources on this host (`files`, `dir`) need not exist any
	 * more. */
	bool archived;
};

struct plan_doc; /* the arena and the documents behind a plan */

/* Reads and compiles. Exit 65 with file:line:column for anything wrong in the file, 66-like
 * reading trouble as 65 too. On success *ret belongs to the caller: plan_free(). */
int plan_load(struct plan_doc **ret, const char *path, const struct catalog *catalog,
	      const struct plan_options *options, struct err *e);
void plan_free(struct plan_doc *d); /* NULL-safe */
const struct plan *plan_get(const struct plan_doc *d);

/* One more fault of the scenario's format, compiled against the plan. It lives as long as the plan
 * and is none of plan->faults; its slug is unique among all. `origin` stands in front of
 * "line:column" in errors (exit 65). Thousands may be added. */
int plan_add_fault(struct plan_doc *d, const char *origin, const char *text,
		   const struct catalog *catalog, const struct fault_plan **ret, struct err *e);
/* The same for a fault that was added before and has left a folder of that name. */
int plan_add_fault_as(struct plan_doc *d, const char *slug, const char *origin, const char *text,
		      const struct catalog *catalog, const struct fault_plan **ret, struct err *e);

const struct node_plan *plan_node(const struct plan *p, const char *name);     /* NULL: none */
const struct switch_plan *plan_switch(const struct plan *p, const char *name); /* NULL: none */
/* The chosen rollback ends at P: it rolls forward. */
bool plan_goes_forward(const struct plan *p);
/* The patch's, or the chosen rollback's. */
const struct step_plan *plan_step(const struct plan *p, bool in_rollback, size_t index);
/* Where the fault strikes; of one that may strike any step the first. */
const struct step_plan *plan_fault_step(const struct plan *p, const struct fault_plan *f);
/* The effective scenario as JSON text: includes merged, every variable given as a literal, the
 * chosen rollback named, source files by absolute path. plan_load() of it with `archived` gives
 * the same plan (but for digest, file, dir). What a run folder's scenario.json holds. */
struct buf;
void plan_effective(const struct plan_doc *d, struct buf *out);
/* The resolved plan as JSON: what plan.json holds. */
void plan_to_json(const struct plan *p, struct buf *out);
/* The JSON Schema (2020-12) that the tables imply. */
void plan_schema(const struct catalog *catalog, struct buf *out);

extern const char *const outcome_expect_names[]; /* fault.expect: the names of enum outcome */

#endif
