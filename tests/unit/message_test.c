/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/message.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/err.h"
#include "tuyen/core/message.h"

#define SESSION(...)                                                                               \
	{                                                                                          \
		.type = MESSAGE_SESSION, .u.session = {                                            \
			.kind = SESSION_LINK,                                                      \
			.id = 1,                                                                   \
			.local = 1,                                                                \
			.remote = 2,                                                               \
			.interval_us = 50000,                                                      \
			.multiplier = 3,                                                           \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define LIVENESS(...)                                                                              \
	{                                                                                          \
		.type = MESSAGE_LIVENESS, .u.liveness = {                                          \
			.kind = SESSION_PATH,                                                      \
			.id = 15,                                                                  \
			.state = BFD_STATE_UP,                                                     \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct {
	const char *rule;
	struct message message;
	bool good;
} rows[] = {
    {"hello", {.type = MESSAGE_HELLO}, true},
    {"begin", {.type = MESSAGE_BEGIN, .generation = 7}, true},
    {"commit", {.type = MESSAGE_COMMIT, .generation = UINT32_MAX}, true},
    {"type 0", {.type = 0}, false},
    {"type beyond the last", {.type = MESSAGE_COMMAND + 1}, false},
    {"type huge", {.type = UINT32_MAX}, false},
    {"link", SESSION(.device = "link0"), true},
    {"link without a device", SESSION(.device = ""), true},
    {"link of no kind", SESSION(.kind = 0), false},
    {"link of a kind too high", SESSION(.kind = 3), false},
    {"link without an id", SESSION(.id = 0), false},
    {"link with the highest site id", SESSION(.id = SITE_ID_MAX), true},
    {"link beyond the highest site id", SESSION(.id = SITE_ID_MAX + 1), false},
    {"parallel link", SESSION(.id = PARALLEL_ID + 901, .device = "link1"), true},
    {"parallel link to nobody", SESSION(.id = PARALLEL_ID), false},
    {"parallel link beyond the highest", SESSION(.id = PARALLEL_ID + SITE_ID_MAX + 1), false},
    {"a third link", SESSION(.id = 2 * PARALLEL_ID + 901), false},
    {"path that begins with a parallel link",
     SESSION(.kind = SESSION_PATH, .remote_discriminator = 1, .first_site = PARALLEL_ID + 7,
	     .hasty_us = 150000),
     true},
    {"link without local", SESSION(.local = 0), false},
    {"link without remote", SESSION(.remote = 0), false},
    {"link with a reflector", SESSION(.remote_discriminator = 5), false},
    {"interval 0", SESSION(.interval_us = 0), false},
    {"interval below 1 ms", SESSION(.interval_us = 999), false},
    {"interval 1 ms", SESSION(.interval_us = 1000), true},
    {"interval above an hour", SESSION(.interval_us = 3600000001u), false},
    {"multiplier 0", SESSION(.multiplier = 0), false},
    {"multiplier 255", SESSION(.multiplier = 255), true},
    {"multiplier 256", SESSION(.multiplier = 256), false},
    {"device without an end", SESSION(.device = "0123456789abcdef"), false},
    {"device with a slash", SESSION(.device = "../x"), false},
    {"device with a blank", SESSION(.device = "a b"), false},
    {"path", SESSION(.kind = SESSION_PATH, .remote_discriminator = 1), true},
    {"path with its first link",
     SESSION(.kind = SESSION_PATH, .remote_discriminator = 1, .first_site = 7, .hasty_us = 150000),
     true},
    {"path in haste without an end",
     SESSION(.kind = SESSION_PATH, .remote_discriminator = 1, .first_site = 7), false},
    {"path with a link beyond the highest",
     SESSION(.kind = SESSION_PATH, .remote_discriminator = 1, .first_site = SITE_ID_MAX + 1,
	     .hasty_us = 150000),
     false},
    {"link with a first link", SESSION(.first_site = 7), false},
    {"path with the longest gap",
     SESSION(.kind = SESSION_PATH, .remote_discriminator = 1, .padded_gap_us = 60000000), true},
    {"path with a longer gap",
     SESSION(.kind = SESSION_PATH, .remote_discriminator = 1, .padded_gap_us = 60000001), false},
    {"link with a gap", SESSION(.padded_gap_us = 60000000), true},
    {"link with a longer gap", SESSION(.padded_gap_us = 60000001), false},
    {"link that is asked for more than IP has", SESSION(.mtu = 65536), false},
    {"link of which less is known", SESSION(.mtu = 1440, .mtu_known = 1000), true},
    {"... not less", SESSION(.mtu = 1440, .mtu_known = 1440), false},
    {"... too little", SESSION(.mtu = 1440, .mtu_known = 635), false},
    {"path without a reflector", SESSION(.kind = SESSION_PATH), false},
    {"path beyond the last", SESSION(.kind = SESSION_PATH, .remote_discriminator = 1, .id = 16),
     false},
    {"path with a device", SESSION(.kind = SESSION_PATH, .remote_discriminator = 1, .device = "x"),
     false},
    {"reflect", {.type = MESSAGE_REFLECT, .u.reflect = {1, 1}}, true},
    {"reflect nowhere", {.type = MESSAGE_REFLECT, .u.reflect = {0, 1}}, false},
    {"reflect as nobody", {.type = MESSAGE_REFLECT, .u.reflect = {1, 0}}, false},
    {"liveness", LIVENESS(.diagnostic = BFD_DIAG_PATH_DOWN), true},
    {"liveness of no kind", LIVENESS(.kind = 0), false},
    {"liveness of no id", LIVENESS(.id = 0), false},
    {"liveness of a path too high", LIVENESS(.id = 16), false},
    {"liveness of a site", LIVENESS(.kind = SESSION_LINK, .id = 901), true},
    {"liveness of a parallel link", LIVENESS(.kind = SESSION_LINK, .id = PARALLEL_ID + 901), true},
    {"liveness beyond the highest", LIVENESS(.kind = SESSION_LINK, .id = SITE_ID_MAX + 1), false},
    {"liveness in no state", LIVENESS(.state = 4), false},
    {"liveness diagnostic", LIVENESS(.diagnostic = 32), false},
    {"liveness of known loss", LIVENESS(.loss_known = 1), true},
    {"liveness of loss known twice", LIVENESS(.loss_known = 2), false},
    {"liveness of a neighbour that began anew",
     LIVENESS(.kind = SESSION_LINK, .id = 901, .anew = 1), true},
    {"liveness of one that did so twice", LIVENESS(.kind = SESSION_LINK, .id = 901, .anew = 2),
     false},
    {"liveness of a path that began anew", LIVENESS(.anew = 1), false},
    {"liveness of a link's known loss", LIVENESS(.kind = SESSION_LINK, .loss_known = 1), false},
    {"command", {.type = MESSAGE_COMMAND, .u.command = {COMMAND_STATUS, 9}}, true},
    {"command 0", {.type = MESSAGE_COMMAND, .u.command = {0, 9}}, false},
    {"command 4", {.type = MESSAGE_COMMAND, .u.command = {4, 9}}, false},
    {"piece",
     {.type = MESSAGE_ANSWER, .u.piece = {.status = 2, .last = 1, .length = MESSAGE_PIECE_MAX}},
     true},
    {"piece too long",
     {.type = MESSAGE_EVENT, .u.piece = {.length = MESSAGE_PIECE_MAX + 1}},
     false},
    {"piece status", {.type = MESSAGE_ANSWER, .u.piece = {.status = 3}}, false},
    {"piece last", {.type = MESSAGE_SNAPSHOT, .u.piece = {.last = 2}}, false},
};
#pragma GCC diagnostic pop

static void ranges(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t size = message_size((enum message_type)rows[i].message.type);
		int err = message_check(&rows[i].message, size ? size : 8);

		if ((err == 0) != rows[i].good || (err && err != -TUYEN_EINVAL))
			fail_msg("%s: %d", rows[i].rule, err);
	}
}

/* Each type in a block of exactly its size, so that the sanitizer sees a read beyond. */
static void sizes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t size = message_size((enum message_type)rows[i].message.type);
		struct message *m;

		if (!rows[i].good)
			continue;
		assert_in_range(size, 8, sizeof(struct message));
		m = malloc(size);
		assert_non_null(m);
		memcpy(m, &rows[i].message, size);
		assert_int_equal(message_check(m, size), 0);
		assert_int_equal(message_check(m, size - 1), -TUYEN_ETRUNC);
		assert_int_equal(message_check(m, size + 1), -TUYEN_EINVAL);
		assert_int_equal(message_check(m, 7), -TUYEN_ETRUNC);
		assert_int_equal(message_check(m, 0), -TUYEN_ETRUNC);
		free(m);
	}
	assert_int_equal(message_size((enum message_type)0), 0);
	assert_int_equal(message_size((enum message_type)99), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ranges),
	    cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
