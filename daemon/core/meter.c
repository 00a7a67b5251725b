/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/core/meter.h"

#include <string.h>

void meter_step(struct meter *m, uint32_t day, uint64_t counter_bytes)
{
	uint64_t more = !m->day ? 0 : counter_bytes < m->counter_bytes ? counter_bytes : counter_bytes - m->counter_bytes;

	if (m->day != day) {
		m->day = day;
		m->used_bytes = 0;
	}
	m->used_bytes += more;
	m->counter_bytes = counter_bytes;
}

enum meter_level meter_level(const struct meter *m, uint64_t allowance_bytes)
{
	if (!m->day)
		return METER_UNCOUNTED;
	if (m->used_bytes >= allowance_bytes)
		return METER_EXCEEDED;
	return m->used_bytes >= allowance_bytes / 100 * METER_NEAR_PERCENT ? METER_NEAR : METER_WITHIN;
}

const char *meter_level_word(enum meter_level level)
{
	static const char *const words[] = {"uncounted", "within", "near", "exceeded"};

	return words[level];
}

void meter_put(const char *underlay, const struct meter *m, struct text *ret_text)
{
	text_printf(ret_text, "%s %u %llu %llu\n", underlay, m->day, (unsigned long long)m->used_bytes,
		    (unsigned long long)m->counter_bytes);
}

/* @return where the number ends, NULL if there is none, or one above @max. */
static const char *number_take(const char *at, const char *end, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	const char *from = at;

	for (; at < end && *at >= '0' && *at <= '9'; at++) {
		if (value > (max - (uint64_t)(*at - '0')) / 10)
			return NULL;
		value = value * 10 + (uint64_t)(*at - '0');
	}
	*ret = value;
	return at > from ? at : NULL;
}

/* " DAY USED COUNTER" */
static bool numbers_take(const char *at, const char *end, struct meter *ret)
{
	const uint64_t most[] = {99991231, UINT64_MAX, UINT64_MAX};
	uint64_t value[3];

	for (int i = 0; i < 3; i++) {
		if (at == end || *at++ != ' ')
			return false;
		at = number_take(at, end, most[i], &value[i]);
		if (!at)
			return false;
	}
	if (at != end || !value[0])
		return false;
	*ret = (struct meter){(uint32_t)value[0], value[1], value[2]};
	return true;
}

bool meter_find(const char *bytes, size_t length, const char *underlay, struct meter *ret_meter)
{
	size_t name = strlen(underlay);
	const char *end;

	for (const char *at = bytes, *last = bytes + length; at < last; at = end + 1) {
		end = memchr(at, '\n', (size_t)(last - at));
		if (!end)
			return false;
		if ((size_t)(end - at) > name && !memcmp(at, underlay, name) && at[name] == ' ')
			return numbers_take(at + name, end, ret_meter);
	}
	return false;
}
