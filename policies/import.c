/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A spreadsheet of sites becomes topology text in three walks: read each line's cells into a row
 * and check each for itself; compare rows (names, ids, parents, LANs); write. Nothing is written
 * when anything is wrong. What only the whole network can tell (whether some link has a caller) is
 * left to `tuyen check`.
 */
#include "tuyen/policies/import.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tuyen/base/encode.h"
#include "tuyen/base/ip.h"
#include "tuyen/policies/names.h"
#include "tuyen/policies/print.h"
#include "tuyen/topology/network.h"

enum column {
	COLUMN_NAME,
	COLUMN_TIER,
	COLUMN_ID,
	COLUMN_PARENT,
	COLUMN_BACKUP,
	COLUMN_LINK_KEY,
	COLUMN_SESSION_KEY,
	COLUMN_UPLINK, /* from here on, several times */
	COLUMN_ADDRESS,
	COLUMN_PORT,
	COLUMN_METERED,
	COLUMN_LAN,
	COLUMN_UNKNOWN,
};

static const struct {
	const char *name, *alias;
	bool needed, many;
} columns[COLUMN_UNKNOWN] = {
    [COLUMN_NAME] = {"name", "site", true, false},
    [COLUMN_TIER] = {"tier", "level", true, false},
    [COLUMN_ID] = {"id", "site_id", true, false},
    [COLUMN_PARENT] = {"parent", "under", false, false},
    [COLUMN_BACKUP] = {"backup", "backup_parent", false, false},
    [COLUMN_LINK_KEY] = {"link_key", "link key", false, false},
    [COLUMN_SESSION_KEY] = {"session_key", "session key", false, false},
    [COLUMN_UPLINK] = {"uplink", "underlay", true, true},
    [COLUMN_ADDRESS] = {"address", "ip", false, true},
    [COLUMN_PORT] = {"port", "udp_port", false, true},
    [COLUMN_METERED] = {"metered", "allowance", false, true},
    [COLUMN_LAN] = {"lan", "prefix", false, true},
};

struct lan {
	struct ipv4_prefix prefix;
	struct diag_place place;
	uint32_t row;
};

struct row {
	const struct csv_record *record;
	uint32_t tier; /* index; NETWORK_NONE */
	uint64_t id;
	size_t lan, lan_count; /* in lans */
};

struct importer {
	struct diag_list *diags;
	struct csv csv;
	enum column column_of[CSV_CELLS_MAX];
	size_t column_count;
	uint32_t position[COLUMN_UNKNOWN]; /* the first of each; NETWORK_NONE */
	struct row *rows;
	size_t row_count;
	struct lan *lans;
	size_t lan_count, lan_room;
	const char *tiers[IMPORT_TIERS_MAX];
	size_t tier_count;
	bool tiers_told;
	const char *underlays[IMPORT_UNDERLAYS_MAX];
	size_t underlay_count;
	struct name_table names;
	struct import_summary summary;
	bool failed;
};

/* ---- columns ------------------------------------------------------------------------ */

static enum column column_find(const char *name)
{
	size_t length = strlen(name);

	while (length && name[length - 1] >= '0' && name[length - 1] <= '9')
		length--; /* uplink2 is another uplink */
	for (int c = 0; c < COLUMN_UNKNOWN; c++) {
		const char *both[] = {columns[c].name, columns[c].alias};

		for (size_t i = 0; i < 2; i++)
			if (strlen(both[i]) == (columns[c].many ? length : strlen(name)) &&
			    strncasecmp(both[i], name, strlen(both[i])) == 0)
				return (enum column)c;
	}
	return COLUMN_UNKNOWN;
}

static void column_add(struct importer *im, const struct csv_cell *cell, uint32_t index)
{
	enum column c = column_find(cell->text);

	im->column_of[index] = c;
	if (c == COLUMN_UNKNOWN) {
		diag_warning(im->diags, cell->place, "unknown-column", "column '%s' is left out",
			     cell->text);
		return;
	}
	if (im->position[c] != NETWORK_NONE && !columns[c].many)
		diag_error(im->diags, cell->place, "column '%s' is there already", columns[c].name);
	if (c > COLUMN_UPLINK && c < COLUMN_LAN && im->position[COLUMN_UPLINK] == NETWORK_NONE)
		diag_error(im->diags, cell->place, "column '%s' stands before any 'uplink'",
			   columns[c].name);
	if (im->position[c] == NETWORK_NONE)
		im->position[c] = index;
}

