/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan: the one contract between the builder's machine and the node.
 *
 * A plan is a flat, versioned, checksummed, pointer-free file. `keelson compile` writes it
 * (plan_write.h, host only), keelson-init maps it read-only, verifies it once with plan_verify()
 * and from then on only walks it: after a plan verified, no accessor below can leave the mapping,
 * loop for ever or meet an index that does not exist. What cannot be wrong at boot was rejected at
 * build time.
 *
 *     plan_header | section table | sections, each 8-aligned, in the order of enum plan_section
 *
 * Numbers are little-endian (every architecture keelson runs on is). Times are nanoseconds, sizes
 * bytes; the unit is in the name. A string is a byte offset into PLAN_STRINGS, where every string
 * ends in NUL and offset 0 is the empty string. A list is a range of some other section. An
 * "absent" index is PLAN_NONE.
 *
 * Two kinds share the format. The *boot plan* lives in the initramfs: storage modules, trusted
 * keys, nothing of the node. The *node plan* lives in the slot's verity root at PLAN_NODE_PATH: the
 * mounts in order, the modules in load order, the services in topological order, confinement
 * already turned into masks and BPF.
 */
#ifndef KEELSON_PLAN_H
#define KEELSON_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_MAGIC "KEELPLAN" /* 8 bytes, no NUL in the file */
#define PLAN_VERSION 3u
#define PLAN_NONE UINT32_MAX
#define PLAN_MAX_BYTES (16u << 20) /* a larger file is refused before it is mapped */
#define PLAN_MAX_SERVICES 4096u

/* What one list may hold, so that the node's arrays are of fixed size and its walks are short. */
#define PLAN_MAX_ARGUMENTS 512u   /* argv of a service */
#define PLAN_MAX_ENVIRONMENT 512u /* environment of a service */
#define PLAN_MAX_GROUPS 64u       /* supplementary groups of a service */
#define PLAN_MAX_LIMITS 16u       /* rlimits of a service */
#define PLAN_MAX_PROBES 32u       /* of a service: world_service.probes_met has a bit for each */
#define PLAN_MAX_SETTINGS 256u    /* cgroup files of a service */
#define PLAN_MAX_COMMANDS 16u     /* pre, and post, of a service */
#define PLAN_MAX_CONDITIONS 16u   /* of a service */
#define PLAN_MAX_SANDBOX 64u      /* paths that a service sees differently */
#define PLAN_MAX_CPUS 1024u       /* CPU numbers are below that */
#define PLAN_MAX_FD 255u          /* descriptor number of a probe */
#define PLAN_MAX_OPTIONS 256u     /* references, two an option, of a mount */
#define PLAN_MAX_LOWERS 64u       /* lower layers of an overlay */
#define PLAN_MAX_KEYS 8u          /* trusted certificates */
#define PLAN_MAX_FILTER 4096u     /* BPF instructions: BPF_MAXINSNS of linux/bpf_common.h */
#define PLAN_MAX_FILTERS 8u       /* of a policy: one for each architecture of a machine */
#define PLAN_MAX_LANDLOCK 128u    /* Landlock rules of a policy */
#define PLAN_MAX_DEVICES 64u      /* nodes of a private /dev */
#define PLAN_MAX_DEVICE_CODE 528u /* instructions of a device program */
#define PLAN_MAX_PATH 4095u       /* bytes of a path */
#define PLAN_MAX_RELEASE 64u      /* bytes of a kernel's release: uname(2) */
#define PLAN_MAX_CMDLINE 2047u    /* bytes of a kernel's command line: COMMAND_LINE_SIZE */

#define PLAN_BOOT_PATH "/keelson/boot.plan"    /* in the initramfs */
#define PLAN_NODE_PATH "/usr/lib/keelson/plan" /* in the slot's root */
#define PLAN_BOOT_KEYS "/keelson/keys"         /* directory of certificates in the initramfs */
#define PLAN_NODE_KEYS "/usr/lib/keelson/keys" /* in the slot's root; 0.der, 1.der, ... */

enum plan_kind { PLAN_KIND_BOOT = 1, PLAN_KIND_NODE = 2 };

