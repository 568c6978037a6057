/* SPDX-License-Identifier: Apache-2.0 */
/* What a spec asks of its image, looked up in a root made of hand-laid ELF files. */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "rootfs-spec/check_root.h"
#include "rootfs-spec/files.h"

#define HEAD "keelson: 1\nname: t\n"

static char root[64];

static const char *in_root(const char *path)
{
	static char full[256];

	snprintf(full, sizeof(full), "%s%s", root, path);
	return full;
}

static void put(const char *path, const void *content, size_t size, mode_t mode)
{
	char directory[256];

	snprintf(directory, sizeof(directory), "%s", in_root(path));
	*strrchr(directory, '/') = '\0';
	assert_int_equal(file_make_directories(directory), 0);
	FILE *file = fopen(in_root(path), "we");
	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, size, file), size);
	fclose(file);
	assert_int_equal(chmod(in_root(path), mode), 0);
}

/* A program or library that can be read, not run: headers, a dynamic section, its strings. */
struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segments[3];
	Elf64_Dyn dynamic[4];
	char strings[128];
};

static void put_elf(const char *path, const char *interpreter, const char *needed,
		    const char *runpath, mode_t mode)
{
	const uint64_t base = 0x400000;
	struct image image = {
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
			   .e_phoff = offsetof(struct image, segments),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 3},
	};
	uint32_t at = 1, place[3] = {0};
	const char *texts[3] = {interpreter, needed, runpath};

	for (uint32_t i = 0; i < 3; i++) {
		if (!texts[i])
			continue;
		place[i] = at;
		uint32_t length = (uint32_t)strlen(texts[i]) + 1;
		assert_true(at + length <= sizeof(image.strings));
		memcpy(image.strings + at, texts[i], length);
		at += length;
	}
	image.segments[0] =
		(Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = base, .p_filesz = sizeof(image)};
	image.segments[1] = (Elf64_Phdr){.p_type = PT_DYNAMIC,
					 .p_offset = offsetof(struct image, dynamic),
					 .p_filesz = sizeof(image.dynamic)};
	image.segments[2].p_type = interpreter ? PT_INTERP : PT_NULL;
	image.segments[2].p_offset = offsetof(struct image, strings) + place[0];
	uint32_t entry = 0;
	image.dynamic[entry++] = (Elf64_Dyn){.d_tag = DT_STRTAB,
					     .d_un.d_ptr = base + offsetof(struct image, strings)};
	if (needed)
		image.dynamic[entry++] = (Elf64_Dyn){.d_tag = DT_NEEDED, .d_un.d_val = place[1]};
	if (runpath)
		image.dynamic[entry++] = (Elf64_Dyn){.d_tag = DT_RUNPATH, .d_un.d_val = place[2]};
	put(path, &image, sizeof(image), mode);
}

static int make_root(void **state)
{
	static const char modules[] =
		"kernel/a/overlay.ko:\nkernel/a/br_netfilter.ko: kernel/a/bridge.ko\n"
		"kernel/a/bridge.ko:\n";

	(void)state;
	snprintf(root, sizeof(root), "/tmp/keelson-root.XXXXXX");
	if (!mkdtemp(root))
		return -1;
	put_elf("/lib64/ld.so", NULL, NULL, NULL, 0755);
	put_elf("/usr/lib/libok.so", NULL, NULL, NULL, 0644);
	put_elf("/usr/lib/libhalf.so", NULL, "libgone.so", NULL, 0644);
	put_elf("/opt/private/libown.so", NULL, NULL, NULL, 0644);
	put_elf("/usr/bin/good", "/lib64/ld.so", "libok.so", NULL, 0755);
	put_elf("/usr/bin/static", NULL, NULL, NULL, 0755);
	put_elf("/usr/bin/loaderless", "/lib64/ld-gone.so", NULL, NULL, 0755);
	put_elf("/usr/bin/libraryless", "/lib64/ld.so", "libhalf.so", NULL, 0755);
	put_elf("/usr/bin/origin", "/lib64/ld.so", "libown.so", "/x:$ORIGIN/../../opt/private",
		0755);
	put_elf("/usr/bin/other", "/lib64/ld.so", "libnowhere.so", NULL, 0755);
	put("/usr/bin/plain", "text", 4, 0755);
	put("/usr/bin/noexec", "text", 4, 0644);
	put("/usr/bin/script", "#! /bin/gone -e\n", 16, 0755);
	put("/usr/lib/modules/6.1/modules.dep", modules, sizeof(modules) - 1, 0644);
	put("/usr/lib/modules/6.1/modules.builtin", "kernel/fs/xfs/xfs.ko\n", 21, 0644);
	put_elf("/sbin/modprobe", NULL, NULL, NULL, 0755);
	/* An absolute link must be followed inside the root, not on the builder's machine. */
	return symlink("/usr/bin/good", in_root("/usr/bin/link")) ||
	       symlink("sbin", in_root("/sbin2")) || symlink("bin", in_root("/usr/bin2")) ||
	       symlink("/bin/sh", in_root("/usr/bin/outside"));
}

