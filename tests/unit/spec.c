/* SPDX-License-Identifier: Apache-2.0 */
/* The spec: what is wrong is told where and how, what is right becomes the plan that was meant. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "rootfs-spec/compile.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/nearest.h"
#include "rootfs-spec/node.h"
#include "rootfs-spec/plan_print.h"
#include "rootfs-spec/schema.h"
#include "rootfs-spec/spec.h"
#include "rootfs-spec/value.h"
#include "tests/unit/plan_walk.h"

#define SECOND 1000000000ull
#define HEAD "keelson: 1\nname: t\n"

/* ---- a text on its way through the compiler ---- */

struct trial {
	struct pool pool;
	struct diagnostics diagnostics;
	struct spec spec;
	char *told; /* what diagnostics_print() printed */
	void *bytes;
	struct plan plan;
};

static void trial_print(struct trial *trial)
{
	size_t size;

	free(trial->told);
	FILE *out = open_memstream(&trial->told, &size);
	assert_non_null(out);
	diagnostics_print(&trial->diagnostics, out, false);
	fclose(out);
}

static int trial_parse(struct trial *trial, const char *text)
{
	*trial = (struct trial){0};
	trial->diagnostics.pool = &trial->pool;
	int error = spec_parse("t.yaml", text, strlen(text), NULL, &trial->pool, &trial->spec,
			       &trial->diagnostics);
	trial_print(trial);
	return error;
}

static void trial_end(struct trial *trial)
{
	pool_free(&trial->pool);
	free(trial->told);
	free(trial->bytes);
}

static void trial_compile(struct trial *trial, const char *text)
{
	size_t size = 0;
	int error = trial_parse(trial, text);

	if (!error)
		error = compile_node_plan(&trial->spec, NULL, NULL, &trial->diagnostics,
					  &trial->bytes, &size);
	trial_print(trial);
	if (error)
		print_error("%s", trial->told);
	assert_int_equal(error, 0);
	assert_int_equal(plan_verify(trial->bytes, size, PLAN_KIND_NODE, &trial->plan, NULL), 0);
	plan_walk(&trial->plan);
}

static const struct plan_service *service_of(const struct trial *trial, const char *name)
{
	for (uint32_t i = 0; i < plan_count(&trial->plan, PLAN_SERVICES); i++)
		if (strcmp(plan_string(&trial->plan, plan_service(&trial->plan, i)->name), name) ==
		    0)
			return plan_service(&trial->plan, i);
	fail_msg("no service %s", name);
	return NULL;
}

/* ---- what is wrong, and exactly what is said ---- */

#define A "services:\n  a:\n    exec: [/bin/a]\n"

static const struct {
	const char *text;
	const char *told;
} wrong[] = {
	/* YAML itself. */
	{"", "t.yaml:1:1: error: the file is empty\n"},
	{"keelson: 1\nname: [a\nb: 2\n",
	 "t.yaml:3:2: error: did not find expected ',' or ']' (while parsing a flow sequence that "
	 "began in line 2)\n    b: 2\n     ^\n"},
	{"keelson: 1\n\tname: t\n", "t.yaml:2:1: error: found a tab character that violates "
				    "indentation (while scanning a plain "
				    "scalar that began in line 1)\n    \tname: t\n    ^\n"},
	{HEAD "services:\n\ta:\n",
	 "t.yaml:4:1: error: a tab character: YAML is indented with spaces\n    \ta:\n    ^\n"},
	{HEAD "version: @1\n", "t.yaml:3:10: error: a text that begins with '@' needs quotes\n"
			       "    version: @1\n             ^\n"},
	{HEAD "version: \"a\nb\n",
	 "t.yaml:5:1: error: found unexpected end of stream (while scanning a quoted scalar that "
	 "began in line 3)\n"},
	{HEAD "---\nname: u\n",
	 "t.yaml:3:1: error: a second document: a spec is one document\n    ---\n    ^\n"},
	{HEAD "version: &v 1\n",
	 "t.yaml:3:10: error: anchors are not allowed: a spec says each thing where it belongs\n"
	 "    version: &v 1\n             ^\n"},
	{HEAD "version: *v\n",
	 "t.yaml:3:10: error: aliases are not allowed: a spec says each thing where it belongs\n"
	 "    version: *v\n             ^\n"},
	{HEAD "version: !!str 1\n", "t.yaml:3:10: error: tags are not allowed\n"
				    "    version: !!str 1\n             ^\n"},
	{HEAD "name: u\n", "t.yaml:3:1: error: duplicate key 'name', first in line 2\n"
			   "    name: u\n    ^\n"},
	{HEAD "version: \"a\\0b\"\n",
	 "t.yaml:3:10: error: a text must not hold a NUL character\n    version: \"a\\0b\"\n"
	 "             ^\n"},
	/* What would command a terminal is not sent there; columns count characters. */
	{HEAD "\"\\e[31m\\u202e\": x\n",
	 "t.yaml:3:1: error: unknown key '?[31m?' in a spec\n    \"\\e[31m\\u202e\": x\n    ^\n"},
	{HEAD "hostname: \xc3\xa9\xe9\n",
	 "t.yaml:3:12: error: incomplete UTF-8 octet sequence\n    hostname: \xc3\xa9?\n"
	 "               ^\n    a spec is a text file in UTF-8\n"},
	{"- a\n", "t.yaml:1:1: error: a spec must be a map, not a list\n    - a\n    ^\n"},
	/* Keys and types. */
	{"name: t\n", "t.yaml:1:1: error: a spec without 'keelson'\n    name: t\n    ^\n"},
	{"keelson: 2\nname: t\n", "t.yaml:1:10: error: 'keelson' must be 1, not '2'\n"
				  "    keelson: 2\n             ^\n"},
	{HEAD "hostnmae: x\n", "t.yaml:3:1: error: unknown key 'hostnmae' in a spec\n"
			       "    hostnmae: x\n    ^\n    did you mean 'hostname'?\n"},
	{HEAD "zzz: x\n", "t.yaml:3:1: error: unknown key 'zzz' in a spec\n    zzz: x\n    ^\n"},
	{HEAD A "    polcy: x\n", "t.yaml:6:5: error: unknown key 'polcy' in a service\n"
				  "        polcy: x\n        ^\n    did you mean 'policy'?\n"},
	{HEAD "services: [a]\n", "t.yaml:3:11: error: 'services' must be a map, not a list\n"
				 "    services: [a]\n              ^\n"},
	{HEAD "services:\n  a: {exec: /bin/a}\n",
	 "t.yaml:4:13: error: 'exec' must be a list, not '/bin/a'\n      a: {exec: /bin/a}\n"
	 "                ^\n    a list is written [a, b], or with '- ' before each entry on a "
	 "line of "
	 "its own\n"},
	{HEAD A "    ExecStart: /bin/a\n",
	 "t.yaml:6:5: error: unknown key 'ExecStart' in a service\n        ExecStart: /bin/a\n"
	 "        ^\n    did you mean 'exec'?\n"},
	{HEAD A "    env: {A: b}\n",
	 "t.yaml:6:5: error: unknown key 'env' in a service\n"
	 "        env: {A: b}\n        ^\n    did you mean 'environment'?\n"},
	{HEAD "image: {budget: 96 MB}\n",
	 "t.yaml:3:17: error: 'budget' must be a size such as 64KiB, 96MiB or 1GiB, not '96 MB'\n"
	 "    image: {budget: 96 MB}\n                    ^\n    did you mean '96MiB'?\n"},
	{HEAD A "    stop-timeout: 366d\n",
	 "t.yaml:6:19: error: 'stop-timeout' must be at most 365d, not '366d'\n"
	 "        stop-timeout: 366d\n                      ^\n"},
	{HEAD "services:\n  a: {}\n",
	 "t.yaml:4:3: error: a service without 'exec'\n      a: {}\n      ^\n"},
	{HEAD "services:\n  a: {exec: []}\n",
	 "t.yaml:4:13: error: 'exec' is empty\n      a: {exec: []}\n                ^\n"},
	{HEAD "services:\n  a: {exec: [bin/a]}\n",
	 "t.yaml:4:14: error: the program must be an absolute path, not 'bin/a'\n"
	 "      a: {exec: [bin/a]}\n                 ^\n"},
	{HEAD "services:\n  A: {exec: [/bin/a]}\n",
	 "t.yaml:4:3: error: a key of 'services' must be a name of lower-case letters, digits, "
	 "'.', '_' and '-', not 'A'\n      A: {exec: [/bin/a]}\n      ^\n"},
	{HEAD A "    critical: yes\n", "t.yaml:6:15: error: 'critical' must be true or false, not "
				       "'yes'\n        critical: yes\n                  ^\n"
				       "    did you mean 'true'?\n"},
	{HEAD A "    start-timeout: 30\n",
	 "t.yaml:6:20: error: 'start-timeout' must be a duration such as 100ms, 30s or 5min, not "
	 "'30'\n        start-timeout: 30\n                       ^\n    did you mean '30s'?\n"},
	{HEAD A "    stop-timeout: 0\n",
	 "t.yaml:6:19: error: 'stop-timeout' must not be 0: every wait has an end\n"
	 "        stop-timeout: 0\n                      ^\n"},
	{HEAD A "    nice: 20\n", "t.yaml:6:11: error: 'nice' must be a number from -20 to 19, not "
				  "'20'\n        nice: 20\n              ^\n"},
	{HEAD A "    umask: 9\n", "t.yaml:6:12: error: 'umask' must be an octal mode such as 0644, "
				  "not '9'\n        umask: 9\n               ^\n"},
	{HEAD A "    stop-signal: TREM\n",
	 "t.yaml:6:18: error: 'stop-signal' must be a signal such as TERM, not 'TREM'\n"
	 "        stop-signal: TREM\n                     ^\n    did you mean 'TERM'?\n"},
	{HEAD A "    limits: {nofiles: 3}\n",
	 "t.yaml:6:14: error: a key of 'limits' must be a resource such as nofile, not 'nofiles'\n"
	 "        limits: {nofiles: 3}\n                 ^\n    did you mean 'nofile'?\n"},
	{HEAD A "    limits: {nofile: [5, 3]}\n",
	 "t.yaml:6:22: error: the soft limit is above the hard one\n"
	 "        limits: {nofile: [5, 3]}\n                         ^\n"},
	{HEAD A "    cgroup: ../x\n",
	 "t.yaml:6:13: error: 'cgroup' must be a cgroup below the root, such as "
	 "runtime/containerd, not '../x'\n        cgroup: ../x\n                ^\n"},
	{HEAD A "    directory: null\n",
	 "t.yaml:6:5: error: null removes what was inherited, but there is no inherited "
	 "'directory'\n        directory: null\n        ^\n"},
	{HEAD A "    output: null\n",
	 "t.yaml:6:5: error: null removes what was inherited, but there is no inherited 'output'\n"
	 "        output: null\n        ^\n    did you mean 'output: none'?\n"},
	{HEAD "files:\n",
	 "t.yaml:3:1: error: 'files' has no value\n    files:\n    ^\n"
	 "    what belongs to it is indented below it; 'files: null' removes what is inherited\n"},
	{HEAD "services:\n  a:\n    exec:\n",
	 "t.yaml:5:5: error: 'exec' has no value\n        exec:\n        ^\n"
	 "    what belongs to it is indented below it; 'exec: null' removes what is inherited\n"},
	/* Readiness. */
	{HEAD A "    ready: htttp\n", "t.yaml:6:12: error: 'ready' must be exec or notify, or a "
				      "list, or a map, not 'htttp'\n        ready: htttp\n"
				      "               ^\n"},
	{HEAD A "    ready: {http: 10.0.0.1:80/}\n",
	 "t.yaml:6:19: error: 'http' must be 127.0.0.1:PORT/PATH, not '10.0.0.1:80/'\n"
	 "        ready: {http: 10.0.0.1:80/}\n                      ^\n"},
	{HEAD A "    ready: [exec, notify]\n",
	 "t.yaml:6:12: error: 'exec' beside other conditions says nothing: they hold only later\n"
	 "        ready: [exec, notify]\n               ^\n"},
	{HEAD A "    kind: oneshot\n    ready: notify\n",
	 "t.yaml:7:12: error: a oneshot is done when it has ended: it has no 'ready'\n"
	 "        ready: notify\n               ^\n"},
	{HEAD A "    kind: oneshot\n    restart: always\n",
	 "t.yaml:7:14: error: a oneshot that is always restarted is never done: say on-failure\n"
	 "        restart: always\n                 ^\n"},
	/* One byte more than unix(7) has room for. */
	{HEAD A "    ready:\n      socket: "
		"/sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"
		"ssssssssssssssssssssssssss\n",
	 "t.yaml:7:15: error: a socket's path has at most 107 bytes\n          socket: "
	 "/ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"
	 "sssssssssssssssssss\n"
	 "                  ^\n"},
	/* Names across parts. */
	{HEAD A "    requires: [b]\n  bb: {exec: [/b]}\n",
	 "t.yaml:6:16: error: 'a' requires unknown service 'b'\n        requires: [b]\n"
	 "                   ^\n    did you mean 'bb'?\n"},
	{HEAD A "    policy: kublet\npolicies: {kubelet: {}}\n",
	 "t.yaml:6:13: error: unknown policy 'kublet'\n        policy: kublet\n"
	 "                ^\n    did you mean 'kubelet'?\n"},
	{HEAD A "    requires: a\n", "t.yaml:6:15: error: dependency cycle: a -> a\n"
				     "        requires: a\n                  ^\n"
				     "    a requires a (t.yaml:6:15)\n"},
	{HEAD A
	 "    requires: b\n  b: {exec: [/b], wants: c}\n  c:\n    exec: [/c]\n    after: [a]\n",
	 "t.yaml:6:15: error: dependency cycle: a -> b -> c -> a\n        requires: b\n"
	 "                  ^\n    a requires b (t.yaml:6:15), b wants c (t.yaml:7:26), "
	 "c after a (t.yaml:10:13)\n"},
	{HEAD A "slots: {healthy: {services: [b]}}\n",
	 "t.yaml:6:30: error: the health condition names unknown service 'b'\n"
	 "    slots: {healthy: {services: [b]}}\n                                 ^\n"},
	{HEAD A "    kind: oneshot\nslots: {healthy: {services: a}}\n",
	 "t.yaml:7:29: error: the health condition names 'a', a oneshot, which is never up\n"
	 "    slots: {healthy: {services: a}}\n                                ^\n"},
	{HEAD A "    manual: true\nslots: {healthy: {services: a}}\n",
	 "t.yaml:7:29: error: the health condition names 'a', which is not started at boot\n"
	 "    slots: {healthy: {services: a}}\n                                ^\n"},
	{HEAD A "slots: {healthy: {services: [a], commands: [/bin/x]}}\n",
	 "t.yaml:6:45: error: an entry of 'commands' must be a list, or a map, not '/bin/x'\n"
	 "    slots: {healthy: {services: [a], commands: [/bin/x]}}\n"
	 "                                                ^\n"
	 "    a list is written [a, b], or with '- ' before each entry on a line of its own\n"},
	{HEAD "slots: {healthy: {commands: [[x]]}}\n",
	 "t.yaml:3:31: error: the program must be an absolute path, not 'x'\n"
	 "    slots: {healthy: {commands: [[x]]}}\n"
	 "                                  ^\n"},
	{HEAD "services: {healthy-1: {exec: [/a]}}\nslots: {healthy: {commands: [[/x]]}}\n",
	 "t.yaml:3:12: error: the name 'healthy-1' is that of a command of the health condition\n"
	 "    services: {healthy-1: {exec: [/a]}}\n"
	 "               ^\n"},
	{HEAD "slots: {healthy: {commands: [{command: [/x], policy: none}]}}\n",
	 "t.yaml:3:54: error: unknown policy 'none'\n"
	 "    slots: {healthy: {commands: [{command: [/x], policy: none}]}}\n"
	 "                                                         ^\n"},
	{HEAD "slots: {healthy: {for: 10min}}\n",
	 "t.yaml:3:18: error: no slot can be healthy 'for' longer than 'deadline'\n"
	 "    slots: {healthy: {for: 10min}}\n                     ^\n"},
	{HEAD A "  b: {exec: [/b], cgroup: a/b}\n",
	 "t.yaml:6:27: error: the cgroup of 'b' lies inside that of 'a', which has processes\n"
	 "      b: {exec: [/b], cgroup: a/b}\n                              ^\n"},
	{HEAD A "  b: {exec: [/b], cgroup: a}\n",
	 "t.yaml:6:27: error: 'a' and 'b' share the cgroup 'a'\n"
	 "      b: {exec: [/b], cgroup: a}\n                              ^\n"},
	{HEAD A "    cgroup: kubepods/x\n",
	 "t.yaml:6:13: error: 'kubepods/x' is the cgroup of the pods\n"
	 "        cgroup: kubepods/x\n                ^\n"},
	/* Policies. */
	{HEAD "policies: {p: {capabilities: {drop: [sys_modul]}}}\n",
	 "t.yaml:3:38: error: unknown capability 'sys_modul'\n"
	 "    policies: {p: {capabilities: {drop: [sys_modul]}}}\n"
	 "                                         ^\n    did you mean 'sys_module'?\n"},
	{HEAD "policies: {p: {capabilities: {drop: [5]}}}\n",
	 "t.yaml:3:38: error: unknown capability '5'\n"
	 "    policies: {p: {capabilities: {drop: [5]}}}\n"
	 "                                         ^\n"},
	{HEAD "policies: {p: {seccomp: {deny: [rebot]}}}\n",
	 "t.yaml:3:33: error: unknown system call 'rebot'\n"
	 "    policies: {p: {seccomp: {deny: [rebot]}}}\n"
	 "                                    ^\n    did you mean 'reboot'?\n"},
	{HEAD "policies: {p: {seccomp: {deny: [execve]}}}\n",
	 "t.yaml:3:33: error: 'execve' must not be denied: starting a service takes it\n"
	 "    policies: {p: {seccomp: {deny: [execve]}}}\n"
	 "                                    ^\n"},
	{HEAD "policies: {p: {seccomp: {deny: [capset]}}}\n",
	 "t.yaml:3:33: error: 'capset' must not be denied: starting a service takes it\n"
	 "    policies: {p: {seccomp: {deny: [capset]}}}\n"
	 "                                    ^\n"
	 "    with 'no-new-privs: true' the filter comes after that step\n"},
	{HEAD "policies: {p: {capabilities: {drop: [], keep: []}}}\n",
	 "t.yaml:3:30: error: 'drop' and 'keep' together: one list says what the other would\n"
	 "    policies: {p: {capabilities: {drop: [], keep: []}}}\n"
	 "                                 ^\n"},
	/* Nothing is read from what is wrong as a whole. */
	{HEAD "policies: {P: {capabilities: {drop: [nothing]}}}\n",
	 "t.yaml:3:12: error: a key of 'policies' must be a name of lower-case letters, digits, "
	 "'.', "
	 "'_' and '-', not 'P'\n    policies: {P: {capabilities: {drop: [nothing]}}}\n"
	 "               ^\n"},
	/* Mounts, files, paths, sysctls. */
	{HEAD "mounts: {/tmp: {type: tmpfs, options: [nosudi]}}\n",
	 "t.yaml:3:40: error: tmpfs has no option 'nosudi'\n"
	 "    mounts: {/tmp: {type: tmpfs, options: [nosudi]}}\n"
	 "                                           ^\n    did you mean 'nosuid'?\n"},
	{HEAD "mounts: {/v: {source: /dev/vda, type: ext4, options: [noauto]}}\n",
	 "t.yaml:3:55: error: 'noauto' is for mount(8) and fstab(5); it means nothing to a node\n"
	 "    mounts: {/v: {source: /dev/vda, type: ext4, options: [noauto]}}\n"
	 "                                                          ^\n"},
	{HEAD "mounts: {/v: {type: tmpfs, options: shared}}\n",
	 "t.yaml:3:37: error: 'shared' is no option: it is the mount's 'propagation'\n"
	 "    mounts: {/v: {type: tmpfs, options: shared}}\n"
	 "                                        ^\n"},
	{HEAD "mounts: {/v/: {type: tmpfs}}\n",
	 "t.yaml:3:10: error: a key of 'mounts' must be an absolute path without '..', '.' or a "
	 "trailing '/', not '/v/'\n    mounts: {/v/: {type: tmpfs}}\n             ^\n"},
	{HEAD "mounts: {/etc: {overlay: {upper: slot}}, /var: {type: tmpfs}}\n",
	 "t.yaml:3:34: error: 'upper: slot' is kept in /var/lib/keelson/overlay: that needs a "
	 "partition "
	 "or device mounted there or above, such as /var\n"
	 "    mounts: {/etc: {overlay: {upper: slot}}, /var: {type: tmpfs}}\n"
	 "                                     ^\n"},
	{HEAD "mounts:\n"
	      "  /etc: {overlay: {upper: slot, work: /var/w}}\n"
	      "  /var: {source: \"partition:s\", type: ext4, optional: true}\n",
	 "t.yaml:4:27: error: 'upper: slot' is kept on /var, which is optional: this mount must "
	 "be, too\n"
	 "      /etc: {overlay: {upper: slot, work: /var/w}}\n"
	 "                              ^\n"
	 "t.yaml:4:39: error: 'work' with 'upper: slot': its place is keelson's\n"
	 "      /etc: {overlay: {upper: slot, work: /var/w}}\n"
	 "                                          ^\n"},
	{HEAD "mounts: {/etc: {overlay: {upper: slots}}}\n",
	 "t.yaml:3:34: error: 'upper' must be slot, tmpfs, an absolute path or none, not 'slots'\n"
	 "    mounts: {/etc: {overlay: {upper: slots}}}\n                                     ^\n"},
	{HEAD "mounts: {/v: {}}\n", "t.yaml:3:10: error: a mount without 'type' or 'overlay'\n"
				    "    mounts: {/v: {}}\n             ^\n"},
	{HEAD "mounts: {/v: {type: tmpfs, grow: true}}\n",
	 "t.yaml:3:34: error: 'grow' needs a 'source' that is a device or a partition\n"
	 "    mounts: {/v: {type: tmpfs, grow: true}}\n                                     ^\n"},
	{HEAD "mounts: {/v: {type: bind}}\n",
	 "t.yaml:3:10: error: a bind mount needs a 'source' that is an absolute path\n"
	 "    mounts: {/v: {type: bind}}\n             ^\n"},
	{HEAD "mounts: {/v: {type: ext4}}\n",
	 "t.yaml:3:10: error: ext4 without a 'source' to mount\n    mounts: {/v: {type: ext4}}\n"
	 "             ^\n"},
	{HEAD "mounts: {/v: {type: ext4, source: PARTLABEL=state}}\n",
	 "t.yaml:3:35: error: ext4 is mounted from /dev/... or partition:NAME, not from "
	 "'PARTLABEL=state'\n    mounts: {/v: {type: ext4, source: PARTLABEL=state}}\n"
	 "                                      ^\n    did you mean 'partition:state'?\n"},
	{HEAD "mounts: {/v: {type: tmpsf}}\n",
	 "t.yaml:3:21: error: there is no file system 'tmpsf'\n    mounts: {/v: {type: tmpsf}}\n"
	 "                        ^\n    did you mean 'tmpfs'?\n"},
	{HEAD "sysctl: {net.ipv4.ip_forward: 1, net/ipv4/ip_forward: 0}\n",
	 "t.yaml:3:34: error: 'net/ipv4/ip_forward' and 'net.ipv4.ip_forward' are the same "
	 "parameter\n    sysctl: {net.ipv4.ip_forward: 1, net/ipv4/ip_forward: 0}\n"
	 "                                     ^\n"},
	{HEAD "hostname: a_b\n",
	 "t.yaml:3:11: error: 'a_b' is no host name: letters, digits, '-' and '.'\n"
	 "    hostname: a_b\n              ^\n"},
	{"keelson: 1\nname: a_b\n",
	 "t.yaml:2:7: error: 'a_b' is no host name: letters, digits, '-' and '.'\n    name: a_b\n"
	 "          ^\n    without 'hostname' the name is the host's, too\n"},
	{HEAD "disk: {esp: 1MiB, state: 0}\n",
	 "t.yaml:3:13: error: 'esp' must be 0 or between 16MiB and 4TiB\n"
	 "    disk: {esp: 1MiB, state: 0}\n                ^\n"
	 "t.yaml:3:26: error: 'state' must be between 16MiB and 4TiB\n"
	 "    disk: {esp: 1MiB, state: 0}\n                             ^\n"},
	{HEAD "files: [{to: /a, from: /no/such/file}]\n",
	 "t.yaml:3:24: error: /no/such/file: No such file or directory\n"
	 "    files: [{to: /a, from: /no/such/file}]\n                           ^\n"},
	{HEAD "files: [{to: /a}]\n",
	 "t.yaml:3:9: error: a file has none of 'from', 'content', 'tree', 'link', 'directory': it "
	 "needs one\n    files: [{to: /a}]\n            ^\n"},
	{HEAD "files: [{to: /a, content: x}, {to: /a, link: y}]\n",
	 "t.yaml:3:36: error: the file '/a' is given twice, first in line 3\n"
	 "    files: [{to: /a, content: x}, {to: /a, link: y}]\n"
	 "                                       ^\n"},
	{HEAD "paths: [{directory: true}]\n",
	 "t.yaml:3:9: error: a path without 'path'\n    paths: [{directory: true}]\n"
	 "            ^\n"},
	{HEAD "sysctl: {panic: 1}\n",
	 "t.yaml:3:10: error: a key of 'sysctl' must be a sysctl such as net.ipv4.ip_forward, not "
	 "'panic'\n    sysctl: {panic: 1}\n             ^\n"},
	{HEAD "image: {format: squashfs, compression: lz4}\n",
	 "t.yaml:3:40: error: squashfs cannot be compressed with lz4\n"
	 "    image: {format: squashfs, compression: lz4}\n"
	 "                                           ^\n    squashfs takes zstd or none\n"},
	/* One mistake, not all that follows from it. */
	{HEAD "extends: no-such\nservices: {a: {restart: never}}\n",
	 "t.yaml:3:10: error: there is no profile 'no-such'\n    extends: no-such\n             ^\n"
	 "    looked for no-such.yaml beside this file and where keelson is installed\n"},
	{HEAD "extends: null\n",
	 "t.yaml:3:1: error: null removes what was inherited, but there is no inherited 'extends'\n"
	 "    extends: null\n    ^\n"},
	{HEAD "extends: no-such\n",
	 "t.yaml:3:10: error: there is no profile 'no-such'\n    extends: no-such\n             ^\n"
	 "    looked for no-such.yaml beside this file and where keelson is installed\n"},
};