enum plan_section {
	PLAN_SYSTEM,     /* exactly one struct plan_system */
	PLAN_STRINGS,    /* bytes; NUL-terminated strings */
	PLAN_REFS,       /* uint32_t: string offsets or indices, as the list that names them says */
	PLAN_BYTES,      /* opaque bytes (BPF programs), each blob 8-aligned */
	PLAN_MODULES,    /* struct plan_module, in load order */
	PLAN_PATHS,      /* struct plan_path, in creation order, after the mounts */
	PLAN_SETTINGS,   /* struct plan_setting: sysctls, cgroup files */
	PLAN_MOUNTS,     /* struct plan_mount, in mount order */
	PLAN_FILTERS,    /* struct plan_filter */
	PLAN_LANDLOCK,   /* struct plan_landlock */
	PLAN_POLICIES,   /* struct plan_policy */
	PLAN_LIMITS,     /* struct plan_limit */
	PLAN_PROBES,     /* struct plan_probe */
	PLAN_COMMANDS,   /* struct plan_command */
	PLAN_CONDITIONS, /* struct plan_condition */
	PLAN_SANDBOX,    /* struct plan_sandbox, in the order in which they are mounted */
	PLAN_EDGES,      /* struct plan_edge: first all `needs` lists, then all `needed_by` lists */
	PLAN_SERVICES,   /* struct plan_service, in topological order */
	PLAN_SECTION_COUNT
};

struct plan_span {
	uint32_t offset; /* bytes from the start of the file, 8-aligned */
	uint32_t count;  /* records */
	uint32_t stride; /* bytes a record: sizeof the record's type, checked */
	uint32_t zero;
};

struct plan_header {
	uint8_t magic[8];
	uint32_t version;
	uint32_t kind;          /* enum plan_kind */
	uint32_t size_bytes;    /* of the whole file */
	uint32_t crc32;         /* of the whole file with this field zero */
	uint32_t section_count; /* PLAN_SECTION_COUNT */
	uint32_t zero;
	uint8_t build_id[32]; /* SHA-256 over the resolved spec and its inputs */
};

typedef uint32_t plan_str; /* byte offset into PLAN_STRINGS */

struct plan_list {
	uint32_t first;
	uint32_t count;
};

struct plan_blob {
	uint32_t offset; /* into PLAN_BYTES, 8-aligned */
	uint32_t size_bytes;
};

/* A kernel module: an uncompressed .ko, loaded with finit_module(2). */
struct plan_module {
	plan_str path;
	plan_str parameters; /* "" for none */
};

/* A file below /proc/sys or a cgroup and what is written to it. */
struct plan_setting {
	plan_str path; /* sysctl: absolute path; cgroup: file name such as "memory.max" */
	plan_str value;
	uint32_t flags; /* PLAN_SETTING_* */
	uint32_t zero;
};
#define PLAN_SETTING_OPTIONAL 1u /* a failure is logged, not fatal */

enum plan_path_kind { PLAN_PATH_DIRECTORY = 1, PLAN_PATH_SYMLINK, PLAN_PATH_FILE, PLAN_PATH_COPY };

/* A path that must exist before services start (in /run, /var, /etc); what exists is left alone. */
struct plan_path {
	plan_str path;
	plan_str content; /* link target, file content, or source path of a copy */
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t kind; /* enum plan_path_kind */
};

enum plan_source {
	PLAN_SOURCE_NONE = 1,  /* a pseudo file system; `source` is only the name in mountinfo */
	PLAN_SOURCE_DEVICE,    /* `source` is a device path */
	PLAN_SOURCE_PARTITION, /* `source` is a GPT partition name on the disk that was booted */
	PLAN_SOURCE_BIND,      /* `source` is a path: bind mount */
	PLAN_SOURCE_OVERLAY    /* lowers, upper, work */
};

#define PLAN_MOUNT_MAKE 1u        /* make the file system if the device holds none */
#define PLAN_MOUNT_GROW 2u        /* grow it to the partition */
#define PLAN_MOUNT_CHECK 4u       /* fsck unless clean */
#define PLAN_MOUNT_OPTIONAL 8u    /* a failure is logged, the boot goes on */
#define PLAN_MOUNT_RECURSIVE 16u  /* bind: with everything below */
#define PLAN_MOUNT_SLOT_LAYER 32u /* overlay: `upper` and `work` are where slot_layer.h begins */

