/* SPDX-License-Identifier: MIT */
#include "tests/unit/sweep_fixture.h"

#include <string.h>

#include "harness/base/clock.h"

enum { FIRST_ORPHAN = 100, FIRST_STRAY = 140, FIRST_CONFIG = 200, UNPACK = 40, CONFIGURE = 190 };

static bool fails(size_t point)
{
	return (point >= FIRST_ORPHAN && point < FIRST_ORPHAN + FIXTURE_ORPHANS) ||
	       (point >= FIRST_STRAY && point < FIRST_STRAY + FIXTURE_STRAYS) ||
	       (point >= FIRST_CONFIG && point < FIRST_CONFIG + FIXTURE_CONFIGS);
}

struct change sweep_fixture_change(struct sweep_fixture *f, enum change_what what, const char *key,
				   const char *owner, const char *value)
{
	struct change c = { .kind = STATE_FILE,
			    .what = what,
			    .node = "web",
			    .key = arena_strdup(f->arena, key),
			    .owner = owner };
	c.attrs = arena_alloc(f->arena, sizeof(*c.attrs));
	c.attrs[c.attr_count++] = what == CHANGE_CHANGED
					  ? (struct change_attr){ "size", "4000", value }
					  : (struct change_attr){ "type", NULL, value };
	return c;
}

void sweep_fixture_residue(struct sweep_fixture *f, size_t cls, const struct change *changes,
			   size_t count)
{
	struct verdict *v = &f->verdicts[cls];
	struct change *items = arena_alloc(f->arena, (count + 1) * sizeof(*items));
	memcpy(items, changes, count * sizeof(*items));
	*v = (struct verdict){
		.outcome = OUTCOME_RESIDUE,
		.why = arena_printf(f->arena,
				    "after the rollback the state differs from B in "
				    "%zu of its entries",
				    count),
		.strike = arena_printf(f->arena, "KILL to the step's tree; point; patch step '%s'",
				       f->points[f->classes[cls].first].step),
		.felt = arena_printf(f->arena, "process %zu reaped by signal 9", 4000 + cls),
		.detected = "step_failed: unpack: killed by signal 9",
		.timing = { .recovery = (int64_t)(cls + 1) * NS_PER_MS,
			    .window = (int64_t)(cls + 1) * NS_PER_MS },
		.residue = { items, count },
		.residue_visible = count,
	};
	v->findings[v->finding_count++] = (struct finding){ OUTCOME_RESIDUE, v->why };
}

static void fail_point(struct sweep_fixture *f, size_t point)
{
	static const char *const folders[] = { "/usr/bin", "/usr/share/demo", "/usr/lib/demo" };
	size_t cls = f->points[point].cls;
	struct change c;
	if (point >= FIRST_CONFIG)
		c = sweep_fixture_change(
			f, CHANGE_CHANGED,
			arena_printf(f->arena, "/etc/demo/part%zu.conf", point - FIRST_CONFIG),
			"demo", arena_printf(f->arena, "%zu", 5000 + point));
	else if (point >= FIRST_STRAY)
		c = sweep_fixture_change(f, CHANGE_ADDED,
					 arena_printf(f->arena, "%s/file%zu.dpkg-new",
						      point % 2 ? "/etc/demo" : "/usr/share/demo",
						      point - FIRST_STRAY),
					 NULL, "file");
	else
		c = sweep_fixture_change(f, CHANGE_ADDED,
					 arena_printf(f->arena, "%s/new%02zu", folders[point % 3],
						      point - FIRST_ORPHAN),
					 NULL, "file");
	sweep_fixture_residue(f, cls, &c, 1);
}

static void pass_class(struct sweep_fixture *f, size_t cls)
{
	bool harmless = f->classes[cls].first < UNPACK;
	f->verdicts[cls] = (struct verdict){
		.outcome = harmless ? OUTCOME_HARMLESS : OUTCOME_RESTORED,
		.pass = true,
		.why = "back at B",
		.timing = { .recovery = (int64_t)(cls + 1) * NS_PER_MS,
			    .window = (int64_t)(cls + 1) * NS_PER_MS },
	};
}