static void each_mistake_is_told_where_it_is_and_what_was_meant(void **state)
{
	struct trial trial;
	unsigned different = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int error = trial_parse(&trial, wrong[i].text);
		if (error != -EINVAL || strcmp(trial.told, wrong[i].told) != 0) {
			print_error("of\n%s\nit was said\n%s\nnot\n%s\n", wrong[i].text, trial.told,
				    wrong[i].told);
			different++;
		}
		trial_end(&trial);
	}
	assert_int_equal(different, 0);
}

static void all_errors_are_told_at_once_in_the_order_of_the_file(void **state)
{
	struct trial trial;

	(void)state;
	assert_int_equal(trial_parse(&trial,
				     "keelson: 1\nname: T\nslots: {tries: 99}\n"
				     "services:\n  a: {exec: [a], requires: [b], kil: main}\n"),
			 -EINVAL);
	const char *expected[] = {
		"t.yaml:2:7: ", "t.yaml:3:16: ", "t.yaml:5:14: ", "t.yaml:5:29: ", "t.yaml:5:33: "};
	const char *at = trial.told;
	for (size_t i = 0; i < 5; i++) {
		at = strstr(at, expected[i]);
		assert_non_null(at);
	}
	assert_int_equal(trial.diagnostics.errors, 5);
	trial_end(&trial);
}

