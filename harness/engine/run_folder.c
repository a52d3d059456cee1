/* SPDX-License-Identifier: MIT */
#include "harness/engine/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/catalog.h"
#include "harness/engine/kept.h"
#include "harness/engine/record_file.h"
#include "harness/engine/sweep_folder.h"

enum { CONTROLS = 2, CONTROLS_JUDGED = CONTROLS + 1 };

struct run {
	struct run_view view;
	struct plan_doc *doc;
	struct arena *arena; /* verdicts */
	char *dir;
	struct run_item *items;
	struct record_file **records; /* one an item */
	size_t count;
	const struct judged_controls *controls; /* NULL: not read, or not all of them there */
};

char *run_label(enum drill_role role, const struct fault_plan *fault, char letter)
{
	if (role == ROLE_CONTROL && letter == CONTROL_TWICE)
		return mem_strdup("drills/rollback-twice");
	if (role == ROLE_CONTROL)
		return mem_printf("control-%c", letter);
	return mem_printf("%s/%s", role == ROLE_DRILL ? "drills" : "knockouts", fault->slug);
}

struct run *run_new(struct plan_doc *doc, const char *dir)
{
	struct run *r = mem_alloc(sizeof(*r));
	r->doc = doc;
	r->arena = arena_create();
	r->dir = mem_strdup(dir);
	const char *slash = strrchr(r->dir, '/');
	r->view.plan = plan_get(doc);
	r->view.id = slash != NULL ? slash + 1 : r->dir;
	r->view.dir = r->dir;
	return r;
}

void run_free(struct run *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->count; i++) {
		record_close(r->records[i]);
		free((char *)r->items[i].label);
	}
	free(r->records);
	free(r->items);
	arena_destroy(r->arena);
	plan_free(r->doc);
	free(r->dir);
	free(r);
}

const struct run_view *run_view(const struct run *r)
{
	return &r->view;
}

static int find(const struct run *r, enum drill_role role, const struct fault_plan *fault,
		unsigned nth)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->items[i].role == role && r->items[i].fault == fault && nth-- == 0)
			return (int)i;
	return -1;
}

static const struct record *record_at(const struct run *r, int i)
{
	return i < 0 ? NULL : record_get(r->records[i]);
}

/* Once for all drills, which come when both are there. */
static int read_controls(struct run *r, struct err *e)
{
	const struct record *a = record_at(r, find(r, ROLE_CONTROL, NULL, 0));
	const struct record *b = record_at(r, find(r, ROLE_CONTROL, NULL, 1));
	if (r->controls != NULL || a == NULL || b == NULL)
		return 0;
	return verdict_read_controls(r->arena, r->view.plan, a, b, &r->controls, e);
}

int run_controls(struct run *r, const struct judged_controls **ret, struct err *e)
{
	if (read_controls(r, e) < 0)
		return -1;
	*ret = r->controls;
	return r->controls != NULL ? 0 : ERR(e, 0, "%s: its two controls are not there", r->dir);
}

static int judge(struct run *r, int index, struct err *e)
{
	if (r->items[index].role != ROLE_CONTROL && read_controls(r, e) < 0)
		return -1;
	struct run_item *item = &r->items[index];
	struct judge_input in = {
		.plan = r->view.plan,
		.fault = item->fault,
		.drill = record_at(r, index),
		.control_a = record_at(r, find(r, ROLE_CONTROL, NULL, 0)),
		.control_b = record_at(r, find(r, ROLE_CONTROL, NULL, 1)),
		.knockout = item->fault != NULL
				    ? record_at(r, find(r, ROLE_KNOCKOUT, item->fault, 0))
				    : NULL,
		.controls = r->controls,
	};
	memset(&item->verdict, 0, sizeof(item->verdict));
	if (verdict_judge(r->arena, &in, &item->verdict, e) < 0)
		return err_prefix(e, "%s/%s", r->dir, item->label);
	return 0;
}

int run_add(struct run *r, enum drill_role role, const struct fault_plan *fault, char letter,
	    struct err *e)
{
	char *label = run_label(role, fault, letter);
	GUARD(mem) char *dir = mem_printf("%s/%s", r->dir, label);
	struct record_file *record;
	if (record_open(&record, dir, e) < 0) {
		free(label);
		return -1;
	}
	size_t n = r->count++;
	r->items = mem_grow(r->items, r->count, sizeof(*r->items));
	r->records = mem_grow(r->records, r->count, sizeof(struct record_file *));
	r->items[n] = (struct run_item){
		.label = label,
		.role = role,
		.fault = fault,
		.journal = record_get(record)->journal,
		.kept = kept_there(dir),
	};
	r->records[n] = record;
	r->view.items = r->items;
	r->view.count = r->count;

