/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/core/meter.h"

#include <string.h>

/* What one counter has gone on by. */
static uint64_t gone_on(uint64_t was, uint64_t is)
{
	return is >= was ? is - was : is < was / 2 ? is : 0;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	uint64_t both;

	return __builtin_add_overflow(a, b, &both) || both > METER_BYTES_MAX ? METER_BYTES_MAX
									     : both;
}

void meter_turn(struct meter *m, uint32_t day)
{
	uint64_t used = m->left.day == day ? m->left.used_bytes : 0;

	if (m->day == day)
		return;
	m->left.day = m->day;
	m->left.used_bytes = m->used_bytes;
	m->day = day;
	m->used_bytes = used;
}

static void device_set(struct meter *m, const char *name, size_t length)
{
	memcpy(m->device, name, length);
	m->device[length] = '\0';
}

void meter_step(struct meter *m, uint32_t day, const char *device, uint64_t received_bytes,
		uint64_t sent_bytes)
{
	meter_turn(m, day);
	if (!strcmp(m->device, device))
		m->used_bytes = sum(m->used_bytes, sum(gone_on(m->received_bytes, received_bytes),
						       gone_on(m->sent_bytes, sent_bytes)));
	else
		device_set(m, device, strnlen(device, KERNEL_IFNAME_MAX - 1));
	m->received_bytes = received_bytes;
	m->sent_bytes = sent_bytes;
}

enum meter_level meter_level(const struct meter *m, uint64_t allowance_bytes)
{
	if (!m->day)
		return METER_UNCOUNTED;
	if (m->used_bytes >= allowance_bytes)
		return METER_EXCEEDED;
	return m->used_bytes >= allowance_bytes / 100 * METER_NEAR_PERCENT ? METER_NEAR
									   : METER_WITHIN;
}

const char *meter_level_word(enum meter_level level)
{
	static const char *const words[] = {"uncounted", "within", "near", "exceeded"};

	return words[level];
}

void meter_put(const char *underlay, const struct meter *m, struct text *ret_text)
{
	text_printf(ret_text, "%s %u %llu %llu %llu %s %u %llu\n", underlay, m->day,
		    (unsigned long long)m->used_bytes, (unsigned long long)m->received_bytes,
		    (unsigned long long)m->sent_bytes, *m->device ? m->device : "-", m->left.day,
		    (unsigned long long)m->left.used_bytes);
}

/* The next word of a line, behind one space. */
static bool word_take(const char **at, const char *end, const char **ret_word, size_t *ret_length)
{
	const char *from = *at + 1, *to = from;

	if (*at == end || **at != ' ')
		return false;
	while (to < end && *to != ' ')
		to++;
	*ret_word = from;
	*ret_length = (size_t)(to - from);
	*at = to;
	return to > from;
}

static bool number_take(const char **at, const char *end, uint64_t max, uint64_t *ret)
{
	const char *word;
	size_t length;

	*ret = 0;
	if (!word_take(at, end, &word, &length))
		return false;
	for (size_t i = 0; i < length; i++) {
		uint64_t digit = (uint64_t)(word[i] - '0');

		if (word[i] < '0' || word[i] > '9' || *ret > (max - digit) / 10)
			return false;
		*ret = *ret * 10 + digit;
	}
	return true;
}

static bool device_take(const char **at, const char *end, struct meter *m)
{
	const char *word;
	size_t length;

	if (!word_take(at, end, &word, &length) || length >= KERNEL_IFNAME_MAX)
		return false;
	device_set(m, word, length == 1 && *word == '-' ? 0 : length);
	return true;
}

/* " DAY USED RECEIVED SENT DEVICE LEFT_DAY LEFT_USED" */
static bool line_take(const char *at, const char *end, struct meter *ret)
{
	const uint64_t last_day = 99991231;
	struct meter m = {0};
	uint64_t day, left;

	if (!number_take(&at, end, last_day, &day) || !day ||
	    !number_take(&at, end, METER_BYTES_MAX, &m.used_bytes) ||
	    !number_take(&at, end, UINT64_MAX, &m.received_bytes) ||
	    !number_take(&at, end, UINT64_MAX, &m.sent_bytes) || !device_take(&at, end, &m) ||
	    !number_take(&at, end, last_day, &left) ||
	    !number_take(&at, end, METER_BYTES_MAX, &m.left.used_bytes) || at != end)
		return false;
	m.day = (uint32_t)day;
	m.left.day = (uint32_t)left;
	*ret = m;
	return true;
}

int meter_find(const char *bytes, size_t length, const char *underlay, struct meter *ret_meter)
{
	size_t name = strlen(underlay);
	const char *end;

	for (const char *at = bytes, *last = bytes + length; at < last; at = end + 1) {
		end = memchr(at, '\n', (size_t)(last - at));
		if (!end)
			return -TUYEN_EINVAL; /* cut off */
		if ((size_t)(end - at) > name && !memcmp(at, underlay, name) && at[name] == ' ')
			return line_take(at + name, end, ret_meter) ? 0 : -TUYEN_EINVAL;
	}
	return -TUYEN_ENOENT;
}
