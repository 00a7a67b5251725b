/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SERVICE_CONTROL_SERVER_H
#define TUYEN_SERVICE_CONTROL_SERVER_H

#include <event2/event.h>
#include <stddef.h>

#include "tuyen/core/message.h"

/**
 * Serves the control socket (see client/control.h) in the wire process: STATUS from the newest snapshot,
 * commands by way of the kernel process, events to those who watch. Bounded: CONTROL_CLIENTS_MAX clients, half of
 * them one user's at most, one request each, a time limit each; a slow watcher is dropped, never waited for.
 */
#define CONTROL_CLIENTS_MAX	 32
#define CONTROL_CLIENTS_USER_MAX (CONTROL_CLIENTS_MAX / 2)

struct control_server;

/** Passes a command to the kernel process. @return 0 or a negative error when it cannot now. */
typedef int (*control_command_fn)(void *context, enum command_kind kind, uint32_t request);

/** @listen_fd is borrowed. @return NULL on failure. */
struct control_server *control_server_new(struct event_base *base, int listen_fd,
					  control_command_fn command, void *context);
void control_server_free(struct control_server *server);

/** A SNAPSHOT, EVENT or ANSWER piece came from the kernel process. */
void control_server_piece(struct control_server *server, enum message_type type,
			  const struct message_piece *piece);
/** An event line of the wire process's own, without LF. */
void control_server_event(struct control_server *server, const char *line, size_t length);
/** The kernel process began a new life: requests under way fail, and the snapshot stays, marked by its age. */
void control_server_kernel_restarted(struct control_server *server);

#endif
