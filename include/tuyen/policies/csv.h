/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_CSV_H
#define TUYEN_POLICIES_CSV_H

#include "tuyen/base/diag.h"
#include "tuyen/base/err.h"

/**
 * A spreadsheet's text (RFC 4180): records of cells, quoted where they hold a separator, a quote (doubled) or a line
 * break. Takes what spreadsheets write: a byte order mark, CRLF, LF; comma, semicolon or tab, whichever the
 * first line holds most of. Blanks around a cell are not part of it; empty lines are no records.
 */

#define CSV_CELLS_MAX 64 /* of one record */

struct csv_cell {
	const char *text; /* without quotes */
	struct diag_place place;
};

struct csv_record {
	struct csv_cell *cells;
	size_t count;
};

struct csv {
	char *bytes; /* of all cells */
	struct csv_cell *cells;
	size_t cell_count, cell_room;
	struct csv_record *records;
	size_t count, room;
};

/**
 * @source  borrowed by the places of @ret_csv and @diags.
 * @ret_csv  the caller's, released with csv_clear(); set also when @diags got errors.
 * @return 0 or -TUYEN_ENOMEM.
 */
int csv_read(const struct diag_source *source, struct diag_list *diags, struct csv *ret_csv);
/** Takes the zeroed. */
void csv_clear(struct csv *csv);

/** UTF-8, and nothing in it that hides or that a terminal obeys? */
bool csv_text_is_clean(const char *text);

#endif
