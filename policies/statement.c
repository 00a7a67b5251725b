/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/policies/statement.h"

#include <stdio.h>
#include <string.h>

#include "tuyen/base/encode.h"
#include "tuyen/policies/lines.h"

/*
 * Dates by counting days from 1 March of year 0, so that the leap day is the last of its year: no
 * time zone and no file of the C library is asked.
 */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year, m = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1 - 719468;
}

const char *rfc3339_format(int64_t seconds, char out[static RFC3339_STRLEN])
{
	int64_t s = seconds < 0 ? 0 : seconds > RFC3339_MAX_S ? RFC3339_MAX_S : seconds;
	int64_t days = s / 86400, year = 1970 + days / 366, month = 1;
	unsigned int clock = (unsigned int)(s % 86400);

	while (days >= days_from_date(year + 1, 1, 1))
		year++;
	while (month < 12 && days >= days_from_date(year, month + 1, 1))
		month++;
	snprintf(out, RFC3339_STRLEN, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned int)year % 10000,
		 (unsigned int)month % 100,
		 (unsigned int)(days - days_from_date(year, month, 1) + 1) % 100, clock / 3600,
		 clock / 60 % 60, clock % 60);
	return out;
}

/* @length digits at @s. */
static int64_t digits(const char *s, size_t length)
{
	int64_t n = 0;

	for (size_t i = 0; i < length; i++)
		n = n * 10 + (s[i] - '0');
	return n;
}

int rfc3339_parse(const char *string, int64_t *ret_seconds)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	char again[RFC3339_STRLEN];
	int64_t seconds;

	for (size_t i = 0; i < sizeof(form); i++)
		if (form[i] == 'd' ? string[i] < '0' || string[i] > '9' : string[i] != form[i])
			return -TUYEN_EINVAL;
	seconds =
	    86400 *
		days_from_date(digits(string, 4), digits(string + 5, 2), digits(string + 8, 2)) +
	    3600 * digits(string + 11, 2) + 60 * digits(string + 14, 2) + digits(string + 17, 2);
	if (seconds < 0 || strcmp(rfc3339_format(seconds, again), string) != 0)
		return -TUYEN_EINVAL; /* no 31 February, no year before 1970 */
	*ret_seconds = seconds;
	return 0;
}

static bool source_read(struct line_reader *r, struct statement_source *ret_source)
{
	char value[LINE_VALUE_MAX];
	size_t length;

	line_read(r, "source", value);
	length = strlen(value);
	if (r->failed)
		return false;
	if (length < SHA256_STRLEN + 1 || value[SHA256_STRLEN - 1] != ' ' ||
	    length - SHA256_STRLEN > STATEMENT_WORD_MAX) {
		line_fail(r, "a source is a digest and a name");
		return false;
	}
	value[SHA256_STRLEN - 1] = '\0';
	if (hex_parse(value, SHA256_LEN, ret_source->digest) < 0) {
		line_fail(r, "the source's digest is not hex");
		return false;
	}
	memcpy(ret_source->name, value + SHA256_STRLEN, length - SHA256_STRLEN + 1);
	return true;
}

static void sources_read(struct line_reader *r, struct statement *s)
{
	struct statement_source source, last = {.name = ""};

	s->sources = r->bytes + r->offset;
	while (!line_at_end(r) && source_read(r, &source)) {
		if (strcmp(last.name, source.name) > 0)
			line_fail(r, "sources are not in order");
		if (++s->source_count > STATEMENT_SOURCES_MAX)
			line_fail(r, "more than %d sources", STATEMENT_SOURCES_MAX);
		last = source;
	}
	s->sources_length = r->length - (size_t)(s->sources - r->bytes);
}