struct plan_mount {
	plan_str target; /* absolute; made if its parent is writable, else must exist */
	plan_str type;
	plan_str source;
	uint32_t source_kind;     /* enum plan_source */
	uint64_t attributes;      /* MOUNT_ATTR_*, for mount_setattr(2) and fsmount(2) */
	uint64_t mount_flags;     /* the same and the superblock's flags as MS_*, for mount(2) */
	uint64_t propagation;     /* 0, MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE (| MS_REC) */
	struct plan_list options; /* PLAN_REFS: pairs key, value; value "" (offset 0) is a flag */
	plan_str data;            /* the same options in mount(2)'s form */
	uint32_t flags;           /* PLAN_MOUNT_* */
	struct plan_list lowers;  /* PLAN_REFS: strings, topmost first */
	plan_str upper;           /* "" for a read-only overlay */
	plan_str work;
};

/*
 * A seccomp filter for machines of one architecture. It also judges the calls of the other kinds of
 * programs that their kernel runs: on x86-64 those of i386 and x32.
 */
struct plan_filter {
	uint32_t audit_arch; /* AUDIT_ARCH_* of linux/audit.h: of the kernel itself */
	uint32_t zero;
	struct plan_blob
		program; /* struct sock_filter[]; verified as the kernel does (plan_filter.h) */
};

enum plan_landlock_kind {
	PLAN_LANDLOCK_PATH = 1, /* `access` to everything at `path` and below */
	PLAN_LANDLOCK_PORT      /* `access` to TCP port `port` */
};

/* One rule of a Landlock ruleset: landlock_add_rule(2). */
struct plan_landlock {
	uint32_t kind;   /* enum plan_landlock_kind */
	uint32_t flags;  /* PLAN_LANDLOCK_* */
	uint64_t access; /* LANDLOCK_ACCESS_FS_*, LANDLOCK_ACCESS_NET_*: a part of what is handled */
	plan_str path;   /* port: "" */
	uint32_t port;   /* path: 0 */
};
#define PLAN_LANDLOCK_OPTIONAL 1u /* left out when `path` does not exist */

/* What Landlock knows in its ABI 6 (linux/landlock.h); a plan holds no other bits. */
#define PLAN_LANDLOCK_FS_KNOWN \
	0xffffull /* ABI 1: 0-12; 2: REFER 13; 3: TRUNCATE 14; 5: IOCTL_DEV 15 */
#define PLAN_LANDLOCK_FILE_KNOWN 0xc007ull /* of them, those that a rule on a file may name */
#define PLAN_LANDLOCK_NET_KNOWN 0x3ull     /* ABI 4: BIND_TCP, CONNECT_TCP */
#define PLAN_LANDLOCK_SCOPE_KNOWN 0x3ull   /* ABI 6: ABSTRACT_UNIX_SOCKET, SIGNAL */

enum plan_mode {
	PLAN_MODE_ENFORCE = 1,
	/*
	 * Learn: what would be denied is logged. The filters in the plan answer SECCOMP_RET_LOG where
	 * they would deny. PID 1 leaves the bounding set and the permitted set as they are (the
	 * inheritable and ambient ones are given), and loads neither the Landlock rules nor the device
	 * program; everything else is as in the other mode. The fields say what would be enforced.
	 */
	PLAN_MODE_AUDIT
};

/*
 * /proc in the mount namespace of the service. Beyond ALL it is a mount of its own: proc(5),
 * "hidepid" and "subset".
 */
enum plan_proc {
	PLAN_PROC_ALL = 1,  /* the node's own mount */
	PLAN_PROC_OWN,      /* hidepid=invisible */
	PLAN_PROC_PROCESSES /* hidepid=invisible, subset=pid: nothing but processes */
};

/*
 * What a process may do; applied in the order that svc/confine.h gives. Masks have bit n = cap n.
 *
 * Any of `sandbox`, `proc` other than ALL, PRIVATE_DEV and CLONE_NEWNS in `namespaces` needs a mount
 * namespace. It is a slave of the node's, or with PLAN_POLICY_SHARED_MOUNTS a peer: what the service
 * mounts reaches the node (the kubelet's volumes must), and only the mounts that a covered path lies
 * on (/proc, /dev, /sys) become private in it before they are covered. `sandbox` is mounted before the
 * service's own list; both together hold at most PLAN_MAX_SANDBOX.
 */
