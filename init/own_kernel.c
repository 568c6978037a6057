/* SPDX-License-Identifier: Apache-2.0 */
#include "init/own_kernel.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "init/kexec.h"
#include "init/marks.h"
#include "init/phase.h"
#include "init/power.h"
#include "init/watchdog.h"
#include "svc/format.h"
#include "svc/log.h"

static struct handover handover; /* taken, or to be given */

const struct handover *own_kernel_handed(struct record *record)
{
	char text[TIMELINE_NAME_BYTES];
	int error = kexec_handed(&handover);

	if (error == -ENOENT)
		return NULL;
	record->kexecs = 1;
	if (error) {
		log_error("kexec: what the first kernel handed over: %s: choosing anew",
			  log_errno(error));
		return NULL;
	}
	record->bootstrap_ns = handover.boot_ns;
	record->watchdog_reset = handover.watchdog_reset;
	kexec_handed_phases(&record->timeline);
	format_text(text, sizeof(text), "kexec %c after %llu ms", 'a' + (int)handover.slot,
		    (unsigned long long)(handover.boot_ns / 1000000));
	timeline_point(&record->timeline, TIMELINE_SLOT, text, 0, clock_boottime_ns());
	return &handover;
}

static void fill(const struct record *record, const char *release)
{
	handover = (struct handover){
		.slot = record->slot,
		.burned = record->burned,
		.forced = record->forced,
		.last_resort = record->last_resort,
		.watchdog_reset = watchdog_did_reset(),
		.boot_ns = clock_boottime_ns(),
	};
	memcpy(handover.disk_guid, record->disk_guid, sizeof(handover.disk_guid));
	memcpy(handover.root_hash, record->header.root_hash, sizeof(handover.root_hash));
	memcpy(handover.kernel_sha256, record->header.kernel_sha256,
	       sizeof(handover.kernel_sha256));
	format_text(handover.release, sizeof(handover.release), "%s", release);
	handover_seal(&handover);
}

/* Devices may have been shut down when it comes back: this kernel is of no use any more. */
static _Noreturn void start(const struct record *record)
{
	watchdog_feed();
	(void)fault("kexec", "start the loaded kernel", kexec_start());
	marks_note_failure_timed(&(struct slot_failure){
		.disk = record->disk,
		.device = record->header_device,
		.disk_guid = record->disk_guid,
		.slot = record->slot,
		.image_version = (const char *)record->header.image_version,
		.reason = SLOT_REASON_BOOT,
		.detail = fault_text(),
	});
	power_reboot_now("boot failed");
}

bool own_kernel_serves(const struct plan *boot_plan, const struct record *record,
		       const struct slot_header *header)
{
	struct utsname running;

	return uname(&running) < 0 ||
	       kexec_decide(header, boot_plan, running.release, record->kexecs) != KEXEC_AGAIN;
}

int own_kernel_enter(const struct plan *boot_plan, const struct record *record, const char *root,
		     const char **step)
{
	static char failed[KEXEC_STEP_BYTES];
	struct utsname running;
	int error = uname(&running) < 0 ? -errno : 0;

	*step = "uname";
	if (error)
		return error;
	switch (kexec_decide(&record->header, boot_plan, running.release, record->kexecs)) {
	case KEXEC_RIGHT: return 0;
	case KEXEC_AGAIN:
		*step = "its kernel was started and is another one: a second kexec is refused";
		return -EPERM;
	case KEXEC_NEEDED: break;
	}
	log_notice("slot %c: its kernel is not the one that runs, %s: kexec",
		   'a' + (int)record->slot, running.release);
	fill(record, running.release);
	*step = failed;
	error = kexec_load(root, plan_string(boot_plan, boot_plan->system->kernel_cmdline),
			   &handover, &record->timeline, failed);
	if (error)
		return error;
	start(record);
}