/* Of a service: place, what is said, and what is offered instead; after HEAD. */
static const struct {
	const char *text;
	const char *told;
} wrong_services[] = {
	{A "    ready: {fd: 2}\n", "6:17 'fd' must be a number from 3 to 255, not '2'"},
	{A "    ready: [{fd: 5}, {fd: 6}]\n",
	 "6:22 a service has one descriptor that tells of readiness"},
	{A "    ready: {fd: 5, every: 1s}\n", "6:27 'fd' has no 'every'"},
	{A "    ready: {socket: /run/a, timeout: 1s}\n", "6:38 'socket' has no 'timeout'"},
	{A "    ready: {http: \"127.0.0.1:1/\", socket: /run/a}\n",
	 "6:12 'ready' needs one of 'http', 'socket', 'fd', 'command', not several: a list says "
	 "several"},
	{A "    ready: {every: 1s}\n",
	 "6:12 'ready' needs one of 'http', 'socket', 'fd', 'command'"},
	{A "    ready: {command: /bin/probe}\n",
	 "6:22 'command' must be a list, not '/bin/probe'; a list is written [a, b], or with '- ' "
	 "before each entry on a line of its own"},
	{A "    ready: {command: [probe]}\n",
	 "6:23 the program must be an absolute path, not 'probe'"},
	{A "    ready: {command: []}\n", "6:22 'command' is empty"},
	{A "    ready: {command: [/p], timeout: 0}\n",
	 "6:37 'timeout' must not be 0: every wait has an end"},
	{A "    ready: {command: [/p], every: 1us}\n", "6:35 'every' must be at least 1ms"},
	{A "    ready: {command: [/p], failures: 2}\n", "6:28 unknown key 'failures' in 'ready'"},
	{A "    liveness: notify\n",
	 "6:15 'liveness' must be a list, or a map, not 'notify'; a list is written [a, b], or "
	 "with '- ' before each entry on a line of its own"},
	{A "    liveness: {fd: 5}\n", "6:16 unknown key 'fd' in 'liveness'"},
	{A "    liveness: {command: [/p], failures: 0}\n",
	 "6:41 'failures' must be a number from 1 to 1000, not '0'"},
	{A "    liveness: []\n", "6:15 'liveness' is empty"},
	{A "    liveness: {}\n", "6:15 'liveness' needs one of 'http', 'socket', 'command'"},
	{A "    kind: oneshot\n    liveness: {socket: /run/a}\n",
	 "7:15 a oneshot does not stay up: it has no 'liveness'"},
	{A "    kind: oneshot\n    watchdog: 1s\n",
	 "7:15 a oneshot does not stay up: it has no 'watchdog'"},
	{A "    kind: oneshot\n    reload: HUP\n",
	 "7:13 a oneshot does not stay up: it has no 'reload'"},
	/* A message is one line, however long the text is and whatever is in it. */
	{A "    restart: \"a\\nb\"\n",
	 "6:14 'restart' must be always, on-failure or never, or a map, not 'a...'"},
	{A "    notify: "
	   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxéa\n",
	 "6:13 'notify' must be main or all, not "
	 "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	 "xxxxxxxxxxxxxxxxxxxxxxxxxxx...'"},
	{A "    watchdog: 1us\n", "6:15 'watchdog' must be at least 1ms"},
	{A "    critical: true\n",
	 "6:15 'critical' says nothing: it is restarted again and again, and never fails for good; "
	 "'backoff: {burst: 5}' gives up after 5 restarts without a stable period"},
	{A "    critical: true\n    backoff: {burst: x}\n",
	 "7:22 'burst' must be a number from 0 to 10000, not 'x'"},
	{A "    critical: true\n    restart: {final: [x]}\n",
	 "7:23 an entry of 'final' must be a number from 0 to 255, not 'x'"},
	{A "    critical: true\n    kind: timer\n    timer: {every: 1h}\n",
	 "6:15 a timer that runs again never fails for good: it is not 'critical'"},
	{A "    notify: any\n", "6:13 'notify' must be main or all, not 'any'"},
	{A "    restart: {on: sometimes}\n",
	 "6:19 'on' must be always, on-failure or never, not 'sometimes'"},
	{A "    restart: {success: [256]}\n",
	 "6:25 an entry of 'success' must be a number from 0 to 255, not '256'"},
	{A "    restart: {success: [0]}\n", "6:25 0 always is a good end: it needs no 'success'"},
	{A "    restart: {success: [1, 1]}\n", "6:28 '1' is listed twice"},
	{A "    restart: {on: never, final: [1]}\n",
	 "6:33 'final' of what is never restarted says nothing"},
	{A "    kind: oneshot\n    restart: {on: always}\n",
	 "7:19 a oneshot that is always restarted is never done: say on-failure"},
	{A "    kind: timer\n",
	 "4:3 a timer without 'timer'; such as 'timer: {first: 1min, every: 1h}'"},
	{A "    kind: timer\n    timer: {jitter: 1s}\n",
	 "7:12 a timer needs 'first' or 'every': at once and only once is a oneshot"},
	{A "    timer: {every: 1h}\n", "6:12 'timer' without 'kind: timer'"},
	{A "    kind: timr\n    timer: {every: 1h}\n",
	 "6:11 'kind' must be daemon, oneshot or timer, not 'timr'; did you mean 'timer'?"},
	{A "    kind: timer\n    timer: 1h\n",
	 "7:12 'timer' must be a map, not '1h'; its keys are first, every, jitter"},
	{A "    ready: {socket: /a, timeout: x}\n",
	 "6:34 'timeout' must be a duration such as 100ms, 30s or 5min, not 'x'"},
	{A "    conditions: [{architecture: amd64}]\n",
	 "6:33 'architecture' must be x86_64, aarch64, armv7l, i686, ppc64le, riscv64, s390x or "
	 "loongarch64, not 'amd64'; did you mean 'x86_64'?"},
	{A "    kind: timer\n    timer: {every: 1h}\n    restart: always\n",
	 "8:14 a timer runs again when its time has come: it has no 'restart'"},
	{A "    kind: timer\n    timer: {every: 1h}\n    restart: {final: [1]}\n",
	 "8:22 a timer runs again when its time has come: it has no 'restart' but 'success'"},
	{A "    kind: timer\n    timer: {every: 1h}\n    ready: notify\n",
	 "8:12 a timer is done when it has ended: it has no 'ready'"},
	{A "    kind: timer\n    timer: {every: 1h}\n    watchdog: 1s\n",
	 "8:15 a timer does not stay up: it has no 'watchdog'"},
	{A "    kind: timer\n    timer: {every: 1h}\n  b: {exec: [/b], requires: a}\n",
	 "8:29 'b' requires 'a', a timer, which is never up"},
	{A "    kind: timer\n    timer: {every: 1h}\nslots: {healthy: {services: a}}\n",
	 "8:29 the health condition names 'a', a timer, which is never up"},
	{A "    pre: /bin/x\n", "6:10 'pre' must be a list, not '/bin/x'; a list is written [a, "
				"b], or with '- ' before each entry on a line of its own"},
	{A "    pre: [/bin/x]\n",
	 "6:11 an entry of 'pre' must be a list, or a map, not '/bin/x'; a list is written [a, b], "
	 "or with '- ' before each entry on a line of its own"},
	{A "    pre: [[x]]\n", "6:12 the program must be an absolute path, not 'x'"},
	{A "    pre: [[]]\n", "6:11 a command is empty"},
	{A "    pre: [{timeout: 1s}]\n", "6:11 a command without 'command'"},
	{A "    post: [{command: [/x], timeout: 0}]\n",
	 "6:37 'timeout' must not be 0: every wait has an end"},
	{A "    post: [{comand: [/x]}]\n",
	 "6:13 unknown key 'comand' in a command; did you mean 'command'?"},
	{A "    reload: {command: [x]}\n", "6:24 the program must be an absolute path, not 'x'"},
	{A "    reload: KILL\n", "6:13 KILL ends it: nothing is reloaded"},
	{A "    reload: HPU\n",
	 "6:13 'reload' must be a signal such as TERM, or a map, not 'HPU'; did you mean 'HUP'?"},
	{A "    conditions: [{path: /a, kernel-word: b}]\n",
	 "6:18 a condition needs one of 'path', 'kernel-word', 'first-boot', 'architecture', "
	 "'virtualization', not several: each is an entry of its own"},
	{A "    conditions: [{not: true}]\n",
	 "6:18 a condition needs one of 'path', 'kernel-word', 'first-boot', 'architecture', "
	 "'virtualization'"},
	{A "    conditions: {path: /a}\n", "6:17 'conditions' must be a list, not a map; a list is "
					   "written [a, b], or with '- ' before "
					   "each entry on a line of its own"},
	{A "    conditions: [{path: a}]\n",
	 "6:25 'path' must be an absolute path without '..', '.' or a trailing '/', not 'a'"},
	{A "    conditions: [{architecture: x86-64}]\n",
	 "6:33 'architecture' must be x86_64, aarch64, armv7l, i686, ppc64le, riscv64, s390x or "
	 "loongarch64, not 'x86-64'; did you mean 'x86_64'?"},
	{A "    conditions: [{virtualization: kmv}]\n",
	 "6:35 'virtualization' must be vm, container, none, kvm, qemu, xen, vmware, microsoft, "
	 "oracle, "
	 "parallels, bhyve, acrn, amazon, google, bochs, apple or other, not 'kmv'; did you mean "
	 "'kvm'?"},
	{A "    conditions: [{kernel-word: \"a b\"}]\n",
	 "6:32 'kernel-word' must be a word without blanks, not 'a b'"},
	{A "    scheduler: fifo\n",
	 "6:16 'scheduler' must be a map, not 'fifo'; its keys are policy, priority"},
	{A "    scheduler: {priority: 1}\n", "6:16 'scheduler' without 'policy'"},
	{A "    scheduler: {policy: fifo}\n", "6:25 'fifo' needs a 'priority'"},
	{A "    scheduler: {policy: batch, priority: 1}\n",
	 "6:42 'batch' has no 'priority': that is 'nice'"},
	{A "    scheduler: {policy: rr, priority: 100}\n",
	 "6:39 'priority' must be a number from 1 to 99, not '100'"},
	{A "    cpus: 3-1\n", "6:11 'cpus' must be a set of CPUs such as 0-1,3, not '3-1'"},
	{A "    cpus: 0,0-1\n", "6:11 'cpus' must be a set of CPUs such as 0-1,3, not '0,0-1'"},
	{A "    cpus: 1024\n", "6:11 'cpus' must be a set of CPUs such as 0-1,3, not '1024'"},
	{A "    io-priority: {class: idle, level: 1}\n", "6:39 'idle' has no 'level'"},
	{A "    io-priority: {class: realtime, level: 8}\n",
	 "6:43 'level' must be a number from 0 to 7, not '8'"},
	{A "    io-priority: {level: 1}\n", "6:18 'io-priority' without 'class'"},
	{A "    read-only: [etc]\n", "6:17 an entry of 'read-only' must be an absolute path "
				     "without '..', '.' or a trailing '/', not 'etc'"},
	{A "    read-only: [/etc, /etc]\n", "6:23 '/etc' is listed twice"},
	{A "    hidden: [/]\n",
	 "6:14 '/' can be read-only, not covered: nothing would be left to execute"},
	{A "    hidden: [/etc]\n    read-only: [/etc]\n",
	 "6:14 '/etc' is in 'read-only' and in 'hidden'"},
	{A "    bind: [{from: /a}]\n", "6:12 a bind without 'to'"},
	{A "    bind: [{from: /a, to: /}]\n",
	 "6:27 '/' can be read-only, not covered: nothing would be left to execute"},
	{A "    private-tmp: true\n    hidden: [/tmp]\n",
	 "7:14 '/tmp' is in 'private-tmp' and in 'hidden'"},
	{A "    read-only: [/etc]\n    bind: [{from: /b, to: /etc}]\n",
	 "7:27 '/etc' is in 'read-only' and in 'bind'"},
	{A "    hidden: [/bin]\n", "5:12 'a' cannot execute /bin/a: /bin is hidden from it"},
	{A "    pre: [[/opt/x]]\n    hidden: [/opt]\n",
	 "6:12 'a' cannot execute /opt/x: /opt is hidden from it"},
	{A "    kill: main\n    read-only: [/etc]\n",
	 "7:17 warning: 'a' sees other paths, so what it mounts is seen by nobody else; 'kill: "
	 "main' says that it leaves something behind: the mounts of a runtime's containers would "
	 "be unseen by kubelet"},
	{A "    cgroup: init\n", "6:13 'init' is the cgroup of PID 1"},
	{A "    cgroup: init/x\n", "6:13 'init/x' is the cgroup of PID 1"},
	{A "    cgroup-settings: {memory.mx: 1}\n",
	 "6:23 a cgroup has no file 'memory.mx' that can be set; did you mean 'memory.max'?"},
	{A "    cgroup-settings: {memory.current: 1}\n",
	 "6:23 a cgroup has no file 'memory.current' that can be set"},
	{A "    cgroup-settings: {memory.max: 96MB}\n",
	 "6:35 'memory.max' must be a size such as 96MiB, or max, not '96MB'; did you mean "
	 "'96MiB'?"},
	{A "    cgroup-settings: {memory.oom.group: true}\n",
	 "6:41 'memory.oom.group' must be a number from 0 to 1, not 'true'"},
	{A "    cgroup-settings: {pids.max: 0}\n",
	 "6:33 'pids.max' must be a number from 1, or max, not '0'"},
	{A "    cgroup-settings: {cpu.weight: 0}\n",
	 "6:35 'cpu.weight' must be a number from 1 to 10000, not '0'"},
	{A "    cgroup-settings: {cpu.max: 50%}\n",
	 "6:32 'cpu.max' must be 'QUOTA' or 'QUOTA PERIOD', microseconds such as '50000 100000' "
	 "for half a CPU, not '50%'"},
	{A "    cgroup-settings: {cpu.max: \"50000 1\"}\n",
	 "6:32 'cpu.max' must be 'QUOTA' or 'QUOTA PERIOD', microseconds such as '50000 100000' "
	 "for half a CPU, not '50000 1'"},
	{A "    cgroup-settings: {cpu.uclamp.max: \"101\"}\n",
	 "6:39 'cpu.uclamp.max' must be a percentage such as 50 or 12.5, or max, not '101'"},
	{A "    cgroup-settings: {cpuset.cpus: 1-}\n",
	 "6:36 'cpuset.cpus' must be a set such as 0-1,3, not '1-'"},
	{A "    cgroup-settings: {cpuset.cpus.partition: isolate}\n",
	 "6:46 'cpuset.cpus.partition' must be member, root or isolated, not 'isolate'"},
	{A "    cgroup-settings: {io.max: \"/dev/vda rbs=1\"}\n",
	 "6:31 'io.max' must be '/dev/NAME KEY=NUMBER ...', KEY being rbps, wbps, riops or wiops, "
	 "not '/dev/vda rbs=1'"},
	{A "    cgroup-settings: {io.max: \"vda rbps=1\"}\n",
	 "6:31 'io.max' must be '/dev/NAME KEY=NUMBER ...', KEY being rbps, wbps, riops or wiops, "
	 "not 'vda rbps=1'"},
	{A "    cgroup-settings: {io.max: \"/dev/vda rbps=1MiB\"}\n",
	 "6:31 'io.max' must be '/dev/NAME KEY=NUMBER ...', KEY being rbps, wbps, riops or wiops, "
	 "not '/dev/vda rbps=1MiB'"},
	{A "    cgroup-settings: {hugetlb.2MB.mx: 1}\n",
	 "6:23 a cgroup has no file 'hugetlb.2MB.mx' that can be set"},
	{A "    cgroup-settings: {rdma.max: x}\n",
	 "6:23 'rdma.max' needs the controller 'rdma', which is not in 'controllers'"},
	{A "    cgroup-settings: {misk.max: 1}\n",
	 "6:23 a cgroup has no file 'misk.max' that can be set; did you mean 'misc.max'?"},
	{A "    cgroup-settings: {memory.max: 1MiB}\ncontrollers: [cpu]\n",
	 "6:23 'memory.max' needs the controller 'memory', which is not in 'controllers'"},
	{A "    cgroup-settings: {cgroup.max.depth: -1}\n",
	 "6:41 'cgroup.max.depth' must be a number from 0, or max, not '-1'"},
	{A "    conflicts: [a]\n", "6:17 'a' conflicts with itself"},
	{A "    conflicts: [bb]\n  b: {exec: [/b], manual: true}\n",
	 "6:17 'a' conflicts with unknown service 'bb'; did you mean 'b'?"},
	{A "    conflicts: [b]\n    requires: [b]\n  b: {exec: [/b]}\n",
	 "6:17 'a' conflicts with 'b', and 'a' requires 'b'"},
	{A "    conflicts: [b]\n  b: {exec: [/b], after: [a], manual: true}\n",
	 "6:17 'a' conflicts with 'b', and 'b' is after 'a'"},
	{A "    conflicts: [b]\n  b: {exec: [/b], wants: [a], conflicts: [a]}\n",
	 "6:17 'a' conflicts with 'b', and 'b' wants 'a'"},
	{A "    conflicts: [b]\n  b: {exec: [/b]}\n",
	 "6:17 'a' and 'b' conflict, and the boot starts both; 'a' is not 'manual'; 'b' is not "
	 "'manual'"},
	{A "    conflicts: [b]\n  b: {exec: [/b], manual: true}\n  c: {exec: [/c], wants: [b]}\n",
	 "6:17 'a' and 'b' conflict, and the boot starts both; 'a' is not 'manual'; 'b' is started "
	 "for 'c'"},
	{A "    requires: [b]\n    conflicts: [c]\n  b: {exec: [/b], requires: [c]}\n  c: {exec: "
	   "[/c]}\n",
	 "7:17 'a' conflicts with 'c', which 'a' requires through others"},
	{A "    requires: [b, c]\n  b: {exec: [/b], conflicts: [c]}\n  c: {exec: [/c]}\n  d: "
	   "{exec: [/d], requires: [a]}\n",
	 "4:3 'a' requires 'b' and 'c', which conflict"},
	{A "    manual: true\n    requires: [b, c]\n  b: {exec: [/b], manual: true, conflicts: "
	   "[c]}\n  c: {exec: [/c], manual: true}\n",
	 "4:3 'a' requires 'b' and 'c', which conflict"},
	{A "    conflicts: [b]\n  b: {exec: [/b]}\nslots: {healthy: {services: [a, b]}}\n",
	 "6:17 'a' and 'b' conflict, and the boot starts both; 'a' is not 'manual'; 'b' is not "
	 "'manual'"},
	{A "  logger: {exec: [/l], ready: {fd: 9}}\n",
	 "6:31 the logger has the pipes of others there: it cannot have 'fd'"},
	{A "    critical: yes\ncritical: reboots\n",
	 "6:15 'critical' must be true or false, not 'yes'; did you mean 'true'?; 7:11 'critical' "
	 "must be reboot, poweroff or halt, not 'reboots'; did you mean 'reboot'?"},
	{A "critical: explode\n",
	 "6:11 'critical' must be reboot, poweroff or halt, not 'explode'"},
	{A "    WatchdogSec: 30\n",
	 "6:5 unknown key 'WatchdogSec' in a service; did you mean 'watchdog'?"},
	{A "    livenessProbe: {}\n",
	 "6:5 unknown key 'livenessProbe' in a service; did you mean 'liveness'?"},
	{A "    ExecStartPre: [x]\n",
	 "6:5 unknown key 'ExecStartPre' in a service; did you mean 'pre'?"},
	{A "    ready: {comand: [/p]}\n",
	 "6:13 unknown key 'comand' in 'ready'; did you mean 'command'?"},
	{A "    cpus: \"\"\n", "6:11 'cpus' must be a set of CPUs such as 0-1,3, not ''"},
	{A "    cpus: 0,\n", "6:11 'cpus' must be a set of CPUs such as 0-1,3, not '0,'"},
	{A "    cgroup-settings: {cpu.max: \"500\"}\n",
	 "6:32 'cpu.max' must be 'QUOTA' or 'QUOTA PERIOD', microseconds such as '50000 100000' "
	 "for half a CPU, not '500'"},
	{A "    cgroup-settings: {io.prio.class: rt}\n",
	 "6:38 'io.prio.class' must be no-change, promote-to-rt, restrict-to-be, none-to-rt or "
	 "idle, not 'rt'"},
	{A "    cgroup-settings: {memory.max: -1}\n",
	 "6:35 'memory.max' must be a size such as 96MiB, or max, not '-1'"},
	{A "    cgroup-settings: {io.weight: 10}\ncontrollers: [memory]\n",
	 "6:23 'io.weight' needs the controller 'io', which is not in 'controllers'"},
	{A "    private-tmp: true\n  b: {exec: [/tmp/b], private-tmp: true}\n",
	 "7:14 'b' cannot execute /tmp/b: /tmp is empty to it"},
	{A "    kind: oneshot\n    post: [[/x], [/y], [z]]\n",
	 "7:25 the program must be an absolute path, not 'z'"},
	{A "    conditions: [{first-boot: true}, {first-boot: false}]\n",
	 "6:38 a condition that contradicts another one: it would never start"},
	{A "    conditions: [{path: /x}, {path: /y}, {path: /x}]\n",
	 "6:42 a condition that is said twice"},
	{A "    conditions: [{path: /x}, {kernel-word: /x, not: true}, {path: /x, not: true}]\n",
	 "6:60 a condition that contradicts another one: it would never start"},
	{A "    cpus: 0-3\n    cgroup-settings: {cpuset.cpus: 4-5}\n",
	 "7:36 'cpuset.cpus' leaves 'a' none of its 'cpus'"},
	{A "    cpus: 0-3\n    cgroup-settings: {cpuset.cpus: 3-5}\n", ""},
	{A "    private-tmp: true\n    ready: {socket: /tmp/a/s}\n",
	 "7:21 PID 1 cannot reach /tmp/a/s: /tmp of 'a' is not that of the node"},
	{A "    bind: [{from: /x, to: /y}]\n    liveness: {socket: /y/s}\n",
	 "7:24 PID 1 cannot reach /y/s: /y of 'a' is not that of the node"},
	{A "    bind: [{from: /y, to: /y}]\n    read-only: [/, /y]\n    ready: {socket: /y/s}\n",
	 ""},
	{A "    hidden: [/bin]\n    bind: [{from: /x, to: /bin/a}]\n", ""},
	{A "    policy: p\n    ready: {http: \"127.0.0.1:80/\"}\n    liveness: {http: "
	   "\"127.0.0.1:80/\"}\npolicies: {p: {namespaces: [net]}}\n",
	 "7:12 warning: PID 1 asks in the node's network, and 'a' listens in its own: policy 'p' "
	 "has namespace 'net'; a probe by 'command' asks in the service's network; 8:15 warning: "
	 "PID 1 asks in the node's network, and 'a' listens in its own: policy 'p' has namespace "
	 "'net'; a probe by 'command' asks in the service's network"},
	{A "    policy: p\n    ready: {command: [/x]}\n    liveness: {http: "
	   "\"127.0.0.1:80/\"}\npolicies: {p: {namespaces: [pid, uts]}}\n",
	 ""},
	{A "    policy: p\n    kill: main\npolicies: {p: {namespaces: [pid]}}\n",
	 "6:13 warning: 'kill: main' of 'a' leaves nothing behind: policy 'p' has namespace 'pid', "
	 "and ends with its main process"},
	{A "    policy: p\n    kill: main\npolicies: {p: {namespaces: [net]}}\n", ""},
	/* One mistake inside of a list is one error. */
	{A "    pre: [[/x, [y]]]\n",
	 "6:16 an entry of an entry of 'pre' must be a text, not a list"},
	{A "    pre: [[[x], /y]]\n",
	 "6:12 an entry of an entry of 'pre' must be a text, not a list"},
	{A "    conditions: [{bogus: 1}, {path: x}]\n",
	 "6:19 unknown key 'bogus' in a condition; 6:37 'path' must be an absolute path without "
	 "'..', '.' or a trailing '/', not 'x'"},
	{A "    conditions: [x]\n", "6:18 an entry of 'conditions' must be a map, not 'x'; its "
				    "keys are path, kernel-word, first-boot, "
				    "architecture, virtualization, not"},
	{A "    bind: [x]\n", "6:12 an entry of 'bind' must be a map, not 'x'; its keys are from, "
			      "to, read-only, optional"},
	{A "    liveness: [x]\n", "6:16 an entry of 'liveness' must be a map, not 'x'; its keys "
				  "are http, socket, command, every, "
				  "timeout, failures"},
	{A "    ready: [{fd: x}]\n", "6:18 'fd' must be a number from 3 to 255, not 'x'"},
	{A "    ready: [{command: [[x]]}]\n",
	 "6:24 an entry of 'command' must be a text, not a list"},
	{A "    ready: [notify, notify]\n", "6:21 'notify' is said twice"},
	{A "    ready: [{socket: /a}, {socket: /b}]\n", ""},
	{A "    reload: {command: [[x]]}\n",
	 "6:24 an entry of 'command' must be a text, not a list"},
	{A "    kind: oneshot\n    reload: KILL\n",
	 "7:13 a oneshot does not stay up: it has no 'reload'"},
	{A "    environment: {A: [x]}\n", "6:22 'A' must be a text, not a list"},
	{A "    cgroup-settings: {memory.max: [x]}\n",
	 "6:35 'memory.max' must be a text, not a list"},
	{A "    cgroup-settings: {cpu.weight: x}\n",
	 "6:35 'cpu.weight' must be a number from 1 to 10000, not 'x'"},
	{A
	 "    cgroup-settings: {cpu.uclamp.min: max, cpu.uclamp.max: 100, hugetlb.2MB.max: 2MiB}\n",
	 ""},
	{A "    cgroup-settings: {cpuset.cpus.partition: isolated, io.prio.class: idle}\n", ""},
	{A "    limits: {nofile: [1]}\n", "6:22 a limit is one number or [soft, hard]"},
	{A "    limits: {nofile: [x, 2]}\n",
	 "6:23 an entry of 'nofile' must be a number, a size or unlimited, not 'x'"},
	{A "    limits: {nofile: 1, RLIMIT_NOFILE: 2}\n", "6:25 'RLIMIT_NOFILE' is limited twice"},
	{A "    backoff: {min: 2s, max: 1s}\n", "6:29 'max' is below 'min'"},
	{A "    log: {path: /var/log/x}\n  b: {exec: [/b], log: {path: /var/log/x}}\n",
	 "7:31 'a' and 'b' log to the same file"},
	{A "    cgroup: k\npods: {cgroup: k/pods}\n",
	 "6:13 the pods' cgroup 'k/pods' lies inside that of 'a'"},
	{A "hostname: a..b\n", "6:11 'a..b' is no host name: letters, digits, '-' and '.'"},
	{A "hostname: a-.b\n", "6:11 'a-.b' is no host name: letters, digits, '-' and '.'"},
	{A "hostname: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	 "6:11 a host name has at most 64 bytes"},
	{A "files: [{to: /x, tree: .}, {to: /x, content: y}]\n", ""},
	{A "    requires: [c]\n    conflicts: [d]\n  c: {exec: [/c], wants: [d]}\n  d: {exec: "
	   "[/d], manual: true}\n",
	 "7:17 'a' and 'd' conflict, and the boot starts both; 'a' is not 'manual'; 'd' is started "
	 "for 'c'"},
	{A "    conditions: [{path: /x}, {path: y}]\n",
	 "6:37 'path' must be an absolute path without '..', '.' or a trailing '/', not 'y'"},
	{A "    requires: [b, c]\n  b: {exec: [/b], conflicts: [c]}\n  c: {exec: [/c]}\n"
	   "  d: {exec: [/d], wants: [a], requires: [b, c]}\n",
	 "4:3 'a' requires 'b' and 'c', which conflict; 9:3 'd' requires 'b' and 'c', which "
	 "conflict"},
	{A "    conditions: [{first-boot: maybe}]\n",
	 "6:31 'first-boot' must be true or false, not 'maybe'"},
};

static void each_mistake_of_a_service_is_told(void **state)
{
	struct trial trial;
	unsigned different = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong_services) / sizeof(wrong_services[0]); i++) {
		struct bytes told = {0};
		struct pool pool = {0};
		trial_parse(&trial, pool_printf(&pool, HEAD "%s", wrong_services[i].text));
		for (size_t j = 0; j < trial.diagnostics.count; j++) {
			const struct diagnostic *one = &trial.diagnostics.list[j];
			bytes_printf(&told, "%s%u:%u %s%s%s%s", j ? "; " : "", one->where.line,
				     one->where.column, one->warning ? "warning: " : "", one->text,
				     one->suggestion ? "; " : "",
				     one->suggestion ? one->suggestion : "");
		}
		bytes_add(&told, "", 1);
		if (strcmp((const char *)told.data, wrong_services[i].told) != 0) {
			print_error("of\n%s\nit was said\n%s\nnot\n%s\n", wrong_services[i].text,
				    (const char *)told.data, wrong_services[i].told);
			different++;
		}
		bytes_free(&told);
		pool_free(&pool);
		trial_end(&trial);
	}
	assert_int_equal(different, 0);
}

