/* SPDX-License-Identifier: Apache-2.0 */
#include "network_fixture.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *more(void *array, size_t count, size_t size)
{
	/* Powers of two: room doubles as it fills. */
	if (!(count & (count - 1)))
		array = realloc(array, (count ? 2 * count : 1) * size);
	if (!array)
		abort();
	memset((char *)array + count * size, 0, size);
	return array;
}

#define ADD(array, count) ((array) = more((array), (count), sizeof(*(array))), &(array)[(count)++])

static void add_underlay(struct network *n, const char *name, uint32_t interval_us,
			 uint8_t multiplier, uint16_t mtu, uint32_t metric)
{
	struct underlay_class *u = ADD(n->underlays, n->underlay_count);

	u->name = strdup(name);
	u->probe = (struct probe_timers){interval_us, multiplier};
	u->mtu_bytes = mtu;
	u->metric = metric;
}

void fixture_init(struct network *n)
{
	static const char *const tiers[] = {"npdc", "province", "district", "commune"};

	network_init(n);
	*ADD(n->files, n->file_count) = strdup("test");
	for (size_t i = 0; i < 4; i++)
		*ADD(n->tiers, n->tier_count) = strdup(tiers[i]);
	add_underlay(n, "fibre", 50000, 3, 1500, 10);
	add_underlay(n, "lte", 300000, 5, 1428, 50);
}

uint32_t fixture_site(struct network *n, const char *name, uint32_t tier, uint32_t id,
		      uint32_t parent, uint32_t backup, const char *lan)
{
	uint32_t index = (uint32_t)n->site_count;
	struct site *s = ADD(n->sites, n->site_count);
	struct site_uplink *u = ADD(s->uplinks, s->uplink_count);

	s->name = strdup(name);
	s->id = id;
	s->tier = tier;
	s->parent = parent;
	s->backup = backup;
	s->has_keys = true;
	s->place.line = 100 + index;
	snprintf((char *)s->link_key, WG_KEY_LEN, "link%u", id);
	snprintf((char *)s->session_key, WG_KEY_LEN, "session%u", id);
	u->endpoint = (struct ip_endpoint){.family = 4,
					   .address = {198, 18, (uint8_t)(id >> 8), (uint8_t)id}};
	if (*lan && ipv4_prefix_parse(lan, ADD(s->lans, s->lan_count)) < 0)
		abort();
	if (parent != NETWORK_NONE)
		fixture_link(n, index, parent, 10);
	if (backup != NETWORK_NONE)
		fixture_link(n, index, backup, 11);
	return index;
}

uint32_t fixture_link(struct network *n, uint32_t a, uint32_t b, uint32_t metric)
{
	struct link *l = ADD(n->links, n->link_count);

	l->a = a;
	l->b = b;
	l->metric = metric;
	l->probe = n->underlays[0].probe;
	l->mtu_bytes = 1500;
	l->place.line = 200 + (uint32_t)n->link_count;
	return (uint32_t)n->link_count - 1;
}

uint32_t fixture_parallel(struct network *n, uint32_t leaf, uint32_t other, uint32_t metric)
{
	struct site *s = &n->sites[leaf];
	uint32_t link = fixture_link(n, leaf, other, metric);
	struct link *l = &n->links[link];
	uint32_t uplink = 0;

	while (uplink < s->uplink_count && s->uplinks[uplink].underlay != 1)
		uplink++;
	if (uplink == s->uplink_count)
		ADD(s->uplinks, s->uplink_count)->underlay = 1;
	l->uplink_a = uplink;
	l->probe = n->underlays[1].probe;
	l->mtu_bytes = n->underlays[1].mtu_bytes;
	l->parallel = true;
	return link;
}

uint32_t fixture_class(struct network *n, const char *name, uint8_t protocol, uint16_t port)
{
	struct traffic_class *c = ADD(n->classes, n->class_count);
	struct class_match *m = ADD(c->matches, c->match_count);

	c->name = strdup(name);
	c->priority = 1;
	*m = (struct class_match){.protocol = protocol, .port_first = port, .port_last = port};
	return (uint32_t)n->class_count - 1;
}

struct policy *fixture_policy(struct network *n, const char *name, uint32_t color)
{
	struct policy *p = ADD(n->policies, n->policy_count);

	p->name = strdup(name);
	p->color = color;
	p->revert_hold_ms = 2000;
	p->revert_max_ms = REVERT_MAX_DEFAULT_MS;
	p->place.line = 300 + (uint32_t)n->policy_count;
	for (uint32_t i = 0; i < n->class_count; i++)
		*ADD(p->classes, p->class_count) = i;
	return p;
}

void fixture_path(struct policy *p, const char *name, uint32_t preference, enum path_via via,
		  uint32_t disjoint_from)
{
	struct candidate_path *c = ADD(p->paths, p->path_count);

	c->name = strdup(name);
	c->preference = preference;
	c->via = via;
	c->disjoint_from = disjoint_from;
	c->over = NETWORK_NONE;
	c->place.line = p->place.line;
}

void fixture_set_add(struct site_set *set, uint32_t site)
{
	*ADD(set->sites, set->count) = site;
}

void fixture_set_tier(const struct network *n, struct site_set *set, uint32_t tier)
{
	for (uint32_t i = 0; i < n->site_count; i++)
		if (n->sites[i].tier == tier)
			fixture_set_add(set, i);
}

