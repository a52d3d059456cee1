/* SPDX-License-Identifier: MIT */
/* `backout schema`: the JSON Schema of scenarios, for editors and validators. */
#include <stdio.h>

#include "harness/base/buf.h"
#include "harness/base/log.h"
#include "harness/cli/options.h"
#include "harness/engine/catalog.h"
#include "harness/model/plan.h"

extern const struct command command_schema;

static int schema_run(int argc, char **argv)
{
	struct err e = { 0 };
	struct arguments args;
	const struct option_row rows[] = { { 0 } };
	OPTIONS_OR_RETURN(&command_schema, rows, argc, argv, &args, &e);
	int result = options_need(&command_schema, &args, 0, 0, &e);
	options_free(&args);
	if (result < 0)
		return log_err(&e);
	GUARD_BUF struct buf out = { 0 };
	plan_schema(catalog_get(), &out);
	(void)fwrite(buf_str(&out), 1, out.len, stdout);
	if (out.len > 0 && out.data[out.len - 1] != '\n')
		(void)putchar('\n');
	return EXIT_OK;
}

const struct command command_schema = {
	.name = "schema",
	.help = "print the JSON Schema that scenarios follow",
	.usage = "",
	.run = schema_run,
};
