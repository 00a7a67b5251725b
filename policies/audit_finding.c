/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HEAD_LINES                                                                                 \
	6 /* before that of link1, if there is one, and the first LAN: see forwarding_encode() */

static const struct {
	const char *name, *summary;
} kinds[AUDIT_KINDS] = {
    [AUDIT_BUNDLE] = {"bundle", "a bundle is missing, unreadable, or of no site"},
    [AUDIT_ORDER] = {"order", "entries of a bundle are not in strict order, or stand twice"},
    [AUDIT_IDENTITY] = {"identity",
			"a site's own names, labels, addresses or ports are not its own"},
    [AUDIT_NEIGHBOR] = {"neighbor", "neighbours and the topology's links differ"},
    [AUDIT_LINK_KEY] = {"link-key", "a link's key is not the other site's"},
    [AUDIT_LINK_ADDRESS] = {"link-address", "a neighbour's link address is not the other site's"},
    [AUDIT_LINK_CALL] = {"link-call", "who calls whom, and where, does not fit"},
    [AUDIT_LINK_TIMERS] = {"link-timers", "probe timers differ from the link's"},
    [AUDIT_MTU] = {"mtu", "packets may be bigger than what carries them"},
    [AUDIT_PATH] = {"path", "a candidate path is not as policy describes it"},
    [AUDIT_SOURCE] = {"source", "a path's addresses are not those of its ends"},
    [AUDIT_STACK] = {"stack", "a label stack is empty, too deep, or holds no label"},
    [AUDIT_FILTERED] = {"filtered", "a filter drops a stack that a path needs"},
    [AUDIT_BLACK_HOLE] = {"black-hole", "a packet finds no label, or no neighbour"},
    [AUDIT_LOOP] = {"loop", "a packet goes round"},
    [AUDIT_MISDELIVERY] = {"misdelivery", "a packet ends at another site than it should"},
    [AUDIT_RETURN] = {"return", "the way back is missing or not of this path"},
    [AUDIT_DETOUR] = {"detour", "a path does not go where policy or its way back goes"},
    [AUDIT_REPAIR] = {"repair", "what replaces a failed link does not lead where the path leads"},
    [AUDIT_SESSION] = {"session", "a color's session is not as policy describes it"},
    [AUDIT_PEER_MISSING] = {"peer-missing", "a session that policy wants is not there"},
    [AUDIT_PEER_EXTRA] = {"peer-extra", "a session is there that no policy wants"},
    [AUDIT_PEER_KEY] = {"peer-key", "a session's key is not the other site's"},
    [AUDIT_PEER_CALL] = {"peer-call", "who calls whom in a session does not fit"},
    [AUDIT_ALLOWED_IPS] = {"allowed-ips", "a peer's prefixes are not just its LANs"},
    [AUDIT_OVERLAP] = {"overlap", "one prefix belongs to two"},
    [AUDIT_RULE_WIDE] = {"rule-wide", "a rule lets through what no policy allows"},
    [AUDIT_RULE_MISSING] = {"rule-missing", "what a policy allows, no rule lets through"},
    [AUDIT_RULE_CLASS] = {"rule-class",
			  "a rule's class or priority is not the policy's, or its prefix is none"},
    [AUDIT_QUEUE] = {"queue", "a line's rate, a queue's share or a code point is not as described"},
    [AUDIT_UNREACHABLE] = {"unreachable", "allowed, and no path works"},
    [AUDIT_LEAK] = {"leak", "a stack is accepted that no lawful path uses"},
    [AUDIT_USELESS] = {"useless", "nothing lawful uses it"},
    [AUDIT_EXPECTATION] = {"expectation", "an expectation is broken"},
};

const char *audit_kind_name(enum audit_kind kind)
{
	return kinds[kind].name;
}

const char *audit_kind_summary(enum audit_kind kind)
{
	return kinds[kind].summary;
}

bool numbers_add(struct audit *a, struct numbers *n, uint32_t value)
{
	if (n->count == n->room) {
		size_t room = n->room ? n->room * 2 : 1024;
		uint32_t *larger = realloc(n->value, room * sizeof(*larger));

		if (!larger) {
			a->failed = true;
			return false;
		}
		n->value = larger;
		n->room = room;
	}
	n->value[n->count++] = value;
	return true;
}