static void header_read(struct importer *im, const struct csv_record *header)
{
	im->column_count = header->count;
	for (int c = 0; c < COLUMN_UNKNOWN; c++)
		im->position[c] = NETWORK_NONE;
	for (uint32_t i = 0; i < header->count; i++)
		column_add(im, &header->cells[i], i);
	for (int c = 0; c < COLUMN_UNKNOWN; c++)
		if (columns[c].needed && im->position[c] == NETWORK_NONE)
			diag_error(im->diags, header->cells[0].place, "there is no column '%s'",
				   columns[c].name);
}

/* ---- one row ------------------------------------------------------------------------ */

/* @return the cell, NULL when the column or the end of the line is missing, or the cell is empty.
 */
static const struct csv_cell *row_cell(const struct importer *im, const struct csv_record *r,
				       uint32_t index)
{
	(void)im;
	return index < r->count && *r->cells[index].text ? &r->cells[index] : NULL;
}

static const struct csv_cell *row_column(const struct importer *im, const struct csv_record *r,
					 enum column c)
{
	return row_cell(im, r, im->position[c]);
}

static void name_check(struct importer *im, const struct csv_cell *cell)
{
	if (strlen(cell->text) > NAME_MAX_BYTES)
		diag_error(im->diags, cell->place, "a name has at most %d bytes", NAME_MAX_BYTES);
}

static uint32_t list_find(struct importer *im, const char **list, size_t *count, size_t max,
			  const struct csv_cell *cell, const char *what)
{
	for (uint32_t i = 0; i < *count; i++)
		if (strcmp(list[i], cell->text) == 0)
			return i;
	if (*count == max) {
		diag_error(im->diags, cell->place, "there are more than %zu %s", max, what);
		return NETWORK_NONE;
	}
	name_check(im, cell);
	list[*count] = cell->text;
	return (uint32_t)(*count)++;
}

static void tier_read(struct importer *im, const struct csv_cell *cell, struct row *row)
{
	for (uint32_t i = 0; im->tiers_told && i < im->tier_count; i++)
		if (strcmp(im->tiers[i], cell->text) == 0)
			row->tier = i;
	if (!im->tiers_told)
		row->tier =
		    list_find(im, im->tiers, &im->tier_count, IMPORT_TIERS_MAX, cell, "tiers");
	else if (row->tier == NETWORK_NONE)
		diag_error(im->diags, cell->place, "there is no tier '%s'", cell->text);
}

/* @return the number, 0 when it is none or not in 1..@max. */
static uint64_t number_read(const char *s, uint64_t max)
{
	uint64_t n = 0;

	if (!*s || strspn(s, "0123456789") != strlen(s) || strlen(s) > 9)
		return 0;
	for (; *s; s++)
		n = n * 10 + (uint64_t)(*s - '0');
	return n <= max ? n : 0;
}

static unsigned port_read(const struct csv_cell *cell)
{
	return (unsigned)number_read(cell->text, UINT16_MAX);
}

static void id_read(struct importer *im, const struct csv_cell *cell, struct row *row)
{
	row->id = number_read(cell->text, SITE_ID_MAX);
	if (!row->id)
		diag_error(im->diags, cell->place, "an id is a number from 1 to %d", SITE_ID_MAX);
}

