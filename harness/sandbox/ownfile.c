/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/ownfile.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U /* since Linux 6.3; EINVAL before, where all memory files may run */
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED false
#endif

enum {
	LIBRARIES_MAX = 64, /* with more it takes longer */
	MAPS_MAX = 1 << 20, /* bytes of /proc/self/maps */
};

/* ---- what is mapped ---- */

struct range {
	uintptr_t from, to;
};
/* Needed to go on: the program, the C library, the loader. */
struct needed {
	struct range program, libraries[2];
	size_t library_count;
	struct range others[LIBRARIES_MAX];
	size_t other_count;
};

static bool holds(const struct range *r, uintptr_t address)
{
	return address >= r->from && address < r->to;
}

static int take_needed(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct needed *all = arg;
	struct range r = { UINTPTR_MAX, 0 };
	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type != PT_LOAD)
			continue;
		uintptr_t from = info->dlpi_addr + p->p_vaddr, to = from + p->p_memsz;
		r.from = from < r.from ? from : r.from;
		r.to = to > r.to ? to : r.to;
	}
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	r.from &= ~(page - 1);
	r.to = (r.to + page - 1) & ~(page - 1);
	if (holds(&r, (uintptr_t)&take_needed))
		all->program = r;
	else if (holds(&r, (uintptr_t)&munmap) || holds(&r, getauxval(AT_BASE)))
		all->libraries[all->library_count++ % 2] = r;
	else if (!holds(&r, getauxval(AT_SYSINFO_EHDR)) && all->other_count < LIBRARIES_MAX)
		all->others[all->other_count++] = r;
	return 0;
}

static bool is_needed(const struct needed *all, uintptr_t address)
{
	return holds(&all->program, address) || holds(&all->libraries[0], address) ||
	       holds(&all->libraries[1], address);
}

/* Each mapping of a file, in the order of addresses. */
typedef int (*mapping_fn)(const struct needed *all, const struct range *r, int prot, struct err *e);

static int each_mapping(const struct needed *all, mapping_fn fn, struct err *e)
{
	GUARD_BUF struct buf maps = { 0 };
	if (io_read_file(AT_FDCWD, "/proc/self/maps", MAPS_MAX, &maps, e) < 0)
		return -1;
	char *save = maps.data;
	for (char *line; (line = strsep(&save, "\n")) != NULL;) {
		struct range r;
		unsigned long inode;
		char mode[5];
		if (sscanf(line, "%lx-%lx %4s %*s %*s %lu", &r.from, &r.to, mode, &inode) != 4 ||
		    inode == 0)
			continue;
		int prot = (mode[0] == 'r' ? PROT_READ : 0) | (mode[1] == 'w' ? PROT_WRITE : 0) |
			   (mode[2] == 'x' ? PROT_EXEC : 0);
		if (fn(all, &r, prot, e) < 0)
			return -1;
	}
	return 0;
}

/* The same bytes at the same place; nothing else runs, and nothing in between writes to them. */
static int copy_mapping(const struct needed *all, const struct range *r, int prot, struct err *e)
{
	const size_t len = r->to - r->from;
	const int mine = (prot & PROT_READ) != 0 ? PROT_READ | PROT_WRITE : PROT_NONE;
	void *to = (void *)r->from; // NOLINT: an address that the kernel has told
	if (!is_needed(all, r->from))
		return 0;
	void *copy = mmap(NULL, len, mine, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (copy == MAP_FAILED)
		return ERR(e, errno, "copy the program's code");
	if (mine != PROT_NONE)
		memcpy(copy, to, len);
	if (mprotect(copy, len, prot) < 0 ||
	    mremap(copy, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED) {
		(void)ERR(e, errno, "run from memory");
		(void)munmap(copy, len);
		return -1;
	}
	return 0;
}

/* Field NUMBER of /proc/self/stat, counted from 1, behind the name in brackets, which is the
 * second. */
static uint64_t stat_field(const char *text, int number)
{
	const char *p = strrchr(text, ')');
	for (int field = 2; p != NULL && field < number; field++) {
		p = strchr(p, ' ');
		p = p != NULL ? p + 1 : NULL;
	}
	return p != NULL ? strtoull(p, NULL, 10) : 0;
}

/* The kernel changes what /proc/self/exe is only together with the rest of this: all as it is. */
static int show_as_program(int fd, struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	if (io_read_file(AT_FDCWD, "/proc/self/stat", MAPS_MAX, &text, e) < 0)
		return -1;
	const char *t = buf_str(&text);
	struct prctl_mm_map map = {
		.start_code = stat_field(t, 26),
		.end_code = stat_field(t, 27),
		.start_stack = stat_field(t, 28),
		.start_data = stat_field(t, 45),
		.end_data = stat_field(t, 46),
		.start_brk = stat_field(t, 47),
		.brk = (uint64_t)syscall(SYS_brk, 0),
		.arg_start = stat_field(t, 48),
		.arg_end = stat_field(t, 49),
		.env_start = stat_field(t, 50),
		.env_end = stat_field(t, 51),
		.exe_fd = (uint32_t)fd,
	};
	if (prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) < 0)
		return ERR(e, errno, "PR_SET_MM_MAP (CONFIG_CHECKPOINT_RESTORE, CAP_SYS_ADMIN)");
	return 0;
}

/* It has to be one that could run, and nobody shall fill it. */
static int sealed_file(struct err *e)
{
	static const char text[] = "backout runs from memory\n";
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	GUARD(fd) int fd = memfd_create("backout", flags | MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("backout", flags);
	if (fd < 0)
		return ERR(e, errno, "make a program in memory (vm.memfd_noexec=2 refuses it)");
	if (io_write_all(fd, text, sizeof(text) - 1, e) < 0)
		return -1;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return ERR(e, errno, "seal a file in memory");
	return take_fd(&fd);
}

int ownfile_leave(struct err *e)
{
	if (SANITIZED)
		return 0;
	struct needed all = { 0 };
	(void)dl_iterate_phdr(take_needed, &all);
	GUARD(fd) int fd = sealed_file(e);
	return fd < 0 || each_mapping(&all, copy_mapping, e) < 0 ? -1 : show_as_program(fd, e);
}

static int by_address(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	return (x->from > y->from) - (x->from < y->from);
}

/* Neighbours at once, for speed: the loader puts libraries side by side. */
static void drop_libraries(struct needed *all)
{
	qsort(all->others, all->other_count, sizeof(all->others[0]), by_address);
	for (size_t i = 0, next; i < all->other_count; i = next) {
		struct range r = all->others[i];
		for (next = i + 1; next < all->other_count && all->others[next].from == r.to;
		     next++)
			r.to = all->others[next].to;
		(void)munmap((void *)r.from, r.to - r.from); // NOLINT: as above
	}
}

/* What is left: a file that the harness has mapped at the moment, and memory that it shares. */
static int drop_mapping(const struct needed *all, const struct range *r, int prot, struct err *e)
{
	(void)prot;
	if (is_needed(all, r->from) ||
	    munmap((void *)r->from, r->to - r->from) == 0) // NOLINT: as above
		return 0;
	return ERR(e, errno, "give up a library");
}

int ownfile_drop(struct err *e)
{
	for (char **env = environ; env != NULL && *env != NULL; env++)
		memset(*env, 0, strlen(*env));
	(void)clearenv();
	if (SANITIZED) /* whose libraries are called from everywhere */
		return 0;
	struct needed all = { 0 };
	(void)dl_iterate_phdr(take_needed, &all); /* once: it reads the libraries themselves */
	drop_libraries(&all);
	return each_mapping(&all, drop_mapping, e);
}
