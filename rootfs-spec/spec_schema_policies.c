/* SPDX-License-Identifier: Apache-2.0 */
/* The language: policies. docs/policy.md tells how its parts work together. */
#include "rootfs-spec/spec_schema.h"

static const struct schema name = {.scalar = SCHEMA_NAME};
static const struct schema word = {.scalar = SCHEMA_WORD};
static const struct schema text = {.scalar = SCHEMA_TEXT};
static const struct schema path = {.scalar = SCHEMA_PATH};
static const struct schema paths = {.element = &path};
static const struct schema words = {.element = &word};
static const struct schema boolean = {.scalar = SCHEMA_BOOLEAN};

/* ---- capabilities ---- */

static const struct schema capability = {.scalar = SCHEMA_CAPABILITY};
static const struct schema capabilities_list = {.element = &capability};
static const struct schema_key capabilities_keys[] = {
	{"drop", &capabilities_list, NULL,
	 "All capabilities but these; after `extends`, of those that are left.", false},
	{"keep", &capabilities_list, NULL, "These capabilities and no others.", false},
	{"add", &capabilities_list, NULL, "After `extends`: these are given back.", false},
	{"permitted", &capabilities_list, NULL,
	 "Those that the child has when it executes a program; without it all that are left.",
	 false},
	{"inheritable", &capabilities_list, NULL,
	 "Those that a program with file capabilities may inherit; without it the ambient ones.",
	 false},
	{"ambient", &capabilities_list, NULL,
	 "Of what is left, those a program run by another user keeps.", false},
	{0},
};
static const struct schema capabilities = {.what = "'capabilities'",
					   .keys = capabilities_keys,
					   .merge = SCHEMA_REPLACE};
static const char *const securebits_names[] = {
	"noroot",    "noroot-locked",    "no-setuid-fixup",      "no-setuid-fixup-locked",
	"keep-caps", "keep-caps-locked", "no-cap-ambient-raise", "no-cap-ambient-raise-locked",
	NULL};
static const struct schema securebit = {.scalar = SCHEMA_CHOICE, .choices = securebits_names};
static const struct schema securebits = {.element = &securebit};

/* ---- system calls ---- */

static const char *const operators[] = {"eq", "ne", "lt", "le", "gt", "ge", NULL};
static const struct schema operator= {.scalar = SCHEMA_CHOICE, .choices = operators};
static const struct schema argument_number = {.scalar = SCHEMA_INTEGER, .least = 0, .most = 5};
static const struct schema number = {.scalar = SCHEMA_INTEGER};
static const struct schema_key argument_keys[] = {
	{"arg", &argument_number, NULL, "Which argument: 0 is the first.", true},
	{"op", &operator, "eq", "How it compares, without sign: `eq ne lt le gt ge`.", false},
	{"value", &number, NULL, "With what.", true},
	{"mask", &number, NULL, "`eq` only: the bits of the argument that are looked at.", false},
	{0},
};
static const struct schema argument = {.what = "a condition on an argument",
				       .keys = argument_keys,
				       .merge = SCHEMA_REPLACE};
static const struct schema when = {.element = &argument};
static const struct schema call_name = {.scalar = SCHEMA_CALL};
static const struct schema answer = {.scalar = SCHEMA_ANSWER};
static const struct schema_key call_keys[] = {
	{"call", &call_name, NULL, "The call or the group.", true},
	{"when", &when, NULL,
	 "Only if all of these hold. Pointers cannot be looked through, so they are refused.",
	 false},
	{"action", &answer, NULL,
	 "`deny` only: `log`, `kill`, or another error than EPERM, such as `errno(ENOSYS)`.",
	 false},
	{0},
};
static const struct schema call = {.what = "an entry of system calls",
				   .scalar = SCHEMA_CALL,
				   .keys = call_keys,
				   .merge = SCHEMA_REPLACE};
static const struct schema calls_list = {.element = &call};
static const struct schema_key seccomp_keys[] = {
	{"default", &answer, NULL,
	 "For calls that no entry is about: `allow`, `log`, `kill`, `errno(NAME)`. Without it "
	 "`errno(EPERM)` beside `allow` alone, `allow` beside `deny` alone.",
	 false},
	{"allow", &calls_list, NULL, "These calls, or groups of calls, are let through.", false},
	{"deny", &calls_list, NULL,
	 "These calls answer EPERM, from i386 and x32 programs, too, unless `action` says "
	 "otherwise.",
	 false},
	{"log", &boolean, "false", "What is denied is told in the kernel's log.", false},
	{0},
};
static const struct schema seccomp = {.what = "'seccomp'",
				      .keys = seccomp_keys,
				      .merge = SCHEMA_REPLACE};

/* ---- what it sees ---- */

