/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_MESSAGE_H
#define TUYEN_CORE_MESSAGE_H

#include <stdint.h>

#include "tuyen/base/ip.h"
#include "tuyen/core/bfd.h"
#include "tuyen/topology/network.h"

/**
 * The picture of the architecture: all that passes between the kernel process and the wire process,
 * over a SOCK_SEQPACKET pair that the supervisor keeps open. Each message is one struct message, in
 * host order, fixed size a type; a receiver checks type, size and every field's range, and takes nothing else.
 *
 *   kernel -> wire                              wire -> kernel
 *   HELLO    a new life: forget the old config  HELLO     a new life: send me all again
 *   BEGIN    config of generation G follows     LIVENESS  a session changed state
 *   SESSION  one BFD or S-BFD session           COMMAND   refresh the snapshot, reload, plan
 *   REFLECT  answer S-BFD on this address
 *   COMMIT   generation G is complete
 *   SNAPSHOT one piece of the status document (JSON, see client/control.h)
 *   EVENT    one line for those who watch (JSON)
 *   ANSWER   one piece of a command's answer
 */
enum message_type {
	MESSAGE_HELLO = 1,
	MESSAGE_BEGIN,
	MESSAGE_SESSION,
	MESSAGE_REFLECT,
	MESSAGE_COMMIT,
	MESSAGE_SNAPSHOT,
	MESSAGE_EVENT,
	MESSAGE_ANSWER,
	MESSAGE_LIVENESS,
	MESSAGE_COMMAND,
};

enum session_kind {
	SESSION_LINK =
	    1, /* BFD with a neighbour; id = its own: over a parallel link with PARALLEL_ID */
	SESSION_PATH = 2, /* S-BFD along a candidate path; id = path index */
};

struct message_session {
	uint32_t kind; /* enum session_kind */
	uint32_t id;
	ipv4_t local, remote;
	uint32_t remote_discriminator; /* SESSION_PATH */
	uint32_t interval_us;
	uint32_t multiplier;
	uint32_t
	    base_multiplier; /* SESSION_PATH: after so many it is in doubt; @multiplier is more where a repair is worth the wait. 0: no wait */
	uint32_t mtu;	     /* bytes of an IP packet, as compiled; 0: not to be asked for */
	uint32_t padded_gap_us; /* between two padded probes (core/path_mtu.h), 0 none */
	uint32_t
	    mtu_known; /* less than that, if an earlier life found that no more passes; 0 unknown */
	char device[16]; /* SESSION_LINK: bound to it; "" none */
	uint32_t
	    way; /* SESSION_PATH: of its first link and labels. One with another is another path, though all else be the same */
	uint32_t first_site; /* SESSION_PATH: the link it leaves by, 0 unknown */
	uint32_t
	    hasty_us; /* SESSION_PATH: so long a silence is enough when that link goes down: its detection time */
};

struct message_reflect {
	ipv4_t address;
	uint32_t discriminator;
};

struct message_liveness {
	uint32_t kind;
	uint32_t id;
	uint32_t state;	     /* enum bfd_state */
	uint32_t diagnostic; /* enum bfd_diagnostic */
	uint32_t by_intent;  /* 1: down, as the other end is AdminDown */
	uint32_t
	    anew; /* SESSION_LINK, 1: the neighbour's daemon has begun anew since it was up before */
	uint32_t
	    quiet; /* SESSION_PATH, 1: up, and silent for as long as its links would bear. It waits for a repair */
	uint32_t round_trip_us;
	uint32_t loss_permille, jitter_us; /* SESSION_PATH */
	uint32_t
	    loss_known; /* SESSION_PATH, 1: since it is up, as many probes were counted as there are to be */
	uint32_t mtu;	     /* bytes that pass, there and back; 0 not known yet */
	uint32_t generation; /* of the config it belongs to */
	uint64_t sent, received, dropped;
	uint64_t detection_us;
	uint64_t changed_at_us; /* struct monotime */
	uint64_t up_until_us;	/* the same; when it left Up last, 0 never */
};

enum command_kind {
	COMMAND_RELOAD =
	    1, /* look for a new release in the incoming folder and take it if it verifies */
	COMMAND_PLAN = 2,   /* what would be done now, in words */
	COMMAND_STATUS = 3, /* read the kernel's counters and publish a snapshot now */
};

struct message_command {
	uint32_t kind;
	uint32_t request; /* echoed in the answer */
};

#define MESSAGE_PIECE_MAX 16000

/** A piece of a longer text: pieces come in order, @last ends it. */
struct message_piece {
	uint32_t request; /* ANSWER: of the command; SNAPSHOT: 0 */
	uint32_t status;  /* ANSWER: 0 ok, 1 refused, 2 the system failed */
	uint32_t last;
	uint32_t
	    offset; /* of @bytes in the text: a piece that does not follow what was read is of a text that is lost */
	uint32_t length;
	char bytes[MESSAGE_PIECE_MAX];
};

struct message {
	uint32_t type;
	uint32_t generation; /* HELLO, BEGIN, COMMIT */
	union {
		struct message_session session;
		struct message_reflect reflect;
		struct message_liveness liveness;
		struct message_command command;
		struct message_piece piece;
	} u;
};

/** @return bytes of a whole message of @type on the wire, 0 for an unknown type. */
uint32_t message_size(enum message_type type);
/** Checks what was received. @return 0, -TUYEN_ETRUNC or -TUYEN_EINVAL. */
int message_check(const struct message *m, uint32_t length);

#endif
