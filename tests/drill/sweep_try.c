/* SPDX-License-Identifier: MIT */
#include "tests/drill/sweep_try.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "tests/unit/runner.h"

enum { SWEEP_TEST_S_MAX = 300 }; /* seconds of one test */

void sweep_room_set_up(struct sweep_room *ret)
{
	const char *dir = test_dir();
	(void)snprintf(ret->state, sizeof(ret->state), "%s/state", dir);
	(void)snprintf(ret->runs, sizeof(ret->runs), "%s/runs", dir);
	(void)snprintf(ret->root, sizeof(ret->root), "root=%s", test_busybox_root());
}

/* args, then where. */
static void command(const char *ret[SWEEP_TRY_ARGS + 8], const struct sweep_room *room,
		    const char *const *args)
{
	size_t n = 0;
	ret[n++] = "sweep";
	for (size_t i = 0; args[i] != NULL; i++) {
		ck_assert_uint_lt(i, SWEEP_TRY_ARGS);
		ret[n++] = args[i];
	}
	const char *const where[] = { "--json", "--state", room->state, "--runs", room->runs };
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++)
		ret[n++] = where[i];
	ret[n] = NULL;
}

static void judged_alike(const struct sweep_try *t)
{
	const struct json *s = json_get(json_root(t->report), "sweep");
	size_t i = 0;
	if (t->s == NULL)
		return;
	for (const struct json *c = json_first(json_get(s, "classes")); c != NULL;
	     c = json_next(c), i++) {
		const struct verdict *v = t->s->classes[i].verdict;
		const char *read = v != NULL ? outcome_name(v->outcome) : "(none)";
		const char *said = json_get_string(c, "outcome", "(none)");
		ck_assert_msg(strcmp(read, said) == 0, "class %zu of %s: said %s, read %s", i,
			      t->dir, said, read);
	}
	ck_assert_uint_eq(i, t->s->class_count);
}

void sweep_try(struct sweep_try *ret, const struct sweep_room *room, const char *const *args)
{
	const char *all[SWEEP_TRY_ARGS + 8];
	struct program p;
	struct err e = { 0 };
	*ret = (struct sweep_try){ 0 };
	command(all, room, args);
	program_run(&p, all);
	ck_assert_msg(p.out.len > 0, "exit %d: %s", p.exit, buf_str(&p.err));
	ret->exit = p.exit;
	ret->report = program_json(&p);
	(void)snprintf(ret->dir, sizeof(ret->dir), "%s/%s", room->runs,
		       json_get_string(json_root(ret->report), "run", "?"));
	MUST(run_load(&ret->run, ret->dir, &e));
	ret->s = run_view(ret->run)->sweep;
	ret->err = p.err;
	p.err = (struct buf){ 0 };
	program_free(&p);
	judged_alike(ret);
}

pid_t sweep_try_start(const struct sweep_room *room, const char *const *args)
{
	const char *all[SWEEP_TRY_ARGS + 8];
	command(all, room, args);
	return program_start(all);
}

void sweep_try_free(struct sweep_try *t)
{
	run_free(t->run);
	json_doc_free(t->report);
	buf_free(&t->err);
}

void sweep_room_last(const struct sweep_room *room, char *ret, size_t len)
{
	GUARD(mem) char *last = mem_strdup("");
	GUARD(dir) DIR *d = opendir(room->runs);
	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
		if (de->d_name[0] == '.' || de->d_name[0] == 'l' || strcmp(de->d_name, last) < 0)
			continue;
		free(last);
		last = mem_strdup(de->d_name);
	}
	(void)snprintf(ret, len, "%s/%s", room->runs, last);
}

/* ---- comparing ---- */

static const struct sweep_point *find(const struct sweep *s, const struct sweep_point *p)
{
	for (size_t i = 0; i < s->point_count; i++)
		if (s->points[i].in_rollback == p->in_rollback &&
		    strcmp(s->points[i].step, p->step) == 0 &&
		    strcmp(s->points[i].key, p->key) == 0)
			return &s->points[i];
	return NULL;
}