/* "none", or "clean VERSION DIGEST". */
static void audit_read(struct line_reader *r, struct statement_audit *ret_audit)
{
	static const char clean[] = "clean ";
	char value[LINE_VALUE_MAX], *version = value + strlen(clean), *space;

	line_read(r, "audit", value);
	if (r->failed || !strcmp(value, "none"))
		return;
	space = strncmp(value, clean, strlen(clean)) ? NULL : strchr(version, ' ');
	if (!space || space == version || space - version > STATEMENT_WORD_MAX) {
		line_fail(r, "an audit is 'none', or 'clean', a version and a digest");
		return;
	}
	*space = '\0';
	memcpy(ret_audit->version, version, (size_t)(space - version) + 1);
	if (hex_parse(space + 1, SHA256_LEN, ret_audit->digest) < 0)
		line_fail(r, "the audit's digest is not %d lower-case hex digits", 2 * SHA256_LEN);
	ret_audit->clean = true;
}

int statement_parse(const char *bytes, size_t length, struct statement *ret_statement,
		    struct reason *reason)
{
	struct statement s = {0};
	struct line_reader r;
	char word[LINE_VALUE_MAX];
	int err;

	if (length > STATEMENT_BYTES_MAX)
		return reason_set(reason, -TUYEN_ELIMIT, "release statement is above %u bytes",
				  STATEMENT_BYTES_MAX);
	line_reader_init(&r, "release statement", bytes, length, reason);
	s.form = (uint8_t)line_read_u64(&r, "tuyen-release", 1, STATEMENT_FORM);
	s.epoch = line_read_u64(&r, "epoch", 1, INT64_MAX);
	s.issued_s = line_read_time(&r, "issued");
	s.expires_s = line_read_time(&r, "expires");
	if (s.expires_s <= s.issued_s)
		line_fail(&r, "it expires before it is issued");
	s.roster_version = (uint32_t)line_read_u64(&r, "roster-version", 1, UINT32_MAX);
	s.sites = (uint32_t)line_read_u64(&r, "sites", 1, MERKLE_LEAVES_MAX);
	line_read_hex(&r, "root", SHA256_LEN, s.root.bytes);
	line_read_hex(&r, "manifest", SHA256_LEN, s.manifest);
	line_read(&r, "compiler", word);
	if (strlen(word) > STATEMENT_WORD_MAX)
		line_fail(&r, "the compiler's version is too long");
	else
		memcpy(s.compiler, word, strlen(word) + 1);
	audit_read(&r, &s.audit);
	sources_read(&r, &s);
	err = line_finish(&r);
	if (err < 0)
		return err;
	*ret_statement = s;
	return 0;
}

bool statement_source_next(const struct statement *statement, size_t *offset,
			   struct statement_source *ret_source)
{
	struct line_reader r;

	line_reader_init(&r, "source", statement->sources, statement->sources_length, NULL);
	r.offset = *offset;
	if (line_at_end(&r) || !source_read(&r, ret_source))
		return false;
	*offset = r.offset;
	return true;
}

void statement_encode(const struct statement *s, struct text *ret_text)
{
	char issued[RFC3339_STRLEN], expires[RFC3339_STRLEN], root[SHA256_STRLEN],
	    manifest[SHA256_STRLEN];

	text_printf(
	    ret_text,
	    "tuyen-release %u\nepoch %llu\nissued %s\nexpires %s\nroster-version %u\nsites %u\n"
	    "root %s\nmanifest %s\ncompiler %s\n",
	    s->form, (unsigned long long)s->epoch, rfc3339_format(s->issued_s, issued),
	    rfc3339_format(s->expires_s, expires), s->roster_version, s->sites,
	    hex_format(s->root.bytes, SHA256_LEN, root),
	    hex_format(s->manifest, SHA256_LEN, manifest), s->compiler);
	if (s->audit.clean)
		text_printf(ret_text, "audit clean %s %s\n", s->audit.version,
			    hex_format(s->audit.digest, SHA256_LEN, root));
	else
		text_add(ret_text, "audit none\n");
	text_add_bytes(ret_text, s->sources, s->sources_length);
}