struct plan_policy {
	plan_str name;
	uint32_t flags;      /* PLAN_POLICY_* */
	uint32_t mode;       /* enum plan_mode */
	uint32_t securebits; /* 0: left alone. Applied whether or not there are masks */
	uint64_t cap_bounding;
	uint64_t cap_inheritable;
	uint64_t cap_permitted; /* also effective */
	uint64_t cap_ambient;
	uint64_t namespaces; /* CLONE_NEWNS, NEWIPC, NEWUTS, NEWNET, NEWPID, NEWCGROUP of clone(2) */
	struct plan_list filters;  /* PLAN_FILTERS, each architecture once; none: no filter */
	struct plan_list sandbox;  /* PLAN_SANDBOX: paths that differ for whoever lives under it */
	struct plan_list landlock; /* PLAN_LANDLOCK: rules; applied only with PLAN_POLICY_LANDLOCK */
	uint64_t landlock_fs;      /* handled: denied where no rule gives it */
	uint64_t landlock_net;
	uint64_t landlock_scoped;
	struct plan_list devices; /* PLAN_REFS: strings, nodes below /dev that a private /dev holds */
	/*
	 * struct bpf_insn[] of type BPF_PROG_TYPE_CGROUP_DEVICE, attached to the service's group before
	 * the clone (BPF_F_ALLOW_MULTI: groups below add their own); size 0: none. GPL-compatible, calls
	 * no helper, reads struct bpf_cgroup_dev_ctx only.
	 */
	struct plan_blob device_program;
	uint32_t proc; /* enum plan_proc */
	uint32_t zero;
};
#define PLAN_POLICY_NO_NEW_PRIVS 1u
#define PLAN_POLICY_CAPS 2u    /* the masks are to be applied */
#define PLAN_POLICY_KEYRING 4u /* a session keyring of its own: KEYCTL_JOIN_SESSION_KEYRING */
#define PLAN_POLICY_CONTROL \
	8u /* may speak to PID 1's control socket; without it the answer is EPERM */
#define PLAN_POLICY_LANDLOCK 16u
/* A kernel without Landlock, or of an ABI without some of the handled bits, starts it all the same. */
#define PLAN_POLICY_LANDLOCK_IF_SUPPORTED 32u
#define PLAN_POLICY_SHARED_MOUNTS 64u
#define PLAN_POLICY_PRIVATE_DEV \
	128u /* /dev is a tmpfs of its own that holds `devices`, pts and shm */
#define PLAN_POLICY_LOG \
	256u /* SECCOMP_FILTER_FLAG_LOG: what the filter denies is in the kernel's log */

struct plan_limit {
	uint32_t resource; /* RLIMIT_* */
	uint32_t zero;
	uint64_t soft;
	uint64_t hard;
};

/* A program that is run to its end beside a service: a hook, a probe, a reload. */
struct plan_command {
	struct plan_list argv; /* PLAN_REFS: strings; argv[0] is an absolute path */
	uint64_t timeout_ns;   /* never 0; killed when it takes longer, and that is a failure */
	uint32_t flags;        /* PLAN_COMMAND_* */
	uint32_t zero;
};
#define PLAN_COMMAND_OPTIONAL 1u /* its failure is logged and changes nothing */

enum plan_probe_kind {
	PLAN_PROBE_EXEC = 1, /* execve succeeded */
	PLAN_PROBE_NOTIFY,   /* READY=1 by sd_notify(3) */
	PLAN_PROBE_SOCKET,   /* `target`, an AF_UNIX path, accepts a connection */
	PLAN_PROBE_HTTP,     /* GET `target` on 127.0.0.1:`number` answers 200 */
	PLAN_PROBE_FD,       /* the service writes a newline to its descriptor `number` */
	PLAN_PROBE_COMMAND   /* `command` exits with 0 */
};

/*
 * One condition of readiness or of liveness. A service is ready when all of its `probes` have been
 * met once; one of its `liveness` probes (socket, http, command) that fails `failures` times in a
 * row while it is up restarts it.
 */
struct plan_probe {
	uint32_t kind;    /* enum plan_probe_kind */
	uint32_t number;  /* http: port; fd: descriptor, 3 to PLAN_MAX_FD; else 0 */
	plan_str target;  /* socket: path; http: request path; else "" */
	uint32_t command; /* command: index into PLAN_COMMANDS; else PLAN_NONE */
	uint64_t interval_ns;
	uint64_t timeout_ns; /* of one attempt (http, command); never 0 for these */
	uint32_t failures;   /* liveness: so many in a row; 0 for a probe of readiness */
	uint32_t zero;
};

