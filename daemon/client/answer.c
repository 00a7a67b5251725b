/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an answer is "OK <bytes>", "REFUSED <bytes>", "FAILED <bytes>", or "OK" alone before
 * a stream, and LF. It is read by hand because the peer may be anything that listens there: a
 * number has one form only, no sign, no zero in front, and never more than CONTROL_ANSWER_MAX.
 */
#include "tuyen/client/answer.h"

#include <string.h>

static const struct {
	const char *word;
	enum control_status status;
} answer_words[] = {
    {"OK", CONTROL_OK},
    {"REFUSED", CONTROL_REFUSED},
    {"FAILED", CONTROL_FAILED},
};

void control_answer_init(struct control_answer *answer)
{
	*answer = (struct control_answer){.stage = CONTROL_ANSWER_HEAD};
	text_init(&answer->body);
}

void control_answer_clear(struct control_answer *answer)
{
	text_clear(&answer->body);
	control_answer_init(answer);
}

static int length_parse(const char *digits, size_t *ret_length)
{
	size_t length = 0;

	if (!digits[0] || (digits[0] == '0' && digits[1]))
		return -TUYEN_EINVAL;
	for (; *digits; digits++) {
		if (*digits < '0' || *digits > '9')
			return -TUYEN_EINVAL;
		length = length * 10 + (size_t)(*digits - '0');
		if (length > CONTROL_ANSWER_MAX)
			return -TUYEN_ELIMIT;
	}
	*ret_length = length;
	return 0;
}

static int head_parse(struct control_answer *answer)
{
	char *space = strchr(answer->head, ' ');
	size_t i;
	int err;

	if (space)
		*space = '\0';
	for (i = 0; i < sizeof(answer_words) / sizeof(answer_words[0]); i++)
		if (!strcmp(answer->head, answer_words[i].word))
			break;
	if (i == sizeof(answer_words) / sizeof(answer_words[0]))
		return -TUYEN_EINVAL;
	answer->status = answer_words[i].status;
	if (!space) {
		answer->stage = CONTROL_ANSWER_STREAM;
		return answer->status == CONTROL_OK ? 0 : -TUYEN_EINVAL;
	}
	err = length_parse(space + 1, &answer->expected);
	if (err < 0)
		return err;
	answer->stage = answer->expected ? CONTROL_ANSWER_BODY : CONTROL_ANSWER_DONE;
	return 0;
}

static int head_take(struct control_answer *answer, char c)
{
	if (c == '\n') {
		answer->head[answer->head_length] = '\0';
		return head_parse(answer);
	}
	if (c == '\0' || answer->head_length + 1 >= sizeof(answer->head))
		return -TUYEN_EINVAL;
	answer->head[answer->head_length++] = c;
	return 0;
}

static size_t body_take(struct control_answer *answer, const char *bytes, size_t length)
{
	size_t left = answer->expected - answer->body.length;

	if (length > left)
		length = left;
	text_add_bytes(&answer->body, bytes, length);
	if (answer->body.length == answer->expected)
		answer->stage = CONTROL_ANSWER_DONE;
	return length;
}

int control_answer_feed(struct control_answer *answer, const char *bytes, size_t length,
			size_t *ret_taken)
{
	size_t taken = 0;
	int err;

	while (taken < length && answer->stage == CONTROL_ANSWER_HEAD) {
		err = head_take(answer, bytes[taken++]);
		if (err < 0)
			return err;
	}
	if (answer->stage == CONTROL_ANSWER_BODY)
		taken += body_take(answer, bytes + taken, length - taken);
	if (answer->body.failed)
		return -TUYEN_ENOMEM;
	*ret_taken = taken;
	return 0;
}
