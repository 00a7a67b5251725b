/* SPDX-License-Identifier: Apache-2.0 */
/* What is the same whatever happens: functions that a test links in place of the real ones. */
#ifndef TUYEN_TESTS_UNIT_STUB_H
#define TUYEN_TESTS_UNIT_STUB_H

#pragma GCC diagnostic ignored "-Wunused-parameter"

#define NOTHING(name, ...)                                                                         \
	void name(__VA_ARGS__)                                                                     \
	{                                                                                          \
	}
#define ALWAYS(type, value, name, ...)                                                             \
	type name(__VA_ARGS__)                                                                     \
	{                                                                                          \
		return value;                                                                      \
	}

#endif