static void put_changes(struct buf *out, const struct changes *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct change *c = &list->items[i];
		if (c->hidden_by != NULL)
			continue;
		buf_printf(out, "\n  %d %s %s", (int)c->what, c->node, c->key);
		for (size_t k = 0; k < c->attr_count; k++)
			buf_printf(out, " %s=%s", c->attrs[k].name,
				   c->attrs[k].after != NULL ? c->attrs[k].after : "-");
	}
}

/* All that a verdict says of a point but times and process ids. */
static void tell(struct buf *out, const struct sweep *s, const struct sweep_point *p)
{
	const struct verdict *v = s->classes[p->cls].verdict;
	buf_clear(out);
	if (v == NULL) {
		buf_puts(out, "not drilled");
		return;
	}
	buf_printf(out, "%s %s", outcome_name(v->outcome), v->culprit != NULL ? v->culprit : "-");
	put_changes(out, &v->residue);
	put_changes(out, &v->drift);
}

static void same_groups(const struct sweep *a, const struct sweep *b, const char *what)
{
	ck_assert_msg(a->group_count == b->group_count, "%s: %zu and %zu groups", what,
		      a->group_count, b->group_count);
	for (size_t i = 0; i < a->group_count; i++) {
		const struct sweep_group *x = &a->groups[i], *y = &b->groups[i];
		ck_assert_msg(x->outcome == y->outcome && strcmp(x->what, y->what) == 0 &&
				      x->points == y->points,
			      "%s: group %zu: %s at %zu, and %s at %zu points", what, i + 1,
			      x->what, x->points, y->what, y->points);
	}
}

void sweep_same(const struct sweep_try *a, const struct sweep_try *b, const char *what)
{
	GUARD_BUF struct buf x = { 0 };
	GUARD_BUF struct buf y = { 0 };
	ck_assert_ptr_nonnull(a->s);
	ck_assert_ptr_nonnull(b->s);
	ck_assert_msg(a->s->point_count == b->s->point_count, "%s: %zu and %zu points", what,
		      a->s->point_count, b->s->point_count);
	for (size_t i = 0; i < a->s->point_count; i++) {
		const struct sweep_point *p = &a->s->points[i], *q = find(b->s, p);
		ck_assert_msg(q != NULL, "%s: no '%s' in the other", what, p->key);
		tell(&x, a->s, p);
		tell(&y, b->s, q);
		ck_assert_msg(strcmp(buf_str(&x), buf_str(&y)) == 0, "%s: at '%s' %s\nand %s", what,
			      p->key, buf_str(&x), buf_str(&y));
	}
	same_groups(a->s, b->s, what);
}

size_t sweep_points_of(const struct sweep_try *t, enum outcome o)
{
	struct sweep_counts n;
	sweep_count(t->s, &n);
	return n.points_of[o];
}

size_t sweep_classes_how(const struct sweep_try *t, enum sweep_how how)
{
	size_t n = 0;
	for (size_t i = 0; i < t->s->class_count; i++)
		n += t->s->classes[i].how == how;
	return n;
}

void sweep_is_complete(const struct sweep_try *t)
{
	ck_assert_ptr_nonnull(t->s);
	for (size_t i = 0; i < t->s->class_count; i++)
		ck_assert_msg(t->s->classes[i].verdict != NULL, "%s: class %zu is not drilled",
			      t->dir, i);
	ck_assert_msg(t->s->complete, "%s is not complete", t->dir);
	ck_assert_ptr_null(t->s->cut);
}

void sweep_add_case(Suite *s, const char *name, const TTest *test, int times)
{
	TCase *c = tcase_create(name);
	tcase_set_timeout(c, SWEEP_TEST_S_MAX);
	tcase_add_loop_test(c, test, 0, times);
	suite_add_tcase(s, c);
}
