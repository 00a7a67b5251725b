/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_BASE_ERR_H
#define TUYEN_BASE_ERR_H

/**
 * The one error vocabulary. Functions return 0 or one of these, negated.
 * Input from outside gives a code and, where a person will read it, a struct
 * reason; our own bug is an assert.
 */
enum tuyen_err {
	TUYEN_OK = 0,
	TUYEN_ENOMEM = 1,     /* no memory */
	TUYEN_EINVAL = 2,     /* input breaks a rule */
	TUYEN_ETRUNC = 3,     /* input ends too early */
	TUYEN_ELIMIT = 4,     /* above a fixed limit */
	TUYEN_ENOENT = 5,     /* not there */
	TUYEN_EEXIST = 6,     /* there already */
	TUYEN_ESIGNATURE = 7, /* a signature or a digest does not match */
	TUYEN_EEPOCH = 8,     /* an older epoch than one already accepted */
	TUYEN_ESITE = 9,      /* of another site */
	TUYEN_ESYSTEM = 10,   /* the system failed; errno says how */
	TUYEN_ECONFLICT = 11, /* something that is not ours is in the way */
	TUYEN_EAGAIN = 12,    /* changed meanwhile: read again */
	TUYEN_ECANCELED = 13, /* the caller himself has ended it */
};

/** @return a short lower-case text for @err (either sign); never NULL. */
const char *tuyen_strerror(int err);

/** Room for one human reason, always terminated. Filled only on failure. */
struct reason {
	char text[512];
};

/** Formats into @reason (may be NULL) and returns @err, so that a caller can `return reason_set(...)`. */
int reason_set(struct reason *reason, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__ /* does not look into the function, and would take what it returns for any number */
#define reason_set(reason, err, ...) (reason_set((reason), (err), __VA_ARGS__), (err))
#endif

#endif
