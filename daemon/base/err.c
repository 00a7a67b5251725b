/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/base/err.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const err_text[] = {
    [TUYEN_OK] = "ok",
    [TUYEN_ENOMEM] = "out of memory",
    [TUYEN_EINVAL] = "invalid input",
    [TUYEN_ETRUNC] = "input ends too early",
    [TUYEN_ELIMIT] = "above a limit",
    [TUYEN_ENOENT] = "not found",
    [TUYEN_EEXIST] = "exists already",
    [TUYEN_ESIGNATURE] = "signature or digest does not match",
    [TUYEN_EEPOCH] = "older than what was accepted",
    [TUYEN_ESITE] = "of another site",
    [TUYEN_ESYSTEM] = "the system failed",
    [TUYEN_ECONFLICT] = "something that is not ours is in the way",
    [TUYEN_EAGAIN] = "changed meanwhile",
    [TUYEN_ECANCELED] = "broken off",
};

const char *tuyen_strerror(int err)
{
	unsigned int index = err < 0 ? -(unsigned int)err : (unsigned int)err;

	if (index >= sizeof(err_text) / sizeof(err_text[0]) || !err_text[index])
		return "unknown error";
	return err_text[index];
}

int(reason_set)(struct reason *reason, int err, const char *format, ...)
{
	va_list args;

	if (!reason)
		return err;
	va_start(args, format);
	vsnprintf(reason->text, sizeof(reason->text), format, args);
	va_end(args);
	return err;
}