static int remove_root(void **state)
{
	(void)state;
	return file_remove_tree(root);
}

#define SERVICE(program) HEAD "services: {a: {exec: [" program "], output: none}}\n"

#define HELD(rules)                                                                           \
	HEAD "services: {a: {exec: [/usr/bin/good], output: none, policy: held}}\npolicies: " \
	     "{held: {landlock: {" rules "}}}\n"
#define BESIDE(more) \
	HEAD "services:\n  a:\n    exec: [/usr/bin/good]\n    output: none\n    " more "\n"

static const struct {
	const char *text;
	const char *told; /* first line without its place; NULL: nothing */
} cases[] = {
	{SERVICE("/usr/bin/good"), NULL},
	{SERVICE("/usr/bin/static"), NULL},
	{SERVICE("/usr/bin/link"), NULL},
	{SERVICE("/usr/bin/origin"), NULL},
	{SERVICE("/usr/bin/goood"), "/usr/bin/goood is not in the image"},
	{SERVICE("/usr/bin/outside"), "/usr/bin/outside is not in the image"},
	{SERVICE("/usr/bin"), "/usr/bin is not a regular file"},
	{SERVICE("/usr/bin/noexec"), "/usr/bin/noexec is not executable"},
	{SERVICE("/usr/bin/plain"), "/usr/bin/plain is neither a program nor a script"},
	{SERVICE("/usr/bin/script"),
	 "/usr/bin/script needs the interpreter /bin/gone, which is not in the image"},
	{SERVICE("/usr/bin/loaderless"),
	 "/usr/bin/loaderless needs the interpreter /lib64/ld-gone.so, which is not in the image"},
	{SERVICE("/usr/bin/libraryless"), "/usr/bin/libraryless -> libhalf.so needs the library "
					  "libgone.so, which is not in the image"},
	{HELD("execute: [/usr, /lib64]"), NULL},
	{HELD("execute: [/]"), NULL},
	{HELD("read: [/usr/lib], execute: [/usr/bin/good, /lib64]"), NULL},
	{HELD("execute: [/usr]"),
	 "Landlock of policy 'held' lets nobody execute /lib64/ld.so: the service could not start"},
	{HELD("execute: [/lib64], read: [/usr]"), "Landlock of policy 'held' lets nobody execute "
						  "/usr/bin/good: the service could not start"},
	{HELD("execute: [/lib64, /usr/bin]"), "Landlock of policy 'held' lets nobody read "
					      "/usr/lib/libok.so: the service could not start"},
	{HELD("execute: [/lib64, /usr/bin/goo, /usr/lib]"),
	 "Landlock of policy 'held' lets nobody execute /usr/bin/good: the service could not "
	 "start"},
	{HEAD "services: {a: {exec: [/usr/bin/good], directory: /srv}}\n",
	 "the directory /srv is not in the image"},
	/* What runs beside a service. */
	{BESIDE("pre: [[/usr/bin/good], [/usr/bin/static]]"), NULL},
	{BESIDE("pre: [[/usr/bin/good], [/usr/bin/gone]]"), "/usr/bin/gone is not in the image"},
	{BESIDE("post: [{command: [/usr/bin/loaderless], optional: true}]"),
	 "/usr/bin/loaderless needs the interpreter /lib64/ld-gone.so, which is not in the image"},
	{BESIDE("ready: {command: [/usr/bin/noexec]}"), "/usr/bin/noexec is not executable"},
	{BESIDE("liveness: {command: [/usr/bin/libraryless]}"),
	 "/usr/bin/libraryless -> libhalf.so needs the library libgone.so, which is not in the "
	 "image"},
	{BESIDE("reload: {command: [/usr/bin/script]}"),
	 "/usr/bin/script needs the interpreter /bin/gone, which is not in the image"},
	/* What a service sees differently. */
	{BESIDE("read-only: [/usr, /run/x, /proc/sys, /]"), NULL},
	{BESIDE("read-only: [/usr/bim]"),
	 "/usr/bim is not in the image: the service could not start"},
	{BESIDE("hidden: [/usr/bim]"), NULL},
	{BESIDE("read-only: [/usr/bin/link]"),
	 "/usr/bin/link is a symbolic link, which is not followed here"},
	{BESIDE("hidden: [/sbin2/x]"),
	 "/sbin2/x goes through /sbin2, a symbolic link, which is not followed here"},
	{BESIDE("bind: [{from: /srv, to: /usr/lib}]"),
	 "/srv is not in the image: the service could not start"},
	{BESIDE("bind: [{from: /usr/lib, to: /srv}]"),
	 "/srv is not in the image: the service could not start"},
	{BESIDE("bind: [{from: /usr/lib, to: /srv, optional: true}]"), NULL},
	{BESIDE("bind: [{from: /run/a, to: /usr/lib}]"), NULL},
	{BESIDE("read-only: [/opt/made]") "paths: [{path: /opt/made/x, directory: true}]\n"
					  "mounts: {/opt/made: {type: tmpfs}}\n",
	 "the mount point /opt/made is not in the image, and its root is read-only"},
	{BESIDE("hidden: [/run/link, /usr/bin2/x]") "mounts: {/usr: {type: tmpfs}}\n", NULL},
	{BESIDE("hidden: [/proc/self/environ]"),
	 "/proc/self/environ goes through /proc/self, a symbolic link, which is not followed here"},
	{BESIDE("hidden: [/proc/selfish]"), NULL},
	{BESIDE("private-tmp: true"), "/tmp is not in the image: the service could not start"},
	{BESIDE("read-only: [/usr/x]") "mounts: {/usr: {type: tmpfs}}\n", NULL},
	{BESIDE("read-only: [/usr/v/x/y]") "mounts: {/usr/lib: {type: tmpfs}}\npaths: [{path: "
					   "/run/v, directory: true}]\n",
	 "/usr/v/x/y is not in the image: the service could not start"},
	{BESIDE("read-only: [/run/v/x]") "paths: [{path: /run/v, link: /run/w}]\n",
	 "/run/v/x goes through /run/v, a symbolic link, which is not followed here"},
	{HEAD "mounts: {/usr: {type: tmpfs}}\n", NULL},
	{HEAD "mounts: {/mnt: {type: tmpfs}}\n",
	 "the mount point /mnt is not in the image, and its root is read-only"},
	{HEAD "mounts: {/usr: {type: tmpfs}, /usr/mnt: {type: tmpfs}}\n", NULL},
	{HEAD "paths: [{path: /run/x, directory: true}]\n", NULL},
	{HEAD "paths: [{path: /srv/x, directory: true}]\n",
	 "/srv/x cannot be made at boot: it lies on the read-only root"},
	{HEAD "kernel: {modules: [overlay, br-netfilter]}\n", NULL},
	/* A file system that is a module. */
	{HEAD "mounts: {/usr: {type: ext4, source: /dev/vda}}\n",
	 "the kernel has 'ext4' as a module, which is in none of 'kernel.modules', "
	 "'kernel.storage', 'kernel.on-demand'"},
	{HEAD "mounts: {/usr: {type: ext4, source: /dev/vda}}\nkernel: {package: linux, storage: "
	      "[ext4]}\n",
	 NULL},
	{HEAD "mounts: {/usr: {overlay: {}}}\nkernel: {modules: [overlay]}\n", NULL},
	{HEAD "mounts: {/usr: {type: xfs, source: /dev/vda}}\n", NULL},
	{HEAD "kernel: {modules: [overlai]}\n", "the kernel has no module 'overlai'"},
	{HEAD "kernel: {modules: [overlay], on-demand: [overlay, br-netfilter]}\n", NULL},
	{HEAD "kernel: {on-demand: [overlai]}\n", "the kernel has no module 'overlai'"},
	{HEAD "sysctl: {vm.swappiness: 1, net.ipv4.ip_forward: 1}\n", NULL},
	{HEAD "sysctl: {vn.swappiness: 1}\n", "there is no sysctl 'vn.swappiness'"},
	{HEAD "sysctl: {net.bridge.bridge-nf-call-iptables: 1}\n",
	 "'net.bridge.bridge-nf-call-iptables' is there only with the module br_netfilter, which "
	 "is "
	 "not in 'kernel.modules'"},
	{HEAD
	 "kernel: {modules: [br_netfilter]}\nsysctl: {net.bridge.bridge-nf-call-iptables: 1}\n",
	 NULL},
};

