/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy's namespaces do to a service that was written for those of the node. */
#include <sched.h>

#include "rootfs-spec/spec_parts.h"
#include "rootfs-spec/spec_policies.h"

/* PID 1 connects in the node's network; what answers there is somebody else. */
static void check_probes(const struct spec_service *service, const struct spec_policy *policy,
			 const struct spec_probe *probes, size_t count,
			 struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < count; i++) {
		if (probes[i].kind != PLAN_PROBE_HTTP)
			continue;
		diagnose_warning(diagnostics, probes[i].where,
				 "PID 1 asks in the node's network, and '%s' listens in its own: "
				 "policy '%s' has namespace 'net'",
				 service->name.text, policy->name.text);
		diagnose_hint(diagnostics, "a probe by 'command' asks in the service's network");
	}
}

void spec_check_namespaces(const struct spec *spec, const struct spec_service *service,
			   struct diagnostics *diagnostics)
{
	const struct spec_policy *policy = service->policy.text
						   ? spec_policy(spec, service->policy.text)
						   : NULL;

	if (policy && policy->namespaces & CLONE_NEWNET) {
		check_probes(service, policy, service->probes, service->probe_count, diagnostics);
		check_probes(service, policy, service->liveness, service->liveness_count,
			     diagnostics);
	}
	/* pid_namespaces(7): when its process 1 ends, the kernel kills the others. */
	if (policy && policy->namespaces & CLONE_NEWPID && service->kill == PLAN_KILL_MAIN) {
		diagnose_warning(diagnostics, service->policy.where,
				 "'kill: main' of '%s' leaves nothing behind: policy '%s' has "
				 "namespace 'pid', and ends with its main process",
				 service->name.text, policy->name.text);
	}
}
