/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_BFD_H
#define TUYEN_CORE_BFD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tuyen/base/monotime.h"

/**
 * Bidirectional Forwarding Detection, asynchronous mode without echo and without authentication:
 * RFC 5880 (machine), RFC 5881 (one IP hop), RFC 7880/7881 (Seamless BFD). Pure: the caller owns
 * clock, randomness and sockets.
 */

#define BFD_PORT_SINGLE_HOP 3784 /* RFC 5881 section 4 */
#define BFD_PORT_SBFD	    7784 /* RFC 7881 section 2 */

/** What packets are sent from, and S-BFD's answers come to: the rest of all ports (RFC 5881 section 4). */
#define BFD_SOURCE_PORT_FIRST 49152
#define BFD_SOURCE_PORT_COUNT 16384
#define BFD_PACKET_BYTES      24 /* without authentication, RFC 5880 section 4.1 */

enum bfd_state { /* RFC 5880 section 4.1 */
		 BFD_STATE_ADMIN_DOWN = 0,
		 BFD_STATE_DOWN = 1,
		 BFD_STATE_INIT = 2,
		 BFD_STATE_UP = 3,
};

enum bfd_diagnostic { /* RFC 5880 section 4.1 */
		      BFD_DIAG_NONE = 0,
		      BFD_DIAG_DETECTION_EXPIRED = 1,
		      BFD_DIAG_ECHO_FAILED = 2,
		      BFD_DIAG_NEIGHBOR_DOWN = 3,
		      BFD_DIAG_FORWARDING_RESET = 4,
		      BFD_DIAG_PATH_DOWN = 5,
		      BFD_DIAG_CONCATENATED_DOWN = 6,
		      BFD_DIAG_ADMIN_DOWN = 7,
		      BFD_DIAG_REVERSE_CONCATENATED_DOWN = 8,
};

const char *bfd_state_name(enum bfd_state state);
const char *bfd_diagnostic_name(enum bfd_diagnostic diagnostic);

/** A control packet's mandatory section. Intervals in microseconds. */
struct bfd_packet {
	enum bfd_diagnostic diagnostic;
	enum bfd_state state;
	bool poll, final, control_plane_independent, authentication, demand, multipoint;
	uint8_t multiplier;
	uint32_t my_discriminator, your_discriminator;
	uint32_t desired_min_tx_us, required_min_rx_us, required_min_echo_rx_us;
};

/** Why a received packet was dropped, in the order of RFC 5880 section 6.8.6. */
enum bfd_verdict {
	BFD_ACCEPT = 0,
	BFD_DROP_SHORT,
	BFD_DROP_VERSION,
	BFD_DROP_LENGTH,
	BFD_DROP_MULTIPLIER,
	BFD_DROP_MULTIPOINT,
	BFD_DROP_MY_DISCRIMINATOR,
	BFD_DROP_YOUR_DISCRIMINATOR, /* zero while state is not Down or AdminDown, or of no session */
	BFD_DROP_AUTHENTICATION,
	BFD_DROP_TTL, /* RFC 5881 section 5: not 255 */
	BFD_DROP_ADMIN_DOWN,
	BFD_DROP_NOT_REFLECTED, /* S-BFD: D bit set or state wrong, RFC 7880 section 7 */
};
const char *bfd_verdict_name(enum bfd_verdict verdict);

/** Decodes and makes the checks that need no session. */
enum bfd_verdict bfd_packet_decode(const uint8_t *bytes, size_t length,
				   struct bfd_packet *ret_packet);
void bfd_packet_encode(const struct bfd_packet *packet, uint8_t out[static BFD_PACKET_BYTES]);

enum bfd_role {
	BFD_ROLE_ACTIVE,	 /* RFC 5880 section 6.1 */
	BFD_ROLE_SBFD_INITIATOR, /* RFC 7880 section 6.1 */
};

struct bfd_config {
	enum bfd_role role;
	uint32_t local_discriminator;  /* unique at this node, not 0 */
	uint32_t remote_discriminator; /* BFD_ROLE_SBFD_INITIATOR: the reflector's */
	uint32_t interval_us;	       /* desired min TX = required min RX when up */
	uint8_t multiplier;	       /* 1..255 */
};

/** While a session is not up, RFC 5880 section 6.8.3: at least one second. */
#define BFD_SLOW_INTERVAL_US  1000000u
#define BFD_ROUND_TRIP_MAX_US 3000000u /* of an S-BFD probe; then its answer is taken for lost */

struct bfd_counters {
	uint64_t sent, received, dropped, up_transitions, down_transitions;
};

