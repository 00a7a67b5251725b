/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bundle is text that an auditor reads with less, grep and diff. Each object is one line:
 * a keyword, then fields in the order of struct forwarding, named where a bare number would not say
 * what it is. What belongs to a line stands below it and repeats its key (accept, prefix), so that
 * grep finds it alone.
 *
 * Reading is strict by construction: lines are read into the structure, which is then
 * written again and must give the same bytes. So there is one form for each state, and what the
 * reader would let pass (a leading zero, a line out of its place) fails there. Order and references
 * are checked apart. Memory follows the number of lines, never a number that a line claims.
 */
#include "tuyen/topology/forwarding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/topology/mtu.h"

#define BUNDLE_FIRST_LINE "tuyen-bundle 1"
#define RATE_UNIT	  "kbit/s"
#define METER_UNIT	  "KB"
#define LINK_MTU_MIN	  (MTU_IPV4_MIN + MTU_WIREGUARD_IPV4 + MTU_MPLS_IN_IP)
#define LINK_MTU_MAX	  (MTU_CARRIER_MAX - MTU_WIREGUARD_IPV4)
#define SPACE_LENGTH_MAX  30 /* two sites at least */

/* ---- writing ------------------------------------------------------------------------ */

/*
 * A country's bundles are ten million small pieces: a line's room is asked for once, and its pieces
 * are put one after the other at @p. Each put_ returns where the next one goes.
 */
#define LINE_MAX_BYTES 2048

#define PUT(p, literal) ((char *)memcpy(p, literal, sizeof(literal) - 1) + sizeof(literal) - 1)

/* A line has four names at most, of three bytes a byte; two stacks, keys and endpoints. */
_Static_assert(4 * 3 * NAME_MAX_BYTES + 2 * LABEL_STACK_STRLEN + 2 * WG_KEY_STRLEN +
		       2 * IP_ENDPOINT_STRLEN + 512 <
		   LINE_MAX_BYTES,
	       "a line has room for what it may hold");

static char *line_begin(struct text *t)
{
	return text_reserve(t, LINE_MAX_BYTES);
}

static void line_end(struct text *t, char *p)
{
	*p++ = '\n';
	*p = '\0';
	t->length = (size_t)(p - t->bytes);
}

static const bool name_plain[UINT8_MAX + 1] = {
    ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true,	['-'] = true,
    ['_'] = true,	  ['.'] = true,		[0x80 ... 0xff] = true,
};

static char *put_name(char *p, const char *name)
{
	static const char digits[] = "0123456789ABCDEF";

	if (!*name)
		return PUT(p, "-");
	if (!strcmp(name, "-"))
		return PUT(p, "%2D");
	for (const unsigned char *c = (const unsigned char *)name;; c++) {
		while (name_plain[*c])
			*p++ = (char)*c++;
		if (!*c)
			return p;
		*p++ = '%';
		*p++ = digits[*c >> 4];
		*p++ = digits[*c & 15];
	}
}

static char *put_number(char *p, uint32_t value)
{
	return decimal_put(p, value);
}

/* What a byte of an address is, with its dot, and how long: there are a million of them. */
#define TEN(text, n)                                                                               \
	{text "0.", n}, {text "1.", n}, {text "2.", n}, {text "3.", n}, {text "4.", n},            \
	    {text "5.", n}, {text "6.", n}, {text "7.", n}, {text "8.", n},                        \
	{                                                                                          \
		text "9.", n                                                                       \
	}
static const struct {
	char text[5];
	uint8_t length;
} address_bytes[256] = {
    TEN("", 2),	  TEN("1", 3),	TEN("2", 3),  TEN("3", 3),  TEN("4", 3),  TEN("5", 3),
    TEN("6", 3),  TEN("7", 3),	TEN("8", 3),  TEN("9", 3),  TEN("10", 4), TEN("11", 4),
    TEN("12", 4), TEN("13", 4), TEN("14", 4), TEN("15", 4), TEN("16", 4), TEN("17", 4),
    TEN("18", 4), TEN("19", 4), TEN("20", 4), TEN("21", 4), TEN("22", 4), TEN("23", 4),
    TEN("24", 4), {"250.", 4},	{"251.", 4},  {"252.", 4},  {"253.", 4},  {"254.", 4},
    {"255.", 4},
};

static char *put_address(char *p, ipv4_t address)
{
	for (int shift = 24; shift >= 0; shift -= 8) {
		uint8_t byte = (uint8_t)(address >> shift);

		memcpy(p, address_bytes[byte].text, 4);
		p += address_bytes[byte].length;
	}
	return p - 1; /* no dot behind the last */
}

static char *put_prefix(char *p, struct ipv4_prefix prefix)
{
	p = put_address(p, prefix.address);
	*p++ = '/';
	return put_number(p, prefix.length);
}

static char *put_stack(char *p, const struct label_stack *stack)
{
	if (!stack->depth)
		return PUT(p, "-");
	p = put_number(p, stack->label[0] & LABEL_MAX);
	for (uint8_t i = 1; i < stack->depth; i++) {
		*p++ = '/';
		p = put_number(p, stack->label[i] & LABEL_MAX);
	}
	return p;
}

static char *put_key(char *p, const uint8_t key[static WG_KEY_LEN])
{
	return wg_key_put(key, PUT(p, " key "));
}

static char *put_endpoint(char *p, const struct ip_endpoint *endpoint)
{
	const uint8_t *a = endpoint->address;
	char out[IP_ENDPOINT_STRLEN];
	size_t length;

	if (endpoint->family == 4) {
		p = put_address(p,
				(ipv4_t)a[0] << 24 | (ipv4_t)a[1] << 16 | (ipv4_t)a[2] << 8 | a[3]);
		*p++ = ':';
		return put_number(p, endpoint->port);
	}
	length = strlen(ip_endpoint_format(endpoint, out));
	memcpy(p, out, length);
	return p + length;
}

static char *put_probe(char *p, struct probe_timers probe)
{
	p = put_number(PUT(p, " probe "), probe.interval_us);
	return put_number(PUT(p, "us x "), probe.multiplier);
}

static char *put_rate(char *p, uint32_t kbps)
{
	return PUT(put_number(p, kbps), RATE_UNIT);
}

static char *put_head_lines(char *p, const struct forwarding *f)
{
	p = PUT(p, BUNDLE_FIRST_LINE "\n");
	p = put_number(PUT(p, "site "), f->site_id);
	p = put_name(PUT(p, " "), f->site);
	p = put_name(PUT(p, " tier "), f->tier);
	p = put_number(PUT(p, " label "), f->own_label);
	p = put_address(PUT(p, "\naddress link "), f->link_address);
	p = put_address(PUT(p, " node "), f->node_address);
	if (f->lan_address)
		p = put_address(PUT(p, " lan "), f->lan_address);
	if (f->lan_shared)
		p = PUT(p, " shared");
	p = put_number(PUT(p, "\nsrgb "), f->srgb.base);
	p = put_number(PUT(p, " size "), f->srgb.size);
	p = put_prefix(PUT(p, "\noverlay link "), f->overlay[0]);
	p = put_prefix(PUT(p, " path "), f->overlay[1]);
	p = put_number(PUT(p, "\nlink0 port "), f->link_port);
	return put_number(PUT(p, " mtu "), f->link_mtu);
}

