/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lexer. A word is the longest run of letters, digits, "-_.:/" and of
 * characters beyond ASCII; what kind it is follows from its bytes alone: a ':'
 * makes an IPv6 address, a digit in front a number with its unit, an address, a
 * prefix, a range or a date, a '/' and a digit a length, anything else a keyword or a name. So
 * there is no state, and one pass cuts the file.
 *
 * Text that could deceive a reader of the policy is refused here, in names and
 * comments alike: bytes that are not UTF-8, control characters, and characters
 * that reorder or hide what is shown.
 */
#include "tuyen/policies/lexer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "grammar.h"
#include "tuyen/base/date.h"
#include "tuyen/base/err.h"
#include "tuyen/base/ip.h"
#include "tuyen/base/utf8.h"

struct keyword {
	const char *name;
	int kind;
};

/* Sorted by name. */
static const struct keyword keywords[] = {
    {"above", TOKEN_ABOVE},
    {"after", TOKEN_AFTER},
    {"all", TOKEN_ALL},
    {"any", TOKEN_ANY},
    {"author", TOKEN_AUTHOR},
    {"avoid", TOKEN_AVOID},
    {"backup", TOKEN_BACKUP},
    {"carries", TOKEN_CARRIES},
    {"carry", TOKEN_CARRY},
    {"class", TOKEN_CLASS},
    {"color", TOKEN_COLOR},
    {"degraded", TOKEN_DEGRADED},
    {"delay", TOKEN_DELAY},
    {"deny", TOKEN_DENY},
    {"device", TOKEN_DEVICE},
    {"disjoint", TOKEN_DISJOINT},
    {"down", TOKEN_DOWN},
    {"dscp", TOKEN_DSCP},
    {"dynamic", TOKEN_DYNAMIC},
    {"encrypt", TOKEN_ENCRYPT},
    {"end-to-end", TOKEN_END_TO_END},
    {"except", TOKEN_EXCEPT},
    {"expect", TOKEN_EXPECT},
    {"expires", TOKEN_EXPIRES},
    {"failure", TOKEN_FAILURE},
    {"fresh", TOKEN_FRESH},
    {"from", TOKEN_FROM},
    {"high", TOKEN_HIGH},
    {"icmp", TOKEN_ICMP},
    {"id", TOKEN_ID},
    {"include", TOKEN_INCLUDE},
    {"interface", TOKEN_INTERFACE},
    {"jitter", TOKEN_JITTER},
    {"keys", TOKEN_KEYS},
    {"labels", TOKEN_LABELS},
    {"lan", TOKEN_LAN},
    {"link", TOKEN_LINK},
    {"loss", TOKEN_LOSS},
    {"low", TOKEN_LOW},
    {"max", TOKEN_MAX},
    {"metered", TOKEN_METERED},
    {"metric", TOKEN_METRIC},
    {"mtu", TOKEN_MTU},
    {"network", TOKEN_NETWORK},
    {"never", TOKEN_NEVER},
    {"normal", TOKEN_NORMAL},
    {"of", TOKEN_OF},
    {"over", TOKEN_OVER},
    {"parent", TOKEN_PARENT},
    {"path", TOKEN_PATH},
    {"plan", TOKEN_PLAN},
    {"policy", TOKEN_POLICY},
    {"port", TOKEN_PORT},
    {"preference", TOKEN_PREFERENCE},
    {"prepared", TOKEN_PREPARED},
    {"priority", TOKEN_PRIORITY},
    {"probe", TOKEN_PROBE},
    {"protocol", TOKEN_PROTOCOL},
    {"rate", TOKEN_RATE_WORD},
    {"reaches", TOKEN_REACHES},
    {"reason", TOKEN_REASON},
    {"revert", TOKEN_REVERT},
    {"risk", TOKEN_RISK},
    {"round-trip", TOKEN_ROUND_TRIP},
    {"session", TOKEN_SESSION},
    {"share", TOKEN_SHARE},
    {"shared", TOKEN_SHARED},
    {"shortest", TOKEN_SHORTEST},
    {"single", TOKEN_SINGLE},
    {"site", TOKEN_SITE},
    {"size", TOKEN_SIZE_WORD},
    {"snmp", TOKEN_SNMP},
    {"space", TOKEN_SPACE},
    {"tag", TOKEN_TAG},
    {"tcp", TOKEN_TCP},
    {"template", TOKEN_TEMPLATE},
    {"through", TOKEN_THROUGH},
    {"tier", TOKEN_TIER},
    {"tiers", TOKEN_TIERS},
    {"to", TOKEN_TO},
    {"udp", TOKEN_UDP},
    {"under", TOKEN_UNDER},
    {"underlay", TOKEN_UNDERLAY},
    {"up", TOKEN_UP},
    {"uplink", TOKEN_UPLINK},
    {"use", TOKEN_USE},
    {"user", TOKEN_USER},
    {"via", TOKEN_VIA},
    {"with", TOKEN_WITH},
    {"x", TOKEN_X},
};

