/* SPDX-License-Identifier: MIT */
/* The JSON Schema of a scenario, from the tables that parse it. */
#include "harness/model/plan_parts.h"

/* "http":{...},"tcp":{...} */
static void kind_properties(struct buf *out, const struct kind *const *kinds)
{
	for (size_t i = 0; kinds[i] != NULL; i++) {
		const struct param row = { .name = kinds[i]->name,
					   .type = PARAM_OBJECT,
					   .sub = kinds[i]->params,
					   .shorthand = kinds[i]->shorthand,
					   .help = kinds[i]->help };
		buf_puts(out, i > 0 ? "," : "");
		buf_json(out, row.name);
		buf_putc(out, ':');
		param_schema_row(out, &row);
	}
}

/* {"required":["http"]},{"required":["tcp"]} */
static void kind_required(struct buf *out, const struct kind *const *kinds)
{
	for (size_t i = 0; kinds[i] != NULL; i++) {
		buf_puts(out, i > 0 ? "," : "");
		buf_puts(out, "{\"required\":[");
		buf_json(out, kinds[i]->name);
		buf_puts(out, "]}");
	}
}

static void open_object(struct buf *out, const char *name)
{
	buf_printf(out, ",\n\"%s\":{\"type\":\"object\",\"additionalProperties\":false,", name);
}

/* Which `expect` a probe takes follows from its kind. */
static void probe_expect(struct buf *out, const struct kind *const *kinds)
{
	buf_puts(out, ",\"dependentSchemas\":{");
	for (size_t i = 0; kinds[i] != NULL; i++) {
		bool takes = kinds[i]->expect != NULL && kinds[i]->expect[0].type != PARAM_END;
		buf_puts(out, i > 0 ? "," : "");
		buf_json(out, kinds[i]->name);
		buf_puts(out, ":{\"properties\":{\"expect\":");
		if (takes)
			param_schema(out, kinds[i]->expect, NULL);
		else
			buf_puts(out, "false");
		buf_puts(out, "}}");
	}
	buf_putc(out, '}');
}

static void probe_schema(struct buf *out, const struct catalog *catalog)
{
	open_object(out, "probe");
	buf_puts(out, "\"properties\":{");
	param_schema_properties(out, plan_probe_rows);
	buf_putc(out, ',');
	kind_properties(out, catalog->probes);
	buf_puts(out, "},\"not\":{\"required\":[\"on\",\"from\"]},\"oneOf\":[");
	kind_required(out, catalog->probes);
	buf_putc(out, ']');
	probe_expect(out, catalog->probes);
	buf_putc(out, '}');
}

static void command_schema(struct buf *out, const char *name, const struct param *rows)
{
	buf_printf(out,
		   ",\n\"%s\":{\"oneOf\":[{\"required\":[\"run\"]},{\"required\":[\"exec\"]}],"
		   "\"allOf\":[",
		   name);
	param_schema(out, rows, NULL);
	buf_puts(out, "]}");
}

static void fault_schema(struct buf *out, const struct catalog *catalog)
{
	open_object(out, "inject");
	buf_puts(out, "\"minProperties\":1,\"maxProperties\":1,\"properties\":{");
	kind_properties(out, catalog->injectors);
	buf_puts(out, "}}");
	open_object(out, "at");
	buf_puts(out, "\"minProperties\":1,\"properties\":{");
	param_schema_properties(out, plan_at_rows);
	buf_putc(out, ',');
	kind_properties(out, catalog->triggers);
	buf_puts(out, "},\"oneOf\":[{\"not\":{\"anyOf\":[");
	kind_required(out, catalog->triggers);
	buf_puts(out, "]}},");
	kind_required(out, catalog->triggers);
	buf_puts(out, "]},\n\"strike\":");
	param_schema(out, plan_strike_rows, NULL);
	buf_puts(out, ",\n\"fault\":");
	param_schema(out, plan_fault_rows, NULL);
}

void plan_schema(const struct catalog *catalog, struct buf *out)
{
	buf_puts(out, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
		      "\"title\":\"backout scenario\",\"type\":\"object\","
		      "\"additionalProperties\":false,\n\"properties\":{");
	param_schema_properties(out, plan_top_rows);
	buf_puts(out,
		 "},\n\"anyOf\":[{\"required\":[\"include\"]},{\"required\":[\"nodes\",\"patch\","
		 "\"rollback\",\"rollbacks\"]}],\n\"$defs\":{\n\"node\":");
	param_schema(out, plan_node_rows, NULL);
	command_schema(out, "step", plan_step_rows);
	buf_puts(out, ",\n\"rollback\":");
	param_schema(out, plan_rollback_rows, NULL);
	probe_schema(out, catalog);
	fault_schema(out, catalog);
	buf_puts(out, "}}\n");
}