static char *put_parallel(char *p, const struct forwarding *f)
{
	p = put_number(PUT(p, "link1 port "), f->parallel_port);
	p = put_number(PUT(p, " mtu "), f->parallel_mtu);
	p = put_address(PUT(p, " address "), f->parallel_address);
	return put_prefix(PUT(p, " space "), f->parallel_space);
}

static char *put_lan(char *p, const struct ipv4_prefix *lan)
{
	return put_prefix(PUT(p, "lan "), *lan);
}

static char *put_neighbor(char *p, const struct fwd_neighbor *n)
{
	p = put_number(PUT(p, "neighbor "), n->site_id);
	p = put_name(PUT(p, " "), n->name);
	p = put_name(PUT(p, " over "), n->underlay);
	p = put_key(p, n->link_key);
	p = put_address(PUT(p, " address "), n->link_address);
	p = n->caller ? put_endpoint(PUT(p, " call "), &n->endpoint) : PUT(p, " wait");
	p = put_probe(p, n->probe);
	p = put_number(PUT(p, " mtu "), n->link_mtu);
	p = put_number(PUT(p, " lsp "), n->lsp_mtu);
	return n->down_kbps ? put_rate(PUT(p, " down "), n->down_kbps) : p;
}

static char *put_accept(char *p, uint32_t site_id, const struct label_stack *stack)
{
	p = put_number(PUT(p, "accept "), site_id);
	return put_stack(PUT(p, " "), stack);
}

static char *put_repair(char *p, const struct fwd_repair *repair)
{
	if (!repair->next_site)
		return p;
	p = put_number(PUT(p, " repair "), repair->next_site);
	return put_stack(PUT(p, " out "), &repair->out);
}

static char *put_label(char *p, const struct fwd_label_route *l)
{
	p = put_number(PUT(p, "label "), l->in_label);
	if (!l->next_site)
		return PUT(p, " here");
	p = put_number(PUT(p, " to "), l->next_site);
	p = put_stack(PUT(p, " out "), &l->out);
	return put_repair(p, &l->repair);
}

static char *put_path(char *p, const struct fwd_path *path)
{
	p = put_number(PUT(p, "path "), path->index);
	p = put_name(PUT(p, " "), path->name);
	p = put_number(PUT(p, " color "), path->color);
	p = put_number(PUT(p, " preference "), path->preference);
	p = put_number(PUT(p, " to "), path->endpoint_site);
	p = put_address(PUT(p, " source "), path->source);
	p = put_address(PUT(p, " endpoint "), path->endpoint);
	p = put_number(PUT(p, " first "), path->first_site);
	p = put_stack(PUT(p, " stack "), &path->stack);
	p = put_number(PUT(p, " mtu "), path->mtu);
	p = put_probe(p, path->probe);
	p = put_number(PUT(p, " reflector "), path->reflector);
	if (path->doubt)
		p = put_number(PUT(p, " doubt "), path->doubt);
	return put_repair(p, &path->repair);
}

static char *put_return(char *p, const struct fwd_return *r)
{
	p = put_address(PUT(p, "return "), r->destination);
	p = put_number(PUT(p, " of "), r->site_id);
	p = put_number(PUT(p, " first "), r->first_site);
	p = put_stack(PUT(p, " stack "), &r->stack);
	p = put_number(PUT(p, " mtu "), r->mtu);
	return put_repair(p, &r->repair);
}

/* What is not written. */
static uint32_t revert_max_default(const struct fwd_session *s)
{
	return s->revert_hold_ms > REVERT_MAX_DEFAULT_MS ? s->revert_hold_ms
							 : REVERT_MAX_DEFAULT_MS;
}

static char *put_session(char *p, const struct fwd_session *s)
{
	p = put_number(PUT(p, "session "), s->color);
	p = put_name(PUT(p, " "), s->policy);
	p = put_number(PUT(p, " port "), s->listen_port);
	p = put_number(PUT(p, " mtu "), s->mtu);
	p = put_number(PUT(p, " revert "), s->revert_hold_ms);
	p = PUT(p, "ms");
	if (s->revert_max_ms != revert_max_default(s)) {
		p = put_number(PUT(p, " max "), s->revert_max_ms);
		p = PUT(p, "ms");
	}
	if (!s->degraded.loss_percent && !s->degraded.round_trip_us && !s->degraded.jitter_us)
		return p;
	p = put_number(PUT(p, " degraded loss "), s->degraded.loss_percent);
	p = put_number(PUT(p, "% round-trip "), s->degraded.round_trip_us);
	p = put_number(PUT(p, "us jitter "), s->degraded.jitter_us);
	return PUT(p, "us");
}

static char *put_peer(char *p, const struct fwd_session_peer *peer)
{
	p = put_number(PUT(p, "peer "), peer->color);
	p = put_number(PUT(p, " "), peer->site_id);
	p = put_name(PUT(p, " "), peer->name);
	p = put_key(p, peer->session_key);
	if (!peer->caller)
		return PUT(p, " wait");
	p = put_address(PUT(p, " call "), peer->endpoint);
	p = put_number(PUT(p, ":"), peer->port);
	return peer->rank ? put_number(PUT(p, " rank "), peer->rank) : p;
}

static char *put_peer_prefix(char *p, const struct fwd_session_peer *peer,
			     const struct ipv4_prefix *prefix)
{
	p = put_number(PUT(p, "prefix "), peer->color);
	p = put_number(PUT(p, " "), peer->site_id);
	return put_prefix(PUT(p, " "), *prefix);
}

static char *put_rule(char *p, const struct fwd_rule *r)
{
	p = put_number(PUT(p, "rule "), r->color);
	p = r->outbound ? PUT(p, " out") : PUT(p, " in");
	p = put_number(PUT(p, " priority "), r->priority);
	p = put_number(PUT(p, " protocol "), r->protocol);
	p = put_number(PUT(p, " ports "), r->port_first);
	p = put_number(PUT(p, "-"), r->port_last);
	if (r->has_dscp)
		p = put_number(PUT(p, " dscp "), r->dscp);
	p = put_prefix(PUT(p, " to "), r->to);
	p = put_prefix(PUT(p, " from "), r->from);
	return put_name(PUT(p, " class "), r->class_name);
}

static char *put_line_rate(char *p, const struct fwd_line *l)
{
	p = put_name(PUT(p, "line "), l->underlay);
	p = put_rate(PUT(p, " up "), l->up_kbps);
	p = put_number(PUT(p, " overhead "), l->overhead);
	if (!l->has_dscp)
		return p;
	p = PUT(p, " dscp");
	for (int i = 0; i < 3; i++)
		p = put_number(PUT(p, " "), l->dscp[i]);
	return p;
}

