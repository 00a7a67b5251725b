/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_TESTS_NETWORK_FIXTURE_H
#define TUYEN_TESTS_NETWORK_FIXTURE_H

#include "tuyen/topology/network.h"

/** Networks built by hand, for tests of the compiler that need no parser. Allocation failures abort. */

#define FIXTURE_NONE NETWORK_NONE

/** Tiers npdc, province, district, commune; underlays fibre (50 ms x 3, 1500, metric 10) and lte (300 ms x 5, 1428, metric 50). */
void fixture_init(struct network *n);
/** One static fibre uplink, made-up keys. @lan "" none. Links to @parent (metric 10) and @backup (11). @return its index. */
uint32_t fixture_site(struct network *n, const char *name, uint32_t tier, uint32_t id,
		      uint32_t parent, uint32_t backup, const char *lan);
uint32_t fixture_link(struct network *n, uint32_t a, uint32_t b, uint32_t metric);
/** A second link of @leaf, over its lte uplink, which it gets if need be. After all of them: network_make_faces(). */
uint32_t fixture_parallel(struct network *n, uint32_t leaf, uint32_t other, uint32_t metric);
uint32_t fixture_class(struct network *n, const char *name, uint8_t protocol, uint16_t port);
/** All classes so far; revert after 2 s. */
struct policy *fixture_policy(struct network *n, const char *name, uint32_t color);
void fixture_path(struct policy *p, const char *name, uint32_t preference, enum path_via via,
		  uint32_t disjoint_from);
void fixture_set_add(struct site_set *set, uint32_t site);
/** Every site of @tier, in order. */
void fixture_set_tier(const struct network *n, struct site_set *set, uint32_t tier);
struct deny_rule *fixture_deny(struct network *n, uint32_t class_index);
struct expectation *fixture_expect(struct network *n, enum expect_kind kind, uint32_t class_index);

/** topology/examples/first-light.topology with its policy. */
void fixture_first_light(struct network *n);
/** first_light with a second gateway, npdc-hcm (id 2, the last site), in one LAN with the first; hanoi reaches it at metric 20. */
void fixture_two_gateways(struct network *n);
/** One more gateway, at address @own of the /24 around it, which it shares; a neighbour of the province. */
uint32_t fixture_gateway(struct network *n, const char *name, uint32_t id, ipv4_t own);
/** @communes in districts of 15 in provinces of 11; each commune's backup is the next district. Three colors. */
void fixture_country(struct network *n, uint32_t communes);

#endif
