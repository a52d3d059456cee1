/* SPDX-License-Identifier: MIT */
#include "tests/unit/report_fixture.h"

#include <check.h>
#include <string.h>

#include "harness/base/clock.h"

#define MS NS_PER_MS

static const struct kind kill_kind = { .name = "process.kill" };
static const struct kind down_kind = { .name = "link.down", .lasting = true };
static const struct kind program_kind = { .name = "program", .exact = true };
static const struct kind elapsed_kind = { .name = "elapsed" };

static const char *const mask_names[] = { "debian-apt", NULL };
static const struct ignore_plan ignores[] = {
	{ "/var/log/nginx/**", "access log", COMPARE_NOTHING },
	{ "/var/cache/never/**", "a cache", COMPARE_NOTHING },
};
static struct rollback_plan rollbacks[] = { { .name = "reinstall-old" } };
static const struct fault_plan faults[] = {
	{ .name = "dpkg killed",
	  .slug = "dpkg-killed",
	  .injector = &kill_kind,
	  .trigger = &program_kind,
	  .expect = OUTCOME_BIT(OUTCOME_RESTORED) },
	{ .name = "mirror <gone> & \"back\"",
	  .slug = "mirror-gone",
	  .injector = &down_kind,
	  .trigger = &elapsed_kind,
	  .expect = OUTCOME_BIT(OUTCOME_RESTORED) | OUTCOME_BIT(OUTCOME_HARMLESS) },
	{ .name = "never there",
	  .slug = "never-there",
	  .injector = &kill_kind,
	  .trigger = &program_kind,
	  .expect = OUTCOME_BIT(OUTCOME_RESTORED) },
	{ .name = "cut short",
	  .slug = "cut-short",
	  .injector = &kill_kind,
	  .trigger = &program_kind,
	  .expect = OUTCOME_BIT(OUTCOME_RESTORED) },
};

static const struct plan plan = {
	.title = "Upgrade & back out",
	.file = "scenario.json",
	.slug = "upgrade",
	.window = { .target = 60000 * MS,
		    .recovery = 20000 * MS,
		    .settle = 1000 * MS,
		    .give_up = 90000 * MS },
	.rollbacks = rollbacks,
	.rollback_count = 1,
	.state = { .masks = { (const char **)mask_names, 1 }, .ignore = { (void *)ignores, 2 } },
	.digest = "00112233445566778899aabbccddeeff",
};

static struct change_attr size_attr[] = { { "size", "10", "2000" }, { "mode", "0644", NULL } };
static struct change_attr type_attr[] = { { "type", NULL, "file" } };
static struct change residue[] = {
	{ .kind = STATE_FILE,
	  .what = CHANGE_ADDED,
	  .node = "web",
	  .key = "/usr/sbin/nginx.dpkg-new",
	  .attrs = type_attr,
	  .attr_count = 1 },
	{ .kind = STATE_FILE,
	  .what = CHANGE_CHANGED,
	  .node = "web",
	  .key = "/etc/odd\x1b[31m\xff<&>\"",
	  .owner = "nginx-common",
	  .attrs = size_attr,
	  .attr_count = 2 },
	{ .kind = STATE_PACKAGE, .what = CHANGE_REMOVED, .node = "web", .key = "nginx:amd64" },
	{ .kind = STATE_FILE,
	  .what = CHANGE_CHANGED,
	  .node = "web",
	  .key = "/var/lib/dpkg/status-old",
	  .hidden_by = "debian-apt",
	  .hidden_why = "one run ago" },
	{ .kind = STATE_FILE,
	  .what = CHANGE_CHANGED,
	  .node = "web",
	  .key = "/var/cache/debconf/templates.dat-old",
	  .hidden_by = "debian-apt",
	  .hidden_why = "one run ago" },
	{ .kind = STATE_FILE,
	  .what = CHANGE_ADDED,
	  .node = "web",
	  .key = "/var/log/nginx/access.log",
	  .hidden_by = "/var/log/nginx/**",
	  .hidden_why = "access log" },
};
static struct change noise[] = {
	{ .kind = STATE_FILE,
	  .what = CHANGE_CHANGED,
	  .node = "web",
	  .key = "/etc/random-seed",
	  .attrs = size_attr,
	  .attr_count = 1 },
};