static char *put_queue(char *p, const struct fwd_queue *q)
{
	p = put_number(PUT(p, "queue "), q->color);
	p = put_number(PUT(p, " dscp "), q->dscp);
	p = put_number(PUT(p, " priority "), q->priority);
	return put_number(PUT(p, " share "), q->share_percent);
}

static char *put_meter(char *p, const struct fwd_meter *m)
{
	p = put_name(PUT(p, "meter "), m->underlay);
	return PUT(put_number(PUT(p, " day "), m->allowance_kb_day), METER_UNIT);
}

static char *put_device(char *p, const struct fwd_device *d)
{
	p = put_name(PUT(p, "device "), d->name);
	p = put_address(PUT(p, " address "), d->address);
	p = put_number(PUT(p, " port "), d->port);
	p = put_name(PUT(p, " user "), d->user);
	p = put_name(PUT(p, " interface "), d->interface);
	return put_number(PUT(p, " link "), d->link_site);
}

/* Where lines go: into a text, which is handed on whenever it holds a piece. */
struct sink {
	struct text *text;
	size_t piece;
	forwarding_flush *flush;
	void *context;
	int err;
};

static void sink_flush(struct sink *s)
{
	if (!s->flush) /* all into the text */
		return;
	if (!s->err)
		s->err = s->text->failed ? -TUYEN_ENOMEM
					 : s->flush(s->context, s->text->bytes, s->text->length);
	text_reset(s->text);
}

/* One line of an object: nothing once memory ran out. */
#define PUT_LINE(s, put, ...)                                                                      \
	do {                                                                                       \
		char *line = line_begin((s)->text);                                                \
                                                                                                   \
		if (!line)                                                                         \
			return;                                                                    \
		line_end((s)->text, put(line, __VA_ARGS__));                                       \
		if ((s)->text->length >= (s)->piece)                                               \
			sink_flush(s);                                                             \
	} while (0)

static void put_neighbors(struct sink *s, const struct forwarding *f)
{
	for (size_t i = 0; i < f->neighbor_count; i++) {
		const struct fwd_neighbor *n = &f->neighbors[i];

		PUT_LINE(s, put_neighbor, n);
		for (size_t k = 0; k < n->accept_count; k++)
			PUT_LINE(s, put_accept, n->site_id, &n->accept[k]);
	}
}

static void put_peers(struct sink *s, const struct forwarding *f)
{
	for (size_t i = 0; i < f->peer_count; i++) {
		const struct fwd_session_peer *peer = &f->peers[i];

		PUT_LINE(s, put_peer, peer);
		for (size_t k = 0; k < peer->prefix_count; k++)
			PUT_LINE(s, put_peer_prefix, peer, &peer->prefixes[k]);
	}
}

static void put_ways(struct sink *s, const struct forwarding *f)
{
	for (size_t i = 0; i < f->label_count; i++)
		PUT_LINE(s, put_label, &f->labels[i]);
	for (size_t i = 0; i < f->path_count; i++)
		PUT_LINE(s, put_path, &f->paths[i]);
	for (size_t i = 0; i < f->return_count; i++)
		PUT_LINE(s, put_return, &f->returns[i]);
}

/* Past the sink's text: they need not be copied. */
static void hand_on_ways(struct sink *s, const struct forwarding_ways *ways)
{
	if (s->text->length || s->text->failed)
		sink_flush(s);
	for (size_t at = 0, n; at < ways->length && !s->err; at += n) {
		n = s->piece < ways->length - at ? s->piece : ways->length - at;
		s->err = s->flush(s->context, ways->bytes + at, n);
	}
}

static void put_all(struct sink *s, const struct forwarding *f, const struct forwarding_ways *ways)
{
	PUT_LINE(s, put_head_lines, f);
	if (f->parallel_address)
		PUT_LINE(s, put_parallel, f);
	for (size_t i = 0; i < f->lan_count; i++)
		PUT_LINE(s, put_lan, &f->lans[i]);
	put_neighbors(s, f);
	if (ways)
		hand_on_ways(s, ways);
	else
		put_ways(s, f);
	for (size_t i = 0; i < f->session_count; i++)
		PUT_LINE(s, put_session, &f->sessions[i]);
	put_peers(s, f);
	for (size_t i = 0; i < f->rule_count; i++)
		PUT_LINE(s, put_rule, &f->rules[i]);
	for (size_t i = 0; i < f->line_count; i++)
		PUT_LINE(s, put_line_rate, &f->lines[i]);
	for (size_t i = 0; i < f->queue_count; i++)
		PUT_LINE(s, put_queue, &f->queues[i]);
	for (size_t i = 0; i < f->meter_count; i++)
		PUT_LINE(s, put_meter, &f->meters[i]);
	for (size_t i = 0; i < f->device_count; i++)
		PUT_LINE(s, put_device, &f->devices[i]);
}

void forwarding_encode(const struct forwarding *f, struct text *ret_text)
{
	struct sink s = {.text = ret_text, .piece = SIZE_MAX};

	put_all(&s, f, NULL);
}

void forwarding_encode_ways(const struct forwarding *f, struct text *ret_text)
{
	struct sink s = {.text = ret_text, .piece = SIZE_MAX};

	put_ways(&s, f);
}

int forwarding_encode_pieces(const struct forwarding *f, const struct forwarding_ways *ways,
			     size_t piece, struct text *buffer, forwarding_flush *flush,
			     void *context)
{
	struct sink s = {.text = buffer, .piece = piece, .flush = flush, .context = context};

	text_reset(buffer);
	put_all(&s, f, ways);
	if (buffer->length || buffer->failed)
		sink_flush(&s);
	return s.err;
}

/* ---- reading ------------------------------------------------------------------------ */

struct reader {
	const char *bytes;
	size_t length, offset;
	unsigned int line;
	char copy[LINE_MAX_BYTES]; /* the line, then NUL */
	char *at;		   /* what is left of it */
	int err;
	struct reason *reason;
	struct forwarding *f;
	size_t room[12];    /* capacities of the arrays */
	size_t accept_room; /* of the last neighbor's accept */
	size_t prefix_room; /* of the last peer's prefixes */
};

enum room_index {
	ROOM_LANS,
	ROOM_NEIGHBORS,
	ROOM_LABELS,
	ROOM_PATHS,
	ROOM_RETURNS,
	ROOM_SESSIONS,
	ROOM_PEERS,
	ROOM_RULES,
	ROOM_LINES,
	ROOM_QUEUES,
	ROOM_METERS,
	ROOM_DEVICES,
};

static void fail(struct reader *r, const char *why)
{
	if (!r->err)
		r->err = reason_set(r->reason, -TUYEN_EINVAL, "line %u: %s", r->line, why);
}

