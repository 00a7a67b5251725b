/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_KERNEL_INTERNAL_H
#define TUYEN_KERNEL_INTERNAL_H

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "tuyen/kernel/kernel.h"

/** A device group (IFLA_GROUP) that marks a device of ours until its alias stands, and beside it: 'T', 'Y'. */
#define TUYEN_GROUP 0x5459

/** 0: none, or too short for one. */
static inline ipv4_t get_ipv4(const struct nlattr *attribute)
{
	return attribute && nla_len(attribute) >= 4 ? ntohl(nla_get_u32(attribute)) : 0;
}

/** Of the label filters. */
#define FILTER_PRIORITY_ACCEPT 1
#define FILTER_PRIORITY_DROP   2

/** A netlink socket that asks and waits. */
struct channel {
	struct nl_sock *sock;
	int fd;
	uint32_t port, sequence;
	uint8_t *buffer; /* CHANNEL_BUFFER_BYTES, for answers */
	uint64_t sent;	 /* messages, dumps not counted */
	/* after each datagram of a dump; true: the rest of it is void. NULL: none */
	kernel_between_fn between;
	void *between_context;
};

#define CHANNEL_BUFFER_BYTES (256u << 10)

struct link_name {
	char name[KERNEL_IFNAME_MAX];
	int index;
};

struct kernel {
	struct channel route, generic;
	struct channel
	    urgent; /* of routes, for kernel_apply_routes(): another dump may be under way */
	kernel_between_fn between;
	void *between_context;
	int wireguard_family; /* 0: not known yet */
	struct nl_sock *event_route, *event_nft;
	int event_epoll, event_wake;
	struct link_name *links;
	size_t link_count;
	bool links_sorted;    /* by name */
	bool deaf;	      /* what changes in number is no event for now: events_deafen() */
	bool ipv6_watched;    /* rules, routes and addresses of IPv6 are events too */
	bool sources_stale;   /* WireGuard is to forget its own addresses: apply.c */
	bool parallel;	      /* link1 is ours, or will be: as the last reading wanted it */
	bool own_told;	      /* an event has told of an address that is the box's now */
	bool ipv6_none;	      /* nothing of ours is there, as was read */
	uint64_t tables_hash; /* of our tables, as the last reading wanted them: stray.c */
	bool strays;	      /* readings look for others' routes there, until none is found */
	bool
	    wide; /* readings until the next apply also look for label routes and routes of IPv6 that are not ours and stand where ours should */
};

/** @return 0, or -TUYEN_ECANCELED as @between says; see kernel_set_between(). */
int kernel_heed(const struct kernel *kernel);

/** @return 0 or -TUYEN_ESYSTEM with @reason. */
int channel_open(struct channel *channel, int protocol, struct reason *reason);
void channel_close(struct channel *channel);

typedef int (*message_step)(const struct nlmsghdr *message, void *context);

/**
 * Sends @request as a dump and gives each answer to @step, which returns 0 or an error that ends it.
 * @return 0; -TUYEN_ECANCELED as @between said; -TUYEN_EAGAIN if the dump was interrupted, refused as busy, or in part lost: all that was read is void; -TUYEN_ESYSTEM with errno;
 *         or what @step returned.
 */
int channel_dump(struct channel *channel, struct nl_msg *request, message_step step, void *context);

/** Sends one request and waits for its acknowledgement. @return 0 or an errno, positive; @ret_text (may be NULL) the kernel's words. */
int channel_call(struct channel *channel, struct nl_msg *request, struct reason *ret_text);

/** Sends one request and gives its single answer to @step. @return 0 or an errno, positive. */
int channel_ask(struct channel *channel, struct nl_msg *request, message_step step, void *context);

/** Requests of one channel that are sent together. No message is longer than BATCH_BYTES. */
#define BATCH_MESSAGES 1024
#define BATCH_BYTES    (64u << 10)

struct batch {
	struct channel *channel;
	size_t tag[BATCH_MESSAGES]; /* the caller's, told back on failure */
	size_t count, length, last; /* @last: where the last message begins */
	_Alignas(4) uint8_t bytes[BATCH_BYTES];
};

