/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_PRINT_H
#define TUYEN_POLICIES_PRINT_H

#include "tuyen/base/err.h"
#include "tuyen/base/text.h"
#include "tuyen/policies/syntax.h"

#define PRINT_WIDTH                                                                                \
	96 /* columns, a tab taken as 8; a block that was on one line stays there if it fits */

/**
 * The canonical form: one statement a line, one tab a block, one space between words, one blank
 * line at most, names without needless quotes. Every comment stays on its line, own or shared.
 * Printing what was printed changes nothing, and both have the same meaning.
 * @file has no errors.
 */
void print_file(const struct syntax_file *file, struct text *ret_text);

/**
 * Brings @text, a whole source, into that form.
 * @return 0; -TUYEN_EINVAL when it has errors, -TUYEN_ELIMIT, -TUYEN_ENOMEM, and then it is as it was.
 */
int print_canonical(struct text *text);

/** @name as a source would write it: quoted only where it must be. */
void print_name(const char *name, struct text *ret_text);

#endif