static const char *const namespace_names[] = {"mount", "ipc", "uts", "net", "pid", "cgroup", NULL};
static const struct schema namespace = {.scalar = SCHEMA_CHOICE, .choices = namespace_names};
static const struct schema namespaces = {.element = &namespace};
static const char *const procs[] = {"all", "own", "processes", NULL};
static const struct schema proc = {.scalar = SCHEMA_CHOICE, .choices = procs};
static const struct schema_key bind_keys[] = {
	{"from", &path, NULL, "What it sees.", true},
	{"to", &path, NULL, "Where it sees it.", true},
	{"read-only", &boolean, "false", "It can only read it.", false},
	{"optional", &boolean, "false", "Left out when either does not exist.", false},
	{0},
};
static const struct schema bind = {.what = "a bind", .keys = bind_keys, .merge = SCHEMA_REPLACE};
static const struct schema binds = {.element = &bind};
static const struct schema device = {.scalar = SCHEMA_DEVICE};
static const struct schema devices_list = {.element = &device};
static const struct schema_key devices_keys[] = {
	{"allow", &devices_list, NULL, "These and no others.", false},
	{"deny", &devices_list, NULL, "All but these.", false},
	{0},
};
static const struct schema devices = {.what = "'devices'",
				      .keys = devices_keys,
				      .merge = SCHEMA_REPLACE};

/* ---- Landlock ---- */

static const struct schema abi = {.scalar = SCHEMA_INTEGER, .least = 1, .most = 6};
static const struct schema port = {.scalar = SCHEMA_INTEGER, .least = 0, .most = 65535};
static const struct schema ports = {.element = &port};
static const char *const scope_names[] = {"abstract-unix-sockets", "signals", NULL};
static const struct schema scope = {.scalar = SCHEMA_CHOICE, .choices = scope_names};
static const struct schema scopes = {.element = &scope};
static const struct schema_key landlock_keys[] = {
	{"abi", &abi, "2",
	 "The version of Landlock that it is made for: 2 is Linux 5.19, 4 is 6.7, 6 is 6.12. What "
	 "a newer one could deny stays allowed.",
	 false},
	{"if-supported", &boolean, "false",
	 "A kernel that cannot give it starts the service without it, or with what it can; else "
	 "the service does not start.",
	 false},
	{"read", &paths, NULL, "Paths to be read, with everything below.", false},
	{"execute", &paths, NULL, "Paths to be read and executed.", false},
	{"write", &paths, NULL, "Paths to be read, written, made and removed.", false},
	{"tcp-bind", &ports, NULL, "TCP ports it may listen on (ABI 4).", false},
	{"tcp-connect", &ports, NULL, "TCP ports it may connect to (ABI 4).", false},
	{"scopes", &scopes, NULL,
	 "What it can reach only within itself (ABI 6): `abstract-unix-sockets`, `signals`.",
	 false},
	{0},
};
static const struct schema landlock = {.what = "'landlock'",
				       .keys = landlock_keys,
				       .merge = SCHEMA_REPLACE};

/* ---- a policy ---- */

static const char *const modes[] = {"enforce", "audit", NULL};
static const struct schema mode = {.scalar = SCHEMA_CHOICE, .choices = modes};
static const char *const keyrings[] = {"inherit", "own", NULL};
static const struct schema keyring = {.scalar = SCHEMA_CHOICE, .choices = keyrings};
static const char *const controls[] = {"deny", "allow", NULL};
static const struct schema control = {.scalar = SCHEMA_CHOICE, .choices = controls};
static const struct schema reasons = {.what = "'why'", .value = &text, .key = SCHEMA_TEXT};
static const struct schema_key policy_keys[] = {
	{"extends", &name, NULL,
	 "Begin with everything that this policy says. Lists of calls, paths, devices and reasons "
	 "add "
	 "to it; what is said of a call replaces what it said of that call.",
	 false},
	{"remove", &words, NULL, "After `extends`: keys or paths that are not taken over.", false},
	{"mode", &mode, "enforce",
	 "`audit`: what would be denied is logged instead, as far as the kernel can tell.", false},
	{"capabilities", &capabilities, NULL,
	 "Capabilities, by the names of capabilities(7), with or without `cap_`.", false},
	{"no-new-privs", &boolean, "false",
	 "Nothing it runs gains privileges. Everything below inherits it: never for containerd.",
	 false},
	{"securebits", &securebits, NULL, "As capabilities(7) describes them.", false},
	{"seccomp", &seccomp, NULL, "System calls.", false},
	{"namespaces", &namespaces, NULL, "Namespaces of its own.", false},
	{"shared-mounts", &boolean, "false",
	 "What it mounts reaches the node: of its mounts only those with covered paths are its "
	 "own.",
	 false},
	{"private-tmp", &boolean, "false", "As of a service.", false},
	{"read-only", &paths, NULL, "As of a service.", false},
	{"hidden", &paths, NULL, "As of a service.", false},
	{"bind", &binds, NULL, "As of a service.", false},
	{"proc", &proc, "all",
	 "`own`: a /proc of its own in which the processes of other users are invisible; "
	 "`processes`: and that holds nothing but processes.",
	 false},
	{"private-dev", &paths, NULL, "A /dev of its own that holds these nodes.", false},
	{"devices", &devices, NULL,
	 "Device nodes it may open (`r`, `w`) and make (`m`), whatever they are called: `c 1:3 "
	 "rw`.",
	 false},
	{"landlock", &landlock, NULL, "Paths, ports and scopes that it is held to.", false},
	{"keyring", &keyring, "inherit", "`own`: a session keyring of its own.", false},
	{"control", &control, "deny", "`allow`: it may speak to PID 1.", false},
	{"why", &reasons, NULL,
	 "Reasons, by the text of the line: a capability, a call or group, a path, a device, a "
	 "key.",
	 false},
	{0},
};
static const struct schema policy = {.what = "a policy", .keys = policy_keys};
const struct schema schema_policies = {.what = "'policies'", .value = &policy, .key = SCHEMA_NAME};
