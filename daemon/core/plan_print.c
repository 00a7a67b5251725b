/* SPDX-License-Identifier: Apache-2.0 */
/* A plan in the words of ip(8), wg(8), tc(8) and sysctl(8), one operation a line. */
#include "tuyen/core/plan.h"

#include <string.h>

static const char *const route_verbs[] = {
    [PLAN_ADD] = "add",
    [PLAN_CHANGE] = "replace",
    [PLAN_REMOVE] = "delete",
};

static const void *subject(const struct plan_operation *op)
{
	return op->want ? op->want : op->have;
}

static void print_sysctl(const struct plan_operation *op, struct text *t)
{
	const struct kernel_sysctl *sysctl = subject(op);

	text_printf(t, "sysctl %s=%u", sysctl->path, sysctl->value);
	if (op->verb == PLAN_CHANGE)
		text_printf(t, " (is %u)", ((const struct kernel_sysctl *)op->have)->value);
}

static void print_nft(const struct plan_operation *op, struct text *t)
{
	static const char *const words[] = {
	    [PLAN_ADD] = "nft add table inet " TUYEN_NFT_TABLE,
	    [PLAN_CHANGE] = "nft replace table inet " TUYEN_NFT_TABLE,
	    [PLAN_REMOVE] = "nft delete table inet " TUYEN_NFT_TABLE,
	};

	text_add(t, words[op->verb]);
}

static void print_device_new(const struct kernel_device *d, struct text *t)
{
	char local[IPV4_STRLEN], remote[IPV4_STRLEN];

	text_printf(t, "ip link add %s type ", d->name);
	if (d->kind == KERNEL_DEVICE_WIREGUARD)
		text_printf(t, "wireguard mtu %u, listen-port %u fwmark 0x%x", d->mtu,
			    d->listen_port, d->fwmark);
	else
		text_printf(t, "ipip mode mplsip local %s remote %s ttl %u mtu %u",
			    ipv4_format(d->local, local), ipv4_format(d->remote, remote), d->ttl,
			    d->mtu);
}

static void print_device_change(const struct kernel_device *want, const struct kernel_device *have,
				struct text *t)
{
	text_printf(t, "ip link set %s", want->name);
	if (want->mtu != have->mtu && want->kind != KERNEL_DEVICE_LOOPBACK)
		text_printf(t, " mtu %u (is %u)", want->mtu, have->mtu);
	if (want->up != have->up)
		text_add(t, want->up ? " up" : " down");
	if (want->kind == KERNEL_DEVICE_LOOPBACK)
		return;
	if (want->master != have->master)
		text_add(t, " nomaster");
	if (strcmp(want->alias, have->alias))
		text_printf(t, " alias \"%s\"", want->alias);
	if (want->kind != KERNEL_DEVICE_WIREGUARD)
		return;
	if (want->listen_port != have->listen_port)
		text_printf(t, " listen-port %u (is %u)", want->listen_port, have->listen_port);
	if (want->fwmark != have->fwmark)
		text_printf(t, " fwmark 0x%x (is 0x%x)", want->fwmark, have->fwmark);
	if (memcmp(want->private_key, have->private_key, WG_KEY_LEN))
		text_add(t, " private key differs");
}

static void print_device(const struct plan_operation *op, struct text *t)
{
	switch (op->verb) {
	case PLAN_ADD:
		print_device_new(op->want, t);
		break;
	case PLAN_CHANGE:
		print_device_change(op->want, op->have, t);
		break;
	case PLAN_REMOVE:
		text_printf(t, "ip link delete %s", ((const struct kernel_device *)op->have)->name);
		break;
	}
}

/* In words of wg(8), which reads it from a file. */
static void print_preshared(enum kernel_preshared preshared, struct text *t)
{
	char key[WG_KEY_STRLEN];

	if (preshared == KERNEL_PRESHARED_PARALLEL)
		text_printf(t, " preshared-key <(echo %s)",
			    wg_key_format(kernel_preshared_parallel, key));
	else
		text_add(t, " preshared-key /dev/null");
}

