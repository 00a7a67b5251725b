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
	uint8_t length;
};

#define KEYWORD(name, kind)                                                                        \
	{                                                                                          \
		name, kind, sizeof(name) - 1                                                       \
	}

/* Sorted by name. */
static const struct keyword keywords[] = {
    KEYWORD("above", TOKEN_ABOVE),
    KEYWORD("after", TOKEN_AFTER),
    KEYWORD("all", TOKEN_ALL),
    KEYWORD("any", TOKEN_ANY),
    KEYWORD("author", TOKEN_AUTHOR),
    KEYWORD("avoid", TOKEN_AVOID),
    KEYWORD("backup", TOKEN_BACKUP),
    KEYWORD("carries", TOKEN_CARRIES),
    KEYWORD("carry", TOKEN_CARRY),
    KEYWORD("class", TOKEN_CLASS),
    KEYWORD("color", TOKEN_COLOR),
    KEYWORD("degraded", TOKEN_DEGRADED),
    KEYWORD("delay", TOKEN_DELAY),
    KEYWORD("deny", TOKEN_DENY),
    KEYWORD("device", TOKEN_DEVICE),
    KEYWORD("disjoint", TOKEN_DISJOINT),
    KEYWORD("down", TOKEN_DOWN),
    KEYWORD("dscp", TOKEN_DSCP),
    KEYWORD("dynamic", TOKEN_DYNAMIC),
    KEYWORD("encrypt", TOKEN_ENCRYPT),
    KEYWORD("end-to-end", TOKEN_END_TO_END),
    KEYWORD("except", TOKEN_EXCEPT),
    KEYWORD("expect", TOKEN_EXPECT),
    KEYWORD("expires", TOKEN_EXPIRES),
    KEYWORD("failure", TOKEN_FAILURE),
    KEYWORD("fresh", TOKEN_FRESH),
    KEYWORD("from", TOKEN_FROM),
    KEYWORD("high", TOKEN_HIGH),
    KEYWORD("icmp", TOKEN_ICMP),
    KEYWORD("id", TOKEN_ID),
    KEYWORD("include", TOKEN_INCLUDE),
    KEYWORD("interface", TOKEN_INTERFACE),
    KEYWORD("jitter", TOKEN_JITTER),
    KEYWORD("keys", TOKEN_KEYS),
    KEYWORD("labels", TOKEN_LABELS),
    KEYWORD("lan", TOKEN_LAN),
    KEYWORD("link", TOKEN_LINK),
    KEYWORD("loss", TOKEN_LOSS),
    KEYWORD("low", TOKEN_LOW),
    KEYWORD("max", TOKEN_MAX),
    KEYWORD("metered", TOKEN_METERED),
    KEYWORD("metric", TOKEN_METRIC),
    KEYWORD("mtu", TOKEN_MTU),
    KEYWORD("network", TOKEN_NETWORK),
    KEYWORD("never", TOKEN_NEVER),
    KEYWORD("normal", TOKEN_NORMAL),
    KEYWORD("of", TOKEN_OF),
    KEYWORD("over", TOKEN_OVER),
    KEYWORD("parallel", TOKEN_PARALLEL),
    KEYWORD("parent", TOKEN_PARENT),
    KEYWORD("path", TOKEN_PATH),
    KEYWORD("plan", TOKEN_PLAN),
    KEYWORD("policy", TOKEN_POLICY),
    KEYWORD("port", TOKEN_PORT),
    KEYWORD("preference", TOKEN_PREFERENCE),
    KEYWORD("prepared", TOKEN_PREPARED),
    KEYWORD("priority", TOKEN_PRIORITY),
    KEYWORD("probe", TOKEN_PROBE),
    KEYWORD("protocol", TOKEN_PROTOCOL),
    KEYWORD("rate", TOKEN_RATE_WORD),
    KEYWORD("reaches", TOKEN_REACHES),
    KEYWORD("reason", TOKEN_REASON),
    KEYWORD("revert", TOKEN_REVERT),
    KEYWORD("risk", TOKEN_RISK),
    KEYWORD("round-trip", TOKEN_ROUND_TRIP),
    KEYWORD("session", TOKEN_SESSION),
    KEYWORD("share", TOKEN_SHARE),
    KEYWORD("shared", TOKEN_SHARED),
    KEYWORD("shortest", TOKEN_SHORTEST),
    KEYWORD("single", TOKEN_SINGLE),
    KEYWORD("site", TOKEN_SITE),
    KEYWORD("size", TOKEN_SIZE_WORD),
    KEYWORD("snmp", TOKEN_SNMP),
    KEYWORD("space", TOKEN_SPACE),
    KEYWORD("tag", TOKEN_TAG),
    KEYWORD("tcp", TOKEN_TCP),
    KEYWORD("template", TOKEN_TEMPLATE),
    KEYWORD("through", TOKEN_THROUGH),
    KEYWORD("tier", TOKEN_TIER),
    KEYWORD("tiers", TOKEN_TIERS),
    KEYWORD("to", TOKEN_TO),
    KEYWORD("udp", TOKEN_UDP),
    KEYWORD("under", TOKEN_UNDER),
    KEYWORD("underlay", TOKEN_UNDERLAY),
    KEYWORD("up", TOKEN_UP),
    KEYWORD("uplink", TOKEN_UPLINK),
    KEYWORD("use", TOKEN_USE),
    KEYWORD("user", TOKEN_USER),
    KEYWORD("via", TOKEN_VIA),
    KEYWORD("with", TOKEN_WITH),
    KEYWORD("x", TOKEN_X),
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
		if (keywords[i].length == length && !memcmp(keywords[i].name, bytes, length))
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

/* What the bytes of ASCII are: of a word, each of the ones that tell what it is by a bit of its own; of text. */
enum {
	BYTE_WORD = 1,
	BYTE_COLON = 2,
	BYTE_SLASH = 4,
	BYTE_DOT = 8,
	BYTE_TEXT = 16,
};

static const uint8_t byte_is[UINT8_MAX + 1] = {
    ['\t'] = BYTE_TEXT,
    [' ' ... ','] = BYTE_TEXT,
    [';' ... '@'] = BYTE_TEXT,
    ['[' ... '^'] = BYTE_TEXT,
    ['`'] = BYTE_TEXT,
    ['{' ... '~'] = BYTE_TEXT,
    ['a' ... 'z'] = BYTE_TEXT | BYTE_WORD,
    ['A' ... 'Z'] = BYTE_TEXT | BYTE_WORD,
    ['0' ... '9'] = BYTE_TEXT | BYTE_WORD,
    ['_'] = BYTE_TEXT | BYTE_WORD,
    ['-'] = BYTE_TEXT | BYTE_WORD,
    ['.'] = BYTE_TEXT | BYTE_WORD | BYTE_DOT,
    ['/'] = BYTE_TEXT | BYTE_WORD | BYTE_SLASH,
    [':'] = BYTE_TEXT | BYTE_WORD | BYTE_COLON,
};

/* Bytes of the word character at @p, 0 if there is none. */
static size_t word_step(const char *p, const char *end)
{
	uint32_t code;
	size_t size;

	if (p == end)
		return 0;
	if (byte_is[(unsigned char)*p] & BYTE_WORD)
		return 1;
	if ((unsigned char)*p < 0x80)
		return 0;
	size = utf8_decode(p, (size_t)(end - p), &code);
	return size && is_word_code(code) ? size : 0;
}

/* @return the end of the word at @p; @ret_has  what there is in it. */
static const char *word_end(const char *p, const char *end, uint8_t *ret_has)
{
	uint8_t has = 0;
	size_t size;

	do {
		for (; p < end && byte_is[(unsigned char)*p] & BYTE_WORD; p++)
			has |= byte_is[(unsigned char)*p];
		size = word_step(p, end);
		p += size;
	} while (size);
	*ret_has = has;
	return p;
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

/* A token takes five bytes of a country's sources at least: what is taken too much is never touched. */
static void tokens_reserve(struct lexer *lx)
{
	struct token_list *list = lx->list;
	size_t capacity = lx->source->length / 5 + 16;

	list->tokens = malloc(capacity * sizeof(*list->tokens));
	list->capacity = list->tokens ? capacity : 0;
}

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

/* Over what is plain text for certain, but for the two characters that mean something in a string. */
static void lexer_skip_text(struct lexer *lx)
{
	const char *bytes = lx->source->bytes;

	while (lx->offset < lx->source->length &&
	       byte_is[(unsigned char)bytes[lx->offset]] & BYTE_TEXT && bytes[lx->offset] != '"' &&
	       bytes[lx->offset] != '\\')
		lx->offset++;
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

	for (lexer_skip_text(lx); !lexer_at_line_end(lx); lexer_skip_text(lx))
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

	lexer_skip_text(lx);
	for (; !lexer_at_line_end(lx) && lx->source->bytes[lx->offset] != '"';
	     lexer_skip_text(lx)) {
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
	if (ipv4_prefix_parse(word, &prefix) == 0) {
		t->number = prefix.address;
		t->number2 = prefix.length;
		return;
	}
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
static void word_literal(struct lexer *lx, struct token *t, uint8_t has)
{
	char word[64];

	if (t->length >= sizeof(word)) {
		word_complain(lx, t, "is neither a number nor an address");
		return;
	}
	memcpy(word, lx->source->bytes + t->offset, t->length);
	word[t->length] = '\0';
	if (!(has & (BYTE_COLON | BYTE_DOT)) && word_is_date(word))
		word_date(lx, t, word);
	else if (has & BYTE_COLON || has == (BYTE_TEXT | BYTE_WORD | BYTE_DOT))
		word_address(lx, t, word);
	else if (has & BYTE_DOT)
		word_prefix(lx, t, word);
	else
		word_quantity(lx, t, word);
}

static void lexer_word(struct lexer *lx)
{
	const char *bytes = lx->source->bytes, *end = bytes + lx->source->length;
	const char *word = bytes + lx->offset, *behind;
	uint32_t start = lx->offset;
	struct token *t;
	uint8_t has;
	int keyword;

	behind = word_end(word, end, &has);
	if (is_digit(*word) && behind < end && *behind == '%')
		behind++;
	lx->offset = (uint32_t)(behind - bytes);
	t = lexer_push(lx, TOKEN_NAME, start, lx->offset);
	if (!t)
		return;
	if (*word == '/' && t->length > 1 && is_digit(word[1]))
		word_length(lx, t, word);
	else if (is_digit(*word) || has & BYTE_COLON)
		word_literal(lx, t, has);
	else if (*word == '-' || *word == '.' || has & BYTE_SLASH)
		word_complain(lx, t, "is not a word; a name like this is written in quotes");
	else if ((keyword = word_keyword(lx, word, t->length)))
		t->kind = keyword;
}

/* Blanks, and ends of lines. */
static void lexer_skip_blank(struct lexer *lx)
{
	const char *bytes = lx->source->bytes;

	for (; lx->offset < lx->source->length; lx->offset++) {
		char c = bytes[lx->offset];

		if (c != ' ' && c != '\t' && c != '\n' && (c != '\r' || !lexer_at_line_end(lx)))
			return;
	}
}

static void lexer_token(struct lexer *lx)
{
	const char *p = lx->source->bytes + lx->offset;

	if (byte_is[(unsigned char)*p] & BYTE_WORD) {
		lexer_word(lx);
		return;
	}
	if (*p == '{' || *p == '}' || *p == ';' || *p == ',') {
		lexer_push(lx, *p, lx->offset, lx->offset + 1);
		lx->offset++;
	} else if (*p == '"') {
		lexer_string(lx);
	} else if (*p == '#') {
		lexer_comment(lx);
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
	tokens_reserve(&lx);
	for (lexer_skip_blank(&lx); lx.offset < source->length && !lx.failed; lexer_skip_blank(&lx))
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