enum plan_condition_kind {
	PLAN_CONDITION_PATH = 1,    /* `value` exists (symbolic links are followed) */
	PLAN_CONDITION_KERNEL_WORD, /* a word of /proc/cmdline is `value`, or begins with `value=` */
	PLAN_CONDITION_FIRST_BOOT,  /* the state was made in this boot */
	PLAN_CONDITION_ARCHITECTURE, /* machine of uname(2) */
	PLAN_CONDITION_VIRTUALIZATION /* "kvm", "qemu", "xen", ..., "vm" for any, "container", "none" */
};

/* Whether a service has anything to do on this machine: looked at each time before it starts. */
struct plan_condition {
	uint32_t kind;  /* enum plan_condition_kind */
	uint32_t flags; /* PLAN_CONDITION_* */
	plan_str value;
	uint32_t zero;
};
#define PLAN_CONDITION_NOT 1u /* it must not hold */

enum plan_sandbox_kind {
	PLAN_SANDBOX_TMP = 1,   /* `path` ("/tmp", "/var/tmp") is a tmpfs of its own */
	PLAN_SANDBOX_READ_ONLY, /* what is mounted at `path` and below can only be read */
	PLAN_SANDBOX_HIDDEN,    /* `path` is empty: a directory or a file that nobody may read */
	PLAN_SANDBOX_BIND,      /* `source` is seen at `path` too */
	PLAN_SANDBOX_BIND_READ_ONLY
};

/* One path that a service sees differently: it then has a mount namespace of its own (a slave). */
struct plan_sandbox {
	uint32_t kind;  /* enum plan_sandbox_kind */
	uint32_t flags; /* PLAN_SANDBOX_* */
	plan_str path;
	plan_str source; /* bind: path; else "" */
};
#define PLAN_SANDBOX_OPTIONAL 1u /* left out when `path` or `source` does not exist */

enum plan_edge_kind {
	PLAN_EDGE_REQUIRES = 1, /* hard, and ordered */
	PLAN_EDGE_WANTS,        /* soft, and ordered */
	PLAN_EDGE_AFTER,        /* order only */
	PLAN_EDGE_CONFLICTS     /* never both: no order; `from` is the later one in the plan */
};

/* `from` needs `to`. Verified: to < from, so a plan cannot hold a cycle. */
struct plan_edge {
	uint32_t from;
	uint32_t to;
	uint32_t kind; /* enum plan_edge_kind */
	uint32_t zero;
};

enum plan_service_kind {
	PLAN_SERVICE_DAEMON = 1,
	PLAN_SERVICE_ONESHOT,
	PLAN_SERVICE_TIMER /* a oneshot that runs again and again */
};
enum plan_restart { PLAN_RESTART_NEVER = 1, PLAN_RESTART_FAILURE, PLAN_RESTART_ALWAYS };
enum plan_kill { PLAN_KILL_CGROUP = 1, PLAN_KILL_MAIN };
enum plan_output { PLAN_OUTPUT_NULL = 1, PLAN_OUTPUT_LOG, PLAN_OUTPUT_KMSG, PLAN_OUTPUT_TTY };

#define PLAN_SERVICE_CRITICAL 1u /* FAILED takes the node's action: reboot, which counts a try */
#define PLAN_SERVICE_MANUAL 2u   /* not started at boot unless something requires it */
#define PLAN_SERVICE_LOGGER 4u   /* this is the logger: it gets the read ends of the output pipes */
#define PLAN_SERVICE_DELEGATE 8u /* the cgroup below is the service's own: nobody rewrites it */
#define PLAN_SERVICE_NOTIFY_ALL 16u /* sd_notify(3) counts from every process of its cgroup */
#define PLAN_SERVICE_LOG_DROP 32u   /* output: log; what the logger does not take in time is lost */

