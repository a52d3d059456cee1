/* SPDX-License-Identifier: MIT */
/* A sweep's folder read again: for a report, or to go on with it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/record_file.h"
#include "harness/engine/sweep_folder.h"
#include "harness/engine/sweep_private.h"
#include "harness/model/json.h"

enum { SWEEP_FILE_MAX = 64 << 20, RUN_FILE_MAX = 1 << 20 /* bytes */ };

static int read_json(const char *dir, const char *name, size_t max, struct json_doc **ret,
		     struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	GUARD(mem) char *path = mem_printf("%s/%s", dir, name);
	if (io_read_file(AT_FDCWD, path, max, &text, e) < 0)
		return -1;
	return json_parse(ret, path, buf_str(&text), text.len, e);
}

static const char *text_of(struct arena *a, const struct json *v, const char *key)
{
	const char *s = json_get_string(v, key, NULL);
	return s != NULL ? arena_strdup(a, s) : NULL;
}

static void read_ask(struct arena *a, const struct json *v, struct sweep_ask *ret)
{
	const struct json *shard = json_first(json_get(v, "shard"));
	*ret = (struct sweep_ask){
		.strike = text_of(a, v, "strike"),
		.points = text_of(a, v, "points"),
		.in = text_of(a, v, "in"),
		.no_reduce = !json_get_bool(v, "reduce", true),
		.no_branch = !json_get_bool(v, "branch", true),
		.pairs = json_get_bool(v, "pairs", false),
		.retry_patch = json_get_bool(v, "retry_patch", false),
	};
	if (shard != NULL && json_next(shard) != NULL)
		ret->shard = (struct sweep_shard){ (unsigned)json_number(shard),
						   (unsigned)json_number(json_next(shard)) };
}

int sweep_folder_ask(const char *dir, struct arena *arena, struct sweep_ask *ret,
		     const char **ret_seed, struct err *e)
{
	struct json_doc *doc;
	if (read_json(dir, "run.json", RUN_FILE_MAX, &doc, e) < 0)
		return -1;
	const struct json *ask = json_get(json_root(doc), "sweep");
	int result = 0;
	if (ask == NULL)
		result = ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s' is a run, but no sweep", dir);
	else
		read_ask(arena, ask, ret);
	*ret_seed = text_of(arena, json_root(doc), "seed");
	json_doc_free(doc);
	return result;
}

static int find_item(const struct run_view *v, const char *slug)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->items[i].role == ROLE_DRILL && strcmp(v->items[i].fault->slug, slug) == 0)
			return (int)i;
	return -1;
}

void sweep_find_items(struct sweeping *w, size_t from)
{
	const struct run_view *v = run_view(w->s.run);
	for (size_t i = from; i < w->class_count; i++) {
		struct swept *c = &w->classes[i];
		for (int t = 0; t < TRY_COUNT; t++) {
			GUARD(mem) char *slug = sweep_name(w, i, (enum sweep_try)t, '-');
			*sweep_slot(c, (enum sweep_try)t) = find_item(v, slug);
		}
		if (c->item >= 0)
			c->fault = v->items[c->item].fault;
	}
}

static void read_ways(struct sweeping *w, const struct json *classes)
{
	for (const struct json *c = json_first(classes); c != NULL; c = json_next(c)) {
		int64_t first = json_get_int(c, "first", -1);
		const char *how = json_get_string(c, "how", "");
		for (size_t i = 0; i < w->class_count; i++) {
			if ((int64_t)w->classes[i].first != first)
				continue;
			w->classes[i].how = strcmp(how, sweep_how_names[SWEEP_RERUN]) == 0
						    ? SWEEP_RERUN
						    : SWEEP_BRANCH;
			w->classes[i].why = text_of(w->arena, c, "why");
			break;
		}
	}
}

static void read_rest(struct sweeping *w, const struct json *v)
{
	w->before = json_get_int(v, "took", 0);
	w->jobs = (unsigned)json_get_int(v, "jobs", 1);
	w->cut = text_of(w->arena, v, "cut");
	size_t count = json_size(json_get(v, "notes"));
	w->notes = arena_alloc(w->arena, (count + 1) * sizeof(*w->notes));
	for (const struct json *n = json_first(json_get(v, "notes")); n != NULL; n = json_next(n))
		w->notes[w->note_count++] = arena_strdup(w->arena, json_string(n));
}