/* Goes to the next line. @return false at the end. */
static bool next_line(struct reader *r)
{
	const char *start = r->bytes + r->offset, *end;
	size_t length;

	if (r->err || r->offset == r->length)
		return false;
	r->line++;
	end = memchr(start, '\n', r->length - r->offset);
	if (!end) {
		fail(r, "no line feed at its end");
		return false;
	}
	length = (size_t)(end - start);
	if (length >= sizeof(r->copy) || memchr(start, '\0', length)) {
		fail(r, "too long, or a NUL in it");
		return false;
	}
	memcpy(r->copy, start, length);
	r->copy[length] = '\0';
	r->at = r->copy;
	r->offset += length + 1;
	return true;
}

/* The next word; "" when there is none. */
static char *word(struct reader *r)
{
	char *start = r->at;

	r->at += strcspn(r->at, " ");
	if (*r->at)
		*r->at++ = '\0';
	return start;
}

static void expect(struct reader *r, const char *keyword)
{
	char why[64];

	if (!strcmp(word(r), keyword))
		return;
	snprintf(why, sizeof(why), "'%s' is missing", keyword);
	fail(r, why);
}

/* Digits up to @suffix, within bounds. Leading zeros are found by writing it again. */
static uint64_t number_in(struct reader *r, char *s, const char *suffix, uint64_t min, uint64_t max)
{
	uint64_t value = 0;
	char *p = s;

	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (uint64_t)(*p - '0');
		if (value > max)
			break;
	}
	if (p == s || strcmp(p, suffix) || value < min || value > max) {
		fail(r, "a number is wrong or out of bounds");
		return min;
	}
	return value;
}

