/* SPDX-License-Identifier: MIT */
/* `backout COMMAND ...`: find the command, hand over. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "harness/base/err.h"
#include "harness/base/log.h"
#include "harness/cli/command.h"
#include "harness/model/json.h"
#include "harness/sandbox/cgroup_base.h"
#include "harness/sandbox/ownfile.h"
#include "harness/sandbox/userns.h"

enum {
	COMMANDS_MAX = 32,
	FILES_MAX = 16384, /* descriptors: dozens a drill; more makes programs that close them all
			      slow */
};

/* As many as an ordinary user may ask for: the soft limit is for programs with select(2). */
static void raise_descriptors(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= FILES_MAX)
		return;
	files.rlim_cur = files.rlim_max < FILES_MAX ? files.rlim_max : FILES_MAX;
	(void)setrlimit(RLIMIT_NOFILE, &files); /* what lacks then says so itself */
}

static void print_help(FILE *out)
{
	(void)fprintf(out, "backout " BACKOUT_VERSION ": drills the back-out plan of a patch\n\n"
			   "Usage: backout COMMAND [ARGUMENTS]\n\nCommands:\n");
	for (size_t i = 0; commands[i] != NULL; i++)
		(void)fprintf(out, "  %-8s  %s\n", commands[i]->name, commands[i]->help);
	(void)fprintf(out, "\n`backout help COMMAND` says more. Exit codes: 0 passed, 1 failed, "
			   "2 inconclusive,\n3 broken without a fault, 64 usage, 65 bad scenario, "
			   "69 this host lacks something,\n70 a fault of backout itself.\n");
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; commands[i] != NULL; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int unknown(const char *name)
{
	const char *names[COMMANDS_MAX];
	size_t count = 0;
	while (commands[count] != NULL && count < COMMANDS_MAX) {
		names[count] = commands[count]->name;
		count++;
	}
	const char *near = json_nearest(name, names, count);
	struct err e = { 0 };
	if (near != NULL)
		(void)ERR_AS(&e, EXIT_USAGE_ERROR, 0, "unknown command '%s'; did you mean '%s'?",
			     name, near);
	else
		(void)ERR_AS(&e, EXIT_USAGE_ERROR, 0, "unknown command '%s'; see `backout --help`",
			     name);
	return log_err(&e);
}

static int help(const char *name)
{
	char *argv[] = { NULL, (char[]){ "--help" }, NULL };
	if (name == NULL) {
		print_help(stdout);
		return EXIT_OK;
	}
	const struct command *c = find(name);
	return c != NULL ? c->run(2, argv) : unknown(name);
}

static void leave_file(void)
{
	struct err e = { 0 };
	if (ownfile_leave(&e) < 0)
		log_warn("root in a node can reach backout's own file: %s", e.why);
}

static int dispatch(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE_ERROR;
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("backout " BACKOUT_VERSION "\n");
		return EXIT_OK;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help(NULL);
	if (strcmp(argv[1], "help") == 0)
		return help(argc > 2 ? argv[2] : NULL);
	const struct command *c = find(argv[1]);
	if (c == NULL)
		return unknown(argv[1]);
	if (c->as_root)
		(void)userns_enter(); /* where root is needed, that it failed is told */
	if (c->makes_nodes)
		leave_file();
	return c->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	/* Files of a node carry the modes that the scenario gives, whoever starts us. */
	(void)umask(022);
	raise_descriptors();
	int exit = dispatch(argc, argv);
	cgroup_base_return();
	/* A result that could not be written is no result. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && exit == EXIT_OK) {
		struct err e = { 0 };
		(void)ERR(&e, 0, "standard output could not be written");
		return log_err(&e);
	}
	return exit;
}
