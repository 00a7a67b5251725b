/* SPDX-License-Identifier: Apache-2.0 */
/* Dates of the status document (RFC 3339, UTC) and of SNMP (DateAndTime, RFC 2579). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tuyen/snmp/mib.h"

static bool number_read(const char **at, size_t digits, int min, int max, int *ret_number)
{
	int number = 0;

	for (size_t i = 0; i < digits; i++) {
		if ((*at)[i] < '0' || (*at)[i] > '9')
			return false;
		number = number * 10 + ((*at)[i] - '0');
	}
	*at += digits;
	*ret_number = number;
	return number >= min && number <= max;
}

static bool char_read(const char **at, char c)
{
	return *(*at)++ == c;
}

static bool fraction_skip(const char **at)
{
	if (**at != '.')
		return true;
	(*at)++;
	if (**at < '0' || **at > '9')
		return false;
	while (**at >= '0' && **at <= '9')
		(*at)++;
	return true;
}

int mib_date_parse(const char *string, uint64_t *ret_seconds)
{
	struct tm tm = {0}, back;
	const char *at = string;
	time_t seconds;

	if (!number_read(&at, 4, 1970, 9999, &tm.tm_year) || !char_read(&at, '-') ||
	    !number_read(&at, 2, 1, 12, &tm.tm_mon) || !char_read(&at, '-') ||
	    !number_read(&at, 2, 1, 31, &tm.tm_mday) || !char_read(&at, 'T') ||
	    !number_read(&at, 2, 0, 23, &tm.tm_hour) || !char_read(&at, ':') ||
	    !number_read(&at, 2, 0, 59, &tm.tm_min) || !char_read(&at, ':') ||
	    !number_read(&at, 2, 0, 59, &tm.tm_sec) || !fraction_skip(&at) || strcmp(at, "Z"))
		return -TUYEN_EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	back = tm;
	seconds = timegm(&back);
	if (back.tm_mday != tm.tm_mday)
		return -TUYEN_EINVAL;
	*ret_seconds = (uint64_t)seconds;
	return 0;
}

void mib_date_format(uint64_t seconds, char out[static 11])
{
	time_t clock = (time_t)seconds;
	struct tm tm;
	int year;

	if (!gmtime_r(&clock, &tm)) {
		clock = 0;
		gmtime_r(&clock, &tm);
	}
	year = tm.tm_year + 1900;
	out[0] = (char)(year >> 8);
	out[1] = (char)year;
	out[2] = (char)(tm.tm_mon + 1);
	out[3] = (char)tm.tm_mday;
	out[4] = (char)tm.tm_hour;
	out[5] = (char)tm.tm_min;
	out[6] = (char)tm.tm_sec;
	out[7] = 0;
	out[8] = '+';
	out[9] = 0;
	out[10] = 0;
}
