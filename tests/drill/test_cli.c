/* SPDX-License-Identifier: MIT */
/* The command line as a user meets it: exit codes and messages of every command, and of bad input.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/cgroup.h"
#include "tests/drill/program.h"
#include "tests/unit/runner.h"

Suite *suite_cli(void);

enum { ARGS_MAX = 8 };

#define TOY    "tests/drill/scenarios/toy.json"
#define POWER  "tests/drill/scenarios/power.json"
#define ABSENT "/nonexistent/backout"

/* Each message is part of what stands there; NULL: that stream must be empty. */
static const struct {
	const char *args[ARGS_MAX];
	int exit;
	const char *out, *err;
} cases[] = {
	/* the program itself */
	{ { NULL }, 64, NULL, "Usage: backout COMMAND" },
	{ { "--version" }, 0, "backout 0.", NULL },
	{ { "--help" }, 0, "Commands:", NULL },
	{ { "-h" }, 0, "Commands:", NULL },
	{ { "help" }, 0, "Commands:", NULL },
	{ { "help", "check" }, 0, "Usage: backout check FILE", NULL },
	{ { "help", "chekc" }, 64, NULL, "did you mean 'check'?" },
	{ { "raport" }, 64, NULL, "unknown command 'raport'; did you mean 'report'?" },
	{ { "xyzzy" }, 64, NULL, "unknown command 'xyzzy'; see `backout --help`" },
	/* options, by the one parser that all share */
	{ { "check", "--help" }, 0, "--var NAME=VALUE", NULL },
	{ { "check", "--rolback", "x" },
	  64,
	  NULL,
	  "unknown option --rolback; did you mean --rollback?" },
	{ { "check", "--qqqqqqqq" },
	  64,
	  NULL,
	  "unknown option --qqqqqqqq; see `backout check --help`" },
	{ { "check", "-v" }, 64, NULL, "options are written --name" },
	{ { "check", "--rollback" }, 64, NULL, "--rollback needs NAME" },
	{ { "check", "--rollback=" }, 64, NULL, "--rollback is empty" },
	{ { "check", "--var", "novalue" }, 64, NULL, "--var 'novalue': write NAME=VALUE" },
	{ { "check", "--var==x" }, 64, NULL, "--var '=x': write NAME=VALUE" },
	{ { "list", "--json=yes" }, 64, NULL, "--json takes no value" },
	{ { "check", "--", "--rollback" }, 65, NULL, "--rollback" },
	{ { "check" }, 64, NULL, "usage: backout check FILE" },
	{ { "show", "a", "b", "c" }, 64, NULL, "'c' is one too many" },
	/* check */
	{ { "check", "/nonexistent.json" }, 65, NULL, "/nonexistent.json" },
	{ { "check", "Makefile" }, 65, NULL, "Makefile:1:" },
	{ { "check", TOY, "--var", "root=/", "--rollback", "none-such" },
	  64,
	  NULL,
	  "no rollback \"none-such\"" },
	{ { "check", TOY, "--var", "root=/" }, 0, TOY ": ok (", NULL },
	{ { "check", "/nonexistent.json", TOY, "--var", "root=/" },
	  65,
	  TOY ": ok (",
	  "/nonexistent.json" },
	/* schema, list */
	{ { "schema" }, 0, "\"$schema\"", NULL },
	{ { "schema", "x" }, 64, NULL, "takes no arguments" },
	{ { "list" }, 0, "process.kill", NULL },
	{ { "list", "injectors" }, 0, "felt:", NULL },
	{ { "list", "triggers" }, 0, "strikes: exactly", NULL },
	{ { "list", "probes" }, 0, "http:", NULL },
	{ { "list", "masks" }, 0, "debian-apt", NULL },
	{ { "list", "reports" }, 0, "junit", NULL },
	{ { "list", "outcomes" }, 0, "not_reached", NULL },
	{ { "list", "probs" }, 64, NULL, "no kind 'probs'; did you mean 'probes'?" },
	{ { "list", "frobnicators" }, 64, NULL, "there are injectors, triggers" },
	{ { "list", "a", "b" }, 64, NULL, "'b' is one too many" },
	/* image, gc, doctor */
	{ { "image", "--state", ABSENT }, 0, "no images in", NULL },
	{ { "image", "list", "--state", ABSENT }, 0, "no images in", NULL },
	{ { "image", "list", "x" }, 64, NULL, "'x' is one too many" },
	{ { "image", "burn" }, 64, NULL, "write list, build or remove" },
	{ { "image", "build" }, 64, NULL, "write the scenario's file" },
	{ { "image", "remove" }, 64, NULL, "write the keys" },
	{ { "gc", "--state", ABSENT }, 0, "\n", NULL }, /* it may collect others' */
	{ { "gc", "x" }, 64, NULL, "takes no arguments" },
	{ { "doctor", "/nonexistent.json" }, 65, NULL, "/nonexistent.json" },
	{ { "doctor", "--state", "/proc/backout" }, 69, "LACKS state folder", NULL },
	/* report, show */
	{ { "report" }, 64, NULL, "usage: backout report RUN" },
	{ { "report", "last", "--runs", ABSENT }, 64, NULL, "no run 'last': open '" ABSENT "'" },
	{ { "report", "last", "--format", "jsn" },
	  64,
	  NULL,
	  "no report format 'jsn'; did you mean json" },
	{ { "report", "./tests" }, 64, NULL, "'./tests' is no run folder" },
	{ { "show", "zzz", "--runs", "tests" }, 64, NULL, "no run 'zzz' in 'tests'" },
	/* sweep: what cannot be done is not passed over */
	{ { "sweep", "--resume", "x", "y" }, 64, NULL, "takes no arguments, 'y' is one" },
	{ { "sweep", "--resume", "x", "--strike", "kill" }, 64, NULL, "leave --strike out" },
	{ { "sweep", "--resume", "x", "--no-reduce" }, 64, NULL, "leave --no-reduce out" },
	{ { "sweep", "--resume", "x", "--var=a=b" }, 64, NULL, "leave --var out" },
	{ { "sweep", TOY, "--var=root=/", "--rollback", "nothing,good,nothing" },
	  64,
	  NULL,
	  "'nothing' is named twice" },
	{ { "sweep", TOY, "--var=root=/", "--rollback", "," }, 64, NULL, "',' names no plan" },
	/* run: refused before anything is made */
	{ { "run" }, 64, NULL, "usage: backout run SCENARIO" },
	{ { "run", "/nonexistent.json" }, 65, NULL, "/nonexistent.json" },
	{ { "run", "Makefile" }, 65, NULL, "Makefile:1:" },
	{ { "run", TOY, "--var", "root=/", "--state", "/proc/backout" },
	  69,
	  NULL,
	  "this host lacks state folder" },
};