static void lan_add(struct importer *im, const struct csv_cell *cell, const char *word,
		    size_t length, struct row *row)
{
	char text[IPV4_PREFIX_STRLEN];
	struct ipv4_prefix prefix;
	struct lan *more;

	if (length < sizeof(text)) {
		memcpy(text, word, length);
		text[length] = '\0';
	}
	if (length >= sizeof(text) || ipv4_prefix_parse(text, &prefix) < 0 || !prefix.length) {
		diag_error(im->diags, cell->place, "'%.*s' is no prefix like 10.9.1.0/24",
			   (int)length, word);
		return;
	}
	if (im->lan_count == im->lan_room) {
		size_t room = im->lan_room ? 2 * im->lan_room : 1024;

		more = realloc(im->lans, room * sizeof(*more));
		if (!more) {
			im->failed = true;
			return;
		}
		im->lans = more;
		im->lan_room = room;
	}
	im->lans[im->lan_count++] = (struct lan){prefix, cell->place, (uint32_t)(row - im->rows)};
	row->lan_count++;
}

static void lans_read(struct importer *im, const struct csv_cell *cell, struct row *row)
{
	static const char between[] = " ,;\n\r\t";
	const char *s = cell->text;

	while (*(s += strspn(s, between))) {
		size_t length = strcspn(s, between);

		lan_add(im, cell, s, length, row);
		s += length;
	}
}

/* "200MB/day", as the lexer takes it. */
static bool amount_is_good(const char *s)
{
	static const char *const units[] = {"KB/day", "MB/day", "GB/day"};
	size_t digits = strspn(s, "0123456789");

	for (size_t i = 0; i < 3; i++)
		if (digits && digits <= 9 && *s != '0' && strcmp(s + digits, units[i]) == 0)
			return true;
	return false;
}

static void uplink_cell(struct importer *im, enum column c, const struct csv_cell *cell)
{
	struct ip_endpoint endpoint;

	if (c == COLUMN_UPLINK)
		list_find(im, im->underlays, &im->underlay_count, IMPORT_UNDERLAYS_MAX, cell,
			  "underlays");
	else if (c == COLUMN_ADDRESS && strcmp(cell->text, "dynamic") != 0 &&
		 ip_endpoint_parse_address(cell->text, 1, &endpoint) < 0)
		diag_error(im->diags, cell->place, "'%s' is no address", cell->text);
	else if (c == COLUMN_PORT && !port_read(cell))
		diag_error(im->diags, cell->place, "'%s' is no port", cell->text);
	else if (c == COLUMN_METERED && !amount_is_good(cell->text))
		diag_error(im->diags, cell->place, "'%s' is no amount like 200MB/day", cell->text);
}

static void uplinks_read(struct importer *im, struct row *row)
{
	size_t before = im->summary.uplinks;
	bool inside = false;

	for (uint32_t i = 0; i < im->column_count; i++) {
		enum column c = im->column_of[i];
		const struct csv_cell *cell = row_cell(im, row->record, i);

		if (c == COLUMN_UPLINK) {
			inside = cell != NULL;
			im->summary.uplinks += inside;
		}
		if (cell && c == COLUMN_LAN)
			lans_read(im, cell, row);
		if (!cell || c < COLUMN_UPLINK || c >= COLUMN_LAN)
			continue;
		if (!inside)
			diag_error(im->diags, cell->place, "'%s' without an uplink", cell->text);
		uplink_cell(im, c, cell);
	}
	if (im->summary.uplinks == before)
		diag_error(im->diags, row->record->cells[0].place, "a site needs an 'uplink'");
}

static void keys_read(struct importer *im, const struct row *row)
{
	uint8_t key[WG_KEY_LEN];
	size_t count = 0;

	for (int c = COLUMN_LINK_KEY; c <= COLUMN_SESSION_KEY; c++) {
		const struct csv_cell *cell = row_column(im, row->record, (enum column)c);

		if (!cell)
			continue;
		count++;
		if (wg_key_parse(cell->text, key) < 0)
			diag_error(im->diags, cell->place,
				   "this is no WireGuard key: 44 characters of base64");
	}
	if (count == 1)
		diag_error(im->diags, row->record->cells[0].place, "a site has two keys or none");
	im->summary.keys += count == 2;
}