#define KEYWORD_COUNT (sizeof(keywords) / sizeof(keywords[0]))
#define WORD_SHOWN    40 /* bytes of a bad word that a message repeats */

struct unit {
	const char *name;
	int kind;
	uint64_t factor; /* to microseconds, to bytes, to bits a second */
};

static const struct unit units[] = {
    {"us", TOKEN_TIME, 1},
    {"ms", TOKEN_TIME, 1000},
    {"s", TOKEN_TIME, 1000000},
    {"m", TOKEN_TIME, 60000000},
    {"KB", TOKEN_SIZE, 1000},
    {"MB", TOKEN_SIZE, 1000000},
    {"GB", TOKEN_SIZE, 1000000000},
    {"KB/day", TOKEN_RATE, 1000},
    {"MB/day", TOKEN_RATE, 1000000},
    {"GB/day", TOKEN_RATE, 1000000000},
    {"kbit/s", TOKEN_BANDWIDTH, 1000},
    {"Mbit/s", TOKEN_BANDWIDTH, 1000000},
    {"Gbit/s", TOKEN_BANDWIDTH, 1000000000},
    {"%", TOKEN_PERCENT, 1},
};

struct lexer {
	const struct diag_source *source;
	uint8_t
	    keyword_first[UINT8_MAX + 2]; /* of a word that begins with this byte: into keywords */
	struct diag_list *diags;
	struct token_list *list;
	uint32_t offset;
	bool failed;
};

/* ---- keywords ---- */

int lexer_keyword(const char *bytes, size_t length)
{
	size_t low = 0, high = KEYWORD_COUNT;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strncmp(bytes, keywords[middle].name, length);

		if (order == 0 && !keywords[middle].name[length])
			return keywords[middle].kind;
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

static void keywords_by_letter(struct lexer *lx)
{
	size_t at = 0;

	for (unsigned byte = 0; byte <= UINT8_MAX + 1; byte++) {
		while (at < KEYWORD_COUNT && (unsigned char)keywords[at].name[0] < byte)
			at++;
		lx->keyword_first[byte] = (uint8_t)at;
	}
}

/* As lexer_keyword(), for half a million words. */
static int word_keyword(const struct lexer *lx, const char *bytes, size_t length)
{
	unsigned char letter = (unsigned char)bytes[0];

	for (size_t i = lx->keyword_first[letter]; i < lx->keyword_first[letter + 1]; i++)
		if (!strncmp(keywords[i].name, bytes, length) && !keywords[i].name[length])
			return keywords[i].kind;
	return 0;
}

const char *lexer_keyword_name(int kind)
{
	for (size_t i = 0; i < KEYWORD_COUNT; i++)
		if (keywords[i].kind == kind)
			return keywords[i].name;
	return NULL;
}

const char *lexer_keyword_at(size_t index)
{
	return index < KEYWORD_COUNT ? keywords[index].name : NULL;
}

/* ---- characters ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_control(uint32_t code)
{
	return utf8_is_control(code) && code != '\t';
}

/* Beyond ASCII: what may stand in a name without quotes. */
static bool is_word_code(uint32_t code)
{
	return code >= 0xaa && code != 0xd7 && code != 0xf7 && !utf8_is_deceptive(code) &&
	       !(code >= 0x2000 && code <= 0x2bff) && !(code >= 0x3000 && code <= 0x3004) &&
	       !(code >= 0xe000 && code <= 0xf8ff);
}

/* The word characters of ASCII. */
static const bool word_bytes[UINT8_MAX + 1] = {
    ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['_'] = true,
    ['-'] = true,	  ['.'] = true,		['/'] = true,	      [':'] = true,
};

/* Bytes of the word character at @p, 0 if there is none. */
static size_t word_step(const char *p, const char *end)
{
	uint32_t code;
	size_t size;

	if (p == end)
		return 0;
	if (word_bytes[(unsigned char)*p])
		return 1;
	if ((unsigned char)*p < 0x80)
		return 0;
	size = utf8_decode(p, (size_t)(end - p), &code);
	return size && is_word_code(code) ? size : 0;
}

bool lexer_is_plain_name(const char *bytes, size_t length)
{
	const char *p = bytes, *end = bytes + length;
	int kind = lexer_keyword(bytes, length);

	if (!length || is_digit(*p) || *p == '-' || *p == '.')
		return false;
	if (kind == TOKEN_TIER || kind == TOKEN_SITE || kind == TOKEN_UNDER || kind == TOKEN_ALL ||
	    kind == TOKEN_TAG)
		return false;
	while (p < end) {
		size_t size = word_step(p, end);

		if (!size || *p == ':' || *p == '/')
			return false;
		p += size;
	}
	return true;
}

/* ---- tokens ---- */

static struct token *lexer_push(struct lexer *lx, int kind, uint32_t offset, uint32_t end)
{
	struct token_list *list = lx->list;

	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 256;
		struct token *tokens = realloc(list->tokens, capacity * sizeof(*tokens));

		if (!tokens) {
			lx->failed = true;
			return NULL;
		}
		list->tokens = tokens;
		list->capacity = capacity;
	}
	list->tokens[list->count] =
	    (struct token){.kind = kind, .offset = offset, .length = end - offset};
	return &list->tokens[list->count++];
}

