/* SPDX-License-Identifier: MIT */
/* Private to plan_*.c: what the parts of the compiler share. */
#ifndef BACKOUT_MODEL_PLAN_PARTS_H
#define BACKOUT_MODEL_PLAN_PARTS_H

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/model/plan.h"

enum {
	PLAN_NAME_MAX = 63,  /* characters of a node's, a rollback's, a variable's name */
	PLAN_FILES_MAX = 16, /* a scenario, its include, and files of variables */
	PLAN_KIND_LISTS = 3, /* injectors, triggers, probes */
};
#define PLAN_STEPS_SCHEMA                                                                          \
	"{\"type\":\"array\",\"minItems\":1,\"items\":{\"$ref\":\"#/$defs/step\"}}"
#define PLAN_TIMEOUT_DEFAULT "60s"
#define PLAN_HOST_LETTERS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
#define PLAN_WORD_LETTERS    PLAN_HOST_LETTERS "_."

/* One file that was read. `dir` is "" for the current one. */
struct source {
	struct json_doc *doc;
	const char *path, *dir;
};

/* A PARAM_FILE and where it points. */
struct seen_file {
	const struct json *value;
	const char *path;
};

/* The slugs given so far, to tell at once whether one is taken. */
struct slug {
	const char *text; /* NULL: a free place */
	unsigned next;    /* what to append next time it is asked for */
};
struct slugs {
	struct slug *items; /* free() */
	size_t count, cap;  /* cap: 0 or a power of two */
};

/* What a node's file says of its links, and where; NULL: nothing. */
struct node_links_file {
	const struct json *address_at, *rate_at, *links_at, *routes_at, *forward_at;
	struct list address; /* struct ip */
	uint64_t rate;
};

struct plan_doc {
	struct arena *arena;
	struct source
		sources[PLAN_FILES_MAX]; /* the scenario, then what it includes, if anything */
	size_t source_count;
	bool includes; /* sources[1] is an included scenario */
	struct pairs vars;
	struct seen_file *files; /* free() */
	size_t file_count, file_cap;
	struct slugs slugs;                    /* of faults */
	struct strings nodes, linked, on_disk; /* names; those with an address, with a disk */
	struct node_links_file *link_files;    /* by node; only while compiling the nodes */
	struct {
		const struct kind *const *kinds;
		const char *const *names;
	} kind_names[PLAN_KIND_LISTS];
	struct plan plan;
};

struct compile {
	struct plan_doc *pd;
	struct plan *plan;
	struct param_ctx ctx; /* of the top-level field that is being compiled */
	const struct catalog *catalog;
	const struct plan_options *options;
	int64_t timeout; /* defaults.timeout */
};

/* --- plan_load.c --- */
/* For struct param_ctx.file_seen; `arg` is the plan_doc. */
void plan_note_file(void *arg, const struct json *value, const char *path);
/* Reads one more file. `at` (may be NULL) is the value that names it, for the error. */
int plan_read_file(struct compile *c, const char *path, const struct json *at, struct source **ret,
		   struct err *e);
/* A top-level field; c->ctx then speaks of the file that it comes from. NULL: not given. */
const struct json *plan_top(struct compile *c, const char *name);
/* The same, but absence is an error. */
int plan_top_needed(struct compile *c, const char *name, const struct json **ret, struct err *e);
/* A list of at most `max` things; fewer than one is an error when `what` is not NULL. */
int plan_check_list(struct compile *c, const struct json *list, size_t max, const char *what,
		    struct err *e);
/* Names (a `const char *` first in each item) must differ; `list` gives the positions. */
int plan_check_names(struct compile *c, const void *items, size_t size, const struct json *list,
		     struct err *e);
const struct json *plan_element(const struct json *list, size_t i);
/* "a-z0-9-" of any text; in the arena. */
const char *plan_slug(struct compile *c, const char *text);
/* " did you mean ...?" or " the ones here are ..." in the arena. */
const char *plan_suggest(struct compile *c, const char *word, const char *const *names,
			 size_t count);
bool plan_name_ok(const char *name, const char *allowed, size_t max);
/* What of "run" and "exec" was given: exactly one, and not empty. */
int plan_check_command(struct compile *c, const struct json *object, const char *run,
		       const struct strings *exec, struct err *e);

