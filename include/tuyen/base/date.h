/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_BASE_DATE_H
#define TUYEN_BASE_DATE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tuyen/base/err.h"

/**
 * Days of the calendar (Gregorian, UTC), 1970-01-01 to 9999-12-31, as the seconds since 1970 at
 * their beginning.
 */

#define DATE_STRLEN 11 /* "2027-03-01" and the NUL */
#define DATE_MAX_S  INT64_C(253402214400)

/* Howard Hinnant's civil_from_days: the year begins in March, so that the leap day is its last. */
static inline const char *date_format(int64_t seconds, char out[static DATE_STRLEN])
{
	int64_t s = seconds < 0 ? 0 : seconds > DATE_MAX_S ? DATE_MAX_S : seconds;
	int64_t days = s / 86400 + 719468, era = days / 146097, of_era = days - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153, day = of_year - (153 * month + 2) / 5 + 1;

	year += era * 400 + (month >= 10);
	month = month < 10 ? month + 3 : month - 9;
	snprintf(out, DATE_STRLEN, "%04u-%02u-%02u", (unsigned)year % 10000, (unsigned)month % 100,
		 (unsigned)day % 100);
	return out;
}

/** Exactly what date_format() writes. @return 0 or -TUYEN_EINVAL. */
static inline int date_parse(const char *string, int64_t *ret_seconds)
{
	char again[DATE_STRLEN];
	int64_t year, month, day, days;

	if (strlen(string) != DATE_STRLEN - 1)
		return -TUYEN_EINVAL;
	year = (string[0] - '0') * 1000 + (string[1] - '0') * 100 + (string[2] - '0') * 10 +
	       (string[3] - '0');
	month = (string[5] - '0') * 10 + (string[6] - '0');
	day = (string[8] - '0') * 10 + (string[9] - '0');
	if (year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31)
		return -TUYEN_EINVAL;
	year -= month <= 2;
	days = 365 * year + year / 4 - year / 100 + year / 400 +
	       (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1 - 719468;
	if (strcmp(date_format(days * 86400, again), string) != 0)
		return -TUYEN_EINVAL;
	*ret_seconds = days * 86400;
	return 0;
}

#endif