struct deny_rule *fixture_deny(struct network *n, uint32_t class_index)
{
	struct deny_rule *d = ADD(n->denies, n->deny_count);

	d->class_index = class_index;
	d->place.line = 400 + (uint32_t)n->deny_count;
	return d;
}

struct expectation *fixture_expect(struct network *n, enum expect_kind kind, uint32_t class_index)
{
	struct expectation *e = ADD(n->expectations, n->expectation_count);

	e->kind = kind;
	e->class_index = class_index;
	e->link = NETWORK_NONE;
	e->place.line = 500 + (uint32_t)n->expectation_count;
	return e;
}

void fixture_first_light(struct network *n)
{
	uint32_t hub, hanoi, ba_dinh, dong_da;
	struct policy *p;
	struct deny_rule *d;

	fixture_init(n);
	hub = fixture_site(n, "npdc-hn", 0, 1, FIXTURE_NONE, FIXTURE_NONE, "10.0.0.0/16");
	hanoi = fixture_site(n, "hanoi", 1, 101, hub, FIXTURE_NONE, "");
	ba_dinh = fixture_site(n, "ba-dinh", 2, 210, hanoi, FIXTURE_NONE, "");
	dong_da = fixture_site(n, "dong-da", 2, 211, hanoi, FIXTURE_NONE, "");
	fixture_site(n, "phuc-xa", 3, 901, ba_dinh, dong_da, "10.9.1.0/24");
	fixture_site(n, "kham-thien", 3, 902, dong_da, FIXTURE_NONE, "10.9.2.0/24");
	fixture_class(n, "query", IPPROTO_TCP, 443);
	fixture_class(n, "alarm", IPPROTO_UDP, 162);
	p = fixture_policy(n, "citizen-query", 10);
	fixture_set_tier(n, &p->from, 3);
	fixture_set_tier(n, &p->to, 0);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	fixture_path(p, "spare", 100, PATH_VIA_BACKUP, 0);
	d = fixture_deny(n, NETWORK_NONE);
	fixture_set_tier(n, &d->from, 3);
	fixture_set_tier(n, &d->to, 3);
}

static void shared_lan(struct site *s, ipv4_t own)
{
	s->lan_own = calloc(1, sizeof(*s->lan_own));
	if (!s->lan_own)
		abort();
	s->lan_own[0] = own;
}

uint32_t fixture_gateway(struct network *n, const char *name, uint32_t id, ipv4_t own)
{
	char lan[IPV4_PREFIX_STRLEN];
	uint32_t site;

	ipv4_prefix_format((struct ipv4_prefix){own & ~UINT32_C(255), 24}, lan);
	site = fixture_site(n, name, 0, id, FIXTURE_NONE, FIXTURE_NONE, lan);
	fixture_link(n, 1, site, 20);
	shared_lan(&n->sites[site], own);
	return site;
}

void fixture_two_gateways(struct network *n)
{
	uint32_t second;

	fixture_first_light(n);
	second = fixture_site(n, "npdc-hcm", 0, 2, FIXTURE_NONE, FIXTURE_NONE, "10.0.0.0/16");
	fixture_link(n, 1, second, 20);
	fixture_set_add(&n->policies[0].to, second);
	shared_lan(&n->sites[0], 0x0a000002);
	shared_lan(&n->sites[second], 0x0a000003);
}

static uint32_t country_site(struct network *n, uint32_t tier, uint32_t *id, uint32_t parent,
			     uint32_t backup)
{
	char name[32], lan[32];

	snprintf(name, sizeof(name), "%s-%u", n->tiers[tier], *id);
	snprintf(lan, sizeof(lan), "10.%u.%u.%u/28", *id >> 12, *id >> 4 & 255, *id << 4 & 255);
	return fixture_site(n, name, tier, (*id)++, parent, backup, lan);
}

static void country_policies(struct network *n)
{
	for (uint32_t color = 10; color <= 30; color += 10) {
		char name[16];
		struct policy *p;

		snprintf(name, sizeof(name), "policy-%u", color);
		p = fixture_policy(n, name, color);
		for (uint32_t i = 0; i < n->site_count; i++)
			if (n->sites[i].tier != 0)
				fixture_set_add(&p->from, i);
		fixture_set_tier(n, &p->to, 0);
		fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
		fixture_path(p, "spare", 100, PATH_VIA_BACKUP, 0);
	}
}

void fixture_country(struct network *n, uint32_t communes)
{
	uint32_t id = 1, hub, province = 0, district, previous, districts = 0;

	fixture_init(n);
	hub = country_site(n, 0, &id, FIXTURE_NONE, FIXTURE_NONE);
	district = previous = FIXTURE_NONE;
	for (uint32_t i = 0; i < communes; i++) {
		if (i % 15 == 0) {
			if (districts % 11 == 0) {
				uint32_t last = districts ? province : FIXTURE_NONE;

				province = country_site(n, 1, &id, hub, FIXTURE_NONE);
				if (last != FIXTURE_NONE)
					fixture_link(n, province, last, 30);
			}
			previous = district;
			district = country_site(n, 2, &id, province, FIXTURE_NONE);
			districts++;
		}
		country_site(n, 3, &id, district, previous);
	}
	fixture_class(n, "query", IPPROTO_TCP, 443);
	fixture_class(n, "alarm", IPPROTO_UDP, 162);
	country_policies(n);
}