static void make_points(struct sweep_fixture *f)
{
	for (size_t i = 0; i < FIXTURE_POINTS; i++) {
		const char *step = i < UNPACK ? "refresh" : i < CONFIGURE ? "unpack" : "configure";
		f->points[i] = (struct sweep_point){
			.key = arena_printf(f->arena,
					    "renameat2 /srv/demo/f%03zu.dpkg-new "
					    "/srv/demo/f%03zu, in sh>dpkg, #1",
					    i, i),
			.step = step,
		};
	}
}

static void make_classes(struct sweep_fixture *f)
{
	struct sweep *s = &f->sweep;
	for (size_t i = 0; i < FIXTURE_POINTS; i++) {
		size_t last = s->class_count - 1;
		bool again = i > 0 && i % 3 != 0 && !fails(i) && !fails(i - 1) && i != UNPACK &&
			     i != CONFIGURE;
		if (again) {
			f->classes[last].points++;
			f->points[i].cls = last;
			continue;
		}
		f->points[i].cls = s->class_count;
		f->classes[s->class_count] = (struct sweep_class){
			.first = i,
			.points = 1,
			.how = SWEEP_BRANCH,
			.label = arena_printf(f->arena, "drills/kill-%04zu", i + 1),
			.verdict = &f->verdicts[s->class_count],
			.confirmed = OUTCOME_COUNT,
		};
		s->class_count++;
	}
}

void sweep_fixture_make(struct sweep_fixture *f)
{
	*f = (struct sweep_fixture){ .arena = arena_create() };
	f->points = arena_alloc(f->arena, FIXTURE_POINTS * sizeof(*f->points));
	f->classes = arena_alloc(f->arena, FIXTURE_POINTS * sizeof(*f->classes));
	f->verdicts = arena_alloc(f->arena, FIXTURE_POINTS * sizeof(*f->verdicts));
	f->sweep = (struct sweep){
		.strike = "kill",
		.kinds = "calls",
		.section = "patch",
		.points = f->points,
		.point_count = FIXTURE_POINTS,
		.classes = f->classes,
		.reduced = true,
		.complete = true,
		.took = 20 * NS_PER_S,
		.jobs = 4,
		.cores = 2,
	};
	make_points(f);
	make_classes(f);
	for (size_t c = 0; c < f->sweep.class_count; c++)
		pass_class(f, c);
	for (size_t i = 0; i < FIXTURE_POINTS; i++)
		if (fails(i))
			fail_point(f, i);
	f->classes[sweep_fixture_class(f, FIRST_ORPHAN)].confirmed = OUTCOME_RESIDUE;
	sweep_group_all(f->arena, &f->sweep);
}

void sweep_fixture_cut(struct sweep_fixture *f)
{
	static const char *const notes[] = { "writes are no points: --points has no such kind" };
	struct sweep *s = &f->sweep;
	size_t hang = sweep_fixture_class(f, 60), missed = sweep_fixture_class(f, 80);
	f->points[7].unstable = f->points[100].unstable = true;
	f->verdicts[hang] = (struct verdict){ .outcome = OUTCOME_STUCK,
					      .why = "rollback step 'reinstall' timed out: 30 s",
					      .culprit = "reinstall",
					      .timed_out = true,
					      .timing = { .recovery = -1, .window = -1 } };
	f->verdicts[missed] = (struct verdict){ .outcome = OUTCOME_NOT_REACHED,
						.why = "the point was not met in 30000 ms",
						.timing = { .recovery = -1, .window = -1 } };
	f->classes[hang].how = f->classes[missed].how = SWEEP_RERUN;
	f->classes[hang].why = f->classes[missed].why = "a service was running at the point";
	f->classes[sweep_fixture_class(f, FIRST_STRAY)].confirmed = OUTCOME_RESTORED;
	for (size_t c = sweep_fixture_class(f, 300); c < s->class_count; c++) {
		f->classes[c].verdict = NULL;
		f->classes[c].label = NULL;
	}
	s->complete = false;
	s->cut = "the budget of 20 s is spent";
	s->notes = notes;
	s->note_count = 1;
	sweep_group_all(f->arena, s);
}

size_t sweep_fixture_class(const struct sweep_fixture *f, size_t point)
{
	return f->points[point].cls;
}

void sweep_fixture_free(struct sweep_fixture *f)
{
	arena_destroy(f->arena);
}
