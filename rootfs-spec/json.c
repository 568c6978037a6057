// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/json.h"

void json_string(struct bytes *json, const char *text)
{
	bytes_text(json, "\"");
	for (const char *at = text; *at != '\0'; at++) {
		if (*at == '"' || *at == '\\')
			bytes_printf(json, "\\%c", *at);
		else if ((unsigned char)*at < 0x20)
			bytes_printf(json, "\\u%04x", (unsigned int)*at);
		else
			bytes_add(json, at, 1);
	}
	bytes_text(json, "\"");
}

void json_key_string(struct bytes *json, const char *key, const char *text)
{
	bytes_printf(json, "\"%s\": ", key);
	json_string(json, text);
}