static int fill(struct sweeping *w, const struct json *v, struct err *e)
{
	read_ask(w->arena, v != NULL ? json_get(v, "sweep") : NULL, &w->ask);
	if (sweep_strike_parse(&w->strike, w->ask.strike, w->s.plan, e) < 0 ||
	    sweep_classify(w, e) < 0)
		return -1;
	read_ways(w, json_get(v, "classes"));
	w->note_count = 0;
	read_rest(w, v);
	w->unknown = !json_get_bool(v, "complete", false);
	sweep_find_items(w, 0);
	w->pairs_told = true;
	return sweep_pairs_list(w, e) < 0 ? -1 : sweep_publish(w, e);
}

int sweep_folder_read(struct run *r, struct err *e)
{
	static const struct run_progress quiet = { 0 };
	const struct run_view *v = run_view(r);
	GUARD(mem) char *path = mem_printf("%s/" SWEEP_FILE, v->dir);
	struct json_doc *doc;
	if (access(path, F_OK) < 0)
		return 0;
	if (read_json(v->dir, SWEEP_FILE, SWEEP_FILE_MAX, &doc, e) < 0)
		return -1;
	struct sweeping w = { .arena = run_arena(r) };
	const char *room[SWEEP_NOTES_MAX];
	w.notes = room;
	w.s.run = r;
	w.s.plan = v->plan;
	w.s.dir = (char *)v->dir;
	w.s.progress = &quiet;
	int result = fill(&w, json_root(doc), e);
	json_doc_free(doc);
	sweep_strike_free(&w.strike);
	point_list_free(&w.list);
	free(w.classes);
	return result;
}

int sweep_resume(struct sweeping *w, struct err *e)
{
	struct json_doc *doc;
	if (w->o->resume == NULL)
		return 0;
	GUARD(mem) char *path = mem_printf("%s/" SWEEP_FILE, w->s.dir);
	if (access(path, F_OK) < 0)
		return 0; /* it did not come as far */
	if (read_json(w->s.dir, SWEEP_FILE, SWEEP_FILE_MAX, &doc, e) < 0)
		return -1;
	w->before = json_get_int(json_root(doc), "took", 0);
	json_doc_free(doc);
	sweep_find_items(w, 0);
	return 0;
}

static bool sealed(const char *dir)
{
	struct record_file *r;
	struct err ignored = { 0 };
	if (record_open(&r, dir, &ignored) < 0)
		return false;
	bool yes = journal_sealed(record_get(r)->journal);
	for (size_t i = 0; yes && i < journal_count(record_get(r)->journal); i++)
		yes = journal_at(record_get(r)->journal, i)->kind != EVENT_STOPPED;
	record_close(r);
	return yes;
}

/* A host that lost power may have kept its name alone. */
static bool has_fault(const char *drill)
{
	struct stat st;
	GUARD(mem) char *path = mem_printf("%s/" FAULT_FILE, drill);
	return stat(path, &st) == 0 && st.st_size > 0;
}

int sweep_folder_prune_one(const char *dir, const char *slug, bool *ret_whole, struct err *e)
{
	static const char *const kinds[] = { "drills", "knockouts" };
	GUARD(mem) char *drill = mem_printf("%s/drills/%s", dir, slug);
	GUARD(mem) char *knockout = mem_printf("%s/knockouts/%s", dir, slug);
	*ret_whole = sealed(drill) && has_fault(drill) &&
		     (access(knockout, F_OK) < 0 || sealed(knockout));
	if (*ret_whole)
		return 0;
	for (size_t i = 0; i < 2; i++) {
		GUARD(mem) char *path = mem_printf("%s/%s/%s", dir, kinds[i], slug);
		if (io_remove_tree(AT_FDCWD, path, e) < 0)
			return -1;
	}
	return 0;
}

/* One that was cut is recorded again, and what came behind it too. */
static int prune_controls(const char *dir, struct err *e)
{
	bool whole = true;
	for (char letter = 'a'; letter <= 'b'; letter++) {
		GUARD(mem) char *path = mem_printf("%s/control-%c", dir, letter);
		whole = whole && sealed(path);
		if (!whole && io_remove_tree(AT_FDCWD, path, e) < 0)
			return -1;
	}
	return 0;
}

int sweep_folder_prune(const char *dir, struct err *e)
{
	bool whole;
	GUARD(mem) char *path = mem_printf("%s/drills", dir);
	GUARD(dir) DIR *d = opendir(path);
	int result = 0;
	if (d == NULL && errno != ENOENT)
		return ERR(e, errno, "list '%s'", path);
	if (prune_controls(dir, e) < 0)
		return -1;
	for (struct dirent *de; result == 0 && d != NULL && (de = readdir(d)) != NULL;)
		if (de->d_name[0] != '.')
			result = sweep_folder_prune_one(dir, de->d_name, &whole, e);
	return result;
}
