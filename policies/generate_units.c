/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Administrative units: read from a table, or invented by counts.
 *
 * The tiers' order is found, not told: units whose parent is no unit make the top tier, and every
 * other tier stands below the tier of its units' parents, the same for all of them. So parents can
 * form no circle.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/policies/csv.h"
#include "tuyen/policies/generate.h"
#include "tuyen/policies/names.h"
#include "tuyen/topology/network.h"

#define NONE UINT32_MAX

enum column { CODE, PARENT, TIER, NAME, COLUMNS };

static const char *const column_names[COLUMNS] = {"code", "parent_code", "tier", "name"};

struct reader {
	const struct diag_source *source;
	struct diag_list *diags;
	struct generate_units units;
	uint32_t position[COLUMNS]; /* field that holds the column; NONE */
	bool has_header;
	struct name_table codes;
	uint32_t above[GENERATE_TIERS_MAX]; /* tier of the parents; NONE: top or not known yet */
	bool failed;
};

struct field {
	char *text;
	struct diag_place place;
};

#define FIELDS_MAX 32

/* Cuts @line, which ends with NUL, at its tabs. @return the fields. */
static size_t line_cut(const struct reader *r, char *line, struct field *fields)
{
	size_t count = 0;

	while (count < FIELDS_MAX) {
		size_t length = strcspn(line, "\t");
		bool last = !line[length];

		line[length] = '\0';
		fields[count++] = (struct field){line,
						 {r->source, (uint32_t)(line - r->units.bytes),
						  (uint32_t)(length ? length : 1)}};
		if (last)
			break;
		line += length + 1;
	}
	return count;
}

static void header_read(struct reader *r, const struct field *fields, size_t count)
{
	r->has_header = true;
	for (int c = 0; c < COLUMNS; c++) {
		r->position[c] = NONE;
		for (uint32_t i = 0; i < count; i++)
			if (strcmp(fields[i].text, column_names[c]) == 0)
				r->position[c] = i;
		if (r->position[c] == NONE)
			diag_error(r->diags, fields[0].place, "there is no column '%s'",
				   column_names[c]);
	}
}

static uint32_t tier_find(struct reader *r, const struct field *f)
{
	struct generate_units *u = &r->units;

	for (uint32_t i = 0; i < u->tier_count; i++)
		if (strcmp(u->tiers[i], f->text) == 0)
			return i;
	if (u->tier_count == GENERATE_TIERS_MAX) {
		diag_error(r->diags, f->place, "there are more than %d tiers", GENERATE_TIERS_MAX);
		return 0;
	}
	if (strlen(f->text) > NAME_MAX_BYTES)
		diag_error(r->diags, f->place, "a tier's name has at most %d bytes",
			   NAME_MAX_BYTES);
	u->tiers[u->tier_count] = f->text;
	return (uint32_t)u->tier_count++;
}

static bool fields_check(struct reader *r, const struct field *fields, size_t count)
{
	for (int c = 0; c < COLUMNS; c++) {
		uint32_t at = r->position[c];

		if (at == NONE)
			return false;
		if (at >= count) {
			diag_error(r->diags, fields[count - 1].place, "the field '%s' is missing",
				   column_names[c]);
			return false;
		}
		if (!*fields[at].text || !csv_text_is_clean(fields[at].text)) {
			diag_error(r->diags, fields[at].place, "the field '%s' is %s",
				   column_names[c], *fields[at].text ? "not clean UTF-8" : "empty");
			return false;
		}
	}
	return true;
}

static void unit_add(struct reader *r, const struct field *fields, size_t count)
{
	struct generate_units *u = &r->units;
	struct generate_unit *unit = &u->units[u->count];
	int err;

	if (!fields_check(r, fields, count))
		return;
	if (u->count == GENERATE_UNITS_MAX) {
		diag_error(r->diags, fields[0].place, "there are more than %d units",
			   GENERATE_UNITS_MAX);
		return;
	}
	*unit = (struct generate_unit){.code = fields[r->position[CODE]].text,
				       .parent_code = fields[r->position[PARENT]].text,
				       .name = fields[r->position[NAME]].text,
				       .tier = tier_find(r, &fields[r->position[TIER]]),
				       .parent = NONE,
				       .place = fields[r->position[CODE]].place};
	err = name_table_add(&r->codes, unit->code, (uint32_t)u->count);
	if (err == -TUYEN_EEXIST) {
		diag_error(r->diags, unit->place, "code '%s' is there already", unit->code);
		diag_note(r->diags, u->units[name_table_find(&r->codes, unit->code)].place,
			  "the other unit");
		return;
	}
	r->failed |= err < 0;
	u->count++;
}

