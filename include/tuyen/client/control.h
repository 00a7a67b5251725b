/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CLIENT_CONTROL_H
#define TUYEN_CLIENT_CONTROL_H

#include "tuyen/base/err.h"
#include "tuyen/base/text.h"

/**
 * The control socket: a UNIX stream socket of tuyend's wire process, CONTROL_SOCKET.
 * A client sends one request line, ended by LF, at most CONTROL_REQUEST_MAX bytes:
 *
 *	STATUS	the status document, below
 *	PLAN	what tuyend would do to the kernel now, in words
 *	RELOAD	take a new release from the incoming folder, if it verifies
 *	WATCH	events, one JSON object a line, until the client closes
 *	WATCH AGAIN	the same to who watched before and was cut off: first those of the wire process's first ten seconds, while these last
 *
 * The answer: a line "OK <bytes>", "REFUSED <bytes>" or "FAILED <bytes>", then that many bytes. WATCH: "OK\n", then lines.
 *
 * The status document is one JSON object. Times are RFC 3339 in UTC; *_s, *_us, *_ms say their unit;
 * what is unknown is null.
 *
 *  format	1
 *  site	{name, id, tier, label, node_address, link_address, lan_address, lan_shared: bool, lan_away: bool, lan_closed,
 *		 lan_claim, conflict, folder, unnamed}
 *		 lan_shared: with other gateways; lan_away: no way leads to the LAN; one that shares it answers no probe then
 *		 lan_closed: the device of a LAN whose net.ipv4.conf.<device>.forwarding is 0, "" if none is
 *		 lan_claim: what of the LAN a route leads to a line, "10.9.1.10/32 over wwan0", "" if none does; and ", cut off: more than 32 parts", or
 *		 "a gateway of IPv6", where the LAN's own routes cannot be set before it
 *		 conflict: other sites' addresses that stand on devices of this box, "10.0.0.10 on lan0, ...", "" if none does
 *		 folder: why a restart would miss something of the node's folder, "" if it would not
 *		 unnamed: the neighbour on a parallel link that this site calls, as is the other to that site, over lines that
 *		 --uplinks does not both name, "" if there is none: one cut may take both links
 *  daemon	{version, started, uptime_s, turns, operations, netlink_messages, drift_repairs, last_failure}
 *  bundle	{epoch, root, digest, issued, expires, expired, expiry: "distant|month|week|day|past", days_left, roster_version,
 *		 signers: [name], installed,
 *		 refusals: [{at, reason}] newest last, at most 8}		epoch is null without a bundle
 *		 expiry: month, week, day: 30, 7 or 1 days are left, or fewer; not one that is longer than a third of its life
 *  links	[{site, site_id, parallel: bool, device, underlay, state: "up|down|init|admin-down", diagnostic, since, since_s, link_address,
 *		 endpoint, handshake_age_s, rx_bytes, tx_bytes, interval_us, multiplier, detection_us,
 *		 bfd_sent, bfd_received, bfd_dropped, changes, mtu, carried_mtu, filter_drops, damped: bool, damped_for_s, duplicate: bool,
 *		 repaired: bool}]
 *		 parallel: true on a parallel link, and else not there. Such a one is the link to another neighbour, whose site_id is
 *		 1000000 more and whose name ends with " parallel"; so it is wherever neighbours are named
 *		 rx_bytes, tx_bytes: WireGuard's, of a session too; null while it has no such peer, or was not read yet
 *		 carried_mtu: bytes that pass there and back, as padded probes found it
 *		 filter_drops: packets with labels that policy does not let it send, and BFD packets beyond any lawful rate
 *		 duplicate: its key speaks from two places at once
 *		 repaired: the link is, or was just now, down, and what has a repair goes around it
 *  paths	[{index, name, policy, color, preference, endpoint, endpoint_id, first_hop, labels: [n], source, mtu,
 *		 state: "up|down|unknown", diagnostic, repaired: bool, active: bool, since, since_s, round_trip_us, detection_us, changes, doubts,
 *		 bfd_sent, bfd_received, degraded: bool, in_doubt: bool, damped: bool, damped_for_s, loss_permille, jitter_us, carried_mtu}]
 *		 in_doubt: up, and silent for as long as its links would bear: it waits for a repair on the way; doubts: how often
 *		 damped: it failed or was in doubt again and again, and is held as spare for damped_for_s more
 *  sessions	[{color, policy, device, peer, peer_id, caller: bool, endpoint, path, state: "up|down|unknown", since, since_s,
 *		 handshake_age_s, rx_bytes, tx_bytes, mtu, prefixes: [p]}]
 *		 path: the name of the path in use (head-end), or the path address that the peer now comes from (endpoint)
 *		 state: up when a handshake is younger than 180 s (REJECT_AFTER_TIME)
 *		 since: of one that is up since before tuyend started, the last handshake before that
 *  labels	[{in, out: [n], next, device, repaired: bool, repair_next, repair_out: [n]}]
 *		 next: neighbour's name, or "here"; where it is repaired, out and next are the repair's
 *  queues	[{site, queue: policy's name | "policy" | "probes" | "rest", color, guaranteed_bps, most_bps, priority, tx_bytes,
 *		 packets, drops, waiting_bytes}]	on link0 and link1, where lines have a rate; "policy": of one that we have no
 *		 session of; priority 0 is first
 *  meters	[{line, device, level: "uncounted|within|near|exceeded", used_bytes, allowance_bytes, used_kb, allowance_kb,
 *		 used_percent, day}]	metered
 *		 lines, today; device is null where --uplinks does not name it: then nothing is counted; day is yyyymmdd; it and what
 *		 was used are null while nothing is counted
 *  devices	[{name, address, port, user, interface, link, link_id}]	what tuyen-snmp is to poll
 *  self_check	[{name, ok, fatal, found, remedy}]
 *
 * Events: {event: "link", site, site_id, state, diagnostic, at} · {event: "path", index, name, policy, color, endpoint,
 * endpoint_id, state, diagnostic, at} · {event: "switch", color, endpoint, endpoint_id, from, to, from_name, to_name, at} ·
 * {event: "bundle", epoch, accepted: bool, reason, at} · {event: "drift", repaired: n, what, at}: n of what, less where some fails ·
 * {event: "repair", site, site_id, repaired: bool, routes: n, at} ·
 * {event: "damped", index, name, policy, color, endpoint, endpoint_id | site, site_id, held_s, at}, of a path or a link ·
 * {event: "mtu", index, name, policy, color, endpoint, endpoint_id | site, site_id, carried_mtu, mtu, at}: a path or a
 * link carries less than was compiled, or all of it again ·
 * {event: "duplicate", site, site_id, duplicate: bool, endpoint, other, at}: its key speaks from both, or no longer.
 * {event: "meter", line, level, used_kb, allowance_kb, at}: a metered line came to 80 % of its day, beyond it, or to a new day.
 * {event: "lan", away: bool, at}: no way leads to the LAN of this site, or one does again; a gateway that shares it answers no probe meanwhile.
 * {event: "conflict", addresses, at}: other sites' addresses that stand on devices of this box, now; "" if none does any more.
 * {event: "claim", claim, at}: what of the LAN a route leads to a line, as in lan_claim; "" if none does any more.
 * {event: "folder", folder, at}: why a restart would miss something of the node's folder, now; "" if it would not any more.
 * Nobody is told of a doubt that is over: of what it costs, once.
 */
#define CONTROL_SOCKET	    "/run/tuyen/control"
#define CONTROL_REQUEST_MAX 64
#define CONTROL_ANSWER_MAX  (64u << 20)

enum control_status {
	CONTROL_OK = 0,
	CONTROL_REFUSED = 1,
	CONTROL_FAILED = 2,
};

/**
 * Sends one request and reads the whole answer. Blocks, at most @timeout_ms.
 * @return 0 with @ret_status and @ret_body; -TUYEN_ESYSTEM or -TUYEN_EINVAL with @reason.
 */
int control_request(const char *socket_path, const char *request, int timeout_ms,
		    enum control_status *ret_status, struct text *ret_body, struct reason *reason);

/** Sends WATCH. @return a non-blocking file descriptor that gives event lines, or a negative error. */
int control_watch(const char *socket_path, struct reason *reason);

#endif
