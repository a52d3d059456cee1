/* SPDX-License-Identifier: MIT */
/* `backout doctor [SCENARIO]`: what this host lacks, tried for real. */
#include <stdio.h>

#include "harness/base/buf.h"
#include "harness/base/log.h"
#include "harness/cli/options.h"
#include "harness/cli/settings.h"
#include "harness/engine/catalog.h"
#include "harness/engine/needs.h"
#include "harness/model/plan.h"
#include "harness/sandbox/cgroup.h"
#include "harness/sandbox/host.h"

extern const struct command command_doctor;

static int needs_of(const char *file, const struct pairs *vars, uint64_t *ret, struct err *e)
{
	const struct plan_options options = { .vars = vars };
	struct plan_doc *doc = NULL;
	if (plan_load(&doc, file, catalog_get(), &options, e) < 0)
		return -1;
	*ret = host_needs(plan_get(doc));
	plan_free(doc);
	return 0;
}

/* What was looked for, what is optional of it (for no scenario in particular), what came of it. */
struct diagnosis {
	uint64_t set, some;
	struct host_result results[HOST_FEATURE_COUNT];
	unsigned lacking, lacking_some; /* the latter: of `some` */
};

static bool is_some(const struct diagnosis *d, int f)
{
	return (d->some & HOST_BIT(f)) != 0;
}

static const char *word_of(const struct diagnosis *d, int f)
{
	if (!d->results[f].tried)
		return "?";
	if (d->results[f].ok)
		return "ok";
	return is_some(d, f) ? "lacks" : "LACKS";
}

static void print_sum(const struct diagnosis *d)
{
	if (d->lacking > 0)
		(void)printf("this host lacks %u of these\n", d->lacking + d->lacking_some);
	else if (d->lacking_some > 0)
		(void)printf("this host has all that most scenarios need (cgroups: %s); %u that "
			     "only some need it lacks: `backout doctor SCENARIO` tells for one\n",
			     cgroup_mode_name(cgroup_mode()), d->lacking_some);
	else
		(void)printf("this host has all that is needed (cgroups: %s)\n",
			     cgroup_mode_name(cgroup_mode()));
}

static void print_text(const struct diagnosis *d)
{
	for (int f = 0; f < HOST_FEATURE_COUNT; f++) {
		const struct host_result *r = &d->results[f];
		if (!r->asked)
			continue;
		(void)printf("%-5s %-26s %s\n", word_of(d, f),
			     host_feature_name((enum host_feature)f), r->detail);
		if (r->tried && !r->ok)
			(void)printf("      %s %s\n      way out: %s\n",
				     is_some(d, f) ? "only for:" : "needed by:",
				     host_feature_needs((enum host_feature)f),
				     host_feature_out((enum host_feature)f));
	}
	print_sum(d);
}

static void print_json(const struct diagnosis *d)
{
	GUARD_BUF struct buf b = { 0 };
	buf_printf(&b, "{\"ok\":%s,\"cgroups\":\"%s\",\"features\":[",
		   d->lacking == 0 ? "true" : "false", cgroup_mode_name(cgroup_mode()));
	bool first = true;
	for (int f = 0; f < HOST_FEATURE_COUNT; f++) {
		const struct host_result *r = &d->results[f];
		if (!r->asked)
			continue;
		buf_printf(&b, "%s{\"name\":", first ? "" : ",");
		buf_json(&b, host_feature_name((enum host_feature)f));
		buf_printf(&b, ",\"tried\":%s,\"ok\":%s,\"optional\":%s,\"detail\":",
			   r->tried ? "true" : "false", r->ok ? "true" : "false",
			   is_some(d, f) ? "true" : "false");
		buf_json(&b, r->detail);
		buf_puts(&b, ",\"needed_by\":");
		buf_json(&b, host_feature_needs((enum host_feature)f));
		buf_puts(&b, ",\"way_out\":");
		buf_json(&b, host_feature_out((enum host_feature)f));
		buf_putc(&b, '}');
		first = false;
	}
	buf_puts(&b, "]}\n");
	(void)fputs(buf_str(&b), stdout);
}

static void diagnose(struct diagnosis *d, const char *state_dir)
{
	host_check(d->set, state_dir, d->results);
	for (int f = 0; f < HOST_FEATURE_COUNT; f++)
		if (d->results[f].tried && !d->results[f].ok)
			*(is_some(d, f) ? &d->lacking_some : &d->lacking) += 1;
}

static int doctor_run(int argc, char **argv)
{
	struct err e = { 0 };
	const char *state = NULL;
	struct pairs vars = { 0 };
	bool json = false;
	struct arguments args;
	const struct option_row rows[] = {
		{ "json", OPTION_FLAG, &json, NULL, "for programs" },
		{ "var", OPTION_PAIRS, &vars, "NAME=VALUE", "set a variable of the scenario" },
		OPTION_ROW_STATE(state),
		{ 0 },
	};
	OPTIONS_OR_RETURN(&command_doctor, rows, argc, argv, &args, &e);
	struct diagnosis d = { .set = HOST_ALL, .some = host_needs_some() };
	int result = options_need(&command_doctor, &args, 0, 1, &e);
	if (result == 0 && args.count > 0) {
		result = needs_of(args.items[0], &vars, &d.set, &e);
		d.some = 0; /* it asks for all of these */
	}
	options_free(&args);
	options_free_pairs(&vars);
	if (result < 0)
		return log_err(&e);

	diagnose(&d, settings_state(state));
	if (json)
		print_json(&d);
	else
		print_text(&d);
	return d.lacking == 0 ? EXIT_OK : EXIT_UNAVAILABLE;
}

const struct command command_doctor = {
	.name = "doctor",
	.help = "say what this host lacks (for a scenario, or for any)",
	.usage = "[SCENARIO] [--var NAME=VALUE]... [--json] [--state DIR]",
	.run = doctor_run,
	.as_root = true,
};