static struct diag_place lexer_place(const struct lexer *lx, uint32_t offset, uint32_t length)
{
	return (struct diag_place){lx->source, offset, length};
}

/* What is wrong with the character at @offset, as part of a comment, a string or nothing. */
static void lexer_complain_character(struct lexer *lx, uint32_t offset)
{
	const char *p = lx->source->bytes + offset;
	uint32_t code;
	size_t size = utf8_decode(p, lx->source->length - offset, &code);
	struct diag_place place = lexer_place(lx, offset, size ? (uint32_t)size : 1);

	if (!size)
		diag_error(lx->diags, place, "byte 0x%02x is not UTF-8", (unsigned char)*p);
	else if (!code)
		diag_error(lx->diags, place, "NUL byte: this is not a text file");
	else if (code == 0xfeff && offset == 0)
		diag_error(lx->diags, place, "byte order mark: save the file without one");
	else if (is_control(code) || utf8_is_deceptive(code))
		diag_error(lx->diags, place, "invisible character U+%04X is not allowed", code);
	else
		diag_error(lx->diags, place, "unexpected character '%.*s'", (int)size, p);
}

/* Steps over one character of text, complaining about what is none. */
static void lexer_step_text(struct lexer *lx)
{
	const char *p = lx->source->bytes + lx->offset;
	uint32_t code;
	size_t size = utf8_decode(p, lx->source->length - lx->offset, &code);

	if (!size || is_control(code) || utf8_is_deceptive(code))
		lexer_complain_character(lx, lx->offset);
	lx->offset += size ? (uint32_t)size : 1;
}

static bool lexer_at_line_end(const struct lexer *lx)
{
	const char *p = lx->source->bytes + lx->offset;

	return lx->offset == lx->source->length || *p == '\n' ||
	       (*p == '\r' && lx->offset + 1 < lx->source->length && p[1] == '\n');
}

static void lexer_comment(struct lexer *lx)
{
	uint32_t start = lx->offset, end;
	const char *bytes = lx->source->bytes;

	while (!lexer_at_line_end(lx))
		lexer_step_text(lx);
	for (end = lx->offset; bytes[end - 1] == ' ' || bytes[end - 1] == '\t'; end--)
		;
	lexer_push(lx, LEXER_COMMENT, start, end);
}