	int judged = role == ROLE_KNOCKOUT ? find(r, ROLE_DRILL, fault, 0) : (int)n;
	/* A branch takes its counter-proof before it is known whether it is asked for. */
	if (role == ROLE_KNOCKOUT && judged >= 0 &&
	    !verdict_needs_knockout(&r->items[judged].verdict)) {
		record_drop_states(r->records[n]);
		return (int)n;
	}
	if (judged >= 0 && judge(r, judged, e) < 0)
		return -1;
	/* Only the controls' fingerprints are needed again, by every later drill; a drill's are
	 * once more when its knock-out comes. */
	if (role == ROLE_KNOCKOUT) {
		record_drop_states(r->records[n]);
		record_drop_states(r->records[judged]);
	} else if (role == ROLE_DRILL && !verdict_needs_knockout(&r->items[n].verdict)) {
		record_drop_states(r->records[n]);
	}
	return (int)n;
}

int run_settle_kept(struct run *r, int index, bool wanted, struct err *e)
{
	struct run_item *item = &r->items[index];
	GUARD(mem) char *dir = mem_printf("%s/%s", r->dir, item->label);
	if (item->kept && wanted && !item->verdict.pass)
		return 0;
	item->kept = false;
	return kept_remove(dir, e);
}

const struct record *run_record(const struct run *r, int index)
{
	return record_at(r, index);
}

bool run_worth_drilling(const struct run *r)
{
	for (size_t i = 0; i < r->count; i++) {
		enum outcome o = r->items[i].verdict.outcome;
		/* A sweep that goes on has drills, and knock-outs, which have no verdict. */
		if (r->items[i].role != ROLE_CONTROL)
			continue;
		if (o == OUTCOME_HARNESS_ERROR || o == OUTCOME_ABORTED || o == OUTCOME_BROKEN)
			return false;
	}
	return !r->view.controls.vacuous;
}

bool run_has_control(const struct run *r, char letter)
{
	GUARD(mem) char *label = run_label(ROLE_CONTROL, NULL, letter);
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->items[i].label, label) == 0)
			return true;
	return false;
}

bool run_has_knockout(const struct run *r, int drill)
{
	return find(r, ROLE_KNOCKOUT, r->items[drill].fault, 0) >= 0;
}

struct plan_doc *run_doc(struct run *r)
{
	return r->doc;
}

struct arena *run_arena(struct run *r)
{
	return r->arena;
}

void run_forget(struct run *r, int index)
{
	record_close(r->records[index]);
	r->records[index] = NULL;
	r->items[index].journal = NULL;
}

void run_set_sweep(struct run *r, const struct sweep *s)
{
	r->view.sweep = s;
}

int run_conclude(struct run *r, struct err *e)
{
	const struct record *a = record_at(r, find(r, ROLE_CONTROL, NULL, 0));
	const struct record *b = record_at(r, find(r, ROLE_CONTROL, NULL, 1));
	if (a != NULL && verdict_controls(r->arena, r->view.plan, a, b, &r->view.controls, e) < 0)
		return -1;
	const struct sweep *sweep = r->view.sweep;
	size_t most = r->count + (sweep != NULL ? sweep->class_count : 0);
	struct verdict *controls = mem_array(CONTROLS_JUDGED, sizeof(*controls));
	struct verdict *drills = mem_array(most + 1, sizeof(*drills));
	size_t control_count = 0, drill_count = 0;
	for (size_t i = 0; i < r->count; i++) {
		if (r->items[i].role == ROLE_CONTROL && control_count < CONTROLS_JUDGED)
			controls[control_count++] = r->items[i].verdict;
		else if (r->items[i].role == ROLE_DRILL && sweep == NULL)
			drills[drill_count++] = r->items[i].verdict;
	}
	/* A sweep is judged by its classes: drills that only confirm one decide nothing. */
	for (size_t i = 0; sweep != NULL && i < sweep->class_count; i++)
		if (sweep->classes[i].verdict != NULL)
			drills[drill_count++] = *sweep->classes[i].verdict;
	r->view.exit = verdict_run_exit(controls, control_count, drills, drill_count,
					r->view.controls.vacuous);
	if (r->view.sweep != NULL)
		r->view.exit = verdict_worse_exit(r->view.exit, sweep_retry_exit(r->view.sweep));
	r->view.controls.exit = r->view.exit;
	free(controls);
	free(drills);
	return 0;
}

static int add_if_there(struct run *r, enum drill_role role, const struct fault_plan *fault,
			char letter, struct err *e)
{
	GUARD(mem) char *label = run_label(role, fault, letter);
	GUARD(mem) char *journal = mem_printf("%s/%s/journal.jsonl", r->dir, label);
	if (access(journal, F_OK) < 0)
		return 0;
	return run_add(r, role, fault, letter, e) < 0 ? -1 : 0;
}

int fault_file_write(const char *dir, const struct fault_plan *fault, bool sync, struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/" FAULT_FILE, dir);
	GUARD(mem) char *line = mem_printf("%s\n", fault->text);
	return (sync ? io_write_file : io_write_file_unsynced)(AT_FDCWD, path, line, strlen(line),
							       0644, e);
}

