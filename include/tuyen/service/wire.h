/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SERVICE_WIRE_H
#define TUYEN_SERVICE_WIRE_H

/**
 * The wire process: BFD with each neighbour, S-BFD along each candidate path, the reflector, the control
 * socket. It runs unprivileged: everything it knows comes over the pair as struct message, and all that it
 * says to the kernel process is HELLO, LIVENESS and COMMAND. It never touches a route.
 */
struct wire_options {
	int pair_fd;	/* SOCK_SEQPACKET to the kernel process; borrowed */
	int control_fd; /* listening UNIX stream socket, already bound; -1: none; borrowed */
	int alive_fd; /* one byte a second to the supervisor: the loop goes round; -1: none; borrowed */
};

/**
 * Runs until SIGTERM or until the pair is closed, and says so to neighbours for a second at most; once, where the supervisor is gone.
 * @return an exit code.
 */
int wire_run(const struct wire_options *options);

#endif
