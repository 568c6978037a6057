/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value of "Key:\t..." in the text, or NULL. */
static const char *field(const char *text, const char *key)
{
	size_t length = strlen(key);

	while (text) {
		if (strncmp(text, key, length) == 0 && text[length] == ':')
			return text + length + 1 + strspn(text + length + 1, "\t ");
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return NULL;
}

static uint64_t number(const char *text, const char *key, int base)
{
	const char *value = field(text, key);

	return value ? strtoull(value, NULL, base) : 0;
}

void process_parse_status(const char *text, struct process_status *status)
{
	const char *uid = field(text, "Uid");
	char *effective = NULL;

	memset(status, 0, sizeof *status);
	status->cap_inheritable = number(text, "CapInh", 16);
	status->cap_permitted = number(text, "CapPrm", 16);
	status->cap_effective = number(text, "CapEff", 16);
	status->cap_bounding = number(text, "CapBnd", 16);
	status->cap_ambient = number(text, "CapAmb", 16);
	status->rss_bytes = number(text, "VmRSS", 10) * 1024;
	status->no_new_privs = (uint32_t)number(text, "NoNewPrivs", 10);
	status->seccomp = (uint32_t)number(text, "Seccomp", 10);
	status->seccomp_filters = (uint32_t)number(text, "Seccomp_filters", 10);
	status->threads = (uint32_t)number(text, "Threads", 10);
	if (uid && strtoul(uid, &effective, 10) != UINT32_MAX)
		status->uid = (uint32_t)strtoul(effective, NULL, 10);
}

const char *process_capability_name(uint32_t capability)
{
	/* linux/capability.h; the order is the kernel's interface. */
	static const char *const names[] = {
		"cap_chown",
		"cap_dac_override",
		"cap_dac_read_search",
		"cap_fowner",
		"cap_fsetid",
		"cap_kill",
		"cap_setgid",
		"cap_setuid",
		"cap_setpcap",
		"cap_linux_immutable",
		"cap_net_bind_service",
		"cap_net_broadcast",
		"cap_net_admin",
		"cap_net_raw",
		"cap_ipc_lock",
		"cap_ipc_owner",
		"cap_sys_module",
		"cap_sys_rawio",
		"cap_sys_chroot",
		"cap_sys_ptrace",
		"cap_sys_pacct",
		"cap_sys_admin",
		"cap_sys_boot",
		"cap_sys_nice",
		"cap_sys_resource",
		"cap_sys_time",
		"cap_sys_tty_config",
		"cap_mknod",
		"cap_lease",
		"cap_audit_write",
		"cap_audit_control",
		"cap_setfcap",
		"cap_mac_override",
		"cap_mac_admin",
		"cap_syslog",
		"cap_wake_alarm",
		"cap_block_suspend",
		"cap_audit_read",
		"cap_perfmon",
		"cap_bpf",
		"cap_checkpoint_restore",
	};

	return capability < sizeof names / sizeof names[0] ? names[capability] : NULL;
}
