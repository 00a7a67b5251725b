/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SERVICE_PAIR_H
#define TUYEN_SERVICE_PAIR_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#include "tuyen/base/text.h"
#include "tuyen/core/message.h"

/**
 * One end of the SOCK_SEQPACKET pair between the kernel process and the wire process: whole struct
 * messages, checked on receipt, queued without blocking when the other end is slow or away.
 */
struct pair;

typedef void (*pair_message_fn)(void *context, const struct message *message);
typedef void (*pair_closed_fn)(void *context);

/** @fd is borrowed and made non-blocking. @return NULL without memory. */
struct pair *pair_new(struct event_base *base, int fd, pair_message_fn on_message,
		      pair_closed_fn on_closed, void *context);
void pair_free(struct pair *pair);

#define PAIR_QUEUE_MAX (32u << 20) /* bytes that may wait */

/** Takes what has come in by now, as the event loop would: for one who is away from it for long. Not from within @on_message. */
void pair_receive(struct pair *pair);
/** Copies @message. @return 0, -TUYEN_ELIMIT when PAIR_QUEUE_MAX waits already, -TUYEN_ENOMEM. */
int pair_send(struct pair *pair, const struct message *message);
/** @text in pieces of @type (SNAPSHOT, EVENT, ANSWER). The whole text or none of it is queued. */
int pair_send_text(struct pair *pair, enum message_type type, uint32_t request, uint32_t status,
		   const char *text, size_t length);
/**
 * @text in pieces of @type (SNAPSHOT), each made when there is room for it: megabytes are there once. Taken and empty afterwards;
 * the caller's as before on failure. @return 0, -TUYEN_EINVAL for no text, or as above.
 */
int pair_give_text(struct pair *pair, enum message_type type, struct text *text);
/** @return true while something waits: a new snapshot would only pile up. */
bool pair_busy(const struct pair *pair);
/** Received messages that were malformed. */
uint64_t pair_rejected(const struct pair *pair);

#endif
