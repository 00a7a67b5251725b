/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/service/clock.h"

#include <assert.h>
#include <time.h>

struct monotime monotime_now(void)
{
	struct timespec now;
	int err = clock_gettime(CLOCK_BOOTTIME, &now);

	assert(!err);
	(void)err;
	return (struct monotime){
	    .us = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u,
	};
}