static void stream_is(const char *name, const struct buf *b, const char *want)
{
	if (want == NULL)
		ck_assert_msg(b->len == 0, "%s: %s", name, buf_str(b));
	else
		ck_assert_msg(strstr(buf_str(b), want) != NULL, "%s: no '%s' in: %s", name, want,
			      buf_str(b));
}

START_TEST(commands)
{
	struct program p;
	if (strcmp(cases[_i].args[0] != NULL ? cases[_i].args[0] : "", "run") == 0)
		TEST_NEEDS_ROOT();
	program_run(&p, cases[_i].args);
	ck_assert_msg(p.exit == cases[_i].exit, "exit %d instead of %d: %s%s", p.exit,
		      cases[_i].exit, buf_str(&p.out), buf_str(&p.err));
	stream_is("stdout", &p.out, cases[_i].out);
	stream_is("stderr", &p.err, cases[_i].err);
	program_free(&p);
}
END_TEST

static const char *const command_names[] = { "check",  "doctor", "gc",     "image", "list",
					     "report", "run",    "schema", "show" };

START_TEST(every_command_has_help)
{
	struct program p;
	PROGRAM(&p, command_names[_i], "--help");
	ck_assert_int_eq(p.exit, 0);
	stream_is("stdout", &p.out, "Usage: backout ");
	stream_is("stdout", &p.out, "--help");
	stream_is("stderr", &p.err, NULL);
	program_free(&p);
}
END_TEST

START_TEST(list_as_json)
{
	struct program p;
	PROGRAM(&p, "list", "--json");
	struct json_doc *doc = program_json(&p);
	static const struct {
		const char *list;
		size_t least;
	} want[] = { { "injectors", 4 }, { "triggers", 4 }, { "probes", 3 },
		     { "masks", 1 },     { "reports", 3 },  { "outcomes", 14 } };
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		ck_assert_msg(json_size(json_get(json_root(doc), want[i].list)) >= want[i].least,
			      "%s: %zu", want[i].list,
			      json_size(json_get(json_root(doc), want[i].list)));
	/* An injector that does not say what its words mean cannot be judged. */
	const struct json *injectors = json_get(json_root(doc), "injectors");
	for (const struct json *k = json_first(injectors); k != NULL; k = json_next(k)) {
		ck_assert_ptr_nonnull(json_get_string(k, "applied", NULL));
		ck_assert_ptr_nonnull(json_get_string(k, "felt", NULL));
		ck_assert_ptr_nonnull(json_get(k, "parameters"));
	}
	json_doc_free(doc);
	program_free(&p);
}
END_TEST

