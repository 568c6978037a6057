/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes a kernel this node: its name and id, its loopback, its clock, and the limits that
 * everything it runs begins with. Each function returns 0 or a negative errno and logs nothing.
 */
#ifndef KEELSON_HOST_H
#define KEELSON_HOST_H

#define HOST_MACHINE_ID_STATE "/var/lib/keelson/machine-id"
#define HOST_MACHINE_ID_RUN "/run/keelson/machine-id"
#define HOST_MACHINE_ID_ETC "/etc/machine-id"

/* sethostname(2); "" leaves the kernel's. */
int host_set_name(const char *name);

/*
 * Provide /etc/machine-id (machine-id(5)): the one in the image if it is valid, else the one kept
 * in the state partition, else a new random one, which is kept there if that can be written. Shown
 * through a read-only bind mount of a file in /run when /etc cannot be written. `*kept` says
 * whether the id will be the same at the next boot.
 */
int host_provide_machine_id(int *kept);

/* Bring the loopback interface up (netdevice(7)). */
int host_loopback_up(void);

/*
 * A machine without a battery starts in 1970, and certificates are not valid there: when the clock
 * is before `path` was made, set it to that moment. Returns 1 if it did, 0 if not.
 */
int host_clock_not_before(const char *path);

/*
 * The limits (getrlimit(2)) that services, and through the container runtime all pods, inherit
 * unless the plan says otherwise: descriptors 1024, up to 1048576; processes and core files
 * unlimited, core files switched off until somebody raises the soft limit. Unlike the kernel's own
 * (4096 descriptors, no core files), they leave the choice to each workload. All are tried; the last
 * error is returned.
 */
int host_set_limits(void);

#endif