static void what_the_spec_needs_is_in_the_image_or_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pool pool = {0};
		struct diagnostics diagnostics = {.pool = &pool};
		struct spec spec;
		int error = spec_parse("t.yaml", cases[i].text, strlen(cases[i].text), NULL, &pool,
				       &spec, &diagnostics);
		assert_int_equal(error, 0);
		check_root(&spec, root, &diagnostics);
		const char *first = NULL;
		size_t others = 0;
		for (size_t j = 0; j < diagnostics.count; j++) {
			const struct diagnostic *one = &diagnostics.list[j];
			if (one->warning)
				others += strstr(one->text, "/usr/bin/other") != NULL;
			else if (!first)
				first = one->text;
		}
		if ((first == NULL) != (cases[i].told == NULL) ||
		    (first && strcmp(first, cases[i].told) != 0))
			print_error("of\n%s\nit was said: %s\n", cases[i].text,
				    first ? first : "nothing");
		if (cases[i].told)
			assert_string_equal(first, cases[i].told);
		else
			assert_null(first);
		/* Programs that no service names are looked at, too. */
		assert_int_equal(others, 1);
		pool_free(&pool);
	}
}

static void modules_on_demand_need_modprobe_in_the_image(void **state)
{
	static const char text[] = HEAD "kernel:\n  on-demand: [overlay]\n";
	struct pool pool = {0};
	struct diagnostics diagnostics = {.pool = &pool};
	struct spec spec;

	(void)state;
	assert_int_equal(spec_parse("t.yaml", text, strlen(text), NULL, &pool, &spec, &diagnostics),
			 0);
	assert_int_equal(unlink(in_root("/sbin/modprobe")), 0);
	assert_int_equal(check_root(&spec, root, &diagnostics), -EINVAL);
	put_elf("/sbin/modprobe", NULL, NULL, NULL, 0755);
	assert_int_equal(diagnostics.errors, 1);
	assert_int_equal(diagnostics.list[0].where.line, 4);
	assert_string_equal(diagnostics.list[0].text,
			    "the kernel loads modules on demand with /sbin/modprobe, which is not "
			    "in the image");
	pool_free(&pool);
}