static int real_folder(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool of_scenario(const struct plan *p, const char *slug)
{
	for (size_t i = 0; i < p->fault_count; i++)
		if (strcmp(p->faults[i].slug, slug) == 0)
			return true;
	return false;
}

/* `only`: NULL, or one drill's slug or fault's name. */
static bool wanted(const char *only, const struct fault_plan *f)
{
	return only == NULL || strcmp(only, f->slug) == 0 || strcmp(only, f->name) == 0;
}

static int add_drill(struct run *r, const char *only, const struct fault_plan *f, struct err *e)
{
	if (!wanted(only, f))
		return 0;
	if (add_if_there(r, ROLE_DRILL, f, 0, e) < 0)
		return -1;
	return add_if_there(r, ROLE_KNOCKOUT, f, 0, e);
}

/* A drill whose fault was made while the run went on. */
static int add_drill_of(struct run *r, const char *only, const char *slug, struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	const struct fault_plan *f = NULL;
	GUARD(mem) char *path = mem_printf("%s/drills/%s/" FAULT_FILE, r->dir, slug);
	if (of_scenario(r->view.plan, slug) || access(path, F_OK) < 0)
		return 0;
	if (io_read_file(AT_FDCWD, path, JSON_TEXT_MAX, &text, e) < 0 ||
	    plan_add_fault_as(r->doc, slug, path, buf_str(&text), catalog_get(), &f, e) < 0)
		return -1;
	return add_drill(r, only, f, e);
}

static int add_other_drills(struct run *r, const char *only, struct err *e)
{
	struct dirent **entries = NULL;
	GUARD(mem) char *drills = mem_printf("%s/drills", r->dir);
	int n = scandir(drills, &entries, real_folder, alphasort), result = 0;
	if (n < 0 && errno != ENOENT)
		return ERR(e, errno, "list '%s'", drills);
	if (n > RUN_DRILLS_MAX)
		result = ERR(e, 0, "'%s' holds more than %d drills", drills, RUN_DRILLS_MAX);
	for (int i = 0; i < n; i++) {
		if (result == 0)
			result = add_drill_of(r, only, entries[i]->d_name, e);
		free(entries[i]);
	}
	free(entries);
	return result;
}

static int load(struct run **ret, const char *dir, const char *only, struct err *e)
{
	GUARD(mem) char *clean = mem_strdup(dir);
	for (size_t n = strlen(clean); n > 1 && clean[n - 1] == '/'; n--)
		clean[n - 1] = '\0';
	GUARD(mem) char *marker = mem_printf("%s/run.json", clean);
	GUARD(mem) char *scenario = mem_printf("%s/scenario.json", clean);
	if (access(marker, F_OK) < 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "'%s' is not a run folder (no run.json)",
			      dir);
	struct plan_options options = { .archived = true };
	struct plan_doc *doc;
	if (plan_load(&doc, scenario, catalog_get(), &options, e) < 0)
		return -1;
	struct run *r = run_new(doc, clean);
	for (char letter = 'a'; letter < 'a' + CONTROLS; letter++)
		if (add_if_there(r, ROLE_CONTROL, NULL, letter, e) < 0)
			goto fail;
	/* The first two are what all drills are measured by. */
	if (only == NULL && r->count == CONTROLS &&
	    add_if_there(r, ROLE_CONTROL, NULL, CONTROL_TWICE, e) < 0)
		goto fail;
	for (size_t i = 0; i < r->view.plan->fault_count; i++) {
		if (add_drill(r, only, &r->view.plan->faults[i], e) < 0)
			goto fail;
	}
	if (add_other_drills(r, only, e) < 0 || run_conclude(r, e) < 0 ||
	    (only == NULL && (sweep_folder_read(r, e) < 0 || run_conclude(r, e) < 0)))
		goto fail;
	*ret = r;
	return 0;
fail:
	run_free(r);
	return -1;
}

int run_load(struct run **ret, const char *dir, struct err *e)
{
	return load(ret, dir, NULL, e);
}

int run_load_drill(struct run **ret, const char *dir, const char *drill, int *ret_index,
		   struct err *e)
{
	const char *slash = strchr(drill, '/');
	const char *name = slash != NULL ? slash + 1 : drill;
	struct run *r;
	int index = -1;
	if (load(&r, dir, name, e) < 0)
		return -1;
	/* A folder's name is one drill's; a fault's name may be that of several. */
	for (size_t i = 0; i < r->count; i++) {
		if (r->items[i].role != ROLE_DRILL)
			continue;
		if (index < 0 || strcmp(r->items[i].fault->slug, name) == 0)
			index = (int)i;
	}
	if (index < 0) {
		run_free(r);
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "no drill '%s' in this run; see `backout show %s`", drill, dir);
	}
	*ret = r;
	*ret_index = index;
	return 0;
}