/* ---- what is right ---- */

static void defaults_are_those_of_the_documentation(void **state)
{
	struct trial trial;

	(void)state;
	trial_compile(&trial, HEAD A "    output: none\n");
	const struct plan_service *a = service_of(&trial, "a");
	assert_int_equal(a->kind, PLAN_SERVICE_DAEMON);
	assert_int_equal(a->restart, PLAN_RESTART_ALWAYS);
	assert_int_equal(a->kill, PLAN_KILL_CGROUP);
	assert_int_equal(a->burst, 0);
	assert_int_equal(a->backoff_min_ns, SECOND / 10);
	assert_int_equal(a->backoff_max_ns, 10 * SECOND);
	assert_int_equal(a->stable_ns, 10 * SECOND);
	assert_int_equal(a->start_timeout_ns, 30 * SECOND);
	assert_int_equal(a->stop_timeout_ns, 10 * SECOND);
	assert_int_equal(a->stop_signal, 15);
	assert_int_equal(a->umask, 022);
	assert_int_equal(a->policy, PLAN_NONE);
	assert_string_equal(plan_string(&trial.plan, a->cgroup), "a");
	assert_string_equal(plan_string(&trial.plan, a->directory), "/");
	assert_int_equal(a->environment.count, 1);
	assert_string_equal(plan_list_string(&trial.plan, a->environment, 0),
			    "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	assert_int_equal(a->probes.count, 1);
	assert_int_equal(plan_probe(&trial.plan, a->probes.first)->kind, PLAN_PROBE_EXEC);
	/* Nothing logs, so there is no logger. */
	assert_int_equal(plan_count(&trial.plan, PLAN_SERVICES), 1);
	assert_int_equal(trial.plan.system->logger, PLAN_NONE);
	assert_string_equal(plan_string(&trial.plan, trial.plan.system->hostname), "t");
	assert_int_equal(trial.plan.system->healthy_deadline_ns, 300 * SECOND);
	assert_int_equal(trial.plan.system->healthy_for_ns, 30 * SECOND);
	assert_int_equal(trial.plan.system->shutdown_timeout_ns, 60 * SECOND);
	assert_int_equal(trial.plan.system->pods_grace_ns, 10 * SECOND);
	assert_int_equal(trial.plan.system->tries, 3);
	assert_int_equal(trial.plan.system->critical, PLAN_CRITICAL_REBOOT);
	assert_int_equal(a->flags, 0);
	assert_int_equal(a->liveness.count + a->pre.count + a->post.count + a->conditions.count +
				 a->sandbox.count + a->affinity.size_bytes,
			 0);
	assert_int_equal(a->watchdog_ns, 0);
	assert_int_equal(a->reload_signal, 0);
	assert_int_equal(a->reload_command, PLAN_NONE);
	assert_int_equal(a->scheduler, 0);
	assert_int_equal(a->io_priority, 0);
	trial_end(&trial);
}

static void a_service_that_logs_brings_the_logger(void **state)
{
	struct trial trial;

	(void)state;
	trial_compile(&trial, HEAD A "    log: {max: 1MiB, keep: 2, when-full: drop}\n"
				     "  b:\n    exec: [/b]\n    log: {when-full: wait}\n"
				     "policies: {logger: {no-new-privs: true}}\n");
	const struct plan_service *a = service_of(&trial, "a");
	const struct plan_service *logger = plan_service(&trial.plan, trial.plan.system->logger);
	assert_int_equal(a->output, PLAN_OUTPUT_LOG);
	assert_string_equal(plan_string(&trial.plan, a->output_path), "/var/log/keelson/a.log");
	assert_int_equal(a->log_max_bytes, 1 << 20);
	assert_int_equal(a->log_keep, 2);
	assert_int_equal(a->flags, PLAN_SERVICE_LOG_DROP);
	assert_int_equal(service_of(&trial, "b")->flags, 0);
	assert_string_equal(plan_string(&trial.plan, logger->name), "logger");
	assert_string_equal(plan_list_string(&trial.plan, logger->argv, 0),
			    "/usr/lib/keelson/keelson-log");
	assert_int_equal(logger->flags, PLAN_SERVICE_LOGGER);
	assert_int_equal(logger->output, PLAN_OUTPUT_KMSG);
	assert_int_equal(logger->policy, 0);
	/* First in the plan: what others write early has somewhere to go. */
	assert_int_equal(trial.plan.system->logger, 0);
	/* Its directory is made before it starts. */
	assert_int_equal(plan_count(&trial.plan, PLAN_PATHS), 1);
	assert_string_equal(plan_string(&trial.plan, plan_path(&trial.plan, 0)->path),
			    "/var/log/keelson");
	trial_end(&trial);
}

static void services_are_laid_out_in_topological_order(void **state)
{
	struct trial trial;

	(void)state;
	/* plan_verify() itself refuses every other order. */
	trial_compile(&trial, HEAD "services:\n"
				   "  d: {exec: [/d], output: none, requires: [c, b], after: [a]}\n"
				   "  c: {exec: [/c], output: none, wants: [a]}\n"
				   "  b: {exec: [/b], output: none, after: c}\n"
				   "  a: {exec: [/a], output: none, kind: oneshot}\n"
				   "slots: {healthy: {services: [d, c], for: 1s}}\n");
	const char *order[] = {"a", "c", "b", "d"};
	for (uint32_t i = 0; i < 4; i++)
		assert_string_equal(plan_string(&trial.plan, plan_service(&trial.plan, i)->name),
				    order[i]);
	assert_int_equal(service_of(&trial, "d")->needs.count, 3);
	assert_int_equal(service_of(&trial, "a")->restart, PLAN_RESTART_NEVER);
	assert_int_equal(service_of(&trial, "a")->probes.count, 0);
	struct plan_list healthy = trial.plan.system->healthy;
	assert_int_equal(healthy.count, 2);
	assert_int_equal(*plan_ref(&trial.plan, healthy.first), 3);
	assert_int_equal(*plan_ref(&trial.plan, healthy.first + 1), 1);
	trial_end(&trial);
}

static void every_field_of_a_service_arrives(void **state)
{
	struct trial trial;

	(void)state;
	trial_compile(
		&trial,
		HEAD "services:\n"
		     "  a:\n"
		     "    exec: [/bin/a, --x, \"\"]\n"
		     "    ready: [notify, {socket: /run/a.sock}, {http: 127.0.0.1:80, every: 1s}]\n"
		     "    restart: on-failure\n"
		     "    backoff: {min: 1s, max: 1min30s, stable: 2m, burst: 5}\n"
		     "    stop-signal: SIGINT\n"
		     "    kill: main\n"
		     "    critical: true\n"
		     "    delegate: true\n"
		     "    output: {tty: /dev/ttyS0}\n"
		     "    user: 1000\n"
		     "    group: 100\n"
		     "    groups: [4, 20]\n"
		     "    environment: {A: b, PATH: /x}\n"
		     "    directory: /srv\n"
		     "    cgroup: runtime/a\n"
		     "    cgroup-settings: {memory.max: 96MiB, pids.max: max}\n"
		     "    limits: {nofile: [1Ki, 1048576], core: unlimited}\n"
		     "    oom-score-adj: -999\n"
		     "    nice: -5\n"
		     "    umask: 0077\n");
	const struct plan *plan = &trial.plan;
	const struct plan_service *a = service_of(&trial, "a");
	assert_int_equal(a->argv.count, 3);
	assert_string_equal(plan_list_string(plan, a->argv, 2), "");
	assert_int_equal(a->probes.count, 3);
	const struct plan_probe *probe = plan_probe(plan, a->probes.first);
	assert_int_equal(probe[0].kind, PLAN_PROBE_NOTIFY);
	assert_int_equal(probe[1].kind, PLAN_PROBE_SOCKET);
	assert_string_equal(plan_string(plan, probe[1].target), "/run/a.sock");
	assert_int_equal(probe[1].interval_ns, SECOND / 10);
	assert_int_equal(probe[2].kind, PLAN_PROBE_HTTP);
	assert_int_equal(probe[2].number, 80);
	assert_string_equal(plan_string(plan, probe[2].target), "/");
	assert_int_equal(probe[2].interval_ns, SECOND);
	assert_int_equal(a->restart, PLAN_RESTART_FAILURE);
	assert_int_equal(a->backoff_min_ns, SECOND);
	assert_int_equal(a->backoff_max_ns, 90 * SECOND);
	assert_int_equal(a->stable_ns, 120 * SECOND);
	assert_int_equal(a->burst, 5);
	assert_int_equal(a->stop_signal, 2);
	assert_int_equal(a->kill, PLAN_KILL_MAIN);
	assert_int_equal(a->flags, PLAN_SERVICE_CRITICAL | PLAN_SERVICE_DELEGATE);
	assert_int_equal(a->output, PLAN_OUTPUT_TTY);
	assert_string_equal(plan_string(plan, a->output_path), "/dev/ttyS0");
	assert_int_equal(a->uid, 1000);
	assert_int_equal(a->gid, 100);
	assert_int_equal(a->groups.count, 2);
	assert_int_equal(*plan_ref(plan, a->groups.first + 1), 20);
	assert_int_equal(a->environment.count, 2);
	assert_string_equal(plan_list_string(plan, a->environment, 1), "PATH=/x");
	assert_string_equal(plan_string(plan, a->directory), "/srv");
	assert_string_equal(plan_string(plan, a->cgroup), "runtime/a");
	assert_int_equal(a->cgroup_settings.count, 2);
	const struct plan_setting *setting = plan_setting(plan, a->cgroup_settings.first);
	assert_string_equal(plan_string(plan, setting[0].value), "100663296");
	assert_string_equal(plan_string(plan, setting[1].value), "max");
	assert_int_equal(a->limits.count, 2);
	const struct plan_limit *limit = plan_limit(plan, a->limits.first);
	assert_int_equal(limit[0].resource, 7); /* RLIMIT_NOFILE */
	assert_int_equal(limit[0].soft, 1024);
	assert_int_equal(limit[0].hard, 1048576);
	assert_true(limit[1].soft == UINT64_MAX && limit[1].hard == UINT64_MAX);
	assert_int_equal(a->oom_score_adj, -999);
	assert_int_equal(a->nice, -5);
	assert_int_equal(a->umask, 077);
	trial_end(&trial);
}

static void what_watches_a_service_arrives(void **state)
{
	struct trial trial;

	(void)state;
	trial_compile(&trial, HEAD
		      "critical: halt\nservices:\n"
		      "  a:\n"
		      "    exec: [/bin/a]\n"
		      "    output: none\n"
		      "    ready: [{fd: 5}, {command: [/bin/p, x], every: 2s, timeout: 3s}, "
		      "{http: 127.0.0.1:80/, timeout: 4s}, {socket: /run/s}]\n"
		      "    liveness:\n"
		      "      - {http: 127.0.0.1:81/l, failures: 5}\n"
		      "      - {command: [/bin/l], every: 20s, timeout: 7s}\n"
		      "      - {socket: /run/l, every: 1min}\n"
		      "    watchdog: 30s\n"
		      "    notify: all\n"
		      "    restart: {on: on-failure, success: [143, 255], final: [0, 78]}\n"
		      "  b: {exec: [/bin/b], output: none, liveness: {socket: /run/b}, restart: "
		      "{final: [3]}}\n"
		      "  c: {exec: [/bin/c], output: none, ready: {command: [/bin/p, x]}}\n");
	const struct plan *plan = &trial.plan;
	const struct plan_service *a = service_of(&trial, "a"), *b = service_of(&trial, "b");
	assert_int_equal(plan->system->critical, PLAN_CRITICAL_HALT);
	assert_int_equal(a->flags, PLAN_SERVICE_NOTIFY_ALL);
	assert_true(a->watchdog_ns == 30 * SECOND);
	assert_int_equal(a->probes.count, 4);
	const struct plan_probe *ready = plan_probe(plan, a->probes.first);
	assert_int_equal(ready[0].kind, PLAN_PROBE_FD);
	assert_int_equal(ready[0].number, 5);
	assert_int_equal(ready[0].interval_ns, 0);
	assert_int_equal(ready[1].kind, PLAN_PROBE_COMMAND);
	assert_true(ready[1].interval_ns == 2 * SECOND && ready[1].timeout_ns == 3 * SECOND);
	const struct plan_command *command = plan_command(plan, ready[1].command);
	assert_true(command->timeout_ns == 3 * SECOND);
	assert_int_equal(command->argv.count, 2);
	assert_string_equal(plan_list_string(plan, command->argv, 1), "x");
	assert_true(ready[2].timeout_ns == 4 * SECOND);
	assert_int_equal(ready[3].timeout_ns, 0);
	assert_int_equal(a->liveness.count, 3);
	const struct plan_probe *life = plan_probe(plan, a->liveness.first);
	assert_int_equal(life[0].kind, PLAN_PROBE_HTTP);
	assert_int_equal(life[0].number, 81);
	assert_int_equal(life[0].failures, 5);
	assert_true(life[0].interval_ns == 10 * SECOND && life[0].timeout_ns == SECOND);
	assert_int_equal(life[1].failures, 3);
	assert_true(life[1].interval_ns == 20 * SECOND && life[1].timeout_ns == 7 * SECOND);
	assert_string_equal(plan_string(plan, life[2].target), "/run/l");
	assert_true(life[2].interval_ns == 60 * SECOND);
	assert_int_equal(a->restart, PLAN_RESTART_FAILURE);
	assert_true(a->exits_clean[0] == 0 && a->exits_clean[1] == 0);
	assert_true(a->exits_clean[2] == 1ull << (143 - 128));
	assert_true(a->exits_clean[3] == 1ull << (255 - 192));
	assert_true(a->exits_final[0] == 1 && a->exits_final[1] == 1ull << (78 - 64));
	/* A map that does not say when leaves that as it is. */
	assert_int_equal(b->restart, PLAN_RESTART_ALWAYS);
	assert_int_equal(b->exits_final[0], 8);
	assert_int_equal(b->liveness.count, 1);
	assert_int_equal(b->watchdog_ns, 0);
	trial_end(&trial);
}

static void what_runs_beside_a_service_arrives(void **state)
{
	struct trial trial;

	(void)state;
	trial_compile(&trial, HEAD
		      "services:\n"
		      "  a:\n"
		      "    exec: [/bin/a]\n"
		      "    output: none\n"
		      "    start-timeout: 20s\n"
		      "    stop-timeout: 5s\n"
		      "    pre: [[/bin/x, y], {command: [/bin/z], timeout: 1s, optional: true}]\n"
		      "    post: [{command: [/bin/w]}]\n"
		      "    reload: {command: [/bin/r], timeout: 9s}\n"
		      "    conditions:\n"
		      "      - {path: /etc/a}\n"
		      "      - {kernel-word: quiet, not: true}\n"
		      "      - {first-boot: false}\n"
		      "      - {architecture: aarch64}\n"
		      "      - {virtualization: container, not: false}\n"
		      "  b: {exec: [/bin/b], output: none, manual: true, reload: SIGUSR1, "
		      "conflicts: a}\n"
		      "  t: {exec: [/bin/t], output: none, kind: timer, timer: {first: 1min, "
		      "every: 1h, jitter: 5s}, restart: {success: [1]}}\n"
		      "  u: {exec: [/bin/u], output: none, kind: timer, timer: {first: 1s}}\n");
	const struct plan *plan = &trial.plan;
	const struct plan_service *a = service_of(&trial, "a"), *b = service_of(&trial, "b"),
				  *t = service_of(&trial, "t");
	assert_int_equal(a->pre.count, 2);
	const struct plan_command *pre = plan_command(plan, a->pre.first);
	assert_string_equal(plan_list_string(plan, pre[0].argv, 0), "/bin/x");
	assert_string_equal(plan_list_string(plan, pre[0].argv, 1), "y");
	assert_true(pre[0].timeout_ns == 20 * SECOND && pre[0].flags == 0);
	assert_true(pre[1].timeout_ns == SECOND && pre[1].flags == PLAN_COMMAND_OPTIONAL);
	assert_int_equal(a->post.count, 1);
	assert_true(plan_command(plan, a->post.first)->timeout_ns == 5 * SECOND);
	assert_int_equal(a->reload_signal, 0);
	assert_string_equal(plan_list_string(plan, plan_command(plan, a->reload_command)->argv, 0),
			    "/bin/r");
	assert_true(plan_command(plan, a->reload_command)->timeout_ns == 9 * SECOND);
	assert_int_equal(b->reload_signal, 10);
	assert_int_equal(b->reload_command, PLAN_NONE);
	assert_int_equal(a->conditions.count, 5);
	static const struct {
		uint32_t kind, flags;
		const char *value;
	} conditions[] = {{PLAN_CONDITION_PATH, 0, "/etc/a"},
			  {PLAN_CONDITION_KERNEL_WORD, PLAN_CONDITION_NOT, "quiet"},
			  {PLAN_CONDITION_FIRST_BOOT, PLAN_CONDITION_NOT, ""},
			  {PLAN_CONDITION_ARCHITECTURE, 0, "aarch64"},
			  {PLAN_CONDITION_VIRTUALIZATION, 0, "container"}};
	for (uint32_t i = 0; i < 5; i++) {
		const struct plan_condition *one = plan_condition(plan, a->conditions.first + i);
		assert_int_equal(one->kind, conditions[i].kind);
		assert_int_equal(one->flags, conditions[i].flags);
		assert_string_equal(plan_string(plan, one->value), conditions[i].value);
	}
	assert_int_equal(b->needs.count + b->needed_by.count, 1);
	assert_int_equal(plan_edge(plan, b->needs.first)->kind, PLAN_EDGE_CONFLICTS);
	assert_int_equal(t->kind, PLAN_SERVICE_TIMER);
	assert_true(t->timer_first_ns == 60 * SECOND && t->timer_every_ns == 3600 * SECOND &&
		    t->timer_jitter_ns == 5 * SECOND);
	assert_int_equal(t->restart, PLAN_RESTART_NEVER);
	assert_int_equal(t->exits_clean[0], 2);
	assert_int_equal(t->probes.count, 0);
	assert_int_equal(service_of(&trial, "u")->restart, PLAN_RESTART_NEVER);
	trial_end(&trial);
}

static void how_a_service_is_confined_arrives(void **state)
{
	struct trial trial;

	(void)state;
	trial_compile(
		&trial,
		HEAD "services:\n"
		     "  a:\n"
		     "    exec: [/bin/a]\n"
		     "    output: none\n"
		     "    scheduler: {policy: rr, priority: 7}\n"
		     "    cpus: 0-1,3,64\n"
		     "    io-priority: {class: realtime}\n"
		     "    bind: [{from: /var/lib/a, to: /var/lib/a}, {from: /srv, to: /mnt, "
		     "read-only: true, optional: true}]\n"
		     "    hidden: [/root]\n"
		     "    read-only: [/var, /var/lib/a]\n"
		     "    private-tmp: true\n"
		     "    cgroup-settings: {memory.max: max, cpu.max: \"max 100000\", io.max: "
		     "\"8:0 rbps=1 wiops=max\", hugetlb.1GB.rsvd.max: 1GiB, cpu.uclamp.min: 0.5, "
		     "cpu.weight.nice: -20, cpuset.cpus: 0-3, cgroup.max.depth: 0}\n"
		     "  b: {exec: [/bin/b], output: none, scheduler: {policy: idle}, io-priority: "
		     "{class: idle}}\n"
		     "  c: {exec: [/bin/c], output: none, scheduler: {policy: batch}, io-priority: "
		     "{class: best-effort, level: 0}, cgroup-settings: {dmem.max: x}}\n"
		     "controllers: [cpu, cpuset, io, memory, hugetlb, dmem]\n");
	const struct plan *plan = &trial.plan;
	const struct plan_service *a = service_of(&trial, "a"), *b = service_of(&trial, "b"),
				  *c = service_of(&trial, "c");
	assert_int_equal(a->scheduler, 2); /* SCHED_RR */
	assert_int_equal(a->scheduler_priority, 7);
	assert_int_equal(b->scheduler, 5);
	assert_int_equal(c->scheduler, 3);
	assert_int_equal(a->io_priority, 1 << 13 | 4);
	assert_int_equal(b->io_priority, 3 << 13);
	assert_int_equal(c->io_priority, 2 << 13);
	assert_int_equal(a->affinity.size_bytes, 16);
	const uint64_t *cpus = plan_bytes(plan, a->affinity);
	assert_int_equal(cpus[0], 0xb);
	assert_int_equal(cpus[1], 1);
	assert_int_equal(b->affinity.size_bytes, 0);
	static const struct {
		uint32_t kind, flags;
		const char *path, *source;
	} sandbox[] = {
		{PLAN_SANDBOX_READ_ONLY, 0, "/var", ""},
		{PLAN_SANDBOX_READ_ONLY, 0, "/var/lib/a", ""},
		{PLAN_SANDBOX_TMP, 0, "/tmp", ""},
		{PLAN_SANDBOX_TMP, PLAN_SANDBOX_OPTIONAL, "/var/tmp", ""},
		{PLAN_SANDBOX_HIDDEN, PLAN_SANDBOX_OPTIONAL, "/root", ""},
		{PLAN_SANDBOX_BIND, 0, "/var/lib/a", "/var/lib/a"},
		{PLAN_SANDBOX_BIND_READ_ONLY, PLAN_SANDBOX_OPTIONAL, "/mnt", "/srv"},
	};
	assert_int_equal(a->sandbox.count, 7);
	for (uint32_t i = 0; i < 7; i++) {
		const struct plan_sandbox *one = plan_sandbox(plan, a->sandbox.first + i);
		assert_int_equal(one->kind, sandbox[i].kind);
		assert_int_equal(one->flags, sandbox[i].flags);
		assert_string_equal(plan_string(plan, one->path), sandbox[i].path);
		assert_string_equal(plan_string(plan, one->source), sandbox[i].source);
	}
	assert_int_equal(a->cgroup_settings.count, 8);
	trial_end(&trial);
}

/* Lists end somewhere: the node's arrays are of fixed size. */
static void what_is_too_many_is_told(void **state)
{
	static const struct {
		const char *head, *entry, *tail;
		unsigned most;
		const char *told;
	} lists[] = {
		{"pre: [", "[/x]", "]", PLAN_MAX_COMMANDS, "more than 16 commands"},
		{"post: [", "[/x]", "]", PLAN_MAX_COMMANDS, "more than 16 commands"},
		{"conditions: [", "{path: /x%u}", "]", PLAN_MAX_CONDITIONS,
		 "more than 16 conditions"},
		{"hidden: [", "/x%u", "]", PLAN_MAX_SANDBOX,
		 "more than 64 paths that it sees otherwise"},
		{"ready: [", "{socket: /x}", "]", PLAN_MAX_PROBES, "more than 32 conditions"},
		{"liveness: [", "{socket: /x}", "]", PLAN_MAX_PROBES, "more than 32 conditions"},
		{"groups: [", "%u", "]", PLAN_MAX_GROUPS, "more than 64 groups"},
		{"environment: {PATH: x, ", "A%u: x", "}", PLAN_MAX_ENVIRONMENT - 1,
		 "more than 512 variables"},
		{"reload: {command: [/x, ", "%u", "]}", PLAN_MAX_ARGUMENTS - 1,
		 "more than 512 arguments"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (unsigned more = 0; more < 2; more++) {
			struct bytes text = {0};
			struct trial trial;
			bytes_printf(&text, HEAD A "    %s", lists[i].head);
			for (unsigned j = 0; j < lists[i].most + more; j++) {
				struct pool pool = {0};
				const char *percent = strchr(lists[i].entry, '%');
				bytes_printf(&text, "%s%.*s", j ? ", " : "",
					     percent ? (int)(percent - lists[i].entry) : 99,
					     lists[i].entry);
				if (percent)
					bytes_printf(&text, "%u%s", j, percent + 2);
				pool_free(&pool);
			}
			bytes_printf(&text, "%s\n", lists[i].tail);
			bytes_add(&text, "", 1);
			int error = trial_parse(&trial, (const char *)text.data);
			if (error != (more ? -EINVAL : 0))
				print_error("%s%s", lists[i].head, trial.told);
			assert_int_equal(error, more ? -EINVAL : 0);
			assert_int_equal(trial.diagnostics.errors, more);
			if (more)
				assert_string_equal(trial.diagnostics.list[0].text, lists[i].told);
			trial_end(&trial);
			bytes_free(&text);
		}
}

static void what_is_said_for_half_of_a_backoff_holds_for_the_other(void **state)
{
	struct trial trial;

	(void)state;
	trial_compile(&trial,
		      HEAD "services:\n"
			   "  a: {exec: [/a], output: none, backoff: {min: 1min}}\n"
			   "  b: {exec: [/b], output: none, backoff: {max: 10ms}}\n"
			   "  c: {exec: [/c], output: none, backoff: {min: 1s}}\n"
			   "  d: {exec: [/d], output: none, backoff: {min: 1s, max: 1s}}\n");
	assert_true(service_of(&trial, "a")->backoff_max_ns == 60 * SECOND);
	assert_true(service_of(&trial, "b")->backoff_min_ns == SECOND / 100);
	assert_true(service_of(&trial, "c")->backoff_max_ns == 10 * SECOND);
	assert_true(service_of(&trial, "d")->backoff_min_ns == SECOND);
	trial_end(&trial);
}

static void a_restart_is_what_was_said(void **state)
{
	static const struct {
		const char *text;
		uint32_t restart;
	} cases[] = {
		{"restart: always", PLAN_RESTART_ALWAYS},
		{"restart: on-failure", PLAN_RESTART_FAILURE},
		{"restart: never", PLAN_RESTART_NEVER},
		{"restart: {on: always}", PLAN_RESTART_ALWAYS},
		{"restart: {on: on-failure}", PLAN_RESTART_FAILURE},
		{"restart: {on: never}", PLAN_RESTART_NEVER},
		{"restart: {}", PLAN_RESTART_ALWAYS},
		{"kind: oneshot", PLAN_RESTART_NEVER},
		{"kind: oneshot\n    restart: {success: [1]}", PLAN_RESTART_NEVER},
		{"kind: oneshot\n    restart: on-failure", PLAN_RESTART_FAILURE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pool pool = {0};
		struct trial trial;
		trial_compile(&trial, pool_printf(&pool, HEAD A "    output: none\n    %s\n",
						  cases[i].text));
		assert_int_equal(service_of(&trial, "a")->restart, cases[i].restart);
		trial_end(&trial);
		pool_free(&pool);
	}
}

static void a_loopback_address_may_be_written_in_any_way(void **state)
{
	static const char *const ways[] = {"127.0.0.1:81/x", "localhost:81/x", ":81/x",
					   "http://127.0.0.1:81/x", "http://localhost:81/x"};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct pool pool = {0};
		struct trial trial;
		trial_compile(&trial,
			      pool_printf(&pool,
					  HEAD A "    output: none\n    ready: {http: \"%s\"}\n",
					  ways[i]));
		const struct plan_probe *probe = plan_probe(&trial.plan,
							    service_of(&trial, "a")->probes.first);
		assert_int_equal(probe->number, 81);
		assert_string_equal(plan_string(&trial.plan, probe->target), "/x");
		trial_end(&trial);
		pool_free(&pool);
	}
}

/* Two that conflict may both be there, as long as nothing starts both. */
static void conflicts_that_can_be_kept_are_right(void **state)
{
	struct trial trial;

	(void)state;
	trial_compile(&trial,
		      HEAD "services:\n"
			   "  a: {exec: [/a], output: none, conflicts: [b, c]}\n"
			   "  b: {exec: [/b], output: none, manual: true, conflicts: [a, c]}\n"
			   "  c: {exec: [/c], output: none, manual: true}\n"
			   "  d: {exec: [/d], output: none, after: [b], requires: [a]}\n"
			   "  e: {exec: [/e], output: none, manual: true, requires: [b]}\n"
			   "  f: {exec: [/f], output: none, manual: true}\n"
			   "  g: {exec: [/g], output: none, requires: [f]}\n"
			   "slots: {healthy: {services: [a, f]}}\n");
	/* Said by both, it is one conflict. */
	uint32_t conflicts = 0;
	for (uint32_t i = 0; i < plan_count(&trial.plan, PLAN_EDGES); i++)
		conflicts += plan_edge(&trial.plan, i)->kind == PLAN_EDGE_CONFLICTS;
	assert_int_equal(conflicts, 2 * 3);
	trial_end(&trial);
}

static void mounts_come_in_an_order_that_can_be_mounted(void **state)
{
	struct trial trial;

	(void)state;
	trial_compile(
		&trial, HEAD
		"mounts:\n"
		"  /var/lib/x: {source: /data/x, type: bind, recursive: true}\n"
		"  /etc: {overlay: {upper: tmpfs}}\n"
		"  /usr: {overlay: {lower: [/data/ext, /usr], upper: /data/up}}\n"
		"  /data: {source: /dev/vdb, type: ext4, options: ro}\n"
		"  /var: {source: \"partition:state\", type: ext4, make: if-empty, "
		"options: \"nosuid,nodev,noatime,sync,data=journal\", propagation: rshared}\n"
		"  /run: {type: tmpfs, options: [noexec, nosuid, exec, mode=0755, size=20%]}\n");
	const struct plan *plan = &trial.plan;
	const char *order[] = {"/data", "/usr", "/var", "/var/lib/x", "/run", "/etc"};
	uint32_t at[6];
	for (uint32_t i = 0; i < 6; i++)
		for (uint32_t j = 0; j < 6; j++)
			if (strcmp(plan_string(plan, plan_mount(plan, j)->target), order[i]) == 0)
				at[i] = j;
	assert_true(at[0] < at[1] && at[0] < at[3] && at[2] < at[3] && at[4] < at[5]);

	const struct plan_mount *var = plan_mount(plan, at[2]);
	assert_int_equal(var->source_kind, PLAN_SOURCE_PARTITION);
	assert_string_equal(plan_string(plan, var->source), "state");
	assert_int_equal(var->attributes, 2 | 4 | 0x10);
	assert_int_equal(var->mount_flags, MS_NOSUID | MS_NODEV | MS_NOATIME | MS_SYNCHRONOUS);
	assert_int_equal(var->propagation, MS_SHARED | MS_REC);
	assert_int_equal(var->flags, PLAN_MOUNT_MAKE);
	/* The file system's own flag has a name for fsconfig(2), and none in mount(2)'s data. */
	assert_int_equal(var->options.count, 4);
	assert_string_equal(plan_list_string(plan, var->options, 0), "sync");
	assert_string_equal(plan_list_string(plan, var->options, 2), "data");
	assert_string_equal(plan_list_string(plan, var->options, 3), "journal");
	assert_string_equal(plan_string(plan, var->data), "data=journal");

	const struct plan_mount *etc = plan_mount(plan, at[5]);
	assert_int_equal(etc->source_kind, PLAN_SOURCE_OVERLAY);
	assert_string_equal(plan_list_string(plan, etc->lowers, 0), "/etc");
	assert_string_equal(plan_string(plan, etc->upper), "/run/keelson/overlay/etc/upper");
	assert_string_equal(plan_string(plan, etc->work), "/run/keelson/overlay/etc/upper.work");
	assert_int_equal(plan_mount(plan, at[0])->attributes, 1);
	assert_int_equal(plan_mount(plan, at[3])->flags, PLAN_MOUNT_RECURSIVE);
	/* The later option takes back the earlier one. */
	assert_int_equal(plan_mount(plan, at[4])->mount_flags, MS_NOSUID);
	trial_end(&trial);
}

static void a_command_of_the_health_condition_is_run_until_it_succeeds(void **state)
{
	struct trial trial;
	const struct plan_service *service;

	(void)state;
	trial_compile(&trial, HEAD "services:\n"
				   "  z: {exec: [/z]}\n"
				   "slots:\n"
				   "  healthy:\n"
				   "    services: [z]\n"
				   "    commands:\n"
				   "      - [/bin/check, --all]\n"
				   "      - {command: [/bin/slow], timeout: 1min}\n");
	const struct plan *plan = &trial.plan;
	const struct plan_list healthy = plan->system->healthy;
	const char *names[] = {"z", "healthy-1", "healthy-2"};

	assert_int_equal(healthy.count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		service = plan_service(plan, *plan_ref(plan, healthy.first + i));
		assert_string_equal(plan_string(plan, service->name), names[i]);
		if (i == 0)
			continue;
		assert_int_equal(service->kind, PLAN_SERVICE_ONESHOT);
		assert_int_equal(service->restart, PLAN_RESTART_FAILURE);
		assert_int_equal(service->burst, 0);
		assert_int_equal(service->flags & (PLAN_SERVICE_MANUAL | PLAN_SERVICE_CRITICAL), 0);
		assert_int_equal(service->start_timeout_ns,
				 i == 1 ? 10000000000ull : 60000000000ull);
		/* Not before what is to be healthy is up. */
		assert_int_equal(service->needs.count, 1);
		assert_int_equal(plan_edge(plan, service->needs.first)->kind, PLAN_EDGE_AFTER);
	}
	assert_string_equal(plan_list_string(plan, service->argv, 0), "/bin/slow");
	trial_end(&trial);
}

static void a_slots_layer_is_kept_on_a_disk(void **state)
{
	struct trial trial;

	(void)state;
	trial_compile(&trial,
		      HEAD "mounts:\n"
			   "  /etc: {overlay: {upper: slot}}\n"
			   "  /opt/a: {overlay: {upper: slot}, optional: true}\n"
			   "  /var: {source: \"partition:state\", type: ext4, make: if-empty}\n");
	const struct plan_mount *var = plan_mount(&trial.plan, 0);
	const struct plan_mount *etc = plan_mount(&trial.plan, 1);

	assert_string_equal(plan_string(&trial.plan, var->target), "/var");
	assert_int_equal(etc->flags, PLAN_MOUNT_SLOT_LAYER);
	assert_string_equal(plan_string(&trial.plan, etc->upper), "/var/lib/keelson/overlay/etc");
	assert_string_equal(plan_string(&trial.plan, plan_mount(&trial.plan, 2)->upper),
			    "/var/lib/keelson/overlay/opt%2Fa");
	trial_end(&trial);
}

static void kernel_words_arrive_where_they_belong(void **state)
{
	struct trial trial;

	(void)state;
	assert_int_equal(
		trial_parse(&trial, HEAD
			    "kernel: {package: linux, modules: [{overlay: a=1}], storage: [vd], "
			    "on-demand: [vxlan], cmdline: [quiet, ro]}\n"),
		0);
	const struct spec_kernel *kernel = &trial.spec.kernel;
	assert_string_equal(kernel->package.text, "linux");
	assert_int_equal(kernel->module_count, 1);
	assert_string_equal(kernel->modules[0].name.text, "overlay");
	assert_string_equal(kernel->modules[0].parameters, "a=1");
	assert_int_equal(kernel->storage_count, 1);
	assert_string_equal(kernel->storage[0].name.text, "vd");
	assert_int_equal(kernel->on_demand.count, 1);
	assert_string_equal(kernel->on_demand.list[0].text, "vxlan");
	assert_int_equal(kernel->cmdline.count, 2);
	assert_string_equal(kernel->cmdline.list[1].text, "ro");
	trial_end(&trial);
}

static void sysctls_become_paths(void **state)
{
	struct trial trial;

	(void)state;
	trial_compile(&trial, HEAD "sysctl:\n  net.ipv4.ip_forward: 1\n"
				   "  net/ipv4/conf/eth0.1/forwarding: {value: 0, optional: true}\n"
				   "  net.ipv4.conf.eth0/2.forwarding: 1\n");
	const struct plan_setting *setting = plan_setting(&trial.plan,
							  trial.plan.system->sysctls.first);
	assert_string_equal(plan_string(&trial.plan, setting[0].path),
			    "/proc/sys/net/ipv4/ip_forward");
	assert_string_equal(plan_string(&trial.plan, setting[1].path),
			    "/proc/sys/net/ipv4/conf/eth0.1/forwarding");
	assert_int_equal(setting[1].flags, PLAN_SETTING_OPTIONAL);
	assert_string_equal(plan_string(&trial.plan, setting[2].path),
			    "/proc/sys/net/ipv4/conf/eth0.2/forwarding");
	trial_end(&trial);
}

static void the_same_spec_gives_the_same_bytes(void **state)
{
	const char *text = HEAD A "    policy: p\npolicies: {p: {seccomp: {deny: [reboot]}}}\n";
	struct trial a, b;

	(void)state;
	trial_compile(&a, text);
	trial_compile(&b, text);
	assert_int_equal(a.plan.header->size_bytes, b.plan.header->size_bytes);
	assert_memory_equal(a.bytes, b.bytes, a.plan.header->size_bytes);
	trial_end(&a);
	trial_end(&b);
}

static void a_boot_plan_holds_modules_keys_and_what_its_kernel_is(void **state)
{
	const char *modules[] = {"/keelson/virtio.ko", "/keelson/virtio_blk.ko"};
	const char *parameters[] = {"", "queues=1"};
	const char *keys[] = {"/keelson/key.der"};
	static const uint8_t sha256[32] = {1, 2, 3};
	const struct boot_facts facts = {.modules = modules,
					 .parameters = parameters,
					 .module_count = 2,
					 .keys = keys,
					 .key_count = 1,
					 .kernel_release = "6.1.0-1-amd64",
					 .kernel_cmdline = "quiet gpt",
					 .kernel_sha256 = sha256};
	struct trial trial;
	size_t size;

	(void)state;
	assert_int_equal(trial_parse(&trial, HEAD A "rescue: console\n"), 0);
	assert_int_equal(compile_boot_plan(&trial.spec, &facts, NULL, &trial.diagnostics,
					   &trial.bytes, &size),
			 0);
	assert_int_equal(plan_verify(trial.bytes, size, PLAN_KIND_BOOT, &trial.plan, NULL), 0);
	plan_walk(&trial.plan);
	assert_int_equal(plan_count(&trial.plan, PLAN_MODULES), 2);
	assert_string_equal(plan_string(&trial.plan, plan_module(&trial.plan, 1)->parameters),
			    "queues=1");
	assert_int_equal(trial.plan.system->flags, PLAN_SYSTEM_RESCUE);
	assert_string_equal(plan_list_string(&trial.plan, trial.plan.system->keys, 0), keys[0]);
	assert_string_equal(plan_string(&trial.plan, trial.plan.system->kernel_release),
			    "6.1.0-1-amd64");
	assert_string_equal(plan_string(&trial.plan, trial.plan.system->kernel_cmdline),
			    "quiet gpt");
	assert_memory_equal(trial.plan.system->kernel_sha256, sha256, sizeof(sha256));
	trial_end(&trial);
}

/* ---- policies ---- */

static void capabilities_become_masks(void **state)
{
	struct trial trial;

	(void)state;
	trial_compile(&trial, HEAD
		      "policies:\n"
		      "  drops: {capabilities: {drop: [sys_module, CAP_SYS_BOOT]}}\n"
		      "  keeps: {capabilities: {keep: [chown, net_admin], ambient: [net_admin]}}\n"
		      "  none: {capabilities: {keep: []}}\n"
		      "  bits: {no-new-privs: true, securebits: [noroot, noroot-locked]}\n");
	const struct plan_policy *policy = plan_policy(&trial.plan, 0);
	assert_int_equal(policy[0].flags, PLAN_POLICY_CAPS);
	assert_true(policy[0].cap_bounding == (0x1ffffffffffull & ~(1ull << 16 | 1ull << 22)));
	assert_true(policy[0].cap_permitted == policy[0].cap_bounding);
	assert_int_equal(policy[0].cap_inheritable, 0);
	assert_int_equal(policy[1].cap_bounding, 1 | 1 << 12);
	assert_int_equal(policy[1].cap_ambient, 1 << 12);
	assert_int_equal(policy[1].cap_inheritable, 1 << 12);
	assert_int_equal(policy[2].flags, PLAN_POLICY_CAPS);
	assert_int_equal(policy[2].cap_bounding, 0);
	assert_int_equal(policy[3].flags, PLAN_POLICY_NO_NEW_PRIVS);
	assert_int_equal(policy[3].securebits, 3);
	trial_end(&trial);
}

/* The answer of a policy's filter for x86-64 machines. */
static uint32_t ask(const struct plan *plan, const struct plan_policy *policy,
		    const struct seccomp_data *call)
{
	assert_int_equal(policy->filters.count, 1);
	const struct plan_filter *filter = plan_filter(plan, policy->filters.first);
	assert_int_equal(filter->audit_arch, AUDIT_ARCH_X86_64);
	return bpf_run(plan_bytes(plan, filter->program), filter->program.size_bytes / 8, call,
		       NULL);
}

#define X32(number) (0x40000000 + (number))

/* Numbers: arch/x86/entry/syscalls/syscall_64.tbl and syscall_32.tbl. */
static const struct {
	const char *what;
	uint32_t architecture;
	uint32_t number;
	bool denied;
} calls[] = {
	{"reboot", AUDIT_ARCH_X86_64, 169, true},
	{"reboot of i386", AUDIT_ARCH_I386, 88, true},
	{"reboot of x32", AUDIT_ARCH_X86_64, X32(169), true},
	{"kexec_load", AUDIT_ARCH_X86_64, 246, true},
	{"kexec_load of i386", AUDIT_ARCH_I386, 283, true},
	{"kexec_load of x32", AUDIT_ARCH_X86_64, X32(528), true},
	{"init_module", AUDIT_ARCH_X86_64, 175, true},
	{"init_module of i386", AUDIT_ARCH_I386, 128, true},
	{"init_module of x32", AUDIT_ARCH_X86_64, X32(175), true},
	{"read", AUDIT_ARCH_X86_64, 0, false},
	{"execve", AUDIT_ARCH_X86_64, 59, false},
	{"mount", AUDIT_ARCH_X86_64, 165, false},
	{"read of i386", AUDIT_ARCH_I386, 3, false},
	{"read of x32", AUDIT_ARCH_X86_64, X32(0), false},
	/* The number that is reboot on one is getpgrp or statx on another: no mixing. */
	{"number 88 on x86-64", AUDIT_ARCH_X86_64, 88, false},
	{"number 169 on i386", AUDIT_ARCH_I386, 169, false},
};

static void a_denied_call_is_denied_to_every_kind_of_program(void **state)
{
	struct trial trial;

	(void)state;
	trial_compile(&trial, HEAD
		      "policies: {p: {seccomp: {deny: [reboot, kexec_load, init_module, swapon, "
		      "acct, iopl, ioperm, uselib, ustat, sysfs, _sysctl]}}}\n");
	const struct plan_policy *policy = plan_policy(&trial.plan, 0);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct seccomp_data data = {.nr = (int)calls[i].number,
					    .arch = calls[i].architecture};
		uint32_t answer = ask(&trial.plan, policy, &data);
		uint32_t right = calls[i].denied ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_ALLOW;
		if (answer != right)
			print_error("%s: 0x%x\n", calls[i].what, answer);
		assert_int_equal(answer, right);
	}
	trial_end(&trial);
}

static void an_allow_list_answers_eperm_to_the_rest(void **state)
{
	struct trial trial;

	(void)state;
	trial_compile(&trial, HEAD "policies: {p: {no-new-privs: true, seccomp: {allow: "
				   "[read, write, execve, exit_group]}}}\n");
	const struct plan_policy *policy = plan_policy(&trial.plan, 0);
	struct seccomp_data data = {.nr = 1, .arch = AUDIT_ARCH_X86_64};
	assert_int_equal(ask(&trial.plan, policy, &data), SECCOMP_RET_ALLOW);
	data.nr = 169;
	assert_int_equal(ask(&trial.plan, policy, &data), SECCOMP_RET_ERRNO | EPERM);
	trial_end(&trial);
}

/* ---- extending ---- */

struct directory {
	char path[64];
};

static void put_file(const struct directory *directory, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory->path, name);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int load_from(struct trial *trial, const struct directory *directory, const char *name,
		     const char *profiles)
{
	*trial = (struct trial){0};
	trial->diagnostics.pool = &trial->pool;
	/* Every place in the spec goes on naming it. */
	const char *path = pool_printf(&trial->pool, "%s/%s", directory->path, name);
	int error = spec_load(path, profiles, &trial->pool, &trial->spec, &trial->diagnostics);
	trial_print(trial);
	return error;
}

static int make_directory(void **state)
{
	struct directory *directory = calloc(1, sizeof(*directory));

	snprintf(directory->path, sizeof(directory->path), "/tmp/keelson-spec.XXXXXX");
	*state = directory;
	return mkdtemp(directory->path) ? 0 : -1;
}

static int remove_directory(void **state)
{
	struct directory *directory = *state;
	static const char *const names[] = {"base.yaml", "edge.yaml", "loop.yaml", "base.txt", ""};
	char path[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory->path, names[i]);
		remove(path);
	}
	free(directory);
	return 0;
}

static const char base[] = HEAD
	"packages: {install: [runc, containerd: [/usr/bin/containerd]], exclude: "
	"[/usr/share/doc/**]}\n"
	"files:\n"
	"  - {to: /etc/a, from: base.txt}\n"
	"  - {to: /etc/b, content: old}\n"
	"kernel: {package: linux, modules: [overlay]}\n"
	"sysctl: {vm.swappiness: 1, kernel.panic: 10}\n"
	"mounts: {/var: {source: \"partition:state\", type: ext4, grow: true}, /tmp: {type: "
	"tmpfs}}\n"
	"services:\n"
	"  a: {exec: [/bin/a], limits: {nofile: 10, core: 0}, environment: {A: a, B: b}}\n"
	"  b: {exec: [/bin/b], ready: notify, requires: [a]}\n";

static void an_extending_spec_changes_what_it_says_and_nothing_else(void **state)
{
	const struct directory *directory = *state;
	struct trial trial;

	put_file(directory, "base.yaml", base);
	put_file(directory, "base.txt", "x");
	put_file(directory, "edge.yaml",
		 "keelson: 1\nname: edge\nextends: base\n"
		 "packages: {install: [conntrack, runc: [/usr/sbin/runc]]}\n"
		 "files: [{to: /etc/b, content: new}, {to: /etc/c, content: c}]\n"
		 "kernel: {modules: [br_netfilter]}\n"
		 "sysctl: {kernel.panic: null, vm.max_map_count: 9}\n"
		 "mounts: {/var: {grow: false, options: nosuid}, /tmp: null}\n"
		 "services:\n"
		 "  a: {limits: {nofile: 20}, environment: {B: null, C: c}}\n"
		 "  b: {requires: null, ready: {socket: /run/b}}\n"
		 "  c: {exec: [/bin/c]}\n");
	int error = load_from(&trial, directory, "edge.yaml", NULL);
	if (error)
		print_error("%s", trial.told);
	assert_int_equal(error, 0);
	const struct spec *spec = &trial.spec;
	assert_string_equal(spec->name.text, "edge");
	assert_int_equal(spec->packages.install_count, 3);
	assert_string_equal(spec->packages.install[0].name.text, "containerd");
	assert_string_equal(spec->packages.install[1].name.text, "conntrack");
	assert_string_equal(spec->packages.install[2].files.list[0].text, "/usr/sbin/runc");
	assert_int_equal(spec->packages.exclude.count, 1);
	assert_int_equal(spec->file_count, 3);
	assert_int_equal(spec->files[0].source.text[0], '/'); /* beside base.yaml, which says it */
	assert_string_equal(spec->files[1].content.text, "new");
	assert_string_equal(spec->files[2].to.text, "/etc/c");
	assert_string_equal(spec->kernel.package.text, "linux");
	assert_int_equal(spec->kernel.module_count, 2);
	assert_int_equal(spec->sysctl_count, 2);
	assert_string_equal(spec->sysctls[0].name.text, "vm.swappiness");
	assert_string_equal(spec->sysctls[1].name.text, "vm.max_map_count");
	assert_int_equal(spec->mount_count, 1);
	assert_string_equal(spec->mounts[0].type.text, "ext4");
	assert_int_equal(spec->mounts[0].flags, 0);
	assert_int_equal(spec->mounts[0].options.count, 1);
	const struct spec_service *a = &spec->services[0], *b = &spec->services[1];
	assert_int_equal(a->limit_count, 2);
	assert_int_equal(a->limits[0].soft, 20);
	assert_string_equal(a->environment.list[0].text, "A=a");
	assert_string_equal(a->environment.list[1].text, "C=c");
	assert_int_equal(b->edge_count, 0);
	assert_int_equal(b->probe_count, 1);
	assert_int_equal(b->probes[0].kind, PLAN_PROBE_SOCKET);
	assert_int_equal(spec->service_count, 4); /* and the logger */

	struct bytes out = {0};
	spec_print(spec, true, &out);
	assert_non_null(strstr((const char *)out.data, "base.yaml:3"));
	assert_null(strstr((const char *)out.data, "extends"));
	bytes_free(&out);
	trial_end(&trial);

	/* A restart in its short form gives way to the long one, and the other way round. */
	put_file(directory, "base.yaml",
		 HEAD "services:\n"
		      "  a: {exec: [/a], restart: never, liveness: {socket: /s}, pre: [[/x]]}\n"
		      "  b: {exec: [/b], restart: {on: always, success: [1], final: [2]}}\n"
		      "  c: {exec: [/c], restart: {success: [1]}, conditions: [{path: /x}]}\n");
	put_file(directory, "edge.yaml",
		 "keelson: 1\nextends: base\nservices:\n"
		 "  a: {restart: {success: [5]}, liveness: {command: [/l]}, pre: [[/y], [/z]]}\n"
		 "  b: {restart: {success: [3]}}\n"
		 "  c: {restart: never, conditions: null}\n");
	assert_int_equal(load_from(&trial, directory, "edge.yaml", NULL), 0);
	spec = &trial.spec;
	assert_int_equal(spec->services[0].restart, PLAN_RESTART_ALWAYS);
	assert_int_equal(spec->services[0].exits_clean[0], 1 << 5);
	assert_int_equal(spec->services[0].liveness_count, 1);
	assert_int_equal(spec->services[0].liveness[0].kind, PLAN_PROBE_COMMAND);
	assert_int_equal(spec->services[0].pre.count, 2);
	assert_int_equal(spec->services[1].exits_clean[0], 1 << 3);
	assert_int_equal(spec->services[1].exits_final[0], 1 << 2);
	assert_int_equal(spec->services[2].restart, PLAN_RESTART_NEVER);
	assert_int_equal(spec->services[2].exits_clean[0], 0);
	assert_int_equal(spec->services[2].condition_count, 0);
	trial_end(&trial);

	/* Lists of capabilities and calls are not joined: half a policy is none. */
	put_file(directory, "policy.yaml",
		 HEAD
		 "policies: {p: {capabilities: {drop: [sys_boot]}, seccomp: {deny: [reboot]}}}\n");
	put_file(directory, "strict.yaml",
		 "keelson: 1\nextends: policy.yaml\n"
		 "policies: {p: {capabilities: {keep: [chown]}, seccomp: {allow: [execve, write, "
		 "exit_group]}, no-new-privs: true}}\n");
	assert_int_equal(load_from(&trial, directory, "strict.yaml", NULL), 0);
	assert_int_equal(trial.spec.policies[0].bounding, 1 << CAP_CHOWN);
	assert_int_equal(trial.spec.policies[0].default_answer, SECCOMP_RET_ERRNO | EPERM);
	trial_end(&trial);

	/* What is shown may lie anywhere: its paths do not depend on where it lies. */
	put_file(directory, "own.txt", "own");
	put_file(directory, "paths.yaml",
		 HEAD "files: [{to: /a, from: own.txt}, {to: /b, from: "
		      "\"program:own.txt\"}]\n");
	assert_int_equal(load_from(&trial, directory, "paths.yaml", NULL), 0);
	spec_print(&trial.spec, true, &out);
	char *absolute = realpath(directory->path, NULL);
	assert_non_null(strstr((const char *)out.data,
			       pool_printf(&trial.pool, "from: %s/own.txt ", absolute)));
	assert_non_null(strstr((const char *)out.data, "from: program:own.txt "));
	free(absolute);
	bytes_free(&out);
	trial_end(&trial);
}

static void an_error_in_what_is_extended_names_that_file(void **state)
{
	const struct directory *directory = *state;
	struct trial trial;

	put_file(directory, "base.yaml", HEAD "hostnam: x\n");
	put_file(directory, "edge.yaml", "keelson: 1\nname: edge\nextends: ./base.yaml\nfoo: 1\n");
	assert_int_equal(load_from(&trial, directory, "edge.yaml", NULL), -EINVAL);
	const char *own = strstr(trial.told, "edge.yaml:4:1: error: unknown key 'foo'");
	const char *other = strstr(trial.told, "base.yaml:3:1: error: unknown key 'hostnam'");
	assert_true(own && other && own < other);
	trial_end(&trial);
}

static void a_profile_is_found_in_the_directory_that_was_given(void **state)
{
	const struct directory *directory = *state;
	struct trial trial;

	put_file(directory, "base.yaml", HEAD "hostname: from-base\n");
	trial = (struct trial){0};
	trial.diagnostics.pool = &trial.pool;
	const char *text = "keelson: 1\nname: e\nextends: base\n";
	assert_int_equal(spec_parse("e.yaml", text, strlen(text), directory->path, &trial.pool,
				    &trial.spec, &trial.diagnostics),
			 0);
	assert_string_equal(trial.spec.hostname.text, "from-base");
	trial_end(&trial);
}

static void a_profile_that_is_not_there_is_told_with_the_nearest(void **state)
{
	const struct directory *directory = *state;
	struct trial trial;

	put_file(directory, "base.yaml", HEAD);
	put_file(directory, "edge.yaml", HEAD "extends: bsae\n");
	assert_int_equal(load_from(&trial, directory, "edge.yaml", NULL), -EINVAL);
	assert_non_null(strstr(trial.told, "edge.yaml:3:10: error: there is no profile 'bsae'"));
	assert_non_null(strstr(trial.told, "did you mean 'base'?"));
	trial_end(&trial);
}

static void a_spec_that_extends_itself_is_refused(void **state)
{
	const struct directory *directory = *state;
	struct trial trial;

	put_file(directory, "loop.yaml", HEAD "extends: ./loop.yaml\n");
	assert_int_equal(load_from(&trial, directory, "loop.yaml", NULL), -EINVAL);
	assert_non_null(strstr(trial.told, "loop.yaml:3:10: error: './loop.yaml' extends itself"));
	trial_end(&trial);
	put_file(directory, "loop.yaml", HEAD "extends: loop\n");
	assert_int_equal(load_from(&trial, directory, "loop.yaml", NULL), -EINVAL);
	assert_non_null(strstr(trial.told, "loop.yaml:3:10: error: 'loop' extends itself"));
	trial_end(&trial);
	put_file(directory, "loop.yaml", HEAD "extends: ./\n");
	assert_int_equal(load_from(&trial, directory, "loop.yaml", NULL), -EINVAL);
	assert_non_null(strstr(trial.told, "/./: Is a directory"));
	trial_end(&trial);
	assert_int_equal(load_from(&trial, directory, "missing.yaml", NULL), -ENOENT);
	assert_non_null(strstr(trial.told, "missing.yaml: No such file or directory"));
	trial_end(&trial);
}

static void a_resolved_spec_reads_back_as_itself(void **state)
{
	struct trial first, second;
	struct bytes once = {0}, again = {0};

	(void)state;
	assert_int_equal(trial_parse(&first, HEAD A
				     "    environment: {X: \"a: b # c\", Y: \"\", Z: \"null\"}\n"
				     "    directory: \"/a b\"\n"
				     "files: [{to: /x, content: "
				     "\"l1\\nl2\\t\\\"q\\\"\\\\\\n\\x85\\a\\u2028\"}]\n"
				     "kernel: {modules: []}\nmounts: {}\n"),
			 0);
	spec_print(&first.spec, false, &once);
	assert_int_equal(trial_parse(&second, (const char *)once.data), 0);
	spec_print(&second.spec, false, &again);
	assert_string_equal((const char *)once.data, (const char *)again.data);
	assert_string_equal(second.spec.files[0].content.text,
			    "l1\nl2\t\"q\"\\\n\xc2\x85\a\xe2\x80\xa8");
	bytes_free(&once);
	bytes_free(&again);
	trial_end(&first);
	trial_end(&second);
}

/* Everything that a service can be told, and how the plan that comes of it is shown. */
static const char all_of_a_service[] = HEAD
	"critical: poweroff\n"
	"services:\n"
	"  a:\n"
	"    exec: [/bin/a]\n"
	"    output: none\n"
	"    ready: [notify, {fd: 5}, {command: [/bin/p, \"x y\"], every: 1s, timeout: 2s}, "
	"{http: \"127.0.0.1:80/x\"}, {socket: /run/a}]\n"
	"    liveness: [{http: \"127.0.0.1:80/x\", failures: 2}, {command: [/bin/l]}]\n"
	"    watchdog: 30s\n"
	"    notify: all\n"
	"    restart: {on: on-failure, success: [143, 255], final: [78]}\n"
	"    pre: [[/bin/pre, x], {command: [/bin/pre2], timeout: 1s, optional: true}]\n"
	"    post: [[/bin/post]]\n"
	"    reload: HUP\n"
	"    conditions: [{path: /etc/x}, {first-boot: false}, {kernel-word: q, not: true}]\n"
	"    scheduler: {policy: fifo, priority: 5}\n"
	"    cpus: 0-1,3,64\n"
	"    io-priority: {class: best-effort, level: 2}\n"
	"    private-tmp: true\n"
	"    read-only: [/var]\n"
	"    hidden: [/root]\n"
	"    bind: [{from: /srv, to: /mnt, read-only: true, optional: true}]\n"
	"  b: {exec: [/b], output: none, conflicts: a, manual: true, reload: {command: [/r]}}\n"
	"  t: {exec: [/t], output: none, kind: timer, timer: {first: 1min, every: 1h, jitter: "
	"5s}}\n";

static void a_resolved_service_compiles_to_the_same_plan(void **state)
{
	struct trial first, second;
	struct bytes text = {0};

	(void)state;
	trial_compile(&first, all_of_a_service);
	spec_print(&first.spec, false, &text);
	trial_compile(&second, (const char *)text.data);
	assert_int_equal(first.plan.header->size_bytes, second.plan.header->size_bytes);
	assert_memory_equal(first.bytes, second.bytes, first.plan.header->size_bytes);
	bytes_free(&text);
	trial_end(&first);
	trial_end(&second);
}

static void a_plan_shows_all_of_a_service(void **state)
{
	static const char *const lines[] = {
		"\ncritical: poweroff\n",
		"  flags: notify-all\n",
		"  conflicts: b\n",
		"  conflicts: a\n",
		"  ready: fd 5\n",
		"  ready: command: /bin/p \"x y\"\n    every: 1s\n    timeout: 2s\n",
		"  ready: http 127.0.0.1:80/x\n    every: 0.100s\n    timeout: 1s\n",
		"  liveness: http 127.0.0.1:80/x\n    every: 10s\n    timeout: 1s\n    failures: "
		"2\n",
		"  liveness: command: /bin/l\n",
		"  watchdog: 30s\n",
		"  success: 143 255\n  final: 78\n",
		"  pre: /bin/pre x\n    timeout: 30s\n",
		"  pre: /bin/pre2\n    timeout: 1s\n    optional: true\n",
		"  post: /bin/post\n    timeout: 10s\n",
		"  reload-signal: 1\n",
		"  reload: /r\n    timeout: 30s\n",
		"  condition: path /etc/x\n  condition: not first-boot\n  condition: not "
		"kernel-word "
		"q\n",
		"  scheduler: fifo 5\n  io-priority: best-effort 2\n  cpus: 0,1,3,64\n",
		"  private-tmp: /tmp\n  private-tmp: /var/tmp (optional)\n",
		"  read-only: /var\n",
		"  hidden: /root (optional)\n  bind read-only: /srv at /mnt (optional)\n",
		"  kind: timer\n",
		"  first: 60s\n  every: 3600s\n  jitter: 5s\n",
	};
	struct bytes text = {0};
	struct trial trial;

	(void)state;
	trial_compile(&trial, all_of_a_service);
	plan_print(&trial.plan, &text);
	bytes_add(&text, "", 1);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!strstr((const char *)text.data, lines[i]))
			fail_msg("not shown: %s", lines[i]);
	bytes_free(&text);
	trial_end(&trial);
}

