/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SERVICE_CLOCK_H
#define TUYEN_SERVICE_CLOCK_H

#include "tuyen/base/monotime.h"

/** Now, of CLOCK_BOOTTIME: goes on while the machine sleeps, and never back. Cannot fail. */
struct monotime monotime_now(void);

#endif