static uint32_t neighbor_lines(const struct forwarding *f, size_t end)
{
	size_t lines = end;

	for (size_t i = 0; i < end; i++)
		lines += f->neighbors[i].accept_count;
	return (uint32_t)lines;
}

static uint32_t peer_lines(const struct forwarding *f, size_t end)
{
	size_t lines = end;

	for (size_t i = 0; i < end; i++)
		lines += f->peers[i].prefix_count;
	return (uint32_t)lines;
}

/* Entries of each kind stand together, in the order of the enum; from 1. */
static uint32_t bundle_line(const struct forwarding *f, enum audit_object object, size_t index)
{
	uint32_t before[] = {
	    [OBJECT_LAN] = (uint32_t)f->lan_count,
	    [OBJECT_NEIGHBOR] = neighbor_lines(f, f->neighbor_count),
	    [OBJECT_LABEL] = (uint32_t)f->label_count,
	    [OBJECT_PATH] = (uint32_t)f->path_count,
	    [OBJECT_RETURN] = (uint32_t)f->return_count,
	    [OBJECT_SESSION] = (uint32_t)f->session_count,
	    [OBJECT_PEER] = peer_lines(f, f->peer_count),
	    [OBJECT_RULE] = (uint32_t)f->rule_count,
	    [OBJECT_LINE] = (uint32_t)f->line_count,
	    [OBJECT_QUEUE] = (uint32_t)f->queue_count,
	    [OBJECT_METER] = 0,
	};
	uint32_t line = HEAD_LINES + 1 + (f->parallel_address != 0);

	if (object == OBJECT_NONE)
		return 0;
	if (object < OBJECT_LAN)
		return (uint32_t)object + 2;
	for (int o = OBJECT_LAN; o < (int)object; o++)
		line += before[o];
	if (object == OBJECT_NEIGHBOR)
		return line + neighbor_lines(f, index);
	if (object == OBJECT_PEER)
		return line + peer_lines(f, index);
	return line + (uint32_t)index;
}

static struct audit_finding *finding_new(struct audit *a, enum audit_kind kind)
{
	if (a->found[kind]++ >= AUDIT_KEPT_MAX)
		return NULL;
	if (a->finding_count == a->finding_room) {
		size_t room = a->finding_room ? a->finding_room * 2 : 64;
		struct audit_finding *larger = realloc(a->findings, room * sizeof(*larger));

		if (!larger) {
			a->failed = true;
			return NULL;
		}
		a->findings = larger;
		a->finding_room = room;
	}
	a->findings[a->finding_count] = (struct audit_finding){.kind = kind};
	return &a->findings[a->finding_count++];
}

void audit_find(struct audit *a, enum audit_kind kind, uint32_t site, enum audit_object object,
		size_t index, struct source_place place, const char *format, ...)
{
	struct audit_finding *f = finding_new(a, kind);
	va_list ap;

	if (!f)
		return;
	f->place = place;
	if (site != NETWORK_NONE) {
		f->site_id = a->sites[site].site_id;
		f->line = bundle_line(&a->sites[site], object, index);
	}
	va_start(ap, format);
	if (vasprintf(&f->text, format, ap) < 0) {
		f->text = NULL;
		a->failed = true;
	}
	va_end(ap);
}

void audit_finding_take(struct audit *a, struct audit_finding *finding)
{
	struct audit_finding *f = finding_new(a, finding->kind);

	if (f)
		*f = *finding;
	else
		free(finding->text);
}

void audit_add(struct audit *a, enum audit_kind kind, uint32_t site_id, const char *text)
{
	struct audit_finding *f = finding_new(a, kind);

	if (!f)
		return;
	f->site_id = site_id;
	f->text = strdup(text);
	a->failed |= !f->text;
}

void audit_place(const struct audit *a, struct source_place place, struct text *t)
{
	if (place.line && place.file < a->network->file_count)
		text_printf(t, "%s:%u", a->network->files[place.file], place.line);
}

size_t audit_finding_count(const struct audit *a)
{
	return a->finding_count;
}

const struct audit_finding *audit_finding(const struct audit *a, size_t index)
{
	return &a->findings[index];
}

size_t audit_findings_of_kind(const struct audit *a, enum audit_kind kind)
{
	return a->found[kind];
}

size_t audit_findings_total(const struct audit *a)
{
	size_t total = 0;

	for (int k = 0; k < AUDIT_KINDS; k++)
		total += a->found[k];
	return total;
}
