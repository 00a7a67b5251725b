/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/topology/network.h"

#include <stdlib.h>
#include <string.h>

#include "tuyen/base/err.h"

bool site_set_has(const struct site_set *set, uint32_t site)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->sites[middle] == site)
			return true;
		if (set->sites[middle] < site)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

void network_init(struct network *n)
{
	*n = (struct network){
	    .srgb = {.base = 16000, .size = 70000},
	    .link_space = {.address = 0x64400000, .length = 16},
	    .path_space = {.address = 0x64500000, .length = 12},
	    .parallel_space = {.address = 0x64410000, .length = 16},
	    .link_port = 51820,
	    .session_port = 52000,
	};
}

static void strings_clear(char **strings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(strings[i]);
	free(strings);
}

static void note_clear(struct rule_note *note)
{
	free(note->author);
	free(note->reason);
}

static void site_clear(struct site *s)
{
	for (size_t i = 0; i < s->uplink_count; i++)
		free(s->uplinks[i].risks);
	for (size_t i = 0; i < s->device_count; i++) {
		free(s->devices[i].name);
		free(s->devices[i].user);
		free(s->devices[i].interface);
	}
	free(s->devices);
	free(s->uplinks);
	free(s->tags);
	free(s->lans);
	free(s->lan_places);
	free(s->lan_own);
	free(s->name);
}

bool network_shares_lan(const struct network *n, uint32_t site_a, uint32_t site_b)
{
	const struct site *a = &n->sites[site_a], *b = &n->sites[site_b];

	for (size_t i = 0; site_a != site_b && i < a->lan_count; i++)
		for (size_t k = 0; site_lan_own(a, i) && k < b->lan_count; k++)
			if (site_lan_own(b, k) && ipv4_prefix_overlaps(a->lans[i], b->lans[k]))
				return true;
	return false;
}

void network_bits_sharing(const struct network *n, const struct site_set *set, uint64_t *bits)
{
	for (size_t k = 0; k < set->count; k++) {
		uint32_t site = set->sites[k];

		bits[site / 64] |= UINT64_C(1) << site % 64;
		if (!site_shares_lan(&n->sites[site]))
			continue;
		for (uint32_t i = 0; i < n->site_count; i++)
			if (network_shares_lan(n, i, site))
				bits[i / 64] |= UINT64_C(1) << i % 64;
	}
}

void network_policy_clear(struct policy *p)
{
	for (size_t i = 0; i < p->path_count; i++) {
		free(p->paths[i].name);
		free(p->paths[i].through.sites);
		free(p->paths[i].avoid.sites);
		free(p->paths[i].avoid_links);
		free(p->paths[i].heads.sites);
	}
	free(p->paths);
	free(p->classes);
	free(p->from.sites);
	free(p->to.sites);
	free(p->name);
	note_clear(&p->note);
}

void network_deny_clear(struct deny_rule *d)
{
	free(d->from.sites);
	free(d->to.sites);
	note_clear(&d->note);
}

static void policies_clear(struct network *n)
{
	for (size_t i = 0; i < n->class_count; i++) {
		free(n->classes[i].name);
		free(n->classes[i].matches);
		note_clear(&n->classes[i].note);
	}
	free(n->classes);
	for (size_t i = 0; i < n->policy_count; i++)
		network_policy_clear(&n->policies[i]);
	free(n->policies);
	for (size_t i = 0; i < n->deny_count; i++)
		network_deny_clear(&n->denies[i]);
	free(n->denies);
	for (size_t i = 0; i < n->expectation_count; i++) {
		free(n->expectations[i].from.sites);
		free(n->expectations[i].to.sites);
	}
	free(n->expectations);
}

