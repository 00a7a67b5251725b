/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may open what while nodes change: what the old release lets one site open to another must pass whichever of the two has which
 * release. The opener gives a packet to the session of the lowest color that has a rule for it, and the other end takes it by a rule of
 * that color alone. So a policy of a lower color that takes packets over from another loses them, at an end that does not know
 * that yet.
 *
 * Packets are a rule: a box of protocol, ports, code point, destinations and sources. That several rules together hold a box is not
 * looked for.
 */
#include "migrate_internal.h"

#include <string.h>

/* What of old packets is asked for, by whom and for whom. */
struct opening {
	const struct mix *m;
	uint32_t from, to;
	struct fwd_rule packets;
};

bool mix_rules_meet(const struct fwd_rule *a, const struct fwd_rule *b)
{
	return (!a->protocol || !b->protocol || a->protocol == b->protocol) &&
	       a->port_first <= b->port_last && b->port_first <= a->port_last &&
	       (!a->has_dscp || !b->has_dscp || a->dscp == b->dscp) &&
	       ipv4_prefix_overlaps(a->to, b->to) && ipv4_prefix_overlaps(a->from, b->from);
}

static struct ipv4_prefix narrower(struct ipv4_prefix a, struct ipv4_prefix b)
{
	return a.length > b.length ? a : b;
}

struct fwd_rule mix_rules_common(const struct fwd_rule *a, const struct fwd_rule *b)
{
	struct fwd_rule common = *a;

	common.protocol = a->protocol ? a->protocol : b->protocol;
	common.port_first = a->port_first > b->port_first ? a->port_first : b->port_first;
	common.port_last = a->port_last < b->port_last ? a->port_last : b->port_last;
	common.has_dscp = a->has_dscp || b->has_dscp;
	common.dscp = a->has_dscp ? a->dscp : b->dscp;
	common.to = narrower(a->to, b->to);
	common.from = narrower(a->from, b->from);
	return common;
}

static bool prefix_within(struct ipv4_prefix inner, struct ipv4_prefix outer)
{
	return inner.length >= outer.length && ipv4_prefix_overlaps(inner, outer);
}

static bool rule_holds(const struct fwd_rule *outer, const struct fwd_rule *inner)
{
	return (!outer->protocol || inner->protocol == outer->protocol) &&
	       inner->port_first >= outer->port_first && inner->port_last <= outer->port_last &&
	       (!outer->has_dscp || (inner->has_dscp && inner->dscp == outer->dscp)) &&
	       prefix_within(inner->to, outer->to) && prefix_within(inner->from, outer->from);
}

bool mix_rules_hold(const struct forwarding *f, uint32_t color, bool outbound,
		    const struct fwd_rule *packets)
{
	for (size_t i = 0; i < f->rule_count; i++)
		if (f->rules[i].color == color && f->rules[i].outbound == outbound &&
		    rule_holds(&f->rules[i], packets))
			return true;
	return false;
}

/* Does @f, the other end of a session of @color with @from, take all of @packets by it? */
static bool site_takes(const struct forwarding *f, uint32_t color, uint32_t from,
		       const struct fwd_rule *packets)
{
	return f && forwarding_peer(f, color, from) && mix_rules_hold(f, color, false, packets);
}

static bool peer_has(const struct fwd_session_peer *p, const struct fwd_rule *packets)
{
	for (size_t i = 0; i < p->prefix_count; i++)
		if (ipv4_prefix_overlaps(p->prefixes[i], packets->to))
			return true;
	return false;
}

enum sent { SENT_NOT, SENT, SENT_IN_VAIN };

/* By @rule, with that release, to the one end or to a gateway that shares its LAN; one that has no such session is left by itself. */
static enum sent peer_sends(const struct opening *o, const struct fwd_session_peer *p,
			    const struct fwd_rule *packets, int release)
{
	const struct forwarding *end = mix_site(o->m, release, p->site_id);

	if (!peer_has(p, packets))
		return SENT_NOT;
	if (p->site_id != o->to && (!end || !forwarding_peer(end, p->color, o->from)))
		return SENT_NOT;
	return site_takes(end, p->color, o->from, packets) ? SENT : SENT_IN_VAIN;
}

static bool lan_shared(const struct opening *o)
{
	return mix_site(o->m, 0, o->to)->lan_shared || mix_site(o->m, 1, o->to)->lan_shared;
}

/* By @rule of the opener @f, to ends that have @release. A gateway has a peer for each site: most LANs are one's alone. */
static enum sent rule_sends(const struct opening *o, const struct forwarding *f,
			    const struct fwd_rule *rule, int release)
{
	struct fwd_rule packets = mix_rules_common(&o->packets, rule);
	const struct fwd_session_peer *to = forwarding_peer(f, rule->color, o->to);
	enum sent sent = to ? peer_sends(o, to, &packets, release) : SENT_NOT;

	for (size_t i = 0; sent != SENT_IN_VAIN && lan_shared(o) && i < f->peer_count; i++) {
		enum sent also = SENT_NOT;

		if (f->peers[i].color == rule->color)
			also = peer_sends(o, &f->peers[i], &packets, release);
		sent = also > sent ? also : sent;
	}
	return sent;
}