struct plan_service {
	plan_str name;        /* [a-z0-9][a-z0-9._-]*, at most 63 bytes, unique */
	uint32_t kind;        /* enum plan_service_kind */
	uint32_t flags;       /* PLAN_SERVICE_* */
	uint32_t restart;     /* enum plan_restart */
	uint32_t kill;        /* enum plan_kill: what a stop takes down */
	uint32_t output;      /* enum plan_output */
	plan_str output_path; /* tty: device; log: file */
	uint32_t stop_signal;
	uint64_t log_max_bytes;       /* of one log file; rotated beyond */
	uint32_t log_keep;            /* rotated files kept */
	uint32_t policy;              /* index into PLAN_POLICIES or PLAN_NONE */
	struct plan_list argv;        /* PLAN_REFS: strings; argv[0] is an absolute path */
	struct plan_list environment; /* PLAN_REFS: strings "NAME=value", the whole environment */
	plan_str directory;           /* working directory, "/" by default */
	plan_str cgroup;              /* below the cgroup root, no leading slash, unique */
	struct plan_list cgroup_settings; /* PLAN_SETTINGS */
	struct plan_list limits;          /* PLAN_LIMITS */
	struct plan_list probes;          /* PLAN_PROBES, at least one for a daemon */
	struct plan_list needs;           /* PLAN_EDGES with from == this service */
	struct plan_list needed_by;       /* PLAN_EDGES with to == this service */
	struct plan_list groups;          /* PLAN_REFS: supplementary gids */
	uint32_t uid;
	uint32_t gid;
	int32_t oom_score_adj;
	int32_t nice;
	uint32_t umask;
	uint32_t burst; /* failed after so many restarts without a stable period; 0: never */
	uint64_t start_timeout_ns; /* never 0 */
	uint64_t stop_timeout_ns;  /* never 0 */
	uint64_t backoff_min_ns;
	uint64_t backoff_max_ns;
	uint64_t stable_ns;        /* up this long: backoff and burst are reset */
	uint64_t exits_clean[4];   /* bit n: exit status n is a good end (0 always is) */
	uint64_t exits_final[4];   /* bit n: exit status n is never followed by a restart */
	struct plan_list pre;      /* PLAN_COMMANDS: one after the other, before the main process */
	struct plan_list post;     /* PLAN_COMMANDS: after it ended, however it did */
	struct plan_list liveness; /* PLAN_PROBES: socket, http, command */
	struct plan_list conditions; /* PLAN_CONDITIONS: all must hold, else there is nothing to do */
	struct plan_list sandbox;    /* PLAN_SANDBOX */
	uint64_t watchdog_ns;        /* WATCHDOG=1 at least so often; 0: not expected */
	uint64_t timer_first_ns;     /* timer: from when it is wanted to its first run */
	uint64_t timer_every_ns;     /* timer: from the end of a run to the next; 0: never again */
	uint64_t timer_jitter_ns;    /* timer: at most so much is added to each, at random */
	uint32_t reload_signal;      /* 0: none */
	uint32_t reload_command;     /* index into PLAN_COMMANDS or PLAN_NONE */
	uint32_t scheduler;          /* SCHED_* of sched(7) */
	uint32_t scheduler_priority; /* 1 to 99 for SCHED_FIFO and SCHED_RR, else 0 */
	uint32_t io_priority;        /* as ioprio_set(2) takes it; 0: the kernel's default */
	uint32_t zero;
	struct plan_blob
		affinity; /* as sched_setaffinity(2) takes it: a bit for each CPU; size 0: all */
};

/* What the node does when a critical service has failed for good. */
enum plan_critical { PLAN_CRITICAL_REBOOT = 1, PLAN_CRITICAL_POWEROFF, PLAN_CRITICAL_HALT };

#define PLAN_SYSTEM_RESCUE 1u     /* a failure before services opens a shell on the console */
#define PLAN_SYSTEM_LOOPBACK 2u   /* bring lo up */
#define PLAN_SYSTEM_MACHINE_ID 4u /* provide /etc/machine-id (from state, else random) */

struct plan_system {
	plan_str name;
	plan_str image_version;
	plan_str hostname;
	uint32_t flags;               /* PLAN_SYSTEM_* */
	struct plan_list sysctls;     /* PLAN_SETTINGS */
	struct plan_list healthy;     /* PLAN_REFS: service indices that must be up */
	uint64_t healthy_for_ns;      /* for so long without a break, then the slot is blessed */
	uint64_t healthy_deadline_ns; /* after kernel start; not blessed by then: reboot. 0: none */
	uint32_t tries;               /* that an installed slot starts with */
	uint32_t logger;              /* service index of the logger or PLAN_NONE */
	plan_str pods_cgroup;         /* where pods live, "kubepods"; "" for none */
	plan_str controllers;         /* for the root's subtree_control: "+cpu +memory ..." or "" */
	uint64_t pods_grace_ns;       /* between TERM and kill of pods at shutdown */
	uint64_t shutdown_timeout_ns; /* budget of everything before the final sync */
	uint32_t critical;            /* enum plan_critical */
	uint32_t zero;
	/*
	 * PLAN_REFS: paths of trusted X.509 certificates (DER), each once. In the boot plan: whose
	 * slots are booted. In the node plan, below PLAN_NODE_KEYS: whose bundles are installed.
	 */
	struct plan_list keys;
	/*
	 * Boot plan: the kernel that this initramfs was made for, and so the one that runs when a loader
	 * starts both. "" and zero: the image has none.
	 */
	plan_str kernel_release;
	plan_str kernel_cmdline; /* the image's own words of the command line */
	uint8_t kernel_sha256[32];
};