static void lexer_string(struct lexer *lx)
{
	uint32_t start = lx->offset++;
	size_t errors = lx->diags->error_count;
	struct token *token;

	while (!lexer_at_line_end(lx) && lx->source->bytes[lx->offset] != '"') {
		if (lx->source->bytes[lx->offset] == '\\') {
			lx->offset++;
			if (lexer_at_line_end(lx))
				break;
		}
		lexer_step_text(lx);
	}
	if (lexer_at_line_end(lx))
		diag_error(lx->diags, lexer_place(lx, start, lx->offset - start),
			   "this string has no closing '\"' on its line");
	else
		lx->offset++;
	token = lexer_push(lx, TOKEN_STRING, start, lx->offset);
	if (!token)
		return;
	token->quoted = true;
	if (lx->diags->error_count > errors) {
		token->kind = TOKEN_INVALID;
		token->reported = true;
	}
}

/* ---- words ---- */

static bool word_has(const char *word, size_t length, char c)
{
	return memchr(word, c, length) != NULL;
}

static void word_complain(struct lexer *lx, struct token *t, const char *what)
{
	const char *word = lx->source->bytes + t->offset;
	uint32_t shown = t->length;

	if (shown > WORD_SHOWN)
		for (shown = WORD_SHOWN; ((unsigned char)word[shown] & 0xc0) == 0x80; shown--)
			;
	diag_error(lx->diags, lexer_place(lx, t->offset, t->length), "'%.*s%s' %s", (int)shown,
		   word, shown < t->length ? "..." : "", what);
	t->kind = TOKEN_INVALID;
	t->reported = true;
}

/* Decimal digits without a leading zero. @return how many, 0 if it is no such number or too large.
 */
static size_t scan_number(const char *p, size_t length, uint64_t *ret_value)
{
	uint64_t value = 0;
	size_t n = 0;

	while (n < length && n < 18 && is_digit(p[n]))
		value = value * 10 + (uint64_t)(p[n++] - '0');
	if (!n || (n < length && is_digit(p[n])) || (n > 1 && *p == '0'))
		return 0;
	*ret_value = value;
	return n;
}

static void word_prefix(struct lexer *lx, struct token *t, const char *word)
{
	struct ipv4_prefix prefix;
	const char *slash = strchr(word, '/');
	ipv4_t address;
	uint64_t length;
	char text[64], right[IPV4_PREFIX_STRLEN], message[96] = "has bits set behind its length; ";

	t->kind = TOKEN_PREFIX;
	if (ipv4_prefix_parse(word, &prefix) == 0)
		return;
	memcpy(text, word, (size_t)(slash - word));
	text[slash - word] = '\0';
	if (ipv4_parse(text, &address) < 0 || !slash[1] ||
	    scan_number(slash + 1, strlen(slash + 1), &length) != strlen(slash + 1) ||
	    length > 32) {
		word_complain(lx, t, "is not a prefix like 10.9.1.0/24");
		return;
	}
	prefix = (struct ipv4_prefix){address & ipv4_netmask((uint8_t)length), (uint8_t)length};
	strcat(message, "the network is ");
	strcat(message, ipv4_prefix_format(prefix, right));
	word_complain(lx, t, message);
}

static void word_address(struct lexer *lx, struct token *t, const char *word)
{
	struct ip_endpoint endpoint;

	t->kind = TOKEN_ADDRESS;
	if (ip_endpoint_parse_address(word, 0, &endpoint) < 0)
		word_complain(
		    lx, t, strchr(word, ':') ? "is not an IPv6 address" : "is not an IPv4 address");
}

static bool word_is_date(const char *word)
{
	for (int i = 0; i < 10; i++)
		if (i == 4 || i == 7 ? word[i] != '-' : !is_digit(word[i]))
			return false;
	return !word[10];
}

static void word_date(struct lexer *lx, struct token *t, const char *word)
{
	int64_t seconds;

	t->kind = TOKEN_DATE;
	if (date_parse(word, &seconds) < 0)
		word_complain(lx, t, "is no day of the calendar from 1970 to 9999");
	else
		t->number = t->number2 = (uint64_t)seconds;
}

/* "/24" */
static void word_length(struct lexer *lx, struct token *t, const char *word)
{
	size_t digits = t->length - 1;

	t->kind = TOKEN_LENGTH;
	if (scan_number(word + 1, digits, &t->number) != digits || t->number > 32)
		word_complain(lx, t, "is not the length of a prefix: /0 to /32");
	t->number2 = t->number;
}

