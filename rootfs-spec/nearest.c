/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "rootfs-spec/nearest.h"

#define LONGEST 127u

static char folded(char letter)
{
	return letter == '_' ? '-' : (char)tolower((unsigned char)letter);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t nearest_distance(const char *a, const char *b)
{
	/* Three rows of the table: the one being filled, and the two before it. */
	uint8_t rows[3][LONGEST + 1];
	size_t length_a = strnlen(a, LONGEST), length_b = strnlen(b, LONGEST);

	for (size_t j = 0; j <= length_b; j++)
		rows[0][j] = (uint8_t)j;
	for (size_t i = 1; i <= length_a; i++) {
		uint8_t *row = rows[i % 3], *above = rows[(i - 1) % 3];
		row[0] = (uint8_t)i;
		for (size_t j = 1; j <= length_b; j++) {
			char x = folded(a[i - 1]), y = folded(b[j - 1]);
			size_t best = least((size_t)above[j] + 1, (size_t)row[j - 1] + 1);
			best = least(best, (size_t)above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == folded(b[j - 2]) && folded(a[i - 2]) == y)
				best = least(best, (size_t)rows[(i - 2) % 3][j - 2] + 1);
			row[j] = (uint8_t)best;
		}
	}
	return rows[length_a % 3][length_b];
}

size_t nearest_limit(const char *name)
{
	size_t third = strlen(name) / 3;

	return third ? third + 1 : 2;
}

int nearest_improves(const char *name, const char *candidate, size_t *best)
{
	size_t a = strlen(name), b = strlen(candidate);

	/* The difference in length is a lower bound; most candidates end here. */
	if ((a > b ? a - b : b - a) >= *best)
		return 0;
	size_t distance = nearest_distance(name, candidate);
	/* When as many letters change as there are, nothing is left of what was written. */
	if (distance >= *best || distance >= (a > b ? a : b))
		return 0;
	*best = distance;
	return 1;
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
	if (!nearest->best && !nearest->distance)
		nearest->distance = nearest_limit(nearest->name);
	if (nearest_improves(nearest->name, candidate, &nearest->distance))
		nearest->best = candidate;
}

const char *nearest_name(const char *name, const char *const *candidates, size_t count)
{
	struct nearest nearest = {.name = name};

	for (size_t i = 0; i < count; i++)
		nearest_offer(&nearest, candidates[i]);
	return nearest.best;
}
