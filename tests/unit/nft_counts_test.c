/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/nft_counts.c daemon/core/kernel_state.c topology/labels.c daemon/base/ip.c daemon/base/err.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/core/nft_counts.h"

#define EACH "limit rate over 600/second burst 128 packets counter"

static struct kernel_state *taken(const char *listed)
{
	struct kernel_state *state = kernel_state_new();

	state->nft = strdup(listed);
	assert_int_equal(nft_counts_take(state), 0);
	return state;
}

static void a_table_is_as_without_its_counts(void **state)
{
	struct kernel_state *s =
	    taken("table inet tuyen {\n"
		  "\tset bfd_excess {\n\t\ttype ipv4_addr\n\t\t" EACH "\n"
		  "\t\telements = { 100.64.0.101 " EACH " packets 0 bytes 0, 100.64.0.210 " EACH
		  " packets 18446744073709551615 bytes 52,\n"
		  "\t\t\t     100.64.0.211 " EACH " packets 7 bytes 364 }\n\t}\n\n"
		  "\tset own {\n\t\ttype ipv4_addr\n\t\telements = { 100.80.0.1 }\n\t}\n\n"
		  "\tchain closed {\n\t\tcounter packets 12 bytes 3400 drop\n\t}\n}\n");

	(void)state;
	assert_string_equal(
	    s->nft, "table inet tuyen {\n"
		    "\tset bfd_excess {\n\t\ttype ipv4_addr\n\t\t" EACH "\n"
		    "\t\telements = { 100.64.0.101 " EACH ", 100.64.0.210 " EACH ",\n"
		    "\t\t\t     100.64.0.211 " EACH " }\n\t}\n\n"
		    "\tset own {\n\t\ttype ipv4_addr\n\t\telements = { 100.80.0.1 }\n\t}\n\n"
		    "\tchain closed {\n\t\tcounter drop\n\t}\n}\n");
	assert_int_equal(s->excess_count, 3);
	assert_int_equal(s->excesses[0].neighbor, 0x64400065);
	assert_int_equal(s->excesses[0].packets, 0);
	assert_int_equal(s->excesses[1].neighbor, 0x644000d2);
	assert_true(s->excesses[1].packets == UINT64_MAX);
	assert_int_equal(s->excesses[2].neighbor, 0x644000d3);
	assert_int_equal(s->excesses[2].packets, 7);
	kernel_state_free(s);
}

/* Somebody's hand may have made anything of it: it is compared, and no more. */
static void a_table_of_another_form_is_left_alone(void **state)
{
	static const char *const tables[] = {
	    "",
	    "counter",
	    "counter packets",
	    "table inet tuyen {\n\tchain c {\n\t\tcounter packets 1 drop\n\t}\n}\n",
	    "\tset bfd_excess {\n\t\telements = { 100.64.0.0/31 counter }\n\t}\n",
	    "\tset bfd_excess {\n",
	};
	struct kernel_state *none = kernel_state_new();

	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct kernel_state *s = taken(tables[i]);

		assert_string_equal(s->nft, tables[i]);
		assert_int_equal(s->excess_count, 0);
		kernel_state_free(s);
	}
	assert_int_equal(nft_counts_take(none), 0);
	assert_null(none->nft);
	kernel_state_free(none);
}

static void what_is_no_neighbor_has_no_count(void **state)
{
	static const char set[] = "\tset bfd_excess {\n\t\telements = { ", rest[] = " }\n\t}\n";
	static const char *const names[] = {"100.64.0.0/31", "100.64.000.211", "x", "",
					    "100.64.0.210-100.64.0.211"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char listed[256], settled[256];
		struct kernel_state *s;

		snprintf(listed, sizeof(listed), "%s%s counter packets 3 bytes 156%s", set,
			 names[i], rest);
		snprintf(settled, sizeof(settled), "%s%s counter%s", set, names[i], rest);
		s = taken(listed);
		assert_string_equal(s->nft, settled);
		assert_int_equal(s->excess_count, 0);
		kernel_state_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_table_is_as_without_its_counts),
	    cmocka_unit_test(a_table_of_another_form_is_left_alone),
	    cmocka_unit_test(what_is_no_neighbor_has_no_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