/* Rules are in the order of colors. */
static bool opening_passes(const struct opening *o, int from_release, int to_release,
			   uint32_t *ret_color)
{
	const struct forwarding *f = mix_site(o->m, from_release, o->from);

	*ret_color = o->packets.color;
	for (size_t i = 0; i < f->rule_count; i++) {
		const struct fwd_rule *rule = &f->rules[i];
		enum sent sent;

		if (!rule->outbound || !mix_rules_meet(rule, &o->packets))
			continue;
		sent = rule_sends(o, f, rule, to_release);
		*ret_color = rule->color;
		if (sent == SENT_IN_VAIN)
			return false;
		if (sent == SENT && rule_holds(rule, &o->packets))
			return true;
	}
	return false;
}

/* Is there a rule for the same connections to whole LANs? Else diff.h says that one is lost. */
static bool connection_stays(const struct forwarding *f, const struct fwd_rule *rule)
{
	for (size_t i = 0; i < f->rule_count; i++) {
		const struct fwd_rule *r = &f->rules[i];

		if (r->color == rule->color && r->outbound == rule->outbound &&
		    r->protocol == rule->protocol && r->port_first == rule->port_first &&
		    r->port_last == rule->port_last && r->has_dscp == rule->has_dscp &&
		    r->dscp == rule->dscp && !strcmp(r->class_name, rule->class_name))
			return true;
	}
	return false;
}

/* @meant: what the new release does not allow any more is no loss. */
static bool opening_lost(const struct opening *o, bool meant, struct mix_loss *ret)
{
	static const int mixtures[][2] = {{1, 1}, {0, 1}, {1, 0}};

	for (size_t i = 0; i < sizeof(mixtures) / sizeof(mixtures[0]); i++) {
		ret->from_release = mixtures[i][0];
		ret->to_release = mixtures[i][1];
		if (!opening_passes(o, ret->from_release, ret->to_release, &ret->color))
			return i || !meant;
	}
	return false;
}

static bool lan_stays(const struct forwarding *f, struct ipv4_prefix lan)
{
	for (size_t i = 0; i < f->lan_count; i++)
		if (f->lans[i].address == lan.address && f->lans[i].length == lan.length)
			return true;
	return false;
}

/* Between the LANs that both releases have. @parts: to a part of a LAN alone. */
static bool packets_lost(const struct mix *m, uint32_t from, uint32_t to,
			 const struct fwd_rule *packets, bool parts, bool meant,
			 struct mix_loss *ret)
{
	const struct forwarding *a[2] = {mix_site(m, 0, from), mix_site(m, 1, from)};
	const struct forwarding *b[2] = {mix_site(m, 0, to), mix_site(m, 1, to)};

	for (size_t i = 0; i < a[0]->lan_count; i++)
		for (size_t k = 0; k < b[0]->lan_count; k++) {
			struct fwd_rule lans = {
			    .port_last = UINT16_MAX, .from = a[0]->lans[i], .to = b[0]->lans[k]};
			struct opening o = {m, from, to, mix_rules_common(packets, &lans)};

			if (parts && packets->to.length <= lans.to.length)
				continue; /* diff.h has said so */
			if (lan_stays(a[1], lans.from) && lan_stays(b[1], lans.to) &&
			    mix_rules_meet(packets, &lans) && opening_lost(&o, meant, ret))
				return true;
		}
	return false;
}

bool mix_openings_lost(const struct mix *m, uint32_t from, uint32_t to, uint32_t color, bool meant,
		       struct mix_loss *ret)
{
	const struct forwarding *a = mix_site(m, 0, from), *b = mix_site(m, 0, to);
	const struct forwarding *a_new = mix_site(m, 1, from), *b_new = mix_site(m, 1, to);

	if (!a || !b || !a_new || !b_new)
		return false;
	for (size_t i = 0; i < a->rule_count; i++)
		for (size_t k = 0; k < b->rule_count; k++) {
			const struct fwd_rule *out = &a->rules[i], *in = &b->rules[k];
			struct fwd_rule packets;
			bool parts;

			if (!out->outbound || in->outbound || out->color != color ||
			    in->color != color || !mix_rules_meet(out, in))
				continue;
			parts = !meant &&
				!(connection_stays(a_new, out) && connection_stays(b_new, in));
			packets = mix_rules_common(out, in);
			ret->class_name = out->class_name;
			if (packets_lost(m, from, to, &packets, parts, meant, ret))
				return true;
		}
	return false;
}