typedef void (*batch_failure)(size_t tag, int error, const char *words, void *context);

/** Takes @message. @return false when full, @message then stays the caller's: flush first. */
bool batch_add(struct batch *batch, struct nl_msg *message, size_t tag);
/** Sends all, waits for the last one's acknowledgement, tells what failed, and empties @batch. */
void batch_flush(struct batch *batch, batch_failure failure, void *context);

/** Reads all names again. @return 0 or a tuyen error. */
int links_read(struct kernel *kernel);
/** @return 0 if there is none of that name. */
int links_index(const struct kernel *kernel, const char *name);
const char *links_name(const struct kernel *kernel, int index);
/** Asks the kernel for one name and remembers it. @return its index; 0 if there is none; -TUYEN_ENOMEM, -TUYEN_ESYSTEM with errno. */
int links_refresh(struct kernel *kernel, const char *name);

/** @return whether there is a device of that name that bears our alias or our group. */
bool device_is_ours(struct kernel *kernel, const char *name);

/** WireGuard's generic netlink family. @return 0 without. */
int wireguard_family(struct kernel *kernel);

/* Messages, at most MESSAGE_BYTES long; a peer's prefixes come on top. Each returns NULL without memory or when a device it names is not there (errno ENODEV). */
#define DUMP_TRIES    16
#define MESSAGE_BYTES 1024
struct nl_msg *message_new(int type, int flags, const void *header, size_t length);
/** @return @message, or NULL with ENOMEM when something did not fit: it is freed then. */
struct nl_msg *message_done(struct nl_msg *message, int failed);
struct nl_msg *message_address(const struct kernel *kernel, enum plan_verb verb,
			       const struct kernel_address *address);
struct nl_msg *message_route(const struct kernel *kernel, enum plan_verb verb,
			     const struct kernel_route *route);
/** Of its key, protocol and type: never ours. */
struct nl_msg *message_stray_remove(const struct kernel_stray *stray);
struct nl_msg *message_label(const struct kernel *kernel, enum plan_verb verb,
			     const struct kernel_label_route *label);
struct nl_msg *message_rule(enum plan_verb verb, const struct kernel_rule *rule);
struct nl_msg *message_route6(const struct kernel *kernel, enum plan_verb verb,
			      const struct kernel_route6 *route);
struct nl_msg *message_rule6(enum plan_verb verb, const struct kernel_rule6 *rule);
struct nl_msg *message_device_new(const struct kernel_device *device);
struct nl_msg *message_device_set(const struct kernel_device *device, int index);
struct nl_msg *message_device_delete(int index);
struct nl_msg *message_wireguard_device(struct kernel *kernel, const struct kernel_device *want,
					const struct kernel_device *have);
/** Its mark, with which it forgets from which of its addresses it sends to its peers. */
struct nl_msg *message_wireguard_mark(struct kernel *kernel, const char *device, uint32_t mark);
/** Prefixes @first .. of @want at most PEER_PREFIXES_MAX; @have NULL: all is sent. */
#define PEER_PREFIXES_MAX 1000
struct nl_msg *message_peer(struct kernel *kernel, const struct kernel_peer *want,
			    const struct kernel_peer *have, size_t first);
struct nl_msg *message_peer_remove(struct kernel *kernel, const struct kernel_peer *have);
struct nl_msg *message_peer_keepalive(struct kernel *kernel, const char *device,
				      const uint8_t key[static WG_KEY_LEN], uint16_t seconds);
struct nl_msg *message_clsact(int index);
/** Whatever has its place. */
struct nl_msg *message_clsact_remove(int index);
struct nl_msg *message_filters_flush(int index);
struct nl_msg *message_filter_drop(int index);
struct nl_msg *message_filter_accept(int index, const struct label_stack *stack);
struct nl_msg *message_filter_delete(int index, uint32_t handle);

/**
 * What makes of @have what @want is, to be sent in this order. @ret may hold NULL: without memory, or (errno
 * ENODEV) without the device. @return how many.
 */