static uint64_t number(struct reader *r, const char *keyword, uint64_t min, uint64_t max)
{
	if (keyword)
		expect(r, keyword);
	return number_in(r, word(r), "", min, max);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool name_decode(const char *s, char out[static NAME_MAX_BYTES + 1])
{
	size_t n = 0;
	int high, low;

	if (!strcmp(s, "-"))
		s = "";
	for (; *s && n < NAME_MAX_BYTES; s++, n++) {
		out[n] = *s;
		if (*s != '%')
			continue;
		high = hex_digit(s[1]);
		low = high < 0 ? -1 : hex_digit(s[2]);
		if (high < 0 || low < 0)
			return false;
		out[n] = (char)(high << 4 | low);
		if (!out[n])
			return false;
		s += 2;
	}
	out[n] = '\0';
	return !*s;
}

static void name(struct reader *r, const char *keyword, bool required,
		 char out[static NAME_MAX_BYTES + 1])
{
	char *s;

	if (keyword)
		expect(r, keyword);
	s = word(r);
	if (!*s || !name_decode(s, out) || (required && !*out))
		fail(r, "a name is wrong or too long");
}

static ipv4_t address(struct reader *r, const char *keyword)
{
	ipv4_t a = 0;

	expect(r, keyword);
	if (ipv4_parse(word(r), &a) < 0)
		fail(r, "an address is wrong");
	return a;
}

static struct ipv4_prefix prefix(struct reader *r, const char *keyword)
{
	struct ipv4_prefix p = {0};

	if (keyword)
		expect(r, keyword);
	if (ipv4_prefix_parse(word(r), &p) < 0)
		fail(r, "a prefix is wrong");
	return p;
}

static void stack(struct reader *r, const char *keyword, struct label_stack *ret)
{
	if (keyword)
		expect(r, keyword);
	if (label_stack_parse(word(r), ret) < 0 || !ret->depth)
		fail(r, "a label stack is wrong");
	for (uint8_t i = 0; i < ret->depth; i++)
		if (ret->label[i] < LABEL_MIN)
			fail(r, "a label is reserved");
}

static void key(struct reader *r, uint8_t ret_key[static WG_KEY_LEN])
{
	expect(r, "key");
	if (wg_key_parse(word(r), ret_key) < 0)
		fail(r, "a key is wrong");
}

static struct probe_timers probe(struct reader *r)
{
	struct probe_timers t;

	expect(r, "probe");
	t.interval_us = (uint32_t)number_in(r, word(r), "us", 1, UINT32_MAX);
	t.multiplier = (uint8_t)number(r, "x", 1, UINT8_MAX);
	return t;
}

static uint32_t site_id(struct reader *r, const char *keyword)
{
	return (uint32_t)number(r, keyword, 1, SITE_ID_MAX);
}

/* Of a neighbor: which site, and over which of two links. */
static uint32_t neighbor_id(struct reader *r, const char *keyword)
{
	uint32_t id = (uint32_t)number(r, keyword, 1, PARALLEL_ID + SITE_ID_MAX);

	if (!forwarding_id_site(id) || forwarding_id_site(id) > SITE_ID_MAX)
		fail(r, "no site has this number");
	return id;
}

static uint16_t u16(struct reader *r, const char *keyword)
{
	return (uint16_t)number(r, keyword, 0, UINT16_MAX);
}

static uint32_t color(struct reader *r, const char *keyword)
{
	return (uint32_t)number(r, keyword, 1, 9999);
}

/* "call" or "wait": who starts. */
static bool caller(struct reader *r)
{
	char *s = word(r);

	if (strcmp(s, "call") && strcmp(s, "wait"))
		fail(r, "'call' or 'wait' is missing");
	return !strcmp(s, "call");
}

/* Makes room for one more element of the array whose pointer lies at @array, and zeroes it. @return
 * it or NULL. */
static void *grow(struct reader *r, void *array, size_t *count, size_t *room, size_t size)
{
	char *bytes;

	memcpy(&bytes, array, sizeof(bytes));
	if (*count == *room) {
		size_t more = *room ? *room * 2 : 4;
		char *larger = realloc(bytes, more * size);

		if (!larger) {
			if (!r->err)
				r->err = reason_set(r->reason, -TUYEN_ENOMEM, "no memory");
			return NULL;
		}
		bytes = larger;
		memcpy(array, &bytes, sizeof(bytes));
		*room = more;
	}
	memset(bytes + *count * size, 0, size);
	return bytes + (*count)++ * size;
}

static void read_head(struct reader *r)
{
	struct forwarding *f = r->f;

	if (!next_line(r) || strcmp(r->at, BUNDLE_FIRST_LINE)) {
		r->line = 1;
		fail(r, "this is not a bundle of version 1");
		return;
	}
	r->at = r->copy + strlen(r->copy);
	next_line(r);
	f->site_id = site_id(r, "site");
	name(r, NULL, true, f->site);
	name(r, "tier", true, f->tier);
	f->own_label = (uint32_t)number(r, "label", LABEL_MIN, LABEL_MAX);
	next_line(r);
	expect(r, "address");
	f->link_address = address(r, "link");
	f->node_address = address(r, "node");
	f->lan_address = *r->at ? address(r, "lan") : 0;
	f->lan_shared = f->lan_address && *r->at;
	if (f->lan_shared)
		expect(r, "shared");
	next_line(r);
	f->srgb.base = (uint32_t)number(r, "srgb", LABEL_MIN, LABEL_MAX);
	f->srgb.size = (uint32_t)number(r, "size", 1, LABEL_MAX);
	next_line(r);
	expect(r, "overlay");
	f->overlay[0] = prefix(r, "link");
	f->overlay[1] = prefix(r, "path");
	next_line(r);
	expect(r, "link0");
	f->link_port = u16(r, "port");
	f->link_mtu = u16(r, "mtu");
}

static void read_parallel(struct reader *r)
{
	struct forwarding *f = r->f;

	f->parallel_port = u16(r, "port");
	f->parallel_mtu = u16(r, "mtu");
	f->parallel_address = address(r, "address");
	f->parallel_space = prefix(r, "space");
}

static void read_lan(struct reader *r)
{
	struct ipv4_prefix *p =
	    grow(r, &r->f->lans, &r->f->lan_count, &r->room[ROOM_LANS], sizeof(*p));

	if (p)
		*p = prefix(r, NULL);
}

static uint32_t rate(struct reader *r, const char *keyword)
{
	expect(r, keyword);
	return (uint32_t)number_in(r, word(r), RATE_UNIT, LINE_RATE_MIN_BPS / 1000,
				   LINE_RATE_MAX_BPS / 1000);
}

static void read_neighbor(struct reader *r)
{
	struct fwd_neighbor *n =
	    grow(r, &r->f->neighbors, &r->f->neighbor_count, &r->room[ROOM_NEIGHBORS], sizeof(*n));

	if (!n)
		return;
	r->accept_room = 0;
	n->site_id = neighbor_id(r, NULL);
	name(r, NULL, true, n->name);
	name(r, "over", true, n->underlay);
	key(r, n->link_key);
	n->link_address = address(r, "address");
	n->caller = caller(r);
	if (n->caller && (ip_endpoint_parse(word(r), &n->endpoint) < 0 || !n->endpoint.family))
		fail(r, "the endpoint to call is wrong");
	n->probe = probe(r);
	n->link_mtu = u16(r, "mtu");
	n->lsp_mtu = u16(r, "lsp");
	if (*r->at)
		n->down_kbps = rate(r, "down");
}

static void read_accept(struct reader *r)
{
	struct fwd_neighbor *n =
	    r->f->neighbor_count ? &r->f->neighbors[r->f->neighbor_count - 1] : NULL;
	struct label_stack *s;

	if (neighbor_id(r, NULL) != (n ? n->site_id : 0) || !n) {
		fail(r, "its neighbor is not above it");
		return;
	}
	s = grow(r, &n->accept, &n->accept_count, &r->accept_room, sizeof(*s));
	if (s)
		stack(r, NULL, s);
}

/* The rest of a line, if there is any. */
static void repair(struct reader *r, struct fwd_repair *ret)
{
	if (!*r->at)
		return;
	ret->next_site = neighbor_id(r, "repair");
	stack(r, "out", &ret->out);
}

static void read_label(struct reader *r)
{
	struct fwd_label_route *l =
	    grow(r, &r->f->labels, &r->f->label_count, &r->room[ROOM_LABELS], sizeof(*l));
	char *s;

	if (!l)
		return;
	l->in_label = (uint32_t)number(r, NULL, LABEL_MIN, LABEL_MAX);
	s = word(r);
	if (!strcmp(s, "here"))
		return;
	if (strcmp(s, "to"))
		fail(r, "'to' or 'here' is missing");
	l->next_site = neighbor_id(r, NULL);
	stack(r, "out", &l->out);
	repair(r, &l->repair);
}

static void read_path(struct reader *r)
{
	struct fwd_path *p =
	    grow(r, &r->f->paths, &r->f->path_count, &r->room[ROOM_PATHS], sizeof(*p));

	if (!p)
		return;
	p->index = (uint8_t)number(r, NULL, 1, SITE_PATHS_MAX);
	name(r, NULL, true, p->name);
	p->color = color(r, "color");
	p->preference = (uint32_t)number(r, "preference", 0, UINT32_MAX);
	p->endpoint_site = site_id(r, "to");
	p->source = address(r, "source");
	p->endpoint = address(r, "endpoint");
	p->first_site = neighbor_id(r, "first");
	stack(r, "stack", &p->stack);
	p->mtu = u16(r, "mtu");
	p->probe = probe(r);
	p->reflector = (uint32_t)number(r, "reflector", 1, UINT32_MAX);
	if (!strncmp(r->at, "doubt", strlen("doubt")))
		p->doubt = (uint8_t)number(r, "doubt", DOUBT_LEAST, p->probe.multiplier);
	repair(r, &p->repair);
}

static void read_return(struct reader *r)
{
	struct fwd_return *e =
	    grow(r, &r->f->returns, &r->f->return_count, &r->room[ROOM_RETURNS], sizeof(*e));

	if (!e)
		return;
	if (ipv4_parse(word(r), &e->destination) < 0)
		fail(r, "an address is wrong");
	e->site_id = site_id(r, "of");
	e->first_site = neighbor_id(r, "first");
	stack(r, "stack", &e->stack);
	e->mtu = u16(r, "mtu");
	repair(r, &e->repair);
}

/* @return whether there is more. */
static bool read_revert_max(struct reader *r, struct fwd_session *s)
{
	s->revert_max_ms = revert_max_default(s);
	if (strncmp(r->at, "max ", 4) != 0)
		return *r->at;
	expect(r, "max");
	s->revert_max_ms = (uint32_t)number_in(r, word(r), "ms", 0, UINT32_MAX);
	if (s->revert_max_ms == revert_max_default(s))
		fail(r, "the default hold time must not be written");
	return *r->at;
}

static void read_session(struct reader *r)
{
	struct fwd_session *s =
	    grow(r, &r->f->sessions, &r->f->session_count, &r->room[ROOM_SESSIONS], sizeof(*s));

	if (!s)
		return;
	s->color = color(r, NULL);
	name(r, NULL, true, s->policy);
	s->listen_port = u16(r, "port");
	s->mtu = u16(r, "mtu");
	expect(r, "revert");
	s->revert_hold_ms = (uint32_t)number_in(r, word(r), "ms", 0, UINT32_MAX);
	if (!read_revert_max(r, s))
		return;
	expect(r, "degraded");
	expect(r, "loss");
	s->degraded.loss_percent = (uint8_t)number_in(r, word(r), "%", 0, 100);
	expect(r, "round-trip");
	s->degraded.round_trip_us = (uint32_t)number_in(r, word(r), "us", 0, UINT32_MAX);
	expect(r, "jitter");
	s->degraded.jitter_us = (uint32_t)number_in(r, word(r), "us", 0, UINT32_MAX);
}

static void read_peer_call(struct reader *r, struct fwd_session_peer *p)
{
	char *where = word(r), *colon = strchr(where, ':');

	if (!colon) {
		fail(r, "the endpoint to call is wrong");
		return;
	}
	*colon = '\0';
	if (ipv4_parse(where, &p->endpoint) < 0)
		fail(r, "the endpoint to call is wrong");
	p->port = (uint16_t)number_in(r, colon + 1, "", 1, UINT16_MAX);
}

static void read_peer(struct reader *r)
{
	struct fwd_session_peer *p =
	    grow(r, &r->f->peers, &r->f->peer_count, &r->room[ROOM_PEERS], sizeof(*p));

	if (!p)
		return;
	r->prefix_room = 0;
	p->color = color(r, NULL);
	p->site_id = site_id(r, NULL);
	name(r, NULL, true, p->name);
	key(r, p->session_key);
	p->caller = caller(r);
	if (p->caller)
		read_peer_call(r, p);
	if (*r->at)
		p->rank = (uint8_t)number(r, "rank", 1, FWD_RANKS_MAX - 1);
}

static void read_prefix(struct reader *r)
{
	struct fwd_session_peer *p = r->f->peer_count ? &r->f->peers[r->f->peer_count - 1] : NULL;
	uint32_t c = color(r, NULL), id = site_id(r, NULL);
	struct ipv4_prefix *e;

	if (!p || p->color != c || p->site_id != id) {
		fail(r, "its peer is not above it");
		return;
	}
	e = grow(r, &p->prefixes, &p->prefix_count, &r->prefix_room, sizeof(*e));
	if (e)
		*e = prefix(r, NULL);
}

static void read_rule(struct reader *r)
{
	struct fwd_rule *e =
	    grow(r, &r->f->rules, &r->f->rule_count, &r->room[ROOM_RULES], sizeof(*e));
	char *s;

	if (!e)
		return;
	e->color = color(r, NULL);
	s = word(r);
	if (strcmp(s, "in") && strcmp(s, "out"))
		fail(r, "'in' or 'out' is missing");
	e->outbound = !strcmp(s, "out");
	e->priority = (uint8_t)number(r, "priority", 0, 2);
	e->protocol = (uint8_t)number(r, "protocol", 0, UINT8_MAX);
	expect(r, "ports");
	s = strchr(r->at, '-');
	if (!s) {
		fail(r, "the ports are wrong");
		return;
	}
	*s = '\0';
	e->port_first = (uint16_t)number_in(r, r->at, "", 0, UINT16_MAX);
	r->at = s + 1;
	e->port_last = (uint16_t)number(r, NULL, e->port_first, UINT16_MAX);
	e->has_dscp = !strncmp(r->at, "dscp ", 5);
	if (e->has_dscp)
		e->dscp = (uint8_t)number(r, "dscp", 0, 63);
	e->to = prefix(r, "to");
	e->from = prefix(r, "from");
	name(r, "class", true, e->class_name);
}

/* Its rate may be unknown: 0. */
static void read_line_rate(struct reader *r)
{
	static const char unknown[] = "up 0" RATE_UNIT " ";
	struct fwd_line *l =
	    grow(r, &r->f->lines, &r->f->line_count, &r->room[ROOM_LINES], sizeof(*l));

	if (!l)
		return;
	name(r, NULL, true, l->underlay);
	if (strncmp(r->at, unknown, sizeof(unknown) - 1))
		l->up_kbps = rate(r, "up");
	else
		r->at += sizeof(unknown) - 1;
	l->overhead = (uint8_t)number(r, "overhead", 0, UINT8_MAX);
	l->has_dscp = *r->at;
	for (int i = 0; l->has_dscp && i < 3; i++)
		l->dscp[i] = (uint8_t)number(r, i ? NULL : "dscp", 0, 63);
}

static void read_queue(struct reader *r)
{
	struct fwd_queue *q =
	    grow(r, &r->f->queues, &r->f->queue_count, &r->room[ROOM_QUEUES], sizeof(*q));

	if (!q)
		return;
	q->color = color(r, NULL);
	q->dscp = (uint8_t)number(r, "dscp", 1, QUEUES_MAX);
	q->priority = (uint8_t)number(r, "priority", 0, 2);
	q->share_percent = (uint8_t)number(r, "share", 1, 100);
}

static void read_meter(struct reader *r)
{
	struct fwd_meter *m =
	    grow(r, &r->f->meters, &r->f->meter_count, &r->room[ROOM_METERS], sizeof(*m));

	if (!m)
		return;
	name(r, NULL, true, m->underlay);
	expect(r, "day");
	m->allowance_kb_day = (uint32_t)number_in(r, word(r), METER_UNIT, 1, UINT32_MAX);
}

static void read_device(struct reader *r)
{
	struct fwd_device *d =
	    grow(r, &r->f->devices, &r->f->device_count, &r->room[ROOM_DEVICES], sizeof(*d));

	if (!d)
		return;
	name(r, NULL, true, d->name);
	d->address = address(r, "address");
	d->port = u16(r, "port");
	name(r, "user", false, d->user);
	name(r, "interface", false, d->interface);
	d->link_site = (uint32_t)number(r, "link", 0, PARALLEL_ID + SITE_ID_MAX);
}

static const struct line_kind {
	const char *keyword;
	void (*read)(struct reader *r);
} line_kinds[] = {
    {"link1", read_parallel}, {"lan", read_lan},	 {"neighbor", read_neighbor},
    {"accept", read_accept},  {"label", read_label},	 {"path", read_path},
    {"return", read_return},  {"session", read_session}, {"peer", read_peer},
    {"prefix", read_prefix},  {"rule", read_rule},	 {"line", read_line_rate},
    {"queue", read_queue},    {"meter", read_meter},	 {"device", read_device},
};

static void read_line(struct reader *r)
{
	const char *keyword = word(r);

	for (size_t i = 0; i < sizeof(line_kinds) / sizeof(line_kinds[0]); i++) {
		if (strcmp(keyword, line_kinds[i].keyword))
			continue;
		line_kinds[i].read(r);
		return;
	}
	fail(r, "unknown keyword");
}

/* ---- what a single line cannot know ------------------------------------------------- */

static int refuse(struct reason *reason, const char *what, uint64_t key_value, const char *why)
{
	return reason_set(reason, -TUYEN_EINVAL, "%s %llu: %s", what, (unsigned long long)key_value,
			  why);
}

static bool repair_lawful(const struct forwarding *f, const struct fwd_repair *repair,
			  uint32_t next_site)
{
	return !repair->next_site || (repair->next_site != next_site &&
				      forwarding_neighbor(f, repair->next_site) != NULL);
}

static bool label_ours(const struct forwarding *f, uint32_t label)
{
	uint32_t face = PARALLEL_ID + f->site_id;

	return label == f->own_label || label == label_repair_sid(f->srgb, f->site_id) ||
	       (f->parallel_address && (label == label_node_sid(f->srgb, face) ||
					label == label_repair_sid(f->srgb, face)));
}

/* BFD's (RFC 5881, RFC 7881), link0's, or that of a session's device. */
static bool port_taken(const struct forwarding *f, uint16_t port)
{
	bool taken = !port || network_port_reserved(port) || port == f->link_port;

	for (size_t i = 0; i < f->session_count; i++)
		taken |= port == f->sessions[i].listen_port;
	for (size_t i = 0; i < f->peer_count && !taken; i++) {
		const struct fwd_session *s =
		    f->peers[i].rank ? forwarding_session(f, f->peers[i].color) : NULL;

		taken = s && port == forwarding_session_port(s, f->peers[i].rank);
	}
	return taken;
}

static int check_link1(const struct forwarding *f, bool has_neighbor, struct reason *reason)
{
	const struct ipv4_prefix space = f->parallel_space;
	const char *why = NULL;

	if (!has_neighbor)
		why = "it has no neighbor";
	else if (port_taken(f, f->parallel_port))
		why = "its port is 0, or another's";
	else if (f->parallel_mtu < LINK_MTU_MIN || f->parallel_mtu > LINK_MTU_MAX)
		why = "no link has this MTU";
	else if (space.length > SPACE_LENGTH_MAX || ipv4_prefix_overlaps(space, f->overlay[0]) ||
		 ipv4_prefix_overlaps(space, f->overlay[1]))
		why = "its space is none, or an overlay's";
	else if (!ipv4_prefix_contains(space, f->parallel_address))
		why = "its address is not of its space";
	return why ? reason_set(reason, -TUYEN_EINVAL, "link1: %s", why) : 0;
}

/* Who has a parallel link has link1, and who has not has none. */
static int check_parallel(const struct forwarding *f, struct reason *reason)
{
	bool any = false;

	for (size_t i = 0; i < f->neighbor_count; i++) {
		any |= forwarding_id_parallel(f->neighbors[i].site_id);
		if (any && !f->parallel_address)
			return refuse(reason, "neighbor", f->neighbors[i].site_id,
				      "a parallel link, and no link1");
	}
	return f->parallel_address ? check_link1(f, any, reason) : 0;
}

static int check_labels(const struct forwarding *f, struct reason *reason)
{
	if (label_node_sid(f->srgb, f->site_id) != f->own_label)
		return refuse(reason, "site", f->site_id, "its label is not its own");
	for (size_t i = 0; i < f->label_count; i++) {
		const struct fwd_label_route *l = &f->labels[i];

		if (l->next_site && !forwarding_neighbor(f, l->next_site))
			return refuse(reason, "label", l->in_label, "leads to no neighbor");
		if (label_ours(f, l->in_label) != !l->next_site)
			return refuse(reason, "label", l->in_label,
				      "ours alone ends here, and nowhere else");
		if (!repair_lawful(f, &l->repair, l->next_site))
			return refuse(reason, "label", l->in_label,
				      "its repair leads to no other neighbor");
	}
	return 0;
}

static int check_paths(const struct forwarding *f, struct reason *reason)
{
	for (size_t i = 0; i < f->path_count; i++) {
		const struct fwd_path *p = &f->paths[i];

		if (!forwarding_neighbor(f, p->first_site))
			return refuse(reason, "path", p->index, "starts at no neighbor");
		if (!forwarding_peer(f, p->color, p->endpoint_site))
			return refuse(reason, "path", p->index, "leads to no peer of its color");
		if (!repair_lawful(f, &p->repair, p->first_site))
			return refuse(reason, "path", p->index,
				      "its repair leads to no other neighbor");
	}
	for (size_t i = 0; i < f->return_count; i++) {
		const struct fwd_return *e = &f->returns[i];

		if (!forwarding_neighbor(f, e->first_site))
			return refuse(reason, "return to site", e->site_id,
				      "starts at no neighbor");
		if (!repair_lawful(f, &e->repair, e->first_site))
			return refuse(reason, "return to site", e->site_id,
				      "its repair leads to no other neighbor");
	}
	return 0;
}

/* A rank is one of several: it needs a call, a port, and somebody before it with just this LAN. */
static int check_rank(const struct forwarding *f, const struct fwd_session_peer *p,
		      struct reason *reason)
{
	const struct fwd_session *s = forwarding_session(f, p->color);
	uint8_t before = 0;

	for (size_t i = 0; i < f->peer_count; i++)
		before |= forwarding_peers_share(&f->peers[i], p) && f->peers[i].rank < p->rank
			      ? (uint8_t)(1u << f->peers[i].rank)
			      : 0;
	if (!p->caller || before != (1u << p->rank) - 1 || !s ||
	    !forwarding_session_port(s, p->rank))
		return refuse(reason, "peer", p->site_id,
			      "its rank is not the next among those with its LAN");
	return 0;
}

static int check_ranks(const struct forwarding *f, struct reason *reason)
{
	for (size_t i = 0; i < f->peer_count; i++) {
		int err = f->peers[i].rank ? check_rank(f, &f->peers[i], reason) : 0;

		if (err)
			return err;
	}
	return 0;
}

static bool path_leads_to(const struct forwarding *f, const struct fwd_session_peer *p)
{
	for (size_t i = 0; i < f->path_count; i++)
		if (f->paths[i].color == p->color && f->paths[i].endpoint_site == p->site_id)
			return true;
	return false;
}

/* So there are no more of those that are called than of paths: what is asked of each two of them is soon answered. */
static int check_sessions(const struct forwarding *f, struct reason *reason)
{
	for (size_t i = 0; i < f->peer_count; i++) {
		const struct fwd_session_peer *p = &f->peers[i];

		if (!forwarding_session(f, p->color))
			return refuse(reason, "peer", p->site_id, "its color has no session");
		if (p->caller && !path_leads_to(f, p))
			return refuse(reason, "peer", p->site_id,
				      "it is called, and no path leads there");
	}
	for (size_t i = 0; i < f->rule_count; i++)
		if (!forwarding_session(f, f->rules[i].color))
			return refuse(reason, "rule of color", f->rules[i].color,
				      "its color has no session");
	for (size_t i = 0; i < f->device_count; i++)
		if (f->devices[i].link_site && !forwarding_neighbor(f, f->devices[i].link_site))
			return reason_set(reason, -TUYEN_EINVAL,
					  "device '%s': its link has no neighbor",
					  f->devices[i].name);
	return 0;
}

static bool color_has_queue(const struct forwarding *f, uint32_t c)
{
	for (size_t i = 0; i < f->queue_count; i++)
		if (f->queues[i].color == c)
			return true;
	return false;
}

static int check_lines(const struct forwarding *f, struct reason *reason)
{
	if (f->line_count > SITE_UPLINKS_MAX)
		return refuse(reason, "lines", f->line_count, "no site has so many");
	for (size_t i = 0; i < f->neighbor_count; i++)
		if (f->neighbors[i].down_kbps && !forwarding_line(f, f->neighbors[i].underlay))
			return refuse(reason, "neighbor", f->neighbors[i].site_id,
				      "its rate is known and our line is not");
	for (size_t i = 0; f->queue_count && i < f->session_count; i++)
		if (!color_has_queue(f, f->sessions[i].color))
			return refuse(reason, "session", f->sessions[i].color, "it has no queue");
	if (f->line_count && !f->queue_count)
		return reason_set(reason, -TUYEN_EINVAL, "a line, and no queue");
	return 0;
}

/* Two neighbours in an array with equal keys: their encodings differ, so only keys tell. */
#define KEYS_ASCEND(array, count, less)                                                            \
	for (size_t i = 1; i < (count); i++)                                                       \
		if (!(less))                                                                       \
	return reason_set(reason, -TUYEN_EINVAL, "%s: not in strict order", #array)

static int check_keys(const struct forwarding *f, struct reason *reason)
{
	KEYS_ASCEND(neighbors, f->neighbor_count,
		    f->neighbors[i - 1].site_id < f->neighbors[i].site_id);
	KEYS_ASCEND(labels, f->label_count, f->labels[i - 1].in_label < f->labels[i].in_label);
	KEYS_ASCEND(paths, f->path_count, f->paths[i - 1].index < f->paths[i].index);
	KEYS_ASCEND(returns, f->return_count,
		    f->returns[i - 1].destination < f->returns[i].destination);
	KEYS_ASCEND(sessions, f->session_count, f->sessions[i - 1].color < f->sessions[i].color);
	KEYS_ASCEND(peers, f->peer_count,
		    f->peers[i - 1].color < f->peers[i].color ||
			(f->peers[i - 1].color == f->peers[i].color &&
			 f->peers[i - 1].site_id < f->peers[i].site_id));
	KEYS_ASCEND(lines, f->line_count,
		    strcmp(f->lines[i - 1].underlay, f->lines[i].underlay) < 0);
	KEYS_ASCEND(queues, f->queue_count,
		    f->queues[i - 1].color < f->queues[i].color &&
			f->queues[i - 1].dscp < f->queues[i].dscp);
	KEYS_ASCEND(meters, f->meter_count,
		    strcmp(f->meters[i - 1].underlay, f->meters[i].underlay) < 0);
	KEYS_ASCEND(devices, f->device_count,
		    strcmp(f->devices[i - 1].name, f->devices[i].name) < 0);
	for (size_t n = 0; n < f->neighbor_count; n++)
		KEYS_ASCEND(accept, f->neighbors[n].accept_count,
			    label_stack_compare(&f->neighbors[n].accept[i - 1],
						&f->neighbors[n].accept[i]) < 0);
	return 0;
}

struct owned_prefix {
	uint32_t color;
	uint8_t rank;
	struct ipv4_prefix prefix;
};

static int owned_compare(const void *a, const void *b)
{
	const struct owned_prefix *p = a, *q = b;

	if (p->color != q->color)
		return p->color < q->color ? -1 : 1;
	if (p->rank != q->rank)
		return p->rank < q->rank ? -1 : 1;
	if (p->prefix.address != q->prefix.address)
		return p->prefix.address < q->prefix.address ? -1 : 1;
	return p->prefix.length < q->prefix.length ? -1 : p->prefix.length > q->prefix.length;
}

/* WireGuard gives a prefix to one peer of a device alone, and silently to the last who asks. @all
 * is sorted: who overlaps, follows. */
static int check_owned(struct owned_prefix *all, size_t count, struct reason *reason)
{
	char out[IPV4_PREFIX_STRLEN];

	for (size_t i = 1; i < count; i++)
		if (all[i].color == all[i - 1].color && all[i].rank == all[i - 1].rank &&
		    ipv4_prefix_overlaps(all[i].prefix, all[i - 1].prefix))
			return reason_set(reason, -TUYEN_EINVAL, "prefix %s: overlaps another",
					  ipv4_prefix_format(all[i].prefix, out));
	return 0;
}

/* Our own LANs stand as color 0. */
static int check_prefixes(const struct forwarding *f, struct reason *reason)
{
	struct owned_prefix *all;
	size_t count = f->lan_count;
	int err;

	for (size_t i = 0; i < f->peer_count; i++)
		count += f->peers[i].prefix_count;
	all = calloc(count + 1, sizeof(*all));
	if (!all)
		return reason_set(reason, -TUYEN_ENOMEM, "no memory");
	count = 0;
	for (size_t i = 0; i < f->lan_count; i++)
		all[count++] = (struct owned_prefix){0, 0, f->lans[i]};
	for (size_t i = 0; i < f->peer_count; i++)
		for (size_t k = 0; k < f->peers[i].prefix_count; k++)
			all[count++] = (struct owned_prefix){f->peers[i].color, f->peers[i].rank,
							     f->peers[i].prefixes[k]};
	qsort(all, count, sizeof(*all), owned_compare);
	err = check_owned(all, count, reason);
	free(all);
	return err;
}

/* Sorting and writing again must give the same bytes: then lines stand in their one order and form.
 */
static int check_canonical(struct forwarding *f, const char *bytes, size_t length,
			   struct reason *reason)
{
	struct text again;
	unsigned int line = 1;
	size_t i = 0;
	int err = 0;

	text_init(&again);
	forwarding_sort(f);
	forwarding_encode(f, &again);
	if (again.failed) {
		text_clear(&again);
		return reason_set(reason, -TUYEN_ENOMEM, "no memory");
	}
	for (; i < length && i < again.length && bytes[i] == again.bytes[i]; i++)
		if (bytes[i] == '\n')
			line++;
	if (i != length || i != again.length)
		err = reason_set(reason, -TUYEN_EINVAL,
				 "line %u: not in its canonical form or place", line);
	text_clear(&again);
	return err;
}

static int check_all(struct forwarding *f, const char *bytes, size_t length, struct reason *reason)
{
	int err = check_canonical(f, bytes, length, reason);

	if (!err)
		err = check_keys(f, reason);
	if (!err)
		err = check_prefixes(f, reason);
	if (!err)
		err = check_parallel(f, reason);
	if (!err)
		err = check_labels(f, reason);
	if (!err)
		err = check_paths(f, reason);
	if (!err)
		err = check_sessions(f, reason);
	if (!err)
		err = check_lines(f, reason);
	if (!err)
		err = check_ranks(f, reason);
	return err;
}

int forwarding_parse(const char *bytes, size_t length, struct forwarding *ret_forwarding,
		     struct reason *reason)
{
	struct forwarding f;
	struct reader r = {.bytes = bytes, .length = length, .reason = reason, .f = &f};

	if (length > FORWARDING_BYTES_MAX)
		return reason_set(reason, -TUYEN_ELIMIT, "line 1: a bundle of more than %u bytes",
				  FORWARDING_BYTES_MAX);
	r.at = r.copy;
	forwarding_init(&f);
	read_head(&r);
	while (next_line(&r))
		read_line(&r);
	if (!r.err)
		r.err = check_all(&f, bytes, length, reason);
	if (r.err) {
		forwarding_clear(&f);
		return r.err;
	}
	*ret_forwarding = f;
	return 0;
}