static void lines_read(struct reader *r)
{
	char *line = r->units.bytes, *end = line + r->source->length;

	while (line < end && !r->failed) {
		struct field fields[FIELDS_MAX];
		char *next = memchr(line, '\n', (size_t)(end - line));
		char *stop = next ? next : end;

		*stop = '\0';
		if (stop > line && stop[-1] == '\r')
			stop[-1] = '\0';
		if (*line && *line != '#') {
			size_t count = line_cut(r, line, fields);

			if (r->has_header)
				unit_add(r, fields, count);
			else
				header_read(r, fields, count);
		}
		line = stop + 1;
	}
}

/* ---- the hierarchy ------------------------------------------------------------------ */

static void parents_find(struct reader *r)
{
	struct generate_units *u = &r->units;

	for (uint32_t i = 0; i < u->count; i++) {
		struct generate_unit *unit = &u->units[i];

		unit->parent = name_table_find(&r->codes, unit->parent_code);
		if (unit->parent != NONE && r->above[unit->tier] == NONE)
			r->above[unit->tier] = u->units[unit->parent].tier;
	}
}

static void parents_check(struct reader *r)
{
	struct generate_units *u = &r->units;

	for (uint32_t i = 0; i < u->count; i++) {
		const struct generate_unit *unit = &u->units[i];
		uint32_t above = r->above[unit->tier];

		if (unit->parent == NONE && above != NONE)
			diag_error(r->diags, unit->place, "there is no unit of code '%s'",
				   unit->parent_code);
		else if (unit->parent != NONE && u->units[unit->parent].tier != above)
			diag_error(r->diags, unit->place,
				   "this %s stands under a %s, others under a %s",
				   u->tiers[unit->tier], u->tiers[u->units[unit->parent].tier],
				   u->tiers[above]);
	}
}

/* Renumbers the tiers top first. A tier that no chain leads to stands in a circle, or a second top.
 */
static void tiers_order(struct reader *r)
{
	struct generate_units *u = &r->units;
	const char *names[GENERATE_TIERS_MAX];
	uint32_t rank[GENERATE_TIERS_MAX], at = NONE;
	size_t ranked = 0;

	for (uint32_t i = 0; i < u->tier_count; i++)
		rank[i] = NONE;
	while (ranked < u->tier_count) {
		uint32_t found = NONE;

		for (uint32_t i = 0; i < u->tier_count && found == NONE; i++)
			if (rank[i] == NONE && r->above[i] == at)
				found = i;
		if (found == NONE)
			break;
		names[ranked] = u->tiers[found];
		rank[found] = (uint32_t)ranked++;
		at = found;
	}
	if (ranked < u->tier_count) {
		diag_error(r->diags, (struct diag_place){r->source, 0, 1},
			   "the tiers do not stand in one line, each under the one before");
		return;
	}
	for (size_t i = 0; i < u->tier_count; i++)
		u->tiers[i] = names[i];
	for (size_t i = 0; i < u->count; i++)
		u->units[i].tier = rank[u->units[i].tier];
}

static int hierarchy_read(struct reader *r, size_t errors_before)
{
	if (r->failed)
		return -TUYEN_ENOMEM;
	if (!r->units.count && r->diags->error_count == errors_before)
		diag_error(r->diags, (struct diag_place){r->source, 0, 0}, "there is no unit here");
	if (r->diags->error_count == errors_before) {
		parents_find(r);
		parents_check(r);
	}
	if (r->diags->error_count == errors_before)
		tiers_order(r);
	return r->diags->error_count == errors_before ? 0 : -TUYEN_EINVAL;
}