/* Any kernel that tests run on has this one. */
static void a_sysctl_with_a_slip_is_warned_of(void **state)
{
	static const char text[] = HEAD "sysctl: {kernel.hotsname: a, kernel.hostname: b, "
					"kernel.quite_another: c}\n";
	struct pool pool = {0};
	struct diagnostics diagnostics = {.pool = &pool};
	struct spec spec;
	size_t told = 0;

	(void)state;
	assert_int_equal(spec_parse("t.yaml", text, strlen(text), NULL, &pool, &spec, &diagnostics),
			 0);
	assert_int_equal(check_root(&spec, root, &diagnostics), 0);
	for (size_t i = 0; i < diagnostics.count; i++) {
		const struct diagnostic *one = &diagnostics.list[i];
		if (!strstr(one->text, "sysctl"))
			continue;
		told++;
		assert_true(one->warning);
		assert_string_equal(one->text, "the kernel of this machine has no sysctl "
					       "'kernel.hotsname'");
		assert_string_equal(one->suggestion, "did you mean 'kernel.hostname'?");
	}
	assert_int_equal(told, 1);
	pool_free(&pool);
}

static void a_root_that_is_not_there_is_an_error(void **state)
{
	struct pool pool = {0};
	struct diagnostics diagnostics = {.pool = &pool};
	struct spec spec;

	(void)state;
	assert_int_equal(spec_parse("t.yaml", HEAD, strlen(HEAD), NULL, &pool, &spec, &diagnostics),
			 0);
	assert_int_equal(check_root(&spec, "/no/such/root", &diagnostics), -ENOENT);
	assert_int_equal(diagnostics.errors, 1);
	pool_free(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_spec_needs_is_in_the_image_or_told),
		cmocka_unit_test(modules_on_demand_need_modprobe_in_the_image),
		cmocka_unit_test(a_sysctl_with_a_slip_is_warned_of),
		cmocka_unit_test(a_root_that_is_not_there_is_an_error),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
