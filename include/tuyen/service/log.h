/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SERVICE_LOG_H
#define TUYEN_SERVICE_LOG_H

/**
 * The log sink: one line an entry to standard error, with the journal's priority
 * prefix ("<4>") when it goes there (JOURNAL_STREAM). Never blocks the caller for long: a
 * full pipe loses the entry. No secret may be passed to it. Control bytes become '?'.
 */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/** @process stands before each entry; borrowed for good. */
void log_open(const char *process, enum log_level highest);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)	 log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	 log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