static void row_read(struct importer *im, const struct csv_record *record)
{
	struct row *row = &im->rows[im->row_count++];
	const struct csv_cell *cell;

	*row = (struct row){.record = record, .tier = NETWORK_NONE, .lan = im->lan_count};
	if (record->count > im->column_count)
		diag_error(im->diags, record->cells[im->column_count].place,
			   "there are more cells than columns");
	for (size_t i = 0; i < record->count && i < im->column_count; i++)
		if (im->column_of[i] != COLUMN_UNKNOWN && im->column_of[i] != COLUMN_LAN &&
		    !csv_text_is_clean(record->cells[i].text))
			diag_error(im->diags, record->cells[i].place,
				   "this cell is not clean UTF-8, or has a line break in it");
	for (int c = 0; c < COLUMN_UPLINK; c++)
		if (columns[c].needed && !row_column(im, record, (enum column)c))
			diag_error(im->diags, record->cells[0].place, "'%s' is empty here",
				   columns[c].name);
	if ((cell = row_column(im, record, COLUMN_NAME)))
		name_check(im, cell);
	if ((cell = row_column(im, record, COLUMN_TIER)))
		tier_read(im, cell, row);
	if ((cell = row_column(im, record, COLUMN_ID)))
		id_read(im, cell, row);
	uplinks_read(im, row);
	keys_read(im, row);
}

/* ---- rows together ------------------------------------------------------------------ */

static void rows_names(struct importer *im)
{
	for (uint32_t i = 0; i < im->row_count; i++) {
		const struct csv_cell *cell = row_column(im, im->rows[i].record, COLUMN_NAME);
		int err = cell ? name_table_add(&im->names, cell->text, i) : 0;
		uint32_t other;

		im->failed |= err == -TUYEN_ENOMEM;
		if (err != -TUYEN_EEXIST)
			continue;
		other = name_table_find(&im->names, cell->text);
		diag_error(im->diags, cell->place, "site '%s' is there already", cell->text);
		diag_note(im->diags, row_column(im, im->rows[other].record, COLUMN_NAME)->place,
			  "the other site");
	}
}

static void rows_ids(struct importer *im)
{
	uint32_t *owner = calloc(SITE_ID_MAX + 1, sizeof(*owner));

	if (!owner) {
		im->failed = true;
		return;
	}
	for (uint32_t i = 0; i < im->row_count; i++) {
		const struct row *row = &im->rows[i];

		if (!row->id)
			continue;
		if (!owner[row->id]) {
			owner[row->id] = i + 1;
			continue;
		}
		diag_error(im->diags, row_column(im, row->record, COLUMN_ID)->place,
			   "id %llu is there already", (unsigned long long)row->id);
		diag_note(im->diags,
			  row_column(im, im->rows[owner[row->id] - 1].record, COLUMN_ID)->place,
			  "the other site");
	}
	free(owner);
}

static void row_above(struct importer *im, const struct row *row, enum column c)
{
	const struct csv_cell *cell = row_column(im, row->record, c);
	const char *near;
	uint32_t other;

	if (!cell)
		return;
	other = name_table_find(&im->names, cell->text);
	if (other == NAME_NONE) {
		near = diag_list_is_full(im->diags) ? NULL
						    : name_table_nearest(&im->names, cell->text);
		diag_error(im->diags, cell->place,
			   near ? "unknown site '%s'; did you mean '%s'?" : "unknown site '%s'",
			   cell->text, near);
		return;
	}
	if (row->tier == NETWORK_NONE || im->rows[other].tier < row->tier ||
	    im->rows[other].tier == NETWORK_NONE)
		return;
	diag_error(
	    im->diags, cell->place, "'%s' is of tier '%s', which does not stand above '%s'%s",
	    cell->text, im->tiers[im->rows[other].tier], im->tiers[row->tier],
	    im->tiers_told ? "" : " (their order is that of the lines; --tiers says another)");
}

static void rows_hierarchy(struct importer *im)
{
	for (size_t i = 0; i < im->row_count; i++) {
		const struct row *row = &im->rows[i];
		const struct csv_cell *parent = row_column(im, row->record, COLUMN_PARENT);
		const struct csv_cell *backup = row_column(im, row->record, COLUMN_BACKUP);

		row_above(im, row, COLUMN_PARENT);
		row_above(im, row, COLUMN_BACKUP);
		if (parent && backup && strcmp(parent->text, backup->text) == 0)
			diag_error(im->diags, backup->place, "the backup is the parent");
	}
}

