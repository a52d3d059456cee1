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

static const char *word_of(const struct host_result *r)
{
	if (!r->tried)
		return "?";
	return r->ok ? "ok" : "LACKS";
}

static void print_text(const struct host_result *results, unsigned lacking)
{
	for (int f = 0; f < HOST_FEATURE_COUNT; f++) {
		const struct host_result *r = &results[f];
		if (!r->asked)
			continue;
		(void)printf("%-5s %-26s %s\n", word_of(r), host_feature_name((enum host_feature)f),
			     r->detail);
		if (r->tried && !r->ok)
			(void)printf("      needed by: %s\n      way out: %s\n",
				     host_feature_needs((enum host_feature)f),
				     host_feature_out((enum host_feature)f));
	}
	if (lacking == 0)
		(void)printf("this host has all that is needed (cgroups: %s)\n",
			     cgroup_mode_name(cgroup_mode()));
	else
		(void)printf("this host lacks %u of these\n", lacking);
}

static void print_json(const struct host_result *results, unsigned lacking)
{
	GUARD_BUF struct buf b = { 0 };
	buf_printf(&b, "{\"ok\":%s,\"cgroups\":\"%s\",\"features\":[",
		   lacking == 0 ? "true" : "false", cgroup_mode_name(cgroup_mode()));
	bool first = true;
	for (int f = 0; f < HOST_FEATURE_COUNT; f++) {
		if (!results[f].asked)
			continue;
		buf_printf(&b, "%s{\"name\":", first ? "" : ",");
		buf_json(&b, host_feature_name((enum host_feature)f));
		buf_printf(&b, ",\"tried\":%s,\"ok\":%s,\"detail\":",
			   results[f].tried ? "true" : "false", results[f].ok ? "true" : "false");
		buf_json(&b, results[f].detail);
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
	uint64_t set = HOST_ALL;
	int result = options_need(&command_doctor, &args, 0, 1, &e);
	if (result == 0 && args.count > 0)
		result = needs_of(args.items[0], &vars, &set, &e);
	options_free(&args);
	options_free_pairs(&vars);
	if (result < 0)
		return log_err(&e);

	struct host_result results[HOST_FEATURE_COUNT];
	unsigned lacking = 0;
	host_check(set, settings_state(state), results);
	for (int f = 0; f < HOST_FEATURE_COUNT; f++)
		lacking += results[f].tried && !results[f].ok;
	if (json)
		print_json(results, lacking);
	else
		print_text(results, lacking);
	return lacking == 0 ? EXIT_OK : EXIT_UNAVAILABLE;
}

const struct command command_doctor = {
	.name = "doctor",
	.help = "say what this host lacks (for a scenario, or for everything)",
	.usage = "[SCENARIO] [--var NAME=VALUE]... [--json] [--state DIR]",
	.run = doctor_run,
};