/** One session. Fields are read by all, written by bfd.c alone. */
struct bfd_session {
	struct bfd_config config;
	enum bfd_state state, remote_state;
	bool
	    by_intent; /* Down because the other end is AdminDown: that says nothing of the way (RFC 5882 section 3.2) */
	enum bfd_diagnostic diagnostic;
	uint32_t remote_discriminator;
	uint32_t up_discriminator; /* the remote's when we came up last; 0: never were */
	bool
	    remote_anew; /* it was another one the time before: the remote has begun anew meanwhile */
	uint32_t remote_min_rx_us, remote_desired_tx_us;
	uint8_t remote_multiplier;
	uint32_t tx_interval_us; /* now in force, before jitter */
	uint64_t detection_us;	 /* now in force; 0 until the remote was heard */
	bool poll_active, final_due;
	struct monotime next_send, detect_at, since;
	struct monotime last_received;
	struct monotime up_until; /* when it left Up last; 0: never */
	uint32_t round_trip_us; /* S-BFD: of the newest Poll that was answered; 0 unknown */
	struct bfd_counters counters;
	uint32_t random;		       /* state of the jitter generator */
	uint32_t applied_tx_us, applied_rx_us; /* what a poll sequence has agreed */
	struct monotime last_sent;
	uint32_t advertised_tx_us, advertised_rx_us; /* what our packets say */
	bool remote_demand;		/* the remote asked us to cease, RFC 5880 section 6.6 */
	bool poll_again;		/* a change during a poll sequence: another follows it */
	bool put_off;			/* an expiry was put off since the last packet */
	bool changed;			/* not yet told by bfd_session_step() */
	struct monotime poll_sent;	/* S-BFD: the probe whose Final tells the round trip, */
	uint8_t poll_number;		/* and its number */
	uint8_t probe, answered;	/* S-BFD: the numbers of the newest probe and answer */
	struct monotime answers_from;	/* S-BFD: no probe of the present pace is answered before */
	uint32_t farewell_us;		/* between two packets that say AdminDown, */
	struct monotime farewell_until; /* until the remote would take silence for a failure */
};

void bfd_session_init(struct bfd_session *s, const struct bfd_config *config, struct monotime now,
		      uint32_t random_seed);
/** New timers: a poll sequence when up, RFC 5880 section 6.5. */
void bfd_session_configure(struct bfd_session *s, uint32_t interval_us, uint8_t multiplier,
			   struct monotime now);
/**
 * There is another reason to think that the remote is gone: the silence until now is judged by @silence_us instead of
 * the detection time, where that is sooner. The next packet from the remote ends the haste. For BFD_ROLE_SBFD_INITIATOR.
 */
void bfd_session_hasten(struct bfd_session *s, uint64_t silence_us, struct monotime now);
/** From when its silence counts: the last packet, or the first answer that a probe of the present pace can have had. */
static inline struct monotime bfd_session_silent_since(const struct bfd_session *s)
{
	return monotime_before(s->last_received, s->answers_from) ? s->answers_from
								  : s->last_received;
}
/** AdminDown and back. Of one that was up AdminDown is said again until farewell_until, section 6.8.16. */
void bfd_session_enable(struct bfd_session *s, bool enabled, struct monotime now);

/** A decoded packet that was matched to @s. @ttl as received; checked for BFD_ROLE_ACTIVE. */
enum bfd_verdict bfd_session_receive(struct bfd_session *s, const struct bfd_packet *packet,
				     uint8_t ttl, struct monotime now);

/**
 * S-BFD has no field for a probe's number. But a reflector gives back the initiator's Desired Min TX Interval and makes nothing of it (RFC 7880
 * section 7.2): ours is that interval, rounded up to 256 us, and the number in the eight bits below.
 */
uint8_t bfd_probe_number(const struct bfd_packet *packet);

/** A packet that says what the last one said, for a padded probe; it takes no part in the machine. Only of one that is up. */
struct bfd_packet bfd_session_extra(const struct bfd_session *s);
/** When bfd_session_step() wants to be called next. */
struct monotime bfd_session_deadline(const struct bfd_session *s);

struct bfd_step {
	bool send; /* @packet is to be sent now */
	struct bfd_packet packet;
	bool changed; /* state changed since the last step or receive; see s->state */
};

/**
 * Moves the clock: detection expiry, periodic send. Also to be called after each receive, and
 * again for as long as @send is set: a Final and a periodic packet may be due at once.
 * @starved  the caller was not scheduled for a time comparable with the detection time: an
 *	     expiry is put off by one interval instead of being declared.
 */
struct bfd_step bfd_session_step(struct bfd_session *s, struct monotime now, bool starved);

/**
 * The stateless reflector, RFC 7880 section 6.2: turns a received packet round.
 * @return BFD_ACCEPT with @ret_reply, or why not.
 */
enum bfd_verdict bfd_reflect(const struct bfd_packet *packet, uint32_t reflector_discriminator,
			     uint32_t min_rx_us, struct bfd_packet *ret_reply);

#endif