static void print_peer(const struct plan_operation *op, struct text *t)
{
	const struct kernel_peer *peer = subject(op), *have = op->have;
	char key[WG_KEY_STRLEN], endpoint[IP_ENDPOINT_STRLEN], prefix[IPV4_PREFIX_STRLEN];

	text_printf(t, "wg set %s peer %s", peer->device, wg_key_format(peer->public_key, key));
	if (op->verb == PLAN_REMOVE) {
		text_add(t, " remove");
		return;
	}
	if (peer->endpoint.family && (!have || !have->endpoint.family))
		text_printf(t, " endpoint %s", ip_endpoint_format(&peer->endpoint, endpoint));
	if (peer->preshared != (have ? have->preshared : KERNEL_PRESHARED_NONE))
		print_preshared(peer->preshared, t);
	if (!have || have->keepalive_s != peer->keepalive_s)
		text_printf(t, " persistent-keepalive %u", peer->keepalive_s);
	for (size_t i = 0; i < peer->allowed_count; i++)
		text_printf(t, "%s%s", i ? "," : " allowed-ips ",
			    ipv4_prefix_format(peer->allowed[i], prefix));
}

static void print_address(const struct plan_operation *op, struct text *t)
{
	const struct kernel_address *a = subject(op);
	char prefix[IPV4_PREFIX_STRLEN];

	text_printf(t, "ip address %s %s dev %s", route_verbs[op->verb],
		    ipv4_prefix_format(a->prefix, prefix), a->device);
}

static void print_filter(const struct plan_operation *op, struct text *t)
{
	const struct kernel_label_filter *filter = subject(op);
	char stack[LABEL_STACK_STRLEN];

	text_printf(t, "tc filter %s dev %s ingress", route_verbs[op->verb], filter->device);
	if (op->verb == PLAN_REMOVE)
		return;
	text_add(t, " mpls pass ");
	for (size_t i = 0; i < filter->accept_count; i++)
		text_printf(t, "%s%s", i ? "," : "", label_stack_format(&filter->accept[i], stack));
	text_add(t, filter->accept_count ? ", else drop" : "none, else drop");
}

static void print_label(const struct plan_operation *op, struct text *t)
{
	const struct kernel_label_route *label = subject(op);
	char stack[LABEL_STACK_STRLEN];

	text_printf(t, "ip -f mpls route %s %u", route_verbs[op->verb], label->in_label);
	if (op->verb != PLAN_REMOVE && label->out.depth)
		text_printf(t, " as %s", label_stack_format(&label->out, stack));
	text_printf(t, " dev %s", label->device);
}

static const char *const route_types[] = {[KERNEL_ROUTE_UNICAST] = "",
					  [KERNEL_ROUTE_UNREACHABLE] = "unreachable ",
					  [KERNEL_ROUTE_THROW] = "throw "};

static void print_route(const struct plan_operation *op, struct text *t)
{
	const struct kernel_route *r = subject(op);
	char prefix[IPV4_PREFIX_STRLEN], stack[LABEL_STACK_STRLEN], source[IPV4_STRLEN],
	    gateway[IPV4_STRLEN];

	text_printf(t, "ip route %s %s%s",
		    r->type == KERNEL_ROUTE_THROW && op->verb != PLAN_REMOVE
			? "prepend"
			: route_verbs[op->verb],
		    route_types[r->type], ipv4_prefix_format(r->destination, prefix));
	if (r->push.depth)
		text_printf(t, " encap mpls %s", label_stack_format(&r->push, stack));
	if (r->gateway)
		text_printf(t, " via %s", ipv4_format(r->gateway, gateway));
	if (*r->device)
		text_printf(t, " dev %s%s", r->device, r->gateway ? " onlink" : "");
	if (r->source)
		text_printf(t, " src %s", ipv4_format(r->source, source));
	if (r->mtu)
		text_printf(t, " mtu %u", r->mtu);
	if (r->metric)
		text_printf(t, " metric %u", r->metric);
	text_printf(t, " table %u", r->table);
}

/* Only removed. */
static void print_stray(const struct plan_operation *op, struct text *t)
{
	static const char *const types[] = {"",		 "",	       "local ",     "broadcast ",
					    "anycast ",	 "multicast ", "blackhole ", "unreachable ",
					    "prohibit ", "throw "};
	const struct kernel_stray *stray = op->have;
	const struct kernel_route *r = &stray->route;
	char prefix[IPV4_PREFIX_STRLEN];

	text_printf(t, "ip route delete %s%s",
		    stray->type < sizeof(types) / sizeof(types[0]) ? types[stray->type] : "",
		    ipv4_prefix_format(r->destination, prefix));
	if (stray->tos)
		text_printf(t, " tos 0x%02x", stray->tos);
	if (r->metric)
		text_printf(t, " metric %u", r->metric);
	text_printf(t, " table %u protocol %u", r->table, stray->protocol);
}