void network_clear(struct network *n)
{
	strings_clear(n->files, n->file_count);
	strings_clear(n->tiers, n->tier_count);
	strings_clear(n->tags, n->tag_count);
	strings_clear(n->risks, n->risk_count);
	for (size_t i = 0; i < n->underlay_count; i++)
		free(n->underlays[i].name);
	free(n->underlays);
	for (size_t i = 0; i < n->site_count; i++)
		site_clear(&n->sites[i]);
	for (size_t i = n->site_count; i < network_node_count(n); i++)
		free(n->sites[i].name);
	free(n->sites);
	for (size_t i = 0; i < n->link_count; i++)
		free(n->links[i].risks);
	free(n->links);
	policies_clear(n);
	network_init(n);
}

static int by_id(const void *a, const void *b, void *sites)
{
	const struct site *s = sites;
	uint32_t p = s[*(const uint32_t *)a].id, q = s[*(const uint32_t *)b].id;

	return p < q ? -1 : p > q;
}

void network_sort_by_id(const struct network *n, uint32_t *sites, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (n->sites[sites[i - 1]].id > n->sites[sites[i]].id) {
			qsort_r(sites, count, sizeof(*sites), by_id, n->sites);
			return;
		}
}

uint32_t network_site_find(const struct network *n, const char *name)
{
	for (size_t i = 0; i < n->site_count; i++)
		if (!strcmp(n->sites[i].name, name))
			return (uint32_t)i;
	return NETWORK_NONE;
}

/* The end that carries nobody else's traffic, if any does not. */
static uint32_t link_leaf(const struct network *n, const struct link *l)
{
	return n->sites[l->a].tier > n->sites[l->b].tier ? l->a : l->b;
}

char *network_face_name(const char *name)
{
	size_t room = NAME_MAX_BYTES - strlen(NETWORK_PARALLEL_SUFFIX), length = strlen(name);
	char *made;

	if (length > room) /* not in the middle of a letter */
		for (length = room; length && ((unsigned char)name[length] & 0xc0) == 0x80;)
			length--;
	made = malloc(length + sizeof(NETWORK_PARALLEL_SUFFIX));
	if (made) {
		memcpy(made, name, length);
		strcpy(made + length, NETWORK_PARALLEL_SUFFIX);
	}
	return made;
}

static int face_make(struct network *n, uint32_t site)
{
	uint32_t index = (uint32_t)network_node_count(n);
	const struct site *of = &n->sites[site];
	struct site face = {.id = PARALLEL_ID + of->id,
			    .tier = of->tier,
			    .parent = of->parent,
			    .backup = of->backup,
			    .face = site,
			    .place = of->place};

	face.name = network_face_name(of->name);
	if (!face.name)
		return -TUYEN_ENOMEM;
	n->sites[site].face = index;
	n->sites[index] = face;
	n->face_count++;
	return 0;
}

int network_make_faces(struct network *n)
{
	size_t parallel = 0;
	struct site *more;
	int err = 0;

	for (size_t i = 0; i < n->link_count; i++)
		parallel += n->links[i].parallel;
	if (!parallel)
		return 0;
	more = reallocarray(n->sites, n->site_count + parallel, sizeof(*more));
	if (!more)
		return -TUYEN_ENOMEM;
	n->sites = more;
	for (size_t i = 0; i < n->link_count && !err; i++) {
		struct link *l = &n->links[i];
		uint32_t leaf = link_leaf(n, l);

		if (l->parallel && !n->sites[leaf].face)
			err = face_make(n, leaf);
		l->face = l->parallel ? n->sites[leaf].face : 0;
	}
	return err;
}

uint16_t network_listen_port(const struct network *n, uint32_t site)
{
	const struct site *s = &n->sites[site];

	for (size_t i = 0; i < s->uplink_count; i++)
		if (s->uplinks[i].endpoint.family && s->uplinks[i].endpoint.port)
			return s->uplinks[i].endpoint.port;
	return n->link_port;
}

ipv4_t network_link_address(const struct network *n, uint32_t site_id)
{
	return site_id < PARALLEL_ID ? n->link_space.address + site_id
				     : n->parallel_space.address + site_id % PARALLEL_ID;
}

ipv4_t network_path_address(const struct network *n, uint32_t site_id, uint8_t path_index)
{
	return n->path_space.address + site_id * 16 + path_index;
}