static size_t lines_count(const struct diag_source *s)
{
	size_t count = 1;

	for (uint32_t i = 0; i < s->length; i++)
		count += s->bytes[i] == '\n';
	return count;
}

int generate_units_read(const struct diag_source *source, struct diag_list *diags,
			struct generate_units *ret_units)
{
	struct reader r = {.source = source, .diags = diags};
	size_t errors_before = diags->error_count;
	int err;

	for (int i = 0; i < GENERATE_TIERS_MAX; i++)
		r.above[i] = NONE;
	name_table_init(&r.codes);
	r.units.bytes = malloc((size_t)source->length + 1);
	r.units.units = calloc(lines_count(source) + 1, sizeof(*r.units.units));
	r.failed = !r.units.bytes || !r.units.units;
	if (!r.failed) {
		memcpy(r.units.bytes, source->bytes, source->length);
		r.units.bytes[source->length] = '\0';
		lines_read(&r);
	}
	err = hierarchy_read(&r, errors_before);
	name_table_clear(&r.codes);
	if (err)
		generate_units_clear(&r.units);
	else
		*ret_units = r.units;
	return err;
}

void generate_units_clear(struct generate_units *units)
{
	free(units->bytes);
	free(units->units);
	*units = (struct generate_units){0};
}

/* ---- invented ----------------------------------------------------------------------- */

/* How the units of one tier are called and numbered. */
struct invention {
	const char *tier;
	uint32_t count;
	int digits;
	uint32_t step, start; /* codes: start, start + step ... */
};

#define INVENTED_BYTES 48 /* of one unit's strings */

static void invent_one(struct generate_units *u, const struct invention *tier, uint32_t number,
		       uint32_t parent)
{
	char *code = u->bytes + u->count * INVENTED_BYTES, *name = code + 16;
	uint32_t value = tier->start + number * tier->step;

	snprintf(code, 16, "%0*u", tier->digits, value);
	snprintf(name, INVENTED_BYTES - 16, "%s-%0*u", tier->tier, tier->digits, value);
	u->units[u->count++] =
	    (struct generate_unit){.code = code,
				   .parent_code = parent == NONE ? "-" : u->units[parent].code,
				   .name = name,
				   .tier = (uint32_t)u->tier_count - 1,
				   .parent = parent};
}

static void invent_tier(struct generate_units *u, const struct invention *tier, uint32_t *first,
			uint32_t *above)
{
	uint32_t begin = (uint32_t)u->count;

	u->tiers[u->tier_count++] = tier->tier;
	for (uint32_t i = 0; i < tier->count; i++)
		invent_one(u, tier, i,
			   *above ? *first + (uint32_t)((uint64_t)i * *above / tier->count) : NONE);
	*first = begin;
	*above = tier->count;
}

int generate_units_invent(const struct generate_counts *counts, struct generate_units *ret_units,
			  struct reason *reason)
{
	const struct invention tiers[] = {{"province", counts->provinces, 2, 1, 1},
					  {"district", counts->districts, 3, 1, 1},
					  {"commune", counts->communes, 5, 3, 1}};
	size_t count = (size_t)counts->provinces + counts->districts + counts->communes;
	struct generate_units u = {0};
	uint32_t first = 0, above = 0;

	if (!counts->provinces || counts->provinces > GENERATE_PROVINCES_MAX ||
	    counts->districts > GENERATE_DISTRICTS_MAX || counts->communes > GENERATE_COMMUNES_MAX)
		return reason_set(reason, -TUYEN_ELIMIT,
				  "1 to %d provinces, at most %d districts and %d communes",
				  GENERATE_PROVINCES_MAX, GENERATE_DISTRICTS_MAX,
				  GENERATE_COMMUNES_MAX);
	u.bytes = calloc(count, INVENTED_BYTES);
	u.units = calloc(count, sizeof(*u.units));
	if (!u.bytes || !u.units) {
		generate_units_clear(&u);
		return reason_set(reason, -TUYEN_ENOMEM, "no memory");
	}
	for (size_t i = 0; i < 3; i++)
		if (tiers[i].count)
			invent_tier(&u, &tiers[i], &first, &above);
	*ret_units = u;
	return 0;
}
