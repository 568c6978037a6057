/* SPDX-License-Identifier: Apache-2.0 */
/* How keelctl writes: tables for people, colour only on a terminal, JSON for programs. */
#ifndef KEELSON_SHOW_H
#define KEELSON_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SHOW_TIME_BYTES 24

/* Colour on `stream`? Once, before anything is shown. NO_COLOR in the environment says no. */
void show_init(FILE *stream);

/* The escape sequence that begins the colour of a service's state, "" without colour; and its end. */
const char *show_state_colour(uint32_t state);
const char *show_plain(void);
const char *show_bold(void);

/* A span as people read it: "340ms", "12.3s", "4min 10s", "3h 20min", "5d 2h". */
const char *show_span(uint64_t ns, char text[static SHOW_TIME_BYTES]);

/* Seconds with milliseconds: "12.345". */
const char *show_seconds(uint64_t ns, char text[static SHOW_TIME_BYTES]);

/* Bytes: "612 KiB". */
const char *show_bytes(uint64_t bytes, char text[static SHOW_TIME_BYTES]);

/*
 * Replace what a terminal takes for a command by "?": control characters but newline and tab, and
 * those of C1 (ECMA-48), bare or as UTF-8; other UTF-8 stays, one that is cut at the end too.
 */
void show_defuse(char *text, size_t size);

/* `text` as a JSON string with its quotes; bytes that are no ASCII text are escaped. */
void show_json_string(FILE *stream, const char *text);

/* ... as `"key": "text"` with a comma and a space before it unless `first`. */
void show_json_field(FILE *stream, bool first, const char *key, const char *text);
void show_json_number(FILE *stream, bool first, const char *key, uint64_t value);
void show_json_bool(FILE *stream, bool first, const char *key, bool value);

#endif
