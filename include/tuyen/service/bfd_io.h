/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SERVICE_BFD_IO_H
#define TUYEN_SERVICE_BFD_IO_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "tuyen/base/ip.h"
#include "tuyen/core/bfd.h"

/**
 * BFD's datagrams: non-blocking UDP sockets with TTL 255, DSCP CS6 and priority 6 (RFC 5881 sections 4 and 5,
 * RFC 7881 section 3). Needs no privilege: an address may be bound before it exists, and a device by whoever
 * holds a socket that is bound to none.
 */
#define BFD_IO_BATCH	 64
#define BFD_IO_BYTES_MAX 256 /* longer than the length field can say */

struct bfd_datagram {
	ipv4_t peer;
	uint16_t port; /* the peer's */
	uint8_t ttl;   /* as received; 0 unknown */
	size_t
	    length; /* of the whole; what is beyond @bytes is padding (RFC 9764), not kept, and sent as zeros */
	uint8_t bytes[BFD_IO_BYTES_MAX];
};

/** What the kernel is told for each datagram of a batch; bfd_io.c's own. */
struct bfd_io_room {
	bool ready;
	struct mmsghdr message[BFD_IO_BATCH];
	struct sockaddr_in peer[BFD_IO_BATCH];
	struct iovec io[BFD_IO_BATCH];
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control[BFD_IO_BATCH];
};

/** Room for one receive or one send of many, zeroed at first and then at its place. About 28 KB: one a process. */
struct bfd_batch {
	size_t count;
	struct bfd_datagram datagram[BFD_IO_BATCH];
	struct bfd_io_room room;
};

/**
 * A socket at @local:@port, bound to @device unless that is "".
 * @return 0 with @ret_fd, the caller's to close; -TUYEN_ESYSTEM with errno.
 */
int bfd_io_open(ipv4_t local, uint16_t port, const char *device, int *ret_fd);

/** Reads what is there, at most BFD_IO_BATCH. A full batch says that there may be more. */
void bfd_io_receive(int fd, struct bfd_batch *ret_batch);

/**
 * From now on @fd sends to @peer:@port and hears that one alone: the kernel keeps the way there instead of looking it
 * up for each packet. @return 0, or -TUYEN_ESYSTEM with errno if there is no way yet.
 */
int bfd_io_connect(int fd, ipv4_t peer, uint16_t port);

/**
 * To @peer:@port, @peer 0: where @fd is connected to; padded with zeros to @length bytes of UDP payload, at least
 * BFD_PACKET_BYTES, and never fragmented here. @return 0 or -TUYEN_ESYSTEM with errno.
 */
int bfd_io_send(int fd, ipv4_t peer, uint16_t port, const struct bfd_packet *packet, size_t length);

/** Sends each datagram to its peer. @return how many went out. */
size_t bfd_io_send_batch(int fd, const struct bfd_batch *batch);

#endif
