/* SPDX-License-Identifier: Apache-2.0 */
/* How near the end of a release is. */
#include "tuyen/service/status.h"

const char *status_expiry_word(enum status_expiry expiry)
{
	static const char *const words[] = {
	    [STATUS_EXPIRY_DISTANT] = "distant", [STATUS_EXPIRY_MONTH] = "month",
	    [STATUS_EXPIRY_WEEK] = "week",	 [STATUS_EXPIRY_DAY] = "day",
	    [STATUS_EXPIRY_PAST] = "past",
	};

	return words[expiry];
}

enum status_expiry status_release_expiry(const struct status_release *r, int64_t wall_s)
{
	static const struct {
		enum status_expiry expiry;
		int64_t lead_s;
	} leads[] = {
	    {STATUS_EXPIRY_DAY, STATUS_DAY_S},
	    {STATUS_EXPIRY_WEEK, 7 * STATUS_DAY_S},
	    {STATUS_EXPIRY_MONTH, 30 * STATUS_DAY_S},
	};

	if (!r->have || !r->expires_s)
		return STATUS_EXPIRY_DISTANT;
	if (status_release_expired(r, wall_s))
		return STATUS_EXPIRY_PAST;
	for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++)
		if (leads[i].lead_s <= (r->expires_s - r->issued_s) / 3 &&
		    r->expires_s - wall_s <= leads[i].lead_s)
			return leads[i].expiry;
	return STATUS_EXPIRY_DISTANT;
}

uint64_t status_release_days_left(const struct status_release *r, int64_t wall_s)
{
	return r->expires_s > wall_s ? (uint64_t)((r->expires_s - wall_s) / STATUS_DAY_S) : 0;
}
