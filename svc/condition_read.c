/* SPDX-License-Identifier: Apache-2.0 */
/* What is true of this machine (condition.h). */
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "svc/condition.h"
#include "svc/fd.h"
#include "svc/format.h"
#include "svc/raw.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 /* Linux 5.12 */
#endif

#define HYPERVISOR_BIT (1u << 31) /* CPUID leaf 1, ECX: "running on a hypervisor" */
#define HYPERVISOR_LEAF 0x40000000u

/* The text of a small file of the kernel; "" when there is none. */
static void read_text(const char *path, char *text, size_t size)
{
	owned_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	text[n < 0 ? 0 : n] = '\0';
}

/* Only what is in the cache: openat2(2), RESOLVE_CACHED, since Linux 5.12. */
int condition_path_exists(const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED};
	long fd = raw_syscall4(__NR_openat2, AT_FDCWD, (long)path, (long)&how, sizeof how);

	if (fd >= 0)
		raw_syscall1(__NR_close, fd);
	if (fd == -EAGAIN || fd == -EINVAL || fd == -ENOSYS)
		return -EAGAIN;
	return fd >= 0;
}

int condition_path_exists_slowly(const char *path)
{
	return raw_syscall3(__NR_faccessat, AT_FDCWD, (long)path, F_OK) == 0;
}

/* A container's manager says so in the environment of its init, or in a file. */
static bool in_container(void)
{
	const char *name = getenv("container");

	return (name && *name) || condition_path_exists_slowly("/run/.containerenv") ||
	       condition_path_exists_slowly("/.dockerenv");
}

/* NULL: no hypervisor; "other": one whose name is not known here. */
static const char *hypervisor_by_cpu(void)
{
#if defined(__x86_64__)
	uint32_t a, b, c, d;
	char signature[12];

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & HYPERVISOR_BIT))
		return NULL;
	__cpuid(HYPERVISOR_LEAF, a, b, c, d);
	memcpy(signature, &b, 4);
	memcpy(signature + 4, &c, 4);
	memcpy(signature + 8, &d, 4);
	const char *name = condition_hypervisor_by_signature(signature);

	return name ? name : "other";
#else
	return NULL;
#endif
}

/*
 * The tables of the firmware, which a hypervisor that hides from CPUID, or an architecture without
 * it, still shows; "kvm" of the processor is told apart by the vendor that runs it.
 */
static const char *hypervisor_by_dmi(void)
{
	static const char paths[][40] = {
		"/sys/class/dmi/id/product_name",    "/sys/class/dmi/id/sys_vendor",
		"/sys/class/dmi/id/board_vendor",    "/sys/class/dmi/id/bios_vendor",
		"/sys/class/dmi/id/product_version",
	};
	char text[128];

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		read_text(paths[i], text, sizeof text);
		const char *name = condition_hypervisor_by_dmi(text);

		if (name)
			return name;
	}
	return NULL;
}

static const char *hypervisor_by_device_tree(void)
{
	char text[128];

	read_text("/proc/device-tree/hypervisor/compatible", text, sizeof text);
	if (strcmp(text, "linux,kvm") == 0)
		return "kvm";
	return strstr(text, "xen") ? "xen" : text[0] != '\0' ? "other" : NULL;
}

static const char *find_hypervisor(void)
{
	const char *name = hypervisor_by_cpu();

	if (!name || strcmp(name, "other") == 0) {
		const char *told = hypervisor_by_dmi();

		if (!told)
			told = hypervisor_by_device_tree();
		if (told)
			name = told;
	}
	return name ? name : "";
}

void condition_read(struct condition_facts *facts, bool container, bool first_boot)
{
	struct utsname name;

	*facts = (struct condition_facts){
		.container = container || in_container(),
		.first_boot = first_boot,
	};
	read_text("/proc/cmdline", facts->cmdline, sizeof facts->cmdline);
	if (uname(&name) == 0)
		format_text(facts->machine, sizeof facts->machine, "%s", name.machine);
	format_text(facts->virtualization, sizeof facts->virtualization, "%s", find_hypervisor());
}
