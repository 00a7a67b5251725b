/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the three parts of fault injection share: a block of memory, mapped from the file $FAULT_FILE, in which `fault`
 * (or a test's own code) says what shall fail, and in which fault_preload.so, inside the process that shall meet it, counts.
 */
#ifndef TESTS_LAB_TOOLS_FAULT_H
#define TESTS_LAB_TOOLS_FAULT_H

#include <stdint.h>

/** Where it may fail. Each counts what passes it while it is armed. */
enum fault_point {
	FAULT_NOWHERE,
	FAULT_CALL,    /* a send() of netlink, whatever it carries */
	FAULT_REQUEST, /* one request of netlink, in a batch or alone */
	FAULT_ANSWER,  /* a datagram of netlink's answers */
	FAULT_DUMP,    /* such a datagram, of a dump */
	FAULT_EVENT,   /* a recv() of netlink's notifications */
	FAULT_STEP, /* what changes the kernel: a send() that is no question, a write() of a sysctl */
	FAULT_MEMORY, /* malloc(), calloc(), realloc() */
	FAULT_OWN_MEMORY, /* of these what the program itself or libnl calls, which hand the failure on */
	FAULT_CREATE, /* open() of a file that is to be made */
	FAULT_WRITE,  /* write() to a file that is no sysctl */
	FAULT_FSYNC,
	FAULT_RENAME,
	FAULT_WIREGUARD, /* what asks for the module wireguard, as where there is none */
	FAULT_MPLS,	 /* likewise mpls_router and mpls_iptunnel */
	FAULT_POINTS
};

#define FAULT_POINT_NAMES                                                                          \
	{                                                                                          \
		"nowhere", "call", "request", "answer", "dump", "event", "step", "memory",         \
		    "own-memory", "create", "write", "fsync", "rename", "wireguard", "mpls"        \
	}

/** An errno: the call fails so and does nothing, or (of a request) the kernel refuses it so. */
#define FAULT_KILL  -1 /* the process is killed before it */
#define FAULT_BREAK -2 /* the dump says that it was interrupted */
#define FAULT_LOSE  -3 /* what was received is lost, ENOBUFS */
#define FAULT_SLOW                                                                                 \
	-4 /* what was received comes 20 ms later, what is done takes 100 ms, as where there is much of it */

struct fault_block {
	int32_t pid; /* who shall meet it; 0: everyone who has the block */
	int32_t point, what;
	int64_t skip, count; /* so many pass, then so many fail */
	int64_t seen, hits;
	int64_t
	    boottime_s; /* CLOCK_BOOTTIME is so far ahead, as after a time that no other clock has seen */
};

#endif
