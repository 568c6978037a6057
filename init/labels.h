/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /run/keelson/node-labels: what the node says of itself to whoever manages a fleet, a line KEY=VALUE
 * for each label, in the form that `kubectl label` and kubelet's --node-labels take (Kubernetes
 * documentation, "Labels and Selectors": a value has at most 63 characters, letters, digits, '-', '_'
 * and '.', and begins and ends with a letter or a digit).
 *
 * PID 1 writes it before services start and when the slot was blessed, an installation when it is
 * done. An installation that met a blessing could take it back: it asks PID 1 afterwards.
 */
#ifndef KEELSON_LABELS_H
#define KEELSON_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LABELS_PATH "/run/keelson/node-labels"
#define LABELS_PREFIX "node.keelson/"
#define LABELS_BYTES 1024u

struct labels {
	const char
		*slot; /* "a", "b"; NULL: the node has no slots, and none of what belongs to them */
	const char *image;
	const char *version;
	uint64_t epoch;
	bool blessed;
	bool reboot_required;
};

/* The file's text. -ENAMETOOLONG: `size` is too small. What no label may hold becomes '-'. Pure. */
int labels_text(const struct labels *labels, char *text, size_t size);

#define LABELS_BLESSED "blessed"
#define LABELS_REBOOT "reboot-required"

/*
 * `text`, a file's content, with the label `key` true; nothing else changes. Pure, in place. False:
 * there is no such label, or it is true.
 */
bool labels_set(char *text, const char *key);

/* Write the file, whole or not at all. 0 or negative errno. */
int labels_write(const char *path, const char *text);

struct plan;
struct record;

/* Write LABELS_PATH for a node that was booted as these say. `record` NULL: without slots. */
int labels_publish(const struct plan *plan, const struct record *record, bool blessed);

/* Read it, set a label, write it. 0, also without the file; or negative errno. */
int labels_note(const char *path, const char *key);

#endif