/* ---- small parts ---- */

static void names_are_near_by_few_edits(void **state)
{
	static const char *const names[] = {"requires", "restart", "ready", "kill", "log"};

	(void)state;
	assert_string_equal(nearest_name("requries", names, 5), "requires");
	assert_string_equal(nearest_name("Kill", names, 5), "kill");
	assert_string_equal(nearest_name("raedy", names, 5), "ready");
	assert_string_equal(nearest_name("lgo", names, 5), "log");
	assert_null(nearest_name("exec", names, 5));
	assert_null(nearest_name("xyz", names, 5));
	assert_int_equal(nearest_distance("ab", "ba"), 1);
	assert_int_equal(nearest_distance("", "abc"), 3);
	assert_int_equal(nearest_distance("sys_admin", "sys-admin"), 0);
	assert_int_equal(nearest_distance("kitten", "sitting"), 3);
}

static void texts_become_numbers_or_nothing(void **state)
{
	static const struct {
		const char *text;
		bool right;
		uint64_t value;
	} durations[] = {{"30s", true, 30 * SECOND},
			 {"1h30min", true, 5400 * SECOND},
			 {"100ms", true, SECOND / 10},
			 {"0", true, 0},
			 {"5m", true, 300 * SECOND},
			 {"", false, 0},
			 {"30", false, 0},
			 {"-1s", false, 0},
			 {"1.5s", false, 0},
			 {"s", false, 0},
			 {"1 s", false, 0},
			 {"99999999999999999999s", false, 0},
			 {"999999999999d", false, 0}},
	  sizes[] = {{"64KiB", true, 65536},  {"4Mi", true, 4 << 20}, {"7", true, 7},
		     {"1GiB", true, 1 << 30}, {"1MB", false, 0},      {"1KiB1B", false, 0},
		     {"", false, 0},          {"x", false, 0},        {"17179869185GiB", false, 0}};
	uint64_t value;
	int64_t number;
	uint32_t mode;

	(void)state;
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		assert_int_equal(value_duration(durations[i].text, &value), durations[i].right);
		if (durations[i].right)
			assert_true(value == durations[i].value);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(value_size(sizes[i].text, &value), sizes[i].right);
		if (sizes[i].right)
			assert_true(value == sizes[i].value);
	}
	assert_true(value_integer("-20", &number) && number == -20);
	assert_true(value_integer("0x10", &number) && number == 16);
	assert_false(value_integer("017", &number));
	assert_false(value_integer("1a", &number));
	assert_false(value_integer("-", &number));
	assert_true(value_mode("0755", &mode) && mode == 0755);
	assert_false(value_mode("0o755", &mode));
	assert_false(value_mode("888", &mode));
	assert_true(value_signal("SIGRTMIN+3", &mode) && mode == 37);
	assert_false(value_signal("65", &mode));
	uint64_t cpus[VALUE_CPU_WORDS];
	assert_true(value_cpus("63-64,1023", cpus));
	assert_true(cpus[0] == 1ull << 63 && cpus[1] == 1 && cpus[15] == 1ull << 63);
	static const char *const no_cpus[] = {"",    ",",    "1,",    "1-",      "-1",
					      "2-1", "1,1",  "a",     "1024",    "1 ,2",
					      "0x1", "1--2", "1-2-3", "0-1,1-2", "99999999999"};
	for (size_t i = 0; i < sizeof(no_cpus) / sizeof(no_cpus[0]); i++)
		assert_false(value_cpus(no_cpus[i], cpus));
}