/* Editors read the shipped copy: `make schema` writes it. */
START_TEST(schema_is_as_shipped)
{
	struct program p;
	struct err e = { 0 };
	GUARD_BUF struct buf shipped = { 0 };
	PROGRAM(&p, "schema");
	struct json_doc *doc = program_json(&p);
	const struct json *root = json_root(doc);
	ck_assert_ptr_nonnull(json_get(json_get(root, "properties"), "patch"));
	ck_assert_ptr_nonnull(json_get(json_get(root, "properties"), "faults"));
	ck_assert(!json_get_bool(root, "additionalProperties", true));
	MUST(io_read_file(AT_FDCWD, "scenarios/schema.json", 1 << 20, &shipped, &e));
	ck_assert_msg(strcmp(buf_str(&shipped), buf_str(&p.out)) == 0,
		      "scenarios/schema.json is old: run `make schema`");
	json_doc_free(doc);
	program_free(&p);
}
END_TEST

START_TEST(doctor_tries_all_and_leaves_nothing)
{
	TEST_NEEDS_ROOT();
	struct program p;
	GUARD(mem) char *state = mem_printf("%s/state", test_dir());
	GUARD(mem)
	char *find = mem_printf("test \"$(find '%s' -type f)\" = '%s/owners/lock'", state, state);
	PROGRAM(&p, "doctor", "--json", "--state", state);
	struct json_doc *doc = program_json(&p);
	const struct json *features = json_get(json_root(doc), "features");
	bool all = true;
	ck_assert_uint_ge(json_size(features), 15);
	for (const struct json *f = json_first(features); f != NULL; f = json_next(f)) {
		ck_assert_msg(json_get_string(f, "detail", "")[0] != '\0', "%s says nothing",
			      json_get_string(f, "name", "?"));
		all = all && (json_get_bool(f, "ok", false) || json_get_bool(f, "optional", false));
	}
	ck_assert_int_eq(p.exit, all ? 0 : 69);
	ck_assert(json_get_bool(json_root(doc), "ok", !all) == all);
	ck_assert_msg(system(find) == 0, "doctor left something in %s", state);
	json_doc_free(doc);
	program_free(&p);
}
END_TEST

/* The PATH has these programs alone. */
static void path_of(const char *const *names)
{
	GUARD(mem) char *dir = mem_printf("%s/path", test_dir());
	GUARD(mem) char *clean = mem_printf("rm -rf '%s'; mkdir '%s'", dir, dir);
	ck_assert_int_eq(system(clean), 0);
	for (size_t i = 0; names[i] != NULL; i++) {
		GUARD(mem)
		char *link = mem_printf("ln -s $(command -v %s) '%s/'", names[i], dir);
		ck_assert_int_eq(system(link), 0);
	}
	ck_assert_int_eq(setenv("PATH", dir, 1), 0);
}

/* What only some scenarios need may lack; a scenario that needs it says so. */
START_TEST(doctor_for_most)
{
	TEST_NEEDS_ROOT();
	struct program p;
	GUARD(mem) char *state = mem_printf("%s/state", test_dir());
	GUARD(mem) char *path = mem_strdup(getenv("PATH"));
	path_of((const char *const[]){ "mkfs.erofs", "mmdebstrap", "mke2fs", "perl", NULL });
	PROGRAM(&p, "doctor", "--state", state);
	program_expect(&p, 0, "lacks xfs disks ");
	program_expect(&p, 0, "only for: disks of nodes with \"xfs\"");
	program_expect(&p, 0, "has all that most scenarios need");
	program_free(&p);
	PROGRAM(&p, "doctor", POWER, "--var", "fs=xfs", "--var", "size=320MiB", "--var", "root=/",
		"--state", state);
	program_expect(&p, 69, "LACKS xfs disks ");
	program_expect(&p, 69, "needed by: disks of nodes");
	program_free(&p);
	ck_assert_int_eq(setenv("PATH", path, 1), 0);
	path_of((const char *const[]){ "mmdebstrap", "mke2fs", "perl", NULL });
	PROGRAM(&p, "doctor", "--state", state);
	program_expect(&p, 69, "LACKS mkfs.erofs ");
	program_free(&p);
	ck_assert_int_eq(setenv("PATH", path, 1), 0);
}
END_TEST

