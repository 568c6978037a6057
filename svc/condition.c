/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/condition.h"

#include <string.h>

/* A word of the command line is `value`, or begins with `value=`. */
static bool has_word(const char *cmdline, const char *value)
{
	static const char blanks[] = " \t\n";
	size_t wanted = strlen(value);

	while (*cmdline) {
		size_t length = strcspn(cmdline, blanks);

		if (length >= wanted && strncmp(cmdline, value, wanted) == 0 &&
		    (length == wanted || cmdline[wanted] == '='))
			return true;
		cmdline += length;
		cmdline += strspn(cmdline, blanks);
	}
	return false;
}

static bool is_virtualized(const struct condition_facts *facts, const char *value)
{
	if (strcmp(value, "none") == 0)
		return !facts->container && facts->virtualization[0] == '\0';
	if (strcmp(value, "container") == 0)
		return facts->container;
	if (strcmp(value, "vm") == 0)
		return facts->virtualization[0] != '\0';
	return strcmp(value, facts->virtualization) == 0;
}

int condition_holds(const struct plan *plan, const struct plan_condition *condition,
		    const struct condition_facts *facts, int (*path_exists)(const char *path))
{
	const char *value = plan_string(plan, condition->value);
	bool not = condition->flags & PLAN_CONDITION_NOT;
	int exists;

	switch ((enum plan_condition_kind)condition->kind) {
	case PLAN_CONDITION_PATH:
		exists = path_exists(value);
		return exists < 0 ? exists : (exists != 0) != not ;
	case PLAN_CONDITION_KERNEL_WORD: return has_word(facts->cmdline, value) != not ;
	case PLAN_CONDITION_FIRST_BOOT: return facts->first_boot != not ;
	case PLAN_CONDITION_ARCHITECTURE: return (strcmp(facts->machine, value) == 0) != not ;
	case PLAN_CONDITION_VIRTUALIZATION: return is_virtualized(facts, value) != not ;
	}
	return 0;
}

int conditions_hold(const struct plan *plan, struct plan_list list,
		    const struct condition_facts *facts, int (*path_exists)(const char *path),
		    uint32_t *number)
{
	for (; *number < list.count; ++*number) {
		int holds = condition_holds(plan, plan_condition(plan, list.first + *number), facts,
					    path_exists);

		if (holds != 1)
			return holds;
	}
	return 1;
}

const char *condition_hypervisor_by_signature(const char signature[12])
{
	/* The names are systemd-detect-virt(1)'s, as people know them. */
	static const struct {
		char signature[13];
		char name[10];
	} known[] = {
		{"KVMKVMKVM\0\0\0", "kvm"}, {"Linux KVM Hv", "kvm"},
		{"TCGTCGTCGTCG", "qemu"},   {"XenVMMXenVMM", "xen"},
		{"VMwareVMware", "vmware"}, {"Microsoft Hv", "microsoft"},
		{"bhyve bhyve ", "bhyve"},  {"ACRNACRNACRN", "acrn"},
		{"VBoxVBoxVBox", "oracle"}, {"prl hyperv  ", "parallels"},
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (memcmp(signature, known[i].signature, 12) == 0)
			return known[i].name;
	return NULL;
}

const char *condition_hypervisor_by_dmi(const char *text)
{
	static const struct {
		char begins[24];
		char name[10];
	} known[] = {
		{"KVM", "kvm"},
		{"OpenStack", "kvm"},
		{"Amazon EC2", "amazon"},
		{"QEMU", "qemu"},
		{"VMware", "vmware"},
		{"VMW", "vmware"},
		{"innotek GmbH", "oracle"},
		{"VirtualBox", "oracle"},
		{"Xen", "xen"},
		{"Bochs", "bochs"},
		{"Parallels", "parallels"},
		{"BHYVE", "bhyve"},
		{"Hyper-V", "microsoft"},
		{"Google Compute Engine", "google"},
		{"Apple Virtualization", "apple"},
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strncmp(text, known[i].begins, strlen(known[i].begins)) == 0)
			return known[i].name;
	return NULL;
}