static void the_documentation_is_what_the_schema_says(void **state)
{
	static const struct {
		void (*print)(struct bytes *);
		const char *path, *command;
	} documents[] = {
		{schema_print, SPEC_DOCS "/spec.md", "--schema > docs/spec.md"},
		{schema_print_man, SPEC_DOCS "/keelson-spec.5",
		 "--schema=man > docs/keelson-spec.5"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		struct bytes schema = {0}, file = {0};
		documents[i].print(&schema);
		assert_int_equal(file_read(documents[i].path, &file), 0);
		if (schema.size != file.size || memcmp(schema.data, file.data, file.size) != 0)
			fail_msg("%s is stale: keelson show %s", documents[i].path,
				 documents[i].command);
		bytes_free(&schema);
		bytes_free(&file);
	}
}

static void deep_and_broken_yaml_is_refused_not_followed(void **state)
{
	char text[4096] = "";
	struct trial trial;

	(void)state;
	memset(text, '[', 2000);
	assert_int_equal(trial_parse(&trial, text), -EINVAL);
	assert_non_null(strstr(trial.told, "nested deeper than"));
	trial_end(&trial);
	assert_int_equal(trial_parse(&trial, "keelson: 1\nname: \xff\xfe\n"), -EINVAL);
	assert_non_null(strstr(trial.told, "t.yaml:2:7: error: "));
	trial_end(&trial);
	assert_int_equal(trial_parse(&trial, "\xef\xbb\xbf" HEAD), 0);
	trial_end(&trial);
}

/* Checking every pair of entries and quoting every line must not take for ever. */
static void a_list_without_end_is_refused(void **state)
{
	static const char entry[] = "- x\n";
	struct bytes text = {0};
	struct trial trial;

	(void)state;
	bytes_text(&text, HEAD "controllers:\n");
	for (size_t i = 0; i <= NODE_MAX_ENTRIES; i++)
		bytes_add(&text, entry, strlen(entry));
	bytes_add(&text, "", 1);
	assert_int_equal(trial_parse(&trial, (const char *)text.data), -EINVAL);
	assert_string_equal(trial.told, "t.yaml:10004:3: error: more than 10000 entries\n"
					"    - x\n      ^\n");
	trial_end(&trial);
	bytes_free(&text);
}

/* The first thing that a stranger tries. */
static void the_spec_in_the_readme_is_right(void **state)
{
	struct trial trial = {.diagnostics.pool = &trial.pool};
	struct bytes file = {0};

	(void)state;
	assert_int_equal(file_read(SPEC_DOCS "/../README.md", &file), 0);
	bytes_add(&file, "", 1);
	const char *begin = strstr((const char *)file.data, "```yaml\n");
	assert_non_null(begin);
	begin += strlen("```yaml\n");
	const char *end = strstr(begin, "```");
	assert_non_null(end);
	int error = spec_parse("README.md", begin, (size_t)(end - begin),
			       SPEC_DOCS "/../rootfs-spec/profiles", &trial.pool, &trial.spec,
			       &trial.diagnostics);
	trial_print(&trial);
	if (error)
		print_error("%s", trial.told);
	assert_int_equal(error, 0);
	trial_end(&trial);
	bytes_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_is_told_where_it_is_and_what_was_meant),
		cmocka_unit_test(each_mistake_of_a_service_is_told),
		cmocka_unit_test(all_errors_are_told_at_once_in_the_order_of_the_file),
		cmocka_unit_test(defaults_are_those_of_the_documentation),
		cmocka_unit_test(a_service_that_logs_brings_the_logger),
		cmocka_unit_test(services_are_laid_out_in_topological_order),
		cmocka_unit_test(every_field_of_a_service_arrives),
		cmocka_unit_test(what_watches_a_service_arrives),
		cmocka_unit_test(what_runs_beside_a_service_arrives),
		cmocka_unit_test(how_a_service_is_confined_arrives),
		cmocka_unit_test(what_is_too_many_is_told),
		cmocka_unit_test(what_is_said_for_half_of_a_backoff_holds_for_the_other),
		cmocka_unit_test(a_restart_is_what_was_said),
		cmocka_unit_test(a_loopback_address_may_be_written_in_any_way),
		cmocka_unit_test(conflicts_that_can_be_kept_are_right),
		cmocka_unit_test(mounts_come_in_an_order_that_can_be_mounted),
		cmocka_unit_test(a_command_of_the_health_condition_is_run_until_it_succeeds),
		cmocka_unit_test(a_slots_layer_is_kept_on_a_disk),
		cmocka_unit_test(kernel_words_arrive_where_they_belong),
		cmocka_unit_test(sysctls_become_paths),
		cmocka_unit_test(the_same_spec_gives_the_same_bytes),
		cmocka_unit_test(a_boot_plan_holds_modules_keys_and_what_its_kernel_is),
		cmocka_unit_test(capabilities_become_masks),
		cmocka_unit_test(a_denied_call_is_denied_to_every_kind_of_program),
		cmocka_unit_test(an_allow_list_answers_eperm_to_the_rest),
		cmocka_unit_test_setup_teardown(
			an_extending_spec_changes_what_it_says_and_nothing_else, make_directory,
			remove_directory),
		cmocka_unit_test_setup_teardown(an_error_in_what_is_extended_names_that_file,
						make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(a_profile_is_found_in_the_directory_that_was_given,
						make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(a_profile_that_is_not_there_is_told_with_the_nearest,
						make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(a_spec_that_extends_itself_is_refused,
						make_directory, remove_directory),
		cmocka_unit_test(a_resolved_spec_reads_back_as_itself),
		cmocka_unit_test(a_resolved_service_compiles_to_the_same_plan),
		cmocka_unit_test(a_plan_shows_all_of_a_service),
		cmocka_unit_test(names_are_near_by_few_edits),
		cmocka_unit_test(texts_become_numbers_or_nothing),
		cmocka_unit_test(the_documentation_is_what_the_schema_says),
		cmocka_unit_test(the_spec_in_the_readme_is_right),
		cmocka_unit_test(a_list_without_end_is_refused),
		cmocka_unit_test(deep_and_broken_yaml_is_refused_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
