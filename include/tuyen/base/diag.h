/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_BASE_DIAG_H
#define TUYEN_BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tuyen/base/text.h"

/**
 * What is wrong with a source file, said the way compilers say it: all of it
 * in one run, in the order of the files, each with its place, the source line
 * and a caret below the offending words.
 *
 *	country.topology:12:23: error: unknown site 'ba-dihn'; did you mean 'ba-dinh'?
 *	   12 | site phuc-xa tier commune id 901 under ba-dihn {
 *	      |                                        ^~~~~~~
 */

#define DIAG_SHOWN_MAX	 100	     /* of errors, and of warnings; more are counted, not kept */
#define DIAG_SOURCE_MAX	 (64u << 20) /* bytes of one source file */
#define DIAG_PROMOTE_MAX 16

/** One source file. @name and @bytes are borrowed and outlive every list that points here. */
struct diag_source {
	const char *name;
	const char *bytes;
	uint32_t length;
	uint32_t order;	       /* position among the files: diagnostics are sorted by it */
	uint32_t *line_starts; /* byte offsets, owned */
	uint32_t line_count;
};

/** @return 0, -TUYEN_ELIMIT above DIAG_SOURCE_MAX, -TUYEN_ENOMEM. */
int diag_source_init(struct diag_source *s, const char *name, const char *bytes, size_t length);
void diag_source_clear(struct diag_source *s);
/** Both from 1; a column is one code point, a tab too. @offset may be the end. */
void diag_source_locate(const struct diag_source *s, uint32_t offset, uint32_t *ret_line,
			uint32_t *ret_column);

/** Bytes @offset .. @offset + @length - 1 of @source. @source NULL: nowhere. */
struct diag_place {
	const struct diag_source *source;
	uint32_t offset, length;
};

enum diag_severity {
	DIAG_ERROR,
	DIAG_WARNING,
	DIAG_NOTE, /* belongs to the error or warning before it */
};

struct diag {
	enum diag_severity severity;
	const char *name; /* of a warning, "unused-class"; NULL; static storage */
	char *message;	  /* owned */
	struct diag_place place;
	uint32_t sequence;
};

struct diag_list {
	struct diag *entries;
	size_t count, capacity;
	size_t error_count, warning_count; /* all of them, also those not kept */
	size_t promoted_errors;		   /* of the errors: what would be warnings */
	bool all_promoted;
	const char *promoted[DIAG_PROMOTE_MAX]; /* borrowed */
	size_t promoted_count;
	bool all_ignored;
	const char *ignored[DIAG_PROMOTE_MAX]; /* borrowed */
	size_t ignored_count;
	bool dropping; /* notes of what was not kept are not kept either */
	bool failed;   /* out of memory: the list is incomplete */
};

void diag_list_init(struct diag_list *list);
void diag_list_clear(struct diag_list *list);
/** Warnings named @name become errors from now on; NULL: all. @return 0 or -TUYEN_ELIMIT. */
int diag_list_promote(struct diag_list *list, const char *name);
/** Warnings named @name are not kept from now on, nor counted, promoted or not; NULL: all. @return 0 or -TUYEN_ELIMIT. */
int diag_list_ignore(struct diag_list *list, const char *name);

void diag_error(struct diag_list *list, struct diag_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** @name has static storage. */
void diag_warning(struct diag_list *list, struct diag_place place, const char *name,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));
void diag_note(struct diag_list *list, struct diag_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The next error is counted and not kept: what its words would cost may be saved. */
bool diag_list_is_full(const struct diag_list *list);

/** In the order of file and place, notes behind what they explain. Stable. */
void diag_list_sort(struct diag_list *list);
/** For people, as above; sorts first. Ends with "too many errors" where some were not kept. */
void diag_list_print(struct diag_list *list, struct text *ret_text);
/** A JSON array of {file, line, column, severity, name, message, notes}; sorts first. */
void diag_list_print_json(struct diag_list *list, struct text *ret_text);

#endif
