/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CLIENT_ANSWER_H
#define TUYEN_CLIENT_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "tuyen/base/err.h"
#include "tuyen/base/text.h"
#include "tuyen/client/control.h"

/**
 * The two halves of a control client, apart, for a program with a loop of its own that must never
 * wait: a connection, and an answer that is read as its bytes come.
 */
enum control_answer_stage {
	CONTROL_ANSWER_HEAD,   /* the first line is not complete */
	CONTROL_ANSWER_BODY,   /* @expected bytes in all */
	CONTROL_ANSWER_STREAM, /* "OK" alone: lines follow until the end; they are not taken */
	CONTROL_ANSWER_DONE,
};

struct control_answer {
	enum control_answer_stage stage;
	enum control_status status;
	size_t expected;
	char head[24];
	size_t head_length;
	struct text body;
};

void control_answer_init(struct control_answer *answer);
void control_answer_clear(struct control_answer *answer);

/**
 * Takes what belongs to the answer and stops at its end.
 * @ret_taken  bytes taken of @bytes; set on success alone.
 * @return 0; -TUYEN_EINVAL: not an answer; -TUYEN_ELIMIT: above CONTROL_ANSWER_MAX; -TUYEN_ENOMEM.
 */
int control_answer_feed(struct control_answer *answer, const char *bytes, size_t length,
			size_t *ret_taken);

/**
 * Connects to the control socket. A full queue is waited for at most @timeout_ms; 0: not at all, and the
 * descriptor is non-blocking.
 * @return a close-on-exec descriptor, the caller's, or -TUYEN_ESYSTEM or -TUYEN_EINVAL with @reason.
 */
int control_connect(const char *socket_path, int timeout_ms, struct reason *reason);

#endif