static void print_rule(const struct plan_operation *op, struct text *t)
{
	const struct kernel_rule *rule = subject(op);
	char prefix[IPV4_PREFIX_STRLEN];

	text_printf(t, "ip rule %s priority %u", route_verbs[op->verb], rule->priority);
	if (rule->source.length)
		text_printf(t, " from %s", ipv4_prefix_format(rule->source, prefix));
	if (rule->fwmask)
		text_printf(t, " fwmark 0x%x/0x%x", rule->fwmark, rule->fwmask);
	text_printf(t, " table %u", rule->table);
}

static void print_route6(const struct plan_operation *op, struct text *t)
{
	const struct kernel_route6 *r = subject(op);
	char prefix[IPV6_PREFIX_STRLEN], gateway[IPV6_STRLEN], source[IPV6_STRLEN];

	text_printf(t, "ip -6 route %s %s%s", route_verbs[op->verb], route_types[r->type],
		    ipv6_prefix_format(&r->destination, prefix));
	if (!ipv6_is_none(&r->gateway))
		text_printf(t, " via %s", ipv6_format(&r->gateway, gateway));
	if (*r->device)
		text_printf(t, " dev %s%s", r->device, r->onlink ? " onlink" : "");
	if (!ipv6_is_none(&r->source))
		text_printf(t, " src %s", ipv6_format(&r->source, source));
	text_printf(t, " metric %u table %u", r->metric, r->table);
}

static void print_rule6(const struct plan_operation *op, struct text *t)
{
	const struct kernel_rule6 *rule = subject(op);
	char prefix[IPV6_PREFIX_STRLEN];

	text_printf(t, "ip -6 rule %s priority %u", route_verbs[op->verb], rule->priority);
	if (rule->source.length)
		text_printf(t, " from %s", ipv6_prefix_format(&rule->source, prefix));
	if (rule->fwmask)
		text_printf(t, " fwmark 0x%x/0x%x", rule->fwmark, rule->fwmask);
	text_printf(t, " table %u", rule->table);
}

static void print_queue(const struct plan_operation *op, struct text *t)
{
	const struct kernel_queue *q = subject(op);
	char address[IPV4_STRLEN];

	text_printf(t, "tc %s %s dev %s ", q->minor ? "class" : "qdisc", route_verbs[op->verb],
		    q->device);
	if (!q->minor) {
		text_add(t, "root htb");
		return;
	}
	text_printf(t, "classid 5459:%x", q->minor);
	if (op->verb == PLAN_REMOVE)
		return;
	text_printf(
	    t,
	    " parent 5459:%x htb rate %llubps ceil %llubps burst %u cburst %u overhead %u prio %u",
	    q->parent, (unsigned long long)q->rate, (unsigned long long)q->ceil, q->burst_bytes,
	    q->ceil_burst_bytes, q->overhead, q->priority);
	if (q->led && !q->leaf && q->destination)
		text_printf(t, ", of packets to %s", ipv4_format(q->destination, address));
	else if (q->led && !q->leaf)
		text_add(t, ", of packets that are left");
	if (q->leaf)
		text_printf(t, " quantum %u, fq_codel target %uus noecn, of mark 0x%08x",
			    q->quantum, q->target_us, q->mark);
}

/* Only removed. */
static void print_qdisc(const struct plan_operation *op, struct text *t)
{
	const struct kernel_qdisc *qdisc = op->have;

	text_printf(t, "tc qdisc delete dev %s %s%s", qdisc->device, qdisc->root ? "root " : "",
		    qdisc->kind);
}

static void (*const printers[])(const struct plan_operation *op, struct text *t) = {
    [PLAN_SYSCTL] = print_sysctl, [PLAN_NFT] = print_nft,	  [PLAN_DEVICE] = print_device,
    [PLAN_PEER] = print_peer,	  [PLAN_ADDRESS] = print_address, [PLAN_FILTER] = print_filter,
    [PLAN_LABEL] = print_label,	  [PLAN_ROUTE] = print_route,	  [PLAN_RULE] = print_rule,
    [PLAN_ROUTE6] = print_route6, [PLAN_RULE6] = print_rule6,	  [PLAN_QUEUE] = print_queue,
    [PLAN_STRAY] = print_stray,	  [PLAN_QDISC] = print_qdisc,
};

void kernel_plan_print(const struct kernel_plan *plan, struct text *ret_text)
{
	if (*plan->conflict.text)
		text_printf(ret_text, "# left out: %s\n", plan->conflict.text);
	for (size_t i = 0; i < plan->count; i++) {
		printers[plan->operations[i].object](&plan->operations[i], ret_text);
		text_add_char(ret_text, '\n');
	}
}