static void word_quantity(struct lexer *lx, struct token *t, const char *word)
{
	size_t length = strlen(word), n = scan_number(word, length, &t->number), rest;

	if (!n) {
		word_complain(lx, t, "is not a number: it has a leading zero or too many digits");
		return;
	}
	t->number2 = t->number;
	t->kind = TOKEN_NUMBER;
	rest = length - n;
	if (!rest)
		return;
	if (word[n] == '-' && rest > 1 &&
	    scan_number(word + n + 1, rest - 1, &t->number2) == rest - 1) {
		t->kind = TOKEN_RANGE;
		return;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(word + n, units[i].name) != 0)
			continue;
		t->kind = units[i].kind;
		t->number = t->number > UINT64_MAX / units[i].factor ? UINT64_MAX
								     : t->number * units[i].factor;
		t->number2 = t->number;
		return;
	}
	word_complain(lx, t,
		      "has no unit that is known here (times: us, ms, s, m; amounts: KB/day, "
		      "MB/day, GB/day; rates: kbit/s, Mbit/s, Gbit/s); a name that begins with a "
		      "digit is written in quotes");
}

/* Words with a digit in front, or a ':' somewhere. All forms are short. */
static void word_literal(struct lexer *lx, struct token *t)
{
	char word[64];

	if (t->length >= sizeof(word)) {
		word_complain(lx, t, "is neither a number nor an address");
		return;
	}
	memcpy(word, lx->source->bytes + t->offset, t->length);
	word[t->length] = '\0';
	if (word_is_date(word))
		word_date(lx, t, word);
	else if (strchr(word, ':'))
		word_address(lx, t, word);
	else if (strchr(word, '.') && strchr(word, '/'))
		word_prefix(lx, t, word);
	else if (strchr(word, '.'))
		word_address(lx, t, word);
	else
		word_quantity(lx, t, word);
}

static void lexer_word(struct lexer *lx)
{
	const char *bytes = lx->source->bytes, *end = bytes + lx->source->length;
	const char *word = bytes + lx->offset;
	uint32_t start = lx->offset;
	struct token *t;
	size_t size;
	int keyword;

	while ((size = word_step(bytes + lx->offset, end)))
		lx->offset += (uint32_t)size;
	if (is_digit(*word) && bytes + lx->offset < end && bytes[lx->offset] == '%')
		lx->offset++;
	t = lexer_push(lx, TOKEN_NAME, start, lx->offset);
	if (!t)
		return;
	if (*word == '/' && t->length > 1 && is_digit(word[1]))
		word_length(lx, t, word);
	else if (is_digit(*word) || word_has(word, t->length, ':'))
		word_literal(lx, t);
	else if (*word == '-' || *word == '.' || word_has(word, t->length, '/'))
		word_complain(lx, t, "is not a word; a name like this is written in quotes");
	else if ((keyword = word_keyword(lx, word, t->length)))
		t->kind = keyword;
}

static void lexer_token(struct lexer *lx)
{
	const char *p = lx->source->bytes + lx->offset;

	if (*p == ' ' || *p == '\t' || *p == '\n' || (*p == '\r' && lexer_at_line_end(lx))) {
		lx->offset++;
	} else if (*p == '#') {
		lexer_comment(lx);
	} else if (*p == '"') {
		lexer_string(lx);
	} else if (*p == '{' || *p == '}' || *p == ';' || *p == ',') {
		lexer_push(lx, *p, lx->offset, lx->offset + 1);
		lx->offset++;
	} else if (word_step(p, lx->source->bytes + lx->source->length)) {
		lexer_word(lx);
	} else {
		uint32_t code;
		size_t size = utf8_decode(p, lx->source->length - lx->offset, &code);

		lexer_complain_character(lx, lx->offset);
		lx->offset += size ? (uint32_t)size : 1;
	}
}

int lexer_scan(const struct diag_source *source, struct diag_list *diags,
	       struct token_list *ret_list)
{
	struct token_list list = {0};
	struct lexer lx = {.source = source, .diags = diags, .list = &list};

	keywords_by_letter(&lx);
	while (lx.offset < source->length && !lx.failed)
		lexer_token(&lx);
	lexer_push(&lx, TOKEN_END_OF_FILE, source->length, source->length);
	if (lx.failed) {
		token_list_clear(&list);
		return -TUYEN_ENOMEM;
	}
	*ret_list = list;
	return 0;
}

void token_list_clear(struct token_list *list)
{
	free(list->tokens);
	*list = (struct token_list){0};
}