static const char journal_text[] =
	"{\"t\":0,\"event\":\"drill.begin\",\"role\":\"drill\",\"fault\":\"dpkg "
	"killed\",\"seed\":\"7\"}\n"
	"{\"t\":50000000,\"event\":\"node.up\",\"node\":\"web\",\"took\":4000000}\n"
	"{\"t\":400000000,\"event\":\"steady.before\",\"ok\":true}\n"
	"{\"t\":1000000000,\"event\":\"patch.begin\"}\n"
	"{\"t\":1000100000,\"event\":\"step.begin\",\"section\":\"patch\",\"step\":\"install\","
	"\"node\":\"web\"}\n"
	"{\"t\":1200000000,\"event\":\"trigger.hit\",\"kind\":\"program\",\"exact\":true,"
	"\"detail\":\"start 1 of /usr/bin/dpkg\"}\n"
	"{\"t\":1200200000,\"event\":\"fault.applied\",\"detail\":\"KILL to /usr/bin/dpkg\"}\n"
	"{\"t\":1200400000,\"event\":\"fault.felt\",\"evidence\":\"reaped by signal 9\"}\n"
	"{\"t\":1300000000,\"event\":\"step.end\",\"section\":\"patch\",\"step\":\"install\","
	"\"ok\":false,\"took\":299900000,\"why\":\"exit 100\\u001b[2J\"}\n"
	"{\"t\":1300100000,\"event\":\"patch.end\",\"ok\":false,\"why\":\"step install failed\"}\n"
	"{\"t\":1300200000,\"event\":\"detected\",\"by\":\"step_failed\",\"why\":\"install: exit "
	"100\"}\n"
	"{\"t\":1300300000,\"event\":\"fault.undone\",\"verified\":true}\n"
	"{\"t\":1300400000,\"event\":\"rollback.begin\",\"rollback\":\"reinstall-old\"}\n"
	"{\"t\":2300000000,\"event\":\"rollback.end\",\"ok\":true}\n"
	"{\"t\":3400000000,\"event\":\"healthy\",\"since\":2400000000,\"settle\":1000000000,"
	"\"resolution\":50000000}\n"
	"{\"t\":3500000000,\"event\":\"teardown\",\"took\":20000000,\"leftovers\":0}\n";
static const char sealed_line[] =
	"{\"t\":3500100000,\"event\":\"sealed\",\"events\":17,\"peak_rss\":8388608}\n";

static struct journal *read_journal(bool sealed)
{
	struct err e = { 0 };
	struct journal *j;
	struct buf text = { 0 };
	buf_puts(&text, journal_text);
	buf_puts(&text, sealed ? sealed_line : "{\"t\":35");
	if (journal_parse(&j, "fixture", buf_str(&text), text.len, &e) < 0)
		ck_abort_msg("%s", e.why);
	buf_free(&text);
	return j;
}

static const struct timing no_times = { -1, -1, -1, -1, -1, -1 };
static const struct timing some_times = { 1400 * MS, 1200 * MS, 100 * MS, 0, 1000 * MS, 100 * MS };

static void verdicts_make(struct verdict *v)
{
	for (int i = 0; i < 2; i++)
		v[i] = (struct verdict){ .outcome = OUTCOME_RESTORED,
					 .pass = true,
					 .why = "clean rollback",
					 .timing = some_times };
	v[2] = (struct verdict){ .outcome = OUTCOME_RESTORED,
				 .pass = true,
				 .why = "back at B",
				 .timing = some_times,
				 .strike = "KILL to /usr/bin/dpkg",
				 .felt = "reaped by signal 9",
				 .findings = { { OUTCOME_RESTORED, "back at B" } },
				 .finding_count = 1 };
	v[4] = (struct verdict){ .outcome = OUTCOME_RESIDUE,
				 .why = "3 entries are not as before",
				 .timing = some_times,
				 .strike = "link of mirror down",
				 .felt = "3 frames lost",
				 .detected = "step_failed: fetch",
				 .residue = { residue, 6 },
				 .residue_visible = 3,
				 .findings = { { OUTCOME_RESIDUE, "3 entries are not as before" },
					       { OUTCOME_LATE, "recovery 21 s > 20 s" } },
				 .finding_count = 2 };
	v[5] = (struct verdict){ .outcome = OUTCOME_NOT_REACHED,
				 .why = "the trigger never hit",
				 .unstable = true,
				 .timing = no_times };
	v[6] = (struct verdict){ .outcome = OUTCOME_ABORTED,
				 .why = "the journal is not sealed",
				 .timing = no_times };
}

void fixture_make(struct fixture *f)
{
	static const struct {
		const char *label;
		enum drill_role role;
		int fault; /* -1: none */
	} rows[] = {
		{ "control-a", ROLE_CONTROL, -1 },
		{ "control-b", ROLE_CONTROL, -1 },
		{ "drills/dpkg-killed", ROLE_DRILL, 0 },
		{ "knockouts/dpkg-killed", ROLE_KNOCKOUT, 0 },
		{ "drills/mirror-gone", ROLE_DRILL, 1 },
		{ "drills/never-there", ROLE_DRILL, 2 },
		{ "drills/cut-short", ROLE_DRILL, 3 },
	};
	memset(f, 0, sizeof(*f));
	f->journal = read_journal(true);
	f->torn = read_journal(false);
	verdicts_make(f->verdicts);
	for (size_t i = 0; i < 7; i++)
		f->items[i] = (struct report_item){
			.label = rows[i].label,
			.role = rows[i].role,
			.fault = rows[i].fault >= 0 ? &faults[rows[i].fault] : NULL,
			.verdict = rows[i].role == ROLE_KNOCKOUT ? NULL : &f->verdicts[i],
			.journal = i == 6 ? f->torn : f->journal,
		};
	f->controls = (struct verdict_run){ .outcome = OUTCOME_RESIDUE,
					    .exit = EXIT_FAILED,
					    .noise = { noise, 1 } };
	f->input = (struct report_input){
		.plan = &plan,
		.id = "20261123T120000-upgrade-4f2a",
		.dir = "runs/20261123T120000-upgrade-4f2a",
		.items = f->items,
		.count = 7,
		.controls = &f->controls,
		.exit = EXIT_FAILED,
	};
}

void fixture_free(struct fixture *f)
{
	journal_free(f->journal);
	journal_free(f->torn);
}