/* ---- reading ---- */

/* A verified plan: where each section lies in the mapping. Plain data, borrowed from the mapping. */
struct plan {
	const uint8_t *base;
	const struct plan_header *header;
	const struct plan_system *system;
	struct plan_span span[PLAN_SECTION_COUNT];
};

/* Why a plan was refused: a constant text and where in the file. */
struct plan_fault {
	const char *reason;
	uint32_t section; /* enum plan_section, or PLAN_NONE for the header */
	uint32_t index;   /* record in the section */
};

/*
 * Verify `size` bytes at `base` (8-aligned) as a plan of `kind` and fill `plan`. Checks magic,
 * version, size, CRC, every section's place and stride, every string, list, index, enum, edge and
 * blob, and that needs and needed_by mirror each other. Allocates nothing; runs once; its time is
 * linear in the file. Returns 0, -EBADMSG (damaged: `fault` says what), -EPROTONOSUPPORT (another
 * version or kind), -EMSGSIZE (size). `fault` may be NULL.
 */
int plan_verify(const void *base, size_t size, enum plan_kind kind, struct plan *plan,
		struct plan_fault *fault);

/* The name of a section, for messages; "header" for PLAN_NONE. */
const char *plan_section_name(uint32_t section);

static inline const char *plan_string(const struct plan *plan, plan_str string)
{
	return (const char *)plan->base + plan->span[PLAN_STRINGS].offset + string;
}

static inline uint32_t plan_count(const struct plan *plan, enum plan_section section)
{
	return plan->span[section].count;
}

#define PLAN_ACCESSOR(function, type, section)                                                 \
	static inline const type *function(const struct plan *plan, uint32_t index)            \
	{                                                                                      \
		return (const type *)(const void *)(plan->base + plan->span[section].offset) + \
		       index;                                                                  \
	}
PLAN_ACCESSOR(plan_ref, uint32_t, PLAN_REFS)
PLAN_ACCESSOR(plan_module, struct plan_module, PLAN_MODULES)
PLAN_ACCESSOR(plan_path, struct plan_path, PLAN_PATHS)
PLAN_ACCESSOR(plan_setting, struct plan_setting, PLAN_SETTINGS)
PLAN_ACCESSOR(plan_mount, struct plan_mount, PLAN_MOUNTS)
PLAN_ACCESSOR(plan_filter, struct plan_filter, PLAN_FILTERS)
PLAN_ACCESSOR(plan_landlock, struct plan_landlock, PLAN_LANDLOCK)
PLAN_ACCESSOR(plan_policy, struct plan_policy, PLAN_POLICIES)
PLAN_ACCESSOR(plan_limit, struct plan_limit, PLAN_LIMITS)
PLAN_ACCESSOR(plan_probe, struct plan_probe, PLAN_PROBES)
PLAN_ACCESSOR(plan_command, struct plan_command, PLAN_COMMANDS)
PLAN_ACCESSOR(plan_condition, struct plan_condition, PLAN_CONDITIONS)
PLAN_ACCESSOR(plan_sandbox, struct plan_sandbox, PLAN_SANDBOX)
PLAN_ACCESSOR(plan_edge, struct plan_edge, PLAN_EDGES)
PLAN_ACCESSOR(plan_service, struct plan_service, PLAN_SERVICES)
#undef PLAN_ACCESSOR

/* The i-th string of a list in PLAN_REFS. */
static inline const char *plan_list_string(const struct plan *plan, struct plan_list list,
					   uint32_t i)
{
	return plan_string(plan, *plan_ref(plan, list.first + i));
}

static inline const void *plan_bytes(const struct plan *plan, struct plan_blob blob)
{
	return plan->base + plan->span[PLAN_BYTES].offset + blob.offset;
}

#endif
