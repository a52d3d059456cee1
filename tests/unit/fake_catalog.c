/* SPDX-License-Identifier: MIT */
#include "tests/unit/fake_catalog.h"

#include <string.h>

static const char *const target_names[] = { "runner", "tree", "program", NULL };
static const struct param kill_rows[] = {
	{ .name = "target",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct fake_kill, target),
	  .names = target_names,
	  .def = "runner",
	  .help = "whom to kill" },
	{ .name = "program",
	  .type = PARAM_PATH,
	  .offset = offsetof(struct fake_kill, program),
	  .help = "which program" },
	{ .name = "signal",
	  .type = PARAM_SIGNAL,
	  .offset = offsetof(struct fake_kill, signal),
	  .def = "KILL",
	  .help = "by which signal" },
	{ 0 },
};
static const struct param link_rows[] = {
	{ .name = "node",
	  .type = PARAM_NODE,
	  .offset = offsetof(struct fake_node, node),
	  .required = true,
	  .linked = true,
	  .help = "whose link to cut" },
	{ .name = "switch",
	  .type = PARAM_NAME,
	  .offset = offsetof(struct fake_node, on),
	  .is_switch = true,
	  .help = "which one" },
	{ 0 },
};
static const struct param power_rows[] = {
	{ .name = "node",
	  .type = PARAM_NODE,
	  .offset = offsetof(struct fake_node, node),
	  .on_disk = true,
	  .help = "whose power" },
	{ 0 },
};
static const char *const script_names[] = { "preinst", "postinst", "prerm", "postrm", NULL };
#define PACKAGE_ROWS                                                                               \
	{ .name = "node",                                                                          \
	  .type = PARAM_NODE,                                                                      \
	  .offset = offsetof(struct fake_package, node),                                           \
	  .required = true,                                                                        \
	  .help = "where the archive lies" },                                                      \
		{ .name = "deb",                                                                   \
		  .type = PARAM_PATH,                                                              \
		  .offset = offsetof(struct fake_package, deb),                                    \
		  .required = true,                                                                \
		  .help = "the archive" },                                                         \
	{                                                                                          \
		.name = "reindex", .type = PARAM_STRING,                                           \
		.offset = offsetof(struct fake_package, reindex), .help = "run after the change"   \
	}
static const struct param script_rows[] = {
	PACKAGE_ROWS,
	{ .name = "script",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct fake_package, word),
	  .names = script_names,
	  .def = "postinst",
	  .help = "which of its scripts" },
	{ .name = "exit",
	  .type = PARAM_UINT,
	  .offset = offsetof(struct fake_package, exit),
	  .def = "1",
	  .min = 1,
	  .max = 255,
	  .help = "how it ends" },
	{ 0 },
};
static const char *const corrupt_names[] = { "hash", "archive", NULL };
static const struct param corrupt_rows[] = {
	PACKAGE_ROWS,
	{ .name = "kind",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct fake_package, word),
	  .names = corrupt_names,
	  .required = true,
	  .help = "what is wrong with it" },
	{ 0 },
};

static const char *const edge_names[] = { "start", "end", NULL };
static const struct param edge_rows[] = {
	{ .name = "at",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct fake_edge, at),
	  .names = edge_names,
	  .def = "start",
	  .help = "which edge of the step" },
	{ 0 },
};
static const struct param program_rows[] = {
	{ .name = "path",
	  .type = PARAM_PATH,
	  .offset = offsetof(struct fake_program, path),
	  .required = true,
	  .help = "which program" },
	{ .name = "nth",
	  .type = PARAM_UINT,
	  .offset = offsetof(struct fake_program, nth),
	  .def = "1",
	  .min = 1,
	  .help = "its how manieth start" },
	{ 0 },
};
static const struct param bytes_rows[] = {
	{ .name = "link",
	  .type = PARAM_NODE,
	  .offset = offsetof(struct fake_bytes, link),
	  .required = true,
	  .linked = true,
	  .help = "whose link" },
	{ .name = "over",
	  .type = PARAM_SIZE,
	  .offset = offsetof(struct fake_bytes, over),
	  .required = true,
	  .min = 1,
	  .help = "after how many bytes" },
	{ 0 },
};
static const struct param elapsed_rows[] = {
	{ .name = "after",
	  .type = PARAM_DURATION,
	  .offset = offsetof(struct fake_elapsed, after),
	  .required = true,
	  .help = "how long after the step's start" },
	{ 0 },
};

static const struct param http_rows[] = {
	{ .name = "url",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct fake_http, url),
	  .required = true,
	  .help = "what to ask for" },
	{ 0 },
};
static const struct param http_expect[] = {
	{ .name = "status",
	  .type = PARAM_UINT,
	  .offset = offsetof(struct fake_http, status),
	  .def = "200",
	  .min = 100,
	  .max = 999,
	  .help = "status of the answer" },
	{ .name = "body",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct fake_http, body),
	  .help = "part of the answer" },
	{ 0 },
};
static const struct param tcp_rows[] = {
	{ .name = "address",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct fake_tcp, address),
	  .required = true,
	  .help = "node:port" },
	{ 0 },
};
static const struct param run_rows[] = {
	{ .name = "run",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct fake_run, run),
	  .required = true,
	  .help = "shell command" },
	{ 0 },
};
static const struct param run_expect[] = {
	{ .name = "exit",
	  .type = PARAM_UINT,
	  .offset = offsetof(struct fake_run, exit),
	  .def = "0",
	  .max = 255,
	  .help = "its exit code" },
	{ .name = "stdout",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct fake_run, stdout_text),
	  .help = "all that it prints" },
	{ 0 },
};

static const char *check_edge(const void *params)
{
	const struct fake_edge *edge = params;
	return edge->at >= 0 ? NULL : "an edge that is none";
}

#define KIND(id, text, rows, type)                                                                 \
	static const struct kind id = {                                                            \
		.name = (text), .help = (text), .params = (rows), .size = sizeof(struct type)
KIND(process_kill, "process.kill", kill_rows, fake_kill)
}
;
KIND(link_down, "link.down", link_rows, fake_node), .shorthand = "node", .lasting = true
}
;
KIND(node_power, "node.power", power_rows, fake_node), .shorthand = "node", .lasting = true,
						       .on_disk = true
}
;
KIND(package_script, "package.script", script_rows, fake_package), .lasting = true
}
;
KIND(package_corrupt, "package.corrupt", corrupt_rows, fake_package), .lasting = true
}
;
KIND(edge_kind, "edge", edge_rows, fake_edge), .shorthand = "at", .check = check_edge
}
;
KIND(program, "program", program_rows, fake_program), .shorthand = "path"
}
;
KIND(bytes, "bytes", bytes_rows, fake_bytes)
}
;
KIND(elapsed, "elapsed", elapsed_rows, fake_elapsed), .shorthand = "after"
}
;
KIND(http, "http", http_rows, fake_http), .shorthand = "url", .expect = http_expect
}
;
KIND(tcp, "tcp", tcp_rows, fake_tcp), .shorthand = "address"
}
;
KIND(run, "run", run_rows, fake_run), .shorthand = "run", .expect = run_expect
}
;

static const struct kind *const injector_list[] = { &link_down,       &node_power,
						    &package_corrupt, &package_script,
						    &process_kill,    NULL };
static const struct kind *const trigger_list[] = { &bytes, &edge_kind, &elapsed, &program, NULL };
static const struct kind *const probe_list[] = { &http, &run, &tcp, NULL };
const struct catalog fake_catalog = {
	.injectors = injector_list,
	.triggers = trigger_list,
	.probes = probe_list,
};