static int by_prefix(const void *left, const void *right)
{
	const struct lan *a = left, *b = right;

	if (a->prefix.address != b->prefix.address)
		return a->prefix.address < b->prefix.address ? -1 : 1;
	if (a->prefix.length != b->prefix.length)
		return a->prefix.length < b->prefix.length ? -1 : 1;
	return a->row < b->row ? -1 : a->row > b->row;
}

static void rows_lans(struct importer *im)
{
	struct lan *sorted = malloc((im->lan_count + 1) * sizeof(*sorted));
	size_t widest = 0;

	if (!sorted) {
		im->failed = true;
		return;
	}
	if (im->lan_count)
		memcpy(sorted, im->lans, im->lan_count * sizeof(*sorted));
	qsort(sorted, im->lan_count, sizeof(*sorted), by_prefix);
	for (size_t i = 1; i < im->lan_count; i++) {
		char text[IPV4_PREFIX_STRLEN];

		if (!ipv4_prefix_overlaps(sorted[widest].prefix, sorted[i].prefix)) {
			widest = i;
			continue;
		}
		diag_error(im->diags, sorted[i].place, "this LAN overlaps %s",
			   ipv4_prefix_format(sorted[widest].prefix, text));
		diag_note(im->diags, sorted[widest].place, "the other LAN");
	}
	free(sorted);
}

/* ---- writing ------------------------------------------------------------------------ */

static const char *underlay_settings(const char *name)
{
	static const char *const known[][2] = {
	    {"fibre", "probe 300ms x 3; mtu 1500; delay 2ms; metric 10;"},
	    {"leased", "probe 300ms x 3; mtu 1500; delay 5ms; metric 20;"},
	    {"lte", "probe 2s x 3; mtu 1428; delay 40ms; metric 50;"},
	    {"vsat", "probe 5s x 3; mtu 1400; delay 300ms; metric 200;"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i][0], name) == 0)
			return known[i][1];
	return "probe 1s x 3; mtu 1400; metric 100;";
}

static void write_head(const struct importer *im, struct text *t)
{
	text_add(t, "# Sites from a spreadsheet, by `tuyen import`.\n\ntiers ");
	for (size_t i = 0; i < im->tier_count; i++) {
		text_add(t, i ? ", " : "");
		print_name(im->tiers[i], t);
	}
	text_add(t, ";\n\n");
	for (size_t i = 0; i < im->underlay_count; i++) {
		text_add(t, "underlay ");
		print_name(im->underlays[i], t);
		text_printf(t, " { %s }\n", underlay_settings(im->underlays[i]));
	}
}

static void write_uplinks(const struct importer *im, const struct row *row, struct text *t)
{
	const struct csv_cell *cells[COLUMN_UNKNOWN] = {0};

	for (uint32_t i = 0; i <= im->column_count; i++) {
		enum column c = i < im->column_count ? im->column_of[i] : COLUMN_UPLINK;

		if (c == COLUMN_UPLINK && cells[COLUMN_UPLINK]) {
			const struct csv_cell *address = cells[COLUMN_ADDRESS];

			text_add(t, "\tuplink ");
			print_name(cells[COLUMN_UPLINK]->text, t);
			text_printf(t, " %s", address ? address->text : "dynamic");
			if (cells[COLUMN_METERED])
				text_printf(t, " metered %s", cells[COLUMN_METERED]->text);
			if (cells[COLUMN_PORT]) /* as a number: spreadsheets lead with zeros */
				text_printf(t, " port %u", port_read(cells[COLUMN_PORT]));
			text_add(t, ";\n");
		}
		if (c == COLUMN_UPLINK)
			memset(cells, 0, sizeof(cells));
		if (c < COLUMN_UNKNOWN && i < im->column_count)
			cells[c] = row_cell(im, row->record, i);
	}
}

static void write_word(const struct csv_cell *cell, const char *keyword, struct text *t)
{
	if (!cell)
		return;
	text_printf(t, " %s ", keyword);
	print_name(cell->text, t);
}