/* --- plan_vars.c --- */
int plan_vars(struct compile *c, struct err *e);

/* --- plan_links.c, plan_routes.c --- */
extern const struct param plan_switch_rows[], plan_link_rows[], plan_route_rows[];
int plan_switches(struct compile *c, struct err *e);
/* One node's links from what its file says; the switches are known. */
int plan_node_links(struct compile *c, const struct node_links_file *f, struct node_plan *n,
		    struct err *e);
/* All nodes', once they are known: addresses and routes fit together. */
int plan_addresses(struct compile *c, struct err *e);
int plan_routes(struct compile *c, struct err *e);
/* Which link of a node with several is meant is said. */
int plan_fault_links(struct compile *c, const struct json *v, const struct fault_plan *f,
		     struct err *e);

/* --- plan_nodes.c --- */
extern const struct param plan_node_rows[];
extern const struct param plan_service_rows[];
int plan_nodes(struct compile *c, struct err *e);

/* A node's root: exactly one kind, and its file is there. */
extern const struct param plan_root_rows[];
int plan_check_root(struct compile *c, const struct json *root, struct root_plan *r, struct err *e);

/* --- plan_disk.c --- */
extern const struct param plan_disk_rows[];
int plan_check_disk(struct compile *c, const struct json *disk, const struct disk_plan *d,
		    struct err *e);
void plan_list_disks(struct compile *c); /* once all nodes are known */
/* An injector that needs a disk has one. */
int plan_fault_disk(struct compile *c, const struct json *v, const struct fault_plan *f,
		    struct err *e);

/* --- plan_steps.c --- */
extern const struct param plan_step_rows[];
extern const struct param plan_rollback_rows[];
int plan_steps(struct compile *c, struct err *e);

/* --- plan_probes.c --- */
extern const struct param plan_probe_rows[];
int plan_probes(struct compile *c, struct err *e);
/* One probe; `node` is where it runs unless it says so itself (NULL: it must). */
int plan_probe(struct compile *c, const struct json *value, const char *node,
	       struct probe_plan *ret, struct err *e);

/* --- plan_kinds.c --- */
struct kind_pick {
	const struct kind *kind; /* NULL: none was named */
	const struct json *value;
};
/* NULL-terminated names in the arena. */
const char *const *plan_kind_names(struct compile *c, const struct kind *const *kinds);
/* "write "http", "tcp" or "run"", in the arena. */
const char *plan_suggest_kind(struct compile *c, const struct kind *const *kinds);
/* Which of the kinds is a key of `object`: at most one. */
int plan_pick_kind(struct compile *c, const struct json *object, const struct kind *const *kinds,
		   struct kind_pick *ret, struct err *e);
/* Its parameters from pick->value (NULL: defaults) and `expect` (may be NULL), checked. */
int plan_kind_params(struct compile *c, const struct kind_pick *pick, const struct json *expect,
		     const void **ret, struct err *e);

/* --- plan_state.c --- */
extern const struct param plan_state_rows[];
int plan_state(struct compile *c, struct err *e);

/* --- plan_faults.c --- */
extern const struct param plan_fault_rows[];
extern const struct param plan_at_rows[];
int plan_faults(struct compile *c, struct err *e);
int plan_decode_fault(struct compile *c, const struct json *v, struct fault_plan *f, struct err *e);

/* --- plan_slugs.c --- */
/* Made of a name; "-2" and so on follow when it is taken. In the arena. */
const char *plan_unique_slug(struct compile *c, const char *name);
/* This very one; NULL: it is taken. */
const char *plan_take_slug(struct plan_doc *pd, const char *slug);

/* --- plan_effective.c --- */
/* A fault that has been decoded, as one line that needs no other file; in the arena. */
extern const struct param plan_strike_rows[];
const char *plan_fault_text(struct compile *c, const struct json *fault);

/* --- plan_top.c --- */
struct plan_top {
	const char *schema, *title, *include, *rollback;
	struct window_plan window;
	struct {
		int64_t timeout;
	} defaults;
	struct state_plan state;
	struct list switches;
	uint64_t rollback_when;
	const struct json *raw; /* fields that their own part compiles */
};
extern const struct param plan_top_rows[];
extern const struct param plan_window_rows[];
int plan_top_fields(struct compile *c, struct err *e);
int plan_rollback_choice(struct compile *c, struct err *e);

#endif