/* Control groups of version 2 and no other, in a mount namespace of our own. */
START_TEST(doctor_without_limits)
{
	TEST_NEEDS_ROOT();
	if (cgroup_mode() == CGROUP_V2)
		TEST_SKIP("version 2 rules here, and has the controllers");
	struct program p;
	GUARD(mem) char *state = mem_printf("%s/state", test_dir());
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("none", "/sys/fs/cgroup", "cgroup2", 0, NULL), 0);
	PROGRAM(&p, "doctor", "--state", state);
	program_expect(&p, 0, "lacks cgroup memory limit");
	program_expect(&p, 0, "only for: limits.memory");
	program_expect(&p, 0, "most scenarios need");
	program_free(&p);
	GUARD(mem) char *limited = mem_printf("%s/limited.json", test_dir());
	GUARD(mem)
	char *make = mem_printf("sed 's/\"web\": {/&\"limits\": {\"pids\": 99},/' " TOY " > '%s'",
				limited);
	ck_assert_int_eq(system(make), 0);
	PROGRAM(&p, "doctor", limited, "--var", "root=/", "--state", state);
	program_expect(&p, 69, "LACKS cgroup pids limit");
	program_free(&p);
}
END_TEST

/* Only what the scenario needs: the toy has no limits and no links. */
START_TEST(doctor_for_a_scenario)
{
	TEST_NEEDS_ROOT();
	struct program p;
	GUARD(mem) char *state = mem_printf("%s/state", test_dir());
	PROGRAM(&p, "doctor", TOY, "--var", "root=/", "--state", state);
	ck_assert_ptr_nonnull(strstr(buf_str(&p.out), "overlay with index=on"));
	ck_assert_ptr_null(strstr(buf_str(&p.out), "mmdebstrap"));
	program_free(&p);
}
END_TEST

/* Without privilege: said in words, before anything is tried. */
START_TEST(unprivileged)
{
	TEST_NEEDS_ROOT(); /* to give it up */
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct program p;
		const char *bin = getenv("BACKOUT_BIN");
		/* The build may be in a folder that only root may enter. */
		if (setresuid(65534, 65534, 65534) < 0 ||
		    access(bin != NULL ? bin : "build/backout", X_OK) != 0)
			_exit(0);
		PROGRAM(&p, "run", TOY, "--var", "root=/");
		_exit(p.exit == 69 && strstr(buf_str(&p.err), "root") != NULL ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* Its name, the beginning of its name, its path, `last`; one that is not unique is refused. */
static void lay_run(const char *runs, const char *name)
{
	struct err e = { 0 };
	GUARD(mem) char *dir = mem_printf("%s/%s", runs, name);
	GUARD(mem) char *file = mem_printf("%s/run.json", dir);
	MUST(io_mkdirs(dir, 0755, &e));
	MUST(io_write_file(AT_FDCWD, file, "{}", 2, 0644, &e));
}

START_TEST(runs_are_found)
{
	static const struct {
		const char *name, *err;
	} names[] = {
		{ "2026", "'2026' is the beginning of 2 runs" },
		{ "20261123T120000-a", "20261123T120000-a/" }, /* found, and then not readable */
		{ "20261124", "20261124T120000-b/" },
		{ "last", "20261124T120000-b/" },
		{ "2027", "no run '2027'" },
	};
	const char *runs = test_dir();
	lay_run(runs, "20261123T120000-a");
	lay_run(runs, "20261124T120000-b");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct program p;
		PROGRAM(&p, "show", names[i].name, "--runs", runs);
		ck_assert_int_ne(p.exit, 0);
		stream_is("stderr", &p.err, names[i].err);
		program_free(&p);
	}
}
END_TEST

START_TEST(full_disk_is_told)
{
	const char *bin = getenv("BACKOUT_BIN");
	GUARD(mem)
	char *command = mem_printf("'%s' list > /dev/full 2>/dev/null",
				   bin != NULL ? bin : "build/backout");
	int status = system(command);
	ck_assert_int_eq(WEXITSTATUS(status), 70);
}
END_TEST

Suite *suite_cli(void)
{
	Suite *s = suite_create("cli");
	TCase *t = tcase_create("cli");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, commands, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(t, every_command_has_help, 0,
			    sizeof(command_names) / sizeof(command_names[0]));
	tcase_add_test(t, list_as_json);
	tcase_add_test(t, schema_is_as_shipped);
	tcase_add_test(t, doctor_tries_all_and_leaves_nothing);
	tcase_add_test(t, doctor_for_most);
	tcase_add_test(t, doctor_without_limits);
	tcase_add_test(t, doctor_for_a_scenario);
	tcase_add_test(t, unprivileged);
	tcase_add_test(t, runs_are_found);
	tcase_add_test(t, full_disk_is_told);
	suite_add_tcase(s, t);
	return s;
}
