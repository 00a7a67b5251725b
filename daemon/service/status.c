/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The status document. One function an array of it, in the order of client/control.h.
 * The hub has 11,379 sessions: kernel objects are found by binary search in the sorted state.
 */
#include "tuyen/service/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tuyen/core/repair.h"

#define SESSION_ALIVE_US 180000000u /* WireGuard's REJECT_AFTER_TIME */

const char *status_time_format(int64_t wall_s, char out[static STATUS_TIME_STRLEN])
{
	time_t t = (time_t)wall_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(out, STATUS_TIME_STRLEN, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(out, STATUS_TIME_STRLEN, "1970-01-01T00:00:00Z");
	return out;
}

static void add_key(struct text *t, const char *key)
{
	char last = t->length ? t->bytes[t->length - 1] : '{';

	if (last != '{' && last != '[')
		text_add_char(t, ',');
	text_add_json_string(t, key);
	text_add_char(t, ':');
}

static void add_string(struct text *t, const char *key, const char *value)
{
	add_key(t, key);
	text_add_json_string(t, value);
}

static void add_u64(struct text *t, const char *key, uint64_t value)
{
	add_key(t, key);
	text_add_u64(t, value);
}

static void add_bool(struct text *t, const char *key, bool value)
{
	add_key(t, key);
	text_add(t, value ? "true" : "false");
}

static void add_null(struct text *t, const char *key)
{
	add_key(t, key);
	text_add(t, "null");
}

static void add_address(struct text *t, const char *key, ipv4_t address)
{
	char out[IPV4_STRLEN];

	if (address)
		add_string(t, key, ipv4_format(address, out));
	else
		add_null(t, key);
}

static void add_time(struct text *t, const char *key, int64_t wall_s)
{
	char out[STATUS_TIME_STRLEN];

	if (wall_s)
		add_string(t, key, status_time_format(wall_s, out));
	else
		add_null(t, key);
}

static void add_labels(struct text *t, const char *key, const struct label_stack *stack)
{
	add_key(t, key);
	text_add_char(t, '[');
	for (uint8_t i = 0; i < stack->depth; i++)
		text_printf(t, "%s%u", i ? "," : "", stack->label[i]);
	text_add_char(t, ']');
}

static void open_array(struct text *t, const char *key)
{
	add_key(t, key);
	text_add_char(t, '[');
}

static void open_item(struct text *t)
{
	if (t->length && t->bytes[t->length - 1] == '}')
		text_add_char(t, ',');
	text_add_char(t, '{');
}

/* What began so long ago, on the wall clock: the same second whenever it is asked. */
static int64_t began_s(const struct status_input *in, uint64_t ago_us)
{
	int64_t us = in->wall_s * 1000000 + in->wall_us - (int64_t)ago_us;

	return us / 1000000 - (us % 1000000 < 0);
}

/* When a state began, on both scales. */
static void add_since(struct text *t, const struct status_input *in, bool known,
		      struct monotime since)
{
	uint64_t ago_us = monotime_between(since, in->now);

	if (!known) {
		add_null(t, "since");
		add_null(t, "since_s");
		return;
	}
	add_time(t, "since", began_s(in, ago_us));
	add_u64(t, "since_s", ago_us / 1000000);
}

static int filter_compare(const void *key, const void *element)
{
	return strcmp(key, ((const struct kernel_label_filter *)element)->device);
}

static const struct kernel_label_filter *filter_find(const struct kernel_state *s, const char *name)
{
	if (!s || !s->filter_count)
		return NULL;
	return bsearch(name, s->filters, s->filter_count, sizeof(s->filters[0]), filter_compare);
}

/* A counter of what is there: where it is not, 0 would be a way back for it. */
static void add_counter(struct text *t, const char *key, bool there, uint64_t value)
{
	if (there)
		add_u64(t, key, value);
	else
		add_null(t, key);
}

/* What policy does not let the neighbour send: labels, and BFD beyond any lawful rate. */
static uint64_t unlawful(const struct kernel_state *s, const char *adjacency, ipv4_t neighbor)
{
	const struct kernel_label_filter *filter = filter_find(s, adjacency);
	const struct kernel_excess key = {neighbor, 0}, *excess = NULL;

	if (s && s->excess_count)
		excess =
		    bsearch(&key, s->excesses, s->excess_count, sizeof(key), kernel_excess_compare);
	return (filter ? filter->drops : 0) + (excess ? excess->packets : 0);
}

struct peer_key {
	const char *device;
	const uint8_t *public_key;
};

static int peer_compare(const void *key, const void *element)
{
	const struct peer_key *k = key;
	const struct kernel_peer *p = element;
	int order = strcmp(k->device, p->device);

	return order ? order : memcmp(k->public_key, p->public_key, WG_KEY_LEN);
}

static const struct kernel_peer *peer_find(const struct kernel_state *s, const char *device,
					   const uint8_t *public_key)
{
	struct peer_key key = {device, public_key};

	if (!s || !s->peer_count)
		return NULL;
	return bsearch(&key, s->peers, s->peer_count, sizeof(s->peers[0]), peer_compare);
}

static uint64_t handshake_age_us(const struct status_input *in, const struct status_handshake *h)
{
	return monotime_between(h->at, in->now);
}

static void handshake_look(const struct status_input *in, const struct kernel_peer *p,
			   struct status_handshake *h)
{
	int64_t wall_s = p ? p->last_handshake_s : 0;

	if (wall_s != h->wall_s) {
		int64_t at_us = (int64_t)in->now.us - (in->wall_s - wall_s) * 1000000;

		h->wall_s = wall_s;
		h->at = at_us < (int64_t)h->read_at.us ? h->read_at
			: at_us > (int64_t)in->now.us  ? in->now
						       : (struct monotime){(uint64_t)at_us};
	}
	h->read_at = in->actual_at;
}

static void add_peer_counters(struct text *t, const struct status_input *in,
			      const struct kernel_peer *p, const struct status_handshake *h)
{
	if (h->wall_s)
		add_u64(t, "handshake_age_s", handshake_age_us(in, h) / 1000000);
	else
		add_null(t, "handshake_age_s");
	add_counter(t, "rx_bytes", p, p ? p->rx_bytes : 0);
	add_counter(t, "tx_bytes", p, p ? p->tx_bytes : 0);
}

static void add_peer_endpoint(struct text *t, const struct kernel_peer *p)
{
	char endpoint[IP_ENDPOINT_STRLEN];

	if (p && p->endpoint.family)
		add_string(t, "endpoint", ip_endpoint_format(&p->endpoint, endpoint));
	else
		add_null(t, "endpoint");
}

/* "10.9.1.10/32 over wwan0", "" none */
static void add_claim(struct text *t, const char *key, const struct lan_claim *claim)
{
	const char *obstacle = claim && claim->obstacle ? claim->obstacle : "";
	char part[IPV4_PREFIX_STRLEN], words[IPV4_PREFIX_STRLEN + KERNEL_IFNAME_MAX + 64] = "";

	if (claim && *claim->device)
		snprintf(words, sizeof(words), "%s over %s%s%s",
			 ipv4_prefix_format(claim->part, part), claim->device,
			 *obstacle ? ", cut off: " : "", obstacle);
	add_string(t, key, words);
}

static void add_site(struct text *t, const struct status_input *in)
{
	static const struct address_conflicts nothing;
	const struct forwarding *f = in->forwarding;
	char conflict[CONFLICTS_STRLEN];

	add_key(t, "site");
	if (!f) {
		text_add(t, "null");
		return;
	}
	text_add_char(t, '{');
	add_string(t, "name", f->site);
	add_u64(t, "id", f->site_id);
	add_string(t, "tier", f->tier);
	add_u64(t, "label", f->own_label);
	add_address(t, "node_address", f->node_address);
	add_address(t, "link_address", f->link_address);
	add_address(t, "lan_address", f->lan_address);
	add_bool(t, "lan_shared", f->lan_shared);
	add_bool(t, "lan_away", in->lan_away);
	add_string(t, "lan_closed", in->lan_closed ? in->lan_closed : "");
	add_claim(t, "lan_claim", in->claim);
	add_string(t, "conflict",
		   conflicts_format(in->conflicts ? in->conflicts : &nothing, false, conflict));
	add_string(t, "folder", in->folder ? in->folder : "");
	add_string(t, "unnamed", in->unnamed ? in->unnamed->name : "");
	text_add_char(t, '}');
}

static void add_daemon(struct text *t, const struct status_input *in)
{
	uint64_t uptime_us = monotime_between(in->started, in->now);

	add_key(t, "daemon");
	text_add_char(t, '{');
	add_string(t, "version", TUYEN_VERSION);
	add_time(t, "started", began_s(in, uptime_us));
	add_u64(t, "uptime_s", uptime_us / 1000000);
	add_time(t, "snapshot", in->wall_s);
	add_u64(t, "turns", in->turns);
	add_u64(t, "operations", in->operations);
	add_u64(t, "netlink_messages", in->netlink_messages);
	add_u64(t, "drift_repairs", in->drift_repairs);
	add_string(t, "last_failure", in->last_failure ? in->last_failure : "");
	text_add_char(t, '}');
}

static void add_signers(struct text *t, const char *names)
{
	open_array(t, "signers");
	while (*names) {
		size_t length = strcspn(names, " ");
		char name[NAME_MAX_BYTES + 1];

		snprintf(name, sizeof(name), "%.*s", (int)length, names);
		if (t->bytes[t->length - 1] != '[')
			text_add_char(t, ',');
		text_add_json_string(t, name);
		names += length + (names[length] == ' ');
	}
	text_add_char(t, ']');
}

static void add_refusals(struct text *t, const struct status_input *in)
{
	open_array(t, "refusals");
	for (size_t i = 0; i < in->refusal_count; i++) {
		open_item(t);
		add_time(t, "at", in->refusals[i].at_s);
		add_string(t, "reason", in->refusals[i].reason.text);
		text_add_char(t, '}');
	}
	text_add_char(t, ']');
}

static void add_release(struct text *t, const struct status_input *in)
{
	const struct status_release *r = &in->release;
	char hex[65];

	add_key(t, "bundle");
	text_add_char(t, '{');
	if (r->have) {
		add_u64(t, "epoch", r->epoch);
		add_string(t, "root", hex_format(r->root, 32, hex));
		add_string(t, "digest", hex_format(r->digest, 32, hex));
		add_time(t, "issued", r->issued_s);
		add_time(t, "expires", r->expires_s);
		add_bool(t, "expired", status_release_expired(r, in->wall_s));
		add_string(t, "expiry", status_expiry_word(status_release_expiry(r, in->wall_s)));
		add_u64(t, "days_left", status_release_days_left(r, in->wall_s));
		add_u64(t, "roster_version", r->roster_version);
		add_signers(t, r->signers);
		add_time(t, "installed", r->installed_s);
	} else {
		add_null(t, "epoch");
	}
	add_refusals(t, in);
	text_add_char(t, '}');
}

/* It failed or was in doubt again and again; held as spare where there is another. */
static void add_damped(struct text *t, const struct status_input *in,
		       const struct status_liveness *l)
{
	bool damped = damping_holds(&l->damping, in->now);

	add_bool(t, "damped", damped);
	if (damped)
		add_u64(t, "damped_for_s",
			(monotime_between(in->now, l->damping.until) + 999999) / 1000000);
	else
		add_null(t, "damped_for_s");
}

/* As padded probes found it, there and back: of a path's outer packets, or of a link's. */
static void add_carried_mtu(struct text *t, const struct status_liveness *l)
{
	if (l->known && l->last.mtu)
		add_u64(t, "carried_mtu", l->last.mtu);
	else
		add_null(t, "carried_mtu");
}

static void add_link(struct text *t, const struct status_input *in, size_t i)
{
	const struct fwd_neighbor *n = &in->forwarding->neighbors[i];
	const struct kernel_peer *p =
	    peer_find(in->actual, desired_link_device(n->site_id), n->link_key);
	struct status_liveness *l = &in->links[i];
	char device[KERNEL_IFNAME_MAX];

	if (in->actual)
		handshake_look(in, p, &l->handshake);
	desired_adjacency_name(n->site_id, device);
	open_item(t);
	add_string(t, "site", n->name);
	add_u64(t, "site_id", n->site_id);
	if (forwarding_id_parallel(n->site_id))
		add_bool(t, "parallel", true);
	add_string(t, "device", device);
	add_string(t, "underlay", n->underlay);
	add_string(t, "state", l->known ? bfd_state_name((enum bfd_state)l->last.state) : "down");
	add_string(t, "diagnostic",
		   bfd_diagnostic_name((enum bfd_diagnostic)(l->known ? l->last.diagnostic : 0)));
	add_since(t, in, l->known, l->since);
	add_address(t, "link_address", n->link_address);
	add_peer_endpoint(t, p);
	add_peer_counters(t, in, p, &l->handshake);
	add_u64(t, "interval_us", n->probe.interval_us);
	add_u64(t, "multiplier", n->probe.multiplier);
	add_u64(t, "detection_us", l->last.detection_us);
	add_u64(t, "bfd_sent", l->last.sent);
	add_u64(t, "bfd_received", l->last.received);
	add_u64(t, "bfd_dropped", l->last.dropped);
	add_u64(t, "changes", l->changes);
	add_u64(t, "mtu", n->link_mtu);
	add_carried_mtu(t, l);
	add_counter(t, "filter_drops", in->actual, unlawful(in->actual, device, n->link_address));
	add_damped(t, in, l);
	add_bool(t, "duplicate", l->watch.twice);
	add_bool(t, "repaired",
		 in->repaired && in->repaired[i] != REPAIR_LINK_USED &&
		     repair_there(in->forwarding, n->site_id));
	text_add_char(t, '}');
}

static const char *site_name(const struct forwarding *f, uint32_t site_id)
{
	const struct fwd_neighbor *n = forwarding_neighbor(f, site_id);

	if (n)
		return n->name;
	for (size_t i = 0; i < f->peer_count; i++)
		if (f->peers[i].site_id == site_id)
			return f->peers[i].name;
	return "";
}

static const char *policy_name(const struct forwarding *f, uint32_t color)
{
	const struct fwd_session *s = forwarding_session(f, color);

	return s ? s->policy : "";
}

static uint8_t active_index(const struct active_paths *active, uint32_t color,
			    uint32_t endpoint_site)
{
	for (size_t i = 0; active && i < active->count; i++)
		if (active->entry[i].color == color &&
		    active->entry[i].endpoint_site == endpoint_site)
			return active->entry[i].index;
	return 0;
}

static bool endpoint_carries(const struct active_paths *active, uint32_t color,
			     uint32_t endpoint_site)
{
	for (size_t i = 0; active && i < active->count; i++)
		if (active->entry[i].color == color &&
		    active->entry[i].endpoint_site == endpoint_site)
			return active->entry[i].carries;
	return false;
}

static const char *path_state_name(const struct status_liveness *l)
{
	if (!l->known)
		return "unknown";
	return l->last.state == BFD_STATE_UP ? "up" : "down";
}

static void add_path_quality(struct text *t, const struct status_liveness *l)
{
	bool up = l->known && l->last.state == BFD_STATE_UP;

	add_bool(t, "degraded", up && l->degraded);
	add_bool(t, "in_doubt", status_liveness_in_doubt(l));
	add_u64(t, "loss_permille", up ? l->last.loss_permille : 0);
	if (up && l->last.jitter_us)
		add_u64(t, "jitter_us", l->last.jitter_us);
	else
		add_null(t, "jitter_us");
	add_carried_mtu(t, l);
}

static void add_path(struct text *t, const struct status_input *in, size_t i)
{
	const struct forwarding *f = in->forwarding;
	const struct fwd_path *p = &f->paths[i];
	const struct status_liveness *l = &in->paths[i];

	open_item(t);
	add_u64(t, "index", p->index);
	add_string(t, "name", p->name);
	add_string(t, "policy", policy_name(f, p->color));
	add_u64(t, "color", p->color);
	add_u64(t, "preference", p->preference);
	add_string(t, "endpoint", site_name(f, p->endpoint_site));
	add_u64(t, "endpoint_id", p->endpoint_site);
	add_string(t, "first_hop", site_name(f, p->first_site));
	add_labels(t, "labels", &p->stack);
	add_address(t, "source", p->source);
	add_u64(t, "mtu", p->mtu);
	add_string(t, "state", path_state_name(l));
	add_string(t, "diagnostic",
		   bfd_diagnostic_name((enum bfd_diagnostic)(l->known ? l->last.diagnostic : 0)));
	add_bool(t, "active",
		 active_index(in->active, p->color, p->endpoint_site) == p->index &&
		     endpoint_carries(in->active, p->color, p->endpoint_site));
	add_bool(t, "repaired", repair_used(f, in->repaired, p->first_site, &p->repair));
	add_since(t, in, l->known, l->since);
	if (l->known && l->last.round_trip_us)
		add_u64(t, "round_trip_us", l->last.round_trip_us);
	else
		add_null(t, "round_trip_us");
	add_path_quality(t, l);
	add_damped(t, in, l);
	add_u64(t, "detection_us", (uint64_t)p->probe.interval_us * p->probe.multiplier);
	add_u64(t, "changes", l->changes);
	add_u64(t, "doubts", l->doubts);
	add_u64(t, "bfd_sent", l->last.sent);
	add_u64(t, "bfd_received", l->last.received);
	text_add_char(t, '}');
}

/* The head-end names its path; the endpoint only sees from which path address the peer comes. */
static void add_session_path(struct text *t, const struct status_input *in,
			     const struct fwd_session_peer *peer, const struct kernel_peer *p)
{
	const struct fwd_path *path;
	char address[IPV4_STRLEN];
	const uint8_t *a = p ? p->endpoint.address : NULL;

	if (peer->caller) {
		path = forwarding_path(in->forwarding,
				       active_index(in->active, peer->color, peer->site_id));
		if (path)
			add_string(t, "path", path->name);
		else
			add_null(t, "path");
	} else if (p && p->endpoint.family == 4) {
		ipv4_format((ipv4_t)a[0] << 24 | (ipv4_t)a[1] << 16 | (ipv4_t)a[2] << 8 | a[3],
			    address);
		add_string(t, "path", address);
	} else {
		add_null(t, "path");
	}
}

static void session_look(const struct status_input *in, const struct kernel_peer *p,
			 struct status_session *s)
{
	uint64_t age_us, ago_us = 0;
	bool up;

	if (!in->actual)
		return;
	handshake_look(in, p, &s->handshake);
	age_us = handshake_age_us(in, &s->handshake);
	up = s->handshake.wall_s && age_us <= SESSION_ALIVE_US;
	if (s->known && s->up == up)
		return;
	if (s->handshake.wall_s)
		ago_us = up ? age_us : age_us - SESSION_ALIVE_US;
	s->known = true;
	s->up = up;
	s->since.us = in->now.us - ago_us;
}

static void add_session(struct text *t, const struct status_input *in, size_t i)
{
	const struct forwarding *f = in->forwarding;
	const struct fwd_session_peer *peer = &f->peers[i];
	const struct fwd_session *s = forwarding_session(f, peer->color);
	struct status_session *seen = &in->sessions[i];
	char device[KERNEL_IFNAME_MAX], prefix[IPV4_PREFIX_STRLEN];
	const struct kernel_peer *p;

	desired_session_name(peer->color, forwarding_peer_slot(f, peer), device);
	p = peer_find(in->actual, device, peer->session_key);
	session_look(in, p, seen);
	open_item(t);
	add_u64(t, "color", peer->color);
	add_string(t, "policy", s ? s->policy : "");
	add_string(t, "device", device);
	add_string(t, "peer", peer->name);
	add_u64(t, "peer_id", peer->site_id);
	add_bool(t, "caller", peer->caller);
	add_bool(t, "standby",
		 peer->caller && in->active &&
		     !endpoint_carries(in->active, peer->color, peer->site_id));
	add_peer_endpoint(t, p);
	add_session_path(t, in, peer, p);
	add_string(t, "state", !seen->known ? "unknown" : seen->up ? "up" : "down");
	add_since(t, in, seen->known, seen->since);
	add_peer_counters(t, in, p, &seen->handshake);
	add_u64(t, "mtu", s ? s->mtu : 0);
	open_array(t, "prefixes");
	for (size_t k = 0; k < peer->prefix_count; k++)
		text_printf(t, "%s\"%s\"", k ? "," : "",
			    ipv4_prefix_format(peer->prefixes[k], prefix));
	text_add(t, "]}");
}

static void add_label(struct text *t, const struct status_input *in, size_t i)
{
	const struct forwarding *f = in->forwarding;
	const struct fwd_label_route *r = &f->labels[i];
	bool repaired = repair_used(f, in->repaired, r->next_site, &r->repair);
	uint32_t next = repaired ? r->repair.next_site : r->next_site;
	char device[KERNEL_IFNAME_MAX] = "lo";

	if (next)
		desired_adjacency_name(next, device);
	open_item(t);
	add_u64(t, "in", r->in_label);
	add_labels(t, "out", repaired ? &r->repair.out : &r->out);
	add_string(t, "next", next ? site_name(f, next) : "here");
	add_string(t, "device", device);
	add_bool(t, "repaired", repaired);
	if (r->repair.next_site)
		add_string(t, "repair_next", site_name(f, r->repair.next_site));
	else
		add_null(t, "repair_next");
	add_labels(t, "repair_out", &r->repair.out);
	text_add_char(t, '}');
}

static void add_device(struct text *t, const struct status_input *in, size_t i)
{
	const struct fwd_device *d = &in->forwarding->devices[i];

	open_item(t);
	add_string(t, "name", d->name);
	add_address(t, "address", d->address);
	add_u64(t, "port", d->port);
	add_string(t, "user", d->user);
	add_string(t, "interface", d->interface);
	add_string(t, "link", d->link_site ? site_name(in->forwarding, d->link_site) : "");
	add_u64(t, "link_id", d->link_site);
	text_add_char(t, '}');
}

static void add_counted(struct text *t, const char *name, const struct meter *meter, uint64_t value)
{
	add_counter(t, name, meter->day, value);
}

/* As much as SNMP's gauges can say. */
static uint64_t used_kb(const struct meter *meter)
{
	return meter->used_bytes / 1000 < UINT32_MAX ? meter->used_bytes / 1000 : UINT32_MAX;
}

static void add_meter(struct text *t, const struct status_input *in, size_t i)
{
	static const struct meter nothing;
	const struct fwd_meter *m = &in->forwarding->meters[i];
	const struct meter *meter = &nothing;
	uint64_t allowance = m->allowance_kb_day * UINT64_C(1000);

	open_item(t);
	add_string(t, "line", m->underlay);
	for (size_t k = 0; in->uplinks && k < in->uplinks->count; k++) {
		if (strcmp(in->uplinks->entry[k].underlay, m->underlay))
			continue;
		meter = &in->meters[k];
		add_string(t, "device", in->uplinks->entry[k].device);
		break;
	}
	if (meter == &nothing)
		add_null(t, "device");
	add_string(t, "level", meter_level_word(meter_level(meter, allowance)));
	add_counted(t, "used_bytes", meter, meter->used_bytes);
	add_u64(t, "allowance_bytes", allowance);
	add_counted(t, "used_kb", meter, used_kb(meter));
	add_u64(t, "allowance_kb", m->allowance_kb_day);
	add_counted(t, "used_percent", meter, meter->used_bytes / (allowance / 100));
	add_counted(t, "day", meter, meter->day);
	text_add_char(t, '}');
}

/* Whose queue a mark is: a policy's by its code point. */
static void add_queue_policy(struct text *t, const struct forwarding *f, uint32_t mark)
{
	for (size_t i = 0; i < f->queue_count; i++) {
		const char *name;

		if (mark != (TUYEN_MARK_QUEUE | f->queues[i].dscp))
			continue;
		name = policy_name(f, f->queues[i].color);
		add_string(t, "queue", *name ? name : "policy");
		add_u64(t, "color", f->queues[i].color);
		return;
	}
	add_string(t, "queue", mark ? "probes" : "rest");
	add_null(t, "color");
}

static const struct kernel_queue *queue_above(const struct kernel_state *actual,
					      const struct kernel_queue *of)
{
	struct kernel_queue key = {.minor = of->parent};

	memcpy(key.device, of->device, sizeof(key.device));
	return of->parent ? bsearch(&key, actual->queues, actual->queue_count, sizeof(key),
				    kernel_queue_compare)
			  : NULL;
}

/* The neighbour whose packets wait in @leaf. */
static const char *queue_site(const struct status_input *in, const struct kernel_queue *leaf)
{
	const struct kernel_queue *above = queue_above(in->actual, leaf);
	const struct forwarding *f = in->forwarding;

	while (above && !above->destination)
		above = queue_above(in->actual, above);
	for (size_t k = 0; above && k < f->neighbor_count; k++)
		if (f->neighbors[k].link_address == above->destination)
			return f->neighbors[k].name;
	return "";
}

/* Bytes a second; of what has its guarantee together with others, its part of that, by their turns. */
static uint64_t queue_guarantee(const struct kernel_state *actual, const struct kernel_queue *leaf)
{
	const struct kernel_queue *above = queue_above(actual, leaf), *q;
	const struct kernel_queue *end = actual->queues + actual->queue_count;
	uint64_t turns = 0;

	if (!above || above->destination)
		return leaf->rate;
	for (q = above + 1; q < end && q->minor - above->minor < DESIRED_QUEUE_SLOT; q++)
		if (q->leaf && q->parent == above->minor)
			turns += q->quantum;
	return turns ? above->rate * leaf->quantum / turns : leaf->rate;
}

static void add_queue(struct text *t, const struct status_input *in, size_t i)
{
	const struct kernel_queue *q = &in->actual->queues[i];

	if (!q->leaf)
		return;
	open_item(t);
	add_string(t, "site", queue_site(in, q));
	add_queue_policy(t, in->forwarding, q->mark);
	add_u64(t, "guaranteed_bps", queue_guarantee(in->actual, q) * 8);
	add_u64(t, "most_bps", q->ceil * 8);
	add_u64(t, "priority", q->priority);
	add_u64(t, "tx_bytes", q->bytes);
	add_u64(t, "packets", q->packets);
	add_u64(t, "drops", q->drops);
	add_u64(t, "waiting_bytes", q->waiting_bytes);
	text_add_char(t, '}');
}

static void add_check(struct text *t, const struct status_input *in, size_t i)
{
	const struct kernel_check *c = &in->checks[i];

	open_item(t);
	add_string(t, "name", c->name);
	add_bool(t, "ok", c->ok);
	add_bool(t, "fatal", c->fatal);
	add_string(t, "found", c->found);
	add_string(t, "remedy", c->remedy);
	text_add_char(t, '}');
}

void status_document(const struct status_input *input, struct text *ret_json)
{
	static const struct forwarding nothing;
	struct status_input in = *input;
	const struct forwarding *f = input->forwarding ? input->forwarding : &nothing;
	const struct {
		const char *key;
		size_t count;
		void (*add)(struct text *t, const struct status_input *in, size_t i);
	} arrays[] = {
	    {"links", f->neighbor_count, add_link},
	    {"paths", f->path_count, add_path},
	    {"sessions", f->peer_count, add_session},
	    {"labels", f->label_count, add_label},
	    {"queues", input->actual && input->forwarding ? input->actual->queue_count : 0,
	     add_queue},
	    {"meters", f->meter_count, add_meter},
	    {"devices", f->device_count, add_device},
	    {"self_check", in.check_count, add_check},
	};

	text_add_char(ret_json, '{');
	add_u64(ret_json, "format", 1);
	add_site(ret_json, &in);
	add_daemon(ret_json, &in);
	add_release(ret_json, &in);
	for (size_t a = 0; a < sizeof(arrays) / sizeof(arrays[0]); a++) {
		open_array(ret_json, arrays[a].key);
		for (size_t i = 0; i < arrays[a].count; i++)
			arrays[a].add(ret_json, &in, i);
		text_add_char(ret_json, ']');
	}
	text_add(ret_json, "}\n");
}

static void open_event(struct text *t, const char *event)
{
	text_add_char(t, '{');
	add_string(t, "event", event);
}

static void close_event(struct text *t, int64_t wall_s)
{
	add_time(t, "at", wall_s);
	text_add_char(t, '}');
}

void status_event_link(const struct fwd_neighbor *neighbor, const struct message_liveness *l,
		       int64_t wall_s, struct text *ret_json)
{
	open_event(ret_json, "link");
	add_string(ret_json, "site", neighbor->name);
	add_u64(ret_json, "site_id", neighbor->site_id);
	add_string(ret_json, "state", bfd_state_name((enum bfd_state)l->state));
	add_string(ret_json, "diagnostic", bfd_diagnostic_name((enum bfd_diagnostic)l->diagnostic));
	close_event(ret_json, wall_s);
}

static void event_path(const char *event, const struct forwarding *f, const struct fwd_path *path,
		       struct text *t)
{
	open_event(t, event);
	add_u64(t, "index", path->index);
	add_string(t, "name", path->name);
	add_string(t, "policy", policy_name(f, path->color));
	add_u64(t, "color", path->color);
	add_string(t, "endpoint", site_name(f, path->endpoint_site));
	add_u64(t, "endpoint_id", path->endpoint_site);
}

void status_event_path(const struct forwarding *f, const struct fwd_path *path,
		       const struct message_liveness *l, int64_t wall_s, struct text *ret_json)
{
	event_path("path", f, path, ret_json);
	add_string(ret_json, "state", l->state == BFD_STATE_UP ? "up" : "down");
	add_string(ret_json, "diagnostic", bfd_diagnostic_name((enum bfd_diagnostic)l->diagnostic));
	close_event(ret_json, wall_s);
}

void status_event_switch(const struct forwarding *f, const struct active_path *from,
			 const struct active_path *to, int64_t wall_s, struct text *ret_json)
{
	const struct fwd_path *old_path = from ? forwarding_path(f, from->index) : NULL;
	const struct fwd_path *new_path = forwarding_path(f, to->index);

	open_event(ret_json, "switch");
	add_u64(ret_json, "color", to->color);
	add_string(ret_json, "policy", policy_name(f, to->color));
	add_string(ret_json, "endpoint", site_name(f, to->endpoint_site));
	add_u64(ret_json, "endpoint_id", to->endpoint_site);
	add_u64(ret_json, "from", from ? from->index : 0);
	add_u64(ret_json, "to", to->index);
	add_string(ret_json, "from_name", old_path ? old_path->name : "");
	add_string(ret_json, "to_name", new_path ? new_path->name : "");
	close_event(ret_json, wall_s);
}

void status_event_quality(const struct forwarding *f, const struct fwd_path *path,
			  const struct message_liveness *l, bool degraded, int64_t wall_s,
			  struct text *ret_json)
{
	event_path("quality", f, path, ret_json);
	add_bool(ret_json, "degraded", degraded);
	add_u64(ret_json, "loss_permille", l->loss_permille);
	add_u64(ret_json, "round_trip_us", l->round_trip_us);
	add_u64(ret_json, "jitter_us", l->jitter_us);
	close_event(ret_json, wall_s);
}

/* Of one or the other. */
static void event_path_or_link(const char *event, const struct forwarding *f,
			       const struct fwd_path *path, const struct fwd_neighbor *neighbor,
			       struct text *ret_json)
{
	if (path) {
		event_path(event, f, path, ret_json);
		return;
	}
	open_event(ret_json, event);
	add_string(ret_json, "site", neighbor->name);
	add_u64(ret_json, "site_id", neighbor->site_id);
}

void status_event_mtu(const struct forwarding *f, const struct fwd_path *path,
		      const struct fwd_neighbor *neighbor, const struct message_liveness *l,
		      int64_t wall_s, struct text *ret_json)
{
	event_path_or_link("mtu", f, path, neighbor, ret_json);
	add_u64(ret_json, "carried_mtu", l->mtu);
	add_u64(ret_json, "mtu", path ? path->mtu : neighbor->link_mtu);
	close_event(ret_json, wall_s);
}

void status_event_damped(const struct forwarding *f, const struct fwd_path *path,
			 const struct fwd_neighbor *neighbor, uint64_t held_us, int64_t wall_s,
			 struct text *ret_json)
{
	event_path_or_link("damped", f, path, neighbor, ret_json);
	add_u64(ret_json, "held_s", (held_us + 999999) / 1000000);
	close_event(ret_json, wall_s);
}

void status_event_gateway(const struct forwarding *f, const struct active_path *to, int64_t wall_s,
			  struct text *ret_json)
{
	open_event(ret_json, "gateway");
	add_u64(ret_json, "color", to->color);
	add_string(ret_json, "policy", policy_name(f, to->color));
	add_string(ret_json, "endpoint", site_name(f, to->endpoint_site));
	add_u64(ret_json, "endpoint_id", to->endpoint_site);
	close_event(ret_json, wall_s);
}

void status_event_lan(bool away, int64_t wall_s, struct text *ret_json)
{
	open_event(ret_json, "lan");
	add_bool(ret_json, "away", away);
	close_event(ret_json, wall_s);
}

void status_event_claim(const struct lan_claim *claim, int64_t wall_s, struct text *ret_json)
{
	open_event(ret_json, "claim");
	add_claim(ret_json, "claim", claim);
	close_event(ret_json, wall_s);
}

void status_event_conflict(const char *words, int64_t wall_s, struct text *ret_json)
{
	open_event(ret_json, "conflict");
	add_string(ret_json, "addresses", words);
	close_event(ret_json, wall_s);
}

void status_event_folder(const char *words, int64_t wall_s, struct text *ret_json)
{
	open_event(ret_json, "folder");
	add_string(ret_json, "folder", words);
	close_event(ret_json, wall_s);
}

void status_event_bundle(uint64_t epoch, bool accepted, const char *why, int64_t wall_s,
			 struct text *ret_json)
{
	open_event(ret_json, "bundle");
	add_u64(ret_json, "epoch", epoch);
	add_bool(ret_json, "accepted", accepted);
	add_string(ret_json, "reason", why);
	close_event(ret_json, wall_s);
}

void status_event_repair(const struct forwarding *f, const struct fwd_neighbor *neighbor,
			 const enum repair_link *repaired, int64_t wall_s, struct text *ret_json)
{
	open_event(ret_json, "repair");
	add_string(ret_json, "site", neighbor->name);
	add_u64(ret_json, "site_id", neighbor->site_id);
	add_bool(ret_json, "repaired", repaired[neighbor - f->neighbors] != REPAIR_LINK_USED);
	add_u64(ret_json, "routes", repair_count(f, repaired, neighbor->site_id));
	close_event(ret_json, wall_s);
}

void status_event_duplicate(const struct fwd_neighbor *neighbor, const struct endpoint_watch *watch,
			    int64_t wall_s, struct text *ret_json)
{
	char endpoint[IP_ENDPOINT_STRLEN];

	open_event(ret_json, "duplicate");
	add_string(ret_json, "site", neighbor->name);
	add_u64(ret_json, "site_id", neighbor->site_id);
	add_bool(ret_json, "duplicate", watch->twice);
	add_string(ret_json, "endpoint", ip_endpoint_format(&watch->place[0].endpoint, endpoint));
	add_string(ret_json, "other", ip_endpoint_format(&watch->place[1].endpoint, endpoint));
	close_event(ret_json, wall_s);
}

void status_event_meter(const struct fwd_meter *line, const struct meter *meter, int64_t wall_s,
			struct text *ret_json)
{
	uint64_t allowance = line->allowance_kb_day * UINT64_C(1000);

	open_event(ret_json, "meter");
	add_string(ret_json, "line", line->underlay);
	add_string(ret_json, "level", meter_level_word(meter_level(meter, allowance)));
	add_u64(ret_json, "used_kb", used_kb(meter));
	add_u64(ret_json, "allowance_kb", line->allowance_kb_day);
	close_event(ret_json, wall_s);
}

#define DRIFT_WORDS_MAX 3500 /* with what JSON adds, less than a line that tuyen-snmp takes */

/* @return how many bytes of @what are told, to the end of an operation. */
static size_t drift_words_fit(const char *what)
{
	size_t length = strnlen(what, DRIFT_WORDS_MAX + 1);

	if (length <= DRIFT_WORDS_MAX)
		return length;
	while (--length && what[length] != ';')
		;
	return length ? length : DRIFT_WORDS_MAX;
}

static void add_drift(struct text *t, const char *what)
{
	size_t fit = drift_words_fit(what), more = 0;
	struct text words;

	for (const char *p = what + fit; *p; p++)
		more += *p == ';';
	text_init(&words);
	text_add_bytes(&words, what, fit);
	if (more)
		text_printf(&words, "; and %zu more", more);
	else if (what[fit])
		text_add(&words, "...");
	add_string(t, "what", text_string(&words));
	t->failed |= words.failed;
	text_clear(&words);
}

void status_event_drift(size_t repaired, const char *what, int64_t wall_s, struct text *ret_json)
{
	open_event(ret_json, "drift");
	add_u64(ret_json, "repaired", repaired);
	add_drift(ret_json, what);
	close_event(ret_json, wall_s);
}
