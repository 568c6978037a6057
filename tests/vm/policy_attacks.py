# SPDX-License-Identifier: Apache-2.0
"""How each attack of guest/attack.c has to end under each policy.

Without a policy (`none`) everything works but what the kernel refuses to everybody (KERNEL): an
attack that cannot succeed there proves nothing elsewhere. Under a policy everything is denied but
what the policy leaves on purpose (LEFT), each with its reason. An attack that is in no table, and one
that stopped being tried, are differences, too.
"""

POLICIES = ("none", "containerd", "kubelet", "logger", "oneshot", "strict")

# What a kernel and a root like these refuse to everybody.
KERNEL = {
    "dev-kmem": {"ENXIO"}, "dev-port": {"ENXIO"},  # not in this kernel
    "root-file": {"EROFS"}, "root-init": {"EROFS"}, "root-sbin": {"EROFS"},
    "root-remount": {"EACCES", "EROFS"},
    "own-program": {"ETXTBSY"},
    "x32-reboot": {"ENOSYS"}, "x32-init_module": {"ENOSYS"}, "x32-kexec_load": {"ENOSYS"},
    "filter-off": {"EINVAL"},
    "filter-read": {"EINVAL"},  # there is none to read
    "raise-ambient": {"EPERM"},
    "user-namespace-reboot": {"EPERM"}, "user-namespace-module": {"EPERM"},
    "user-namespace-control": {"EPERM"}, "control-as-user": {"EPERM"},
}
WORKS = """kexec_load kexec_file_load reboot init_module finit_module delete_module swapon swapoff acct
clock_settime syslog iopl ioperm dev-mem raw-disk root-cover sysrq-trigger core-pattern modprobe-path
cgroup-of-init ptrace-init memory-of-init write-to-init root-of-init namespaces-of-init
namespaces-by-pidfd descriptor-of-init control i386-reboot i386-init_module i386-delete_module
i386-kexec_load i386-iopl i386-ptrace-init filter-over filter-suspend raise-capability raise-by-exec
user-namespace mount-namespace pivot_root chroot bpf perf_event_open userfaultfd io_uring add_key
open_by_handle_at""".split()
ALL = set(KERNEL) | set(WORKS)

_MOUNTS = "containers and volumes are mounts"
_ROOT = "a file of the kernel that belongs to uid 0, and a pod's /proc is mounted anew"
_DEBUG = "privileged pods trace and enter what they see: debuggers, nsenter of storage drivers"
_PODS = "pods ask for it: CNI plugins, observability, storage drivers, virtual machines"

LEFT = {
    "none": {},
    "containerd": {
        "clock_settime": "pods keep the node's time (chrony, ptp)",
        "syslog": "pods read the kernel's log",
        "raw-disk": "block volumes; dm-verity finds out what is written to the root below it",
        "root-cover": _MOUNTS,
        "core-pattern": _ROOT, "modprobe-path": _ROOT,
        "cgroup-of-init": "it makes the cgroups of pods",
        "ptrace-init": _DEBUG, "write-to-init": _DEBUG,
        "root-of-init": _DEBUG, "namespaces-of-init": _DEBUG, "namespaces-by-pidfd": _DEBUG,
        "descriptor-of-init": _DEBUG, "i386-ptrace-init": _DEBUG,
        "user-namespace": "pods may have their own", "mount-namespace": _MOUNTS,
        "pivot_root": _MOUNTS, "chroot": _MOUNTS,
        "bpf": "without it no container starts: the device rules of cgroup v2 are BPF",
        "perf_event_open": _PODS, "userfaultfd": _PODS, "io_uring": _PODS,
        "add_key": "without keyrings no container starts",
        "open_by_handle_at": _PODS,
    },
    "kubelet": {
        "raw-disk": "volumes are made and checked on disks; dm-verity finds out what is written to "
                    "the root below it",
        "root-cover": _MOUNTS,
        "core-pattern": _ROOT, "modprobe-path": _ROOT,
        "cgroup-of-init": "it makes the cgroups of pods",
    },
    "logger": {},
    "oneshot": {"raw-disk": "file systems are made by such a step; dm-verity finds out what is written "
                            "to the root below it"},
    "strict": {},
}

# What a policy covers with something empty, or leaves out of its /dev.
COVERED = {"sysrq-trigger": {"EROFS"}, "memory-of-init": {"EROFS"},
           "dev-mem": {"ENOENT"}, "raw-disk": {"ENOENT"}}


def denier(name, result, lacks):
    """Who denied an attack, as far as it can be told from inside."""
    if result in COVERED.get(name, ()):
        return "covered"
    if result in KERNEL.get(name, ()) and (result != "EPERM" or lacks == "-"):
        return "kernel"
    if result == "EPERM" and lacks == "-":
        return "filter"
    return f"no {lacks}" if lacks != "-" else "kernel"


def expected(policy, name):
    """The results that are right."""
    if policy == "none":
        return KERNEL.get(name, {"works"})
    if name in LEFT[policy]:
        return {"works"}
    # A file that cannot be opened is no less denied when PID 1's maps are what cannot.
    return {"EPERM", "EACCES"} | KERNEL.get(name, set()) | COVERED.get(name, set())


def differences(policy, found):
    """What is not as it must be."""
    wrong = [f"{name}: not tried" for name in sorted(ALL - set(found))]
    wrong += [f"{name}: in no table" for name in sorted(set(found) - ALL)]
    wrong += [f"{name}: {result}, not {' or '.join(sorted(expected(policy, name)))}"
              for name, (result, _) in found.items()
              if name in ALL and result not in expected(policy, name)]
    return wrong