static void write_site(const struct importer *im, const struct row *row, struct text *t)
{
	text_add(t, "\nsite ");
	print_name(row_column(im, row->record, COLUMN_NAME)->text, t);
	write_word(row_column(im, row->record, COLUMN_TIER), "tier", t);
	text_printf(t, " id %llu", (unsigned long long)row->id);
	write_word(row_column(im, row->record, COLUMN_PARENT), "under", t);
	write_word(row_column(im, row->record, COLUMN_BACKUP), "backup", t);
	text_add(t, " {\n");
	write_uplinks(im, row, t);
	for (size_t i = 0; i < row->lan_count; i++) {
		char prefix[IPV4_PREFIX_STRLEN];

		text_printf(t, "\tlan %s;\n",
			    ipv4_prefix_format(im->lans[row->lan + i].prefix, prefix));
	}
	text_add(t, "}\n");
}

static void write_keys(const struct importer *im, const struct row *row, struct text *t)
{
	const struct csv_cell *link = row_column(im, row->record, COLUMN_LINK_KEY);
	const struct csv_cell *session = row_column(im, row->record, COLUMN_SESSION_KEY);

	if (!link || !session)
		return;
	text_add(t, "\nkeys ");
	print_name(row_column(im, row->record, COLUMN_NAME)->text, t);
	text_printf(t, " {\n\tlink \"%s\";\n\tsession \"%s\";\n}\n", link->text, session->text);
}

static void write_topology(struct importer *im, struct text *t)
{
	write_head(im, t);
	for (size_t i = 0; i < im->row_count; i++)
		write_site(im, &im->rows[i], t);
	for (size_t i = 0; i < im->row_count; i++)
		write_keys(im, &im->rows[i], t);
	im->summary.sites = im->row_count;
	im->summary.lans = im->lan_count;
	im->summary.tier_count = im->tier_count;
	im->summary.underlay_count = im->underlay_count;
}

/* ---- all of it ---------------------------------------------------------------------- */

static int importer_run(struct importer *im, const struct diag_source *source, size_t errors_before)
{
	size_t before_header = im->diags->error_count;

	if (!im->csv.count) {
		diag_error(im->diags, (struct diag_place){source, 0, 0}, "there is no line here");
		return -TUYEN_EINVAL;
	}
	im->rows = calloc(im->csv.count, sizeof(*im->rows));
	if (!im->rows)
		return -TUYEN_ENOMEM;
	header_read(im, &im->csv.records[0]);
	if (im->diags->error_count > before_header)
		return -TUYEN_EINVAL; /* every line would be wrong */
	for (size_t i = 1; i < im->csv.count && !im->failed; i++)
		row_read(im, &im->csv.records[i]);
	if (im->csv.count == 1)
		diag_error(im->diags, (struct diag_place){source, source->length, 0},
			   "there is no site here");
	rows_names(im);
	rows_ids(im);
	rows_hierarchy(im);
	rows_lans(im);
	if (im->failed)
		return -TUYEN_ENOMEM;
	return im->diags->error_count > errors_before ? -TUYEN_EINVAL : 0;
}

int import_sites(const struct diag_source *source, const char *const *tiers, size_t tier_count,
		 struct diag_list *diags, struct text *ret_topology,
		 struct import_summary *ret_summary)
{
	struct importer im = {.diags = diags, .tiers_told = tier_count > 0};
	size_t errors_before = diags->error_count;
	int err;

	if (tier_count > IMPORT_TIERS_MAX)
		return -TUYEN_ELIMIT;
	for (size_t i = 0; i < tier_count; i++)
		im.tiers[im.tier_count++] = tiers[i];
	name_table_init(&im.names);
	err = csv_read(source, diags, &im.csv);
	if (!err)
		err = importer_run(&im, source, errors_before);
	if (!err) {
		write_topology(&im, ret_topology);
		err = print_canonical(ret_topology); /* long lists are folded */
		if (err)
			text_clear(ret_topology);
	}
	if (!err)
		*ret_summary = im.summary;
	name_table_clear(&im.names);
	free(im.rows);
	free(im.lans);
	csv_clear(&im.csv);
	return err;
}
