/* SPDX-License-Identifier: Apache-2.0 */
/* keelson-test: timeout=600 */
/* The service table and the graph together: model.h tells how they are tried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/model.h"

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_of_events_on_three_services),
		cmocka_unit_test(a_million_events_on_bigger_graphs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
