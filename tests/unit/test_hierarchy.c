/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/hierarchy.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/runner.h"

/* Real texts, other mounts than these left out but for one. */
static const struct layout {
	const char *name, *mountinfo, *cgroup;
	enum cgroup_mode mode;
	const char *memory; /* "MOUNT:GROUP" of v1's; NULL: there is none */
	const char *v2;     /* likewise; GROUP "-": we stand outside */
} layouts[] = {
	{ "Debian 12, a login",
	  "22 27 0:20 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n"
	  "28 22 0:25 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 "
	  "rw,nsdelegate,memory_recursiveprot\n",
	  "0::/user.slice/user-0.slice/session-3.scope\n", CGROUP_V2, NULL,
	  "/sys/fs/cgroup:user.slice/user-0.slice/session-3.scope" },
	{ "Ubuntu 24.04, a service",
	  "24 31 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n"
	  "35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 "
	  "rw,nsdelegate,memory_recursiveprot\n",
	  "0::/system.slice/ssh.service\n", CGROUP_V2, NULL,
	  "/sys/fs/cgroup:system.slice/ssh.service" },
	{ "Fedora, a terminal",
	  "29 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 "
	  "rw,seclabel,nsdelegate,memory_recursiveprot\n",
	  "0::/user.slice/user-1000.slice/user@1000.service/app.slice/vte-spawn-1.scope\n",
	  CGROUP_V2, NULL,
	  "/sys/fs/cgroup:user.slice/user-1000.slice/user@1000.service/app.slice/"
	  "vte-spawn-1.scope" },
	{ "Docker on v2, a cgroup namespace of its own",
	  "731 730 0:25 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw\n",
	  "0::/\n", CGROUP_V2, NULL, "/sys/fs/cgroup:" },
	{ "Docker on v2, the host's cgroup namespace",
	  "731 730 0:25 /system.slice/docker-4f2a.scope /sys/fs/cgroup rw,nosuid - cgroup2 cgroup "
	  "rw,nsdelegate\n",
	  "0::/system.slice/docker-4f2a.scope\n", CGROUP_V2, NULL, "/sys/fs/cgroup:" },
	{ "a namespace made behind the mount",
	  "35 24 0:30 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/\n", CGROUP_V2, NULL,
	  "/sys/fs/cgroup:-" },
	{ "Docker on v1",
	  "600 590 0:50 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw,mode=755\n"
	  "601 600 0:29 /docker/4f2a /sys/fs/cgroup/systemd ro - cgroup cgroup "
	  "rw,xattr,name=systemd\n"
	  "603 600 0:33 /docker/4f2a /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
	  "604 600 0:34 /docker/4f2a /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup "
	  "rw,cpu,cpuacct\n",
	  "12:cpu,cpuacct:/docker/4f2a\n9:memory:/docker/4f2a/in\n1:name=systemd:/docker/4f2a\n",
	  CGROUP_V1, "/sys/fs/cgroup/memory:in", NULL },
	{ "hybrid, no init",
	  "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
	  "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
	  "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"
	  "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
	  "9:name=systemd:/\n4:memory:/jobs/7\n0::/\n", CGROUP_HYBRID,
	  "/sys/fs/cgroup/memory:jobs/7", "/sys/fs/cgroup/unified:" },
	{ "systemd's books alone beside v2 count as v2",
	  "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
	  "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n",
	  "1:name=systemd:/\n0::/\n", CGROUP_V2, NULL, "/sys/fs/cgroup/unified:" },
	{ "v2 mounted over a hybrid tree hides it",
	  "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
	  "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	  "60 31 0:38 / /sys/fs/cgroup rw - cgroup2 none rw\n",
	  "4:memory:/\n0::/\n", CGROUP_V2, NULL, "/sys/fs/cgroup:" },
	{ "nothing", "22 27 0:20 / /sys rw - sysfs sysfs rw\n", "0::/\n", CGROUP_NONE, NULL, NULL },
};

static void is_at(const struct hierarchy *h, const char *want, const char *name)
{
	char text[512] = "";
	if (h != NULL)
		(void)snprintf(text, sizeof(text), "%s:%s", h->mount,
			       h->group != NULL ? h->group : "-");
	ck_assert_msg(strcmp(text, want != NULL ? want : "") == 0, "%s: '%s'", name, text);
}

START_TEST(layouts_of_hosts)
{
	const struct layout *l = &layouts[_i];
	struct hierarchies h;
	hierarchies_parse(&h, l->mountinfo, l->cgroup);
	ck_assert_msg(hierarchies_mode(&h) == l->mode, "%s: %s", l->name,
		      cgroup_mode_name(hierarchies_mode(&h)));
	is_at(hierarchies_v1(&h, "memory"), l->memory, l->name);
	is_at(hierarchies_v2(&h), l->v2, l->name);
	hierarchies_free(&h);
}
END_TEST

START_TEST(lists_hold_whole_words)
{
	ck_assert(hierarchy_lists("cpuset cpu io\n", "cpu"));
	ck_assert(hierarchy_lists("cpu,cpuacct", "cpuacct"));
	ck_assert(!hierarchy_lists("cpuset cpuacct\n", "cpu"));
	ck_assert(!hierarchy_lists("", "cpu"));
}
END_TEST

Suite *suite_hierarchy(void);
Suite *suite_hierarchy(void)
{
	Suite *s = suite_create("hierarchy");
	TCase *t = tcase_create("hierarchy");
	tcase_add_loop_test(t, layouts_of_hosts, 0, sizeof(layouts) / sizeof(layouts[0]));
	tcase_add_test(t, lists_hold_whole_words);
	suite_add_tcase(s, t);
	return s;
}