#define QUEUE_MESSAGES 4
size_t message_queue(const struct kernel *kernel, enum plan_verb verb,
		     const struct kernel_queue *want, const struct kernel_queue *have,
		     struct nl_msg *ret[static QUEUE_MESSAGES]);

struct nl_msg *message_qdisc_remove(const struct kernel *kernel, const struct kernel_qdisc *have);

/** One accepting filter as the kernel holds it. */
struct filter_entry {
	struct label_stack stack;
	uint32_t handle;
};

struct filter_dump {
	struct filter_entry *entry;
	size_t count;
	bool drop, strange; /* the last "drop" is there; something that is not ours is there */
	uint64_t drops;
};

/** @ret_dump  @entry is the caller's to free. @return as channel_dump(). */
int filter_read(struct kernel *kernel, int index, struct filter_dump *ret_dump);

int read_devices(struct kernel *kernel, const struct kernel_state *desired,
		 struct kernel_state *state);
int read_wireguard(struct kernel *kernel, struct kernel_state *state, struct reason *reason);
int read_addresses(struct kernel *kernel, const struct kernel_state *desired,
		   struct kernel_state *state);
int read_routes(struct kernel *kernel, const struct kernel_state *desired,
		struct kernel_state *state);
/** Others' routes in the tables of ours that @desired has, where there is reason to look. */
int read_strays(struct kernel *kernel, const struct kernel_state *desired,
		struct kernel_state *state);
/** Does this notification say that somebody else has put a route into a table of ours? */
bool message_tells_stray(const struct nlmsghdr *message);
/** @a  the attributes behind @header. @return 0 or -TUYEN_ENOMEM. */
int stray_add(struct kernel_state *state, const struct rtmsg *header, struct nlattr *a[]);
/** Does this notification say that an address has made the kernel take something for the box? */
bool message_tells_own(const struct nlmsghdr *message);
int read_labels(struct kernel *kernel, const struct kernel_state *desired,
		struct kernel_state *state);
int read_rules(struct kernel *kernel, const struct kernel_state *desired,
	       struct kernel_state *state);
/** From now on what changes of IPv6 is an event. */
void events_watch_ipv6(struct kernel *kernel);
/** Of IPv6, what is ours; a kernel without IPv6 has none. */
int read_routes6(struct kernel *kernel, const struct kernel_state *desired,
		 struct kernel_state *state);
int read_rules6(struct kernel *kernel, const struct kernel_state *desired,
		struct kernel_state *state);
int read_filters(struct kernel *kernel, struct kernel_state *state);
int read_queues(struct kernel *kernel, struct kernel_state *state);
/** Others', on the sessions' devices that @state has. */
int read_qdiscs(struct kernel *kernel, struct kernel_state *state);
int read_sysctls(const struct kernel_state *desired, struct kernel_state *state);

/** @ret_text  the table's listing, the caller's; NULL if there is none. */
int nft_read(struct kernel *kernel, char **ret_text, struct reason *reason);
/** @want NULL: remove the table. @have: what is there, NULL for none or unknown. One transaction. */
int nft_apply(struct kernel *kernel, const char *want, const char *have, struct reason *reason);

/** @return 0 or an errno, positive. */
int sysctl_get(const char *path, uint32_t *ret_value);
int sysctl_set(const char *path, uint32_t value);
int sysctl_writable(const char *path);

int events_open(struct kernel *kernel, struct reason *reason);
void events_close(struct kernel *kernel);
/**
 * Before an apply of so many operations that the events of its own, though nobody takes them, would cost a good part of it: there are
 * none of routes, label routes and filters, until events_forget_own(), after which something counts as changed.
 */
void events_deafen(struct kernel *kernel);
/** After an apply: takes the events that it has caused, and keeps awake if there were others. */
void events_forget_own(struct kernel *kernel);

/** A label stack entry in network order without TC and TTL, RFC 3032. */
uint32_t label_entry(uint32_t label, bool bottom);
void stack_encode(const struct label_stack *stack, uint32_t ret_entries[static LABEL_STACK_MAX]);
/** @return false if @length is no whole stack of 1..LABEL_STACK_MAX entries. */
bool stack_decode(const void *bytes, size_t length, struct label_stack *ret_stack);

#endif
