/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The language, topology and policy alike: a statement may stand in any file.
 *
 * Every word of the language may also be a name (a class may be called "port"):
 * where a name is wanted nothing else can stand, save for the five words that
 * begin a selector. So new words never break old files.
 *
 * Recovery. A missing ';' is supplied (see `end`), so one slip costs one error.
 * A broken item is skipped to its ';' or over its block; a broken head of a
 * statement keeps the statement's name, so that whoever refers to it is not
 * blamed. Lists are left-recursive: the stack stays flat however long a file is.
 */
%define api.pure full
%define api.prefix {grammar_}
%define api.token.prefix {TOKEN_}
%define parse.error custom
%param { struct parser *p }
%expect 0

%code requires {
#include "tuyen/policies/parser.h"
}

%code {
static int grammar_lex(GRAMMAR_STYPE *value, struct parser *p);
static void grammar_error(struct parser *p, const char *message);
}

%union {
	struct token *token;
	struct syntax_node *node;
	struct syntax_list list;
}

%token END_OF_FILE 0 "the end of the file"
%token <token> NAME "a name" STRING "a quoted string" NUMBER "a number" RANGE "a range like 161-162"
%token <token> TIME "a time like 50ms" RATE "an amount like 200MB/day" SIZE "a size like 200MB"
%token <token> BANDWIDTH "a rate like 2Mbit/s"
%token <token> ADDRESS "an address" PREFIX "a prefix like 10.9.1.0/24" INVALID "an invalid word"
%token <token> DATE "a date like 2027-03-01" PERCENT "a share like 30%" LENGTH "a length like /24"
%token <token> '{' '}' ';' ','

%token <token> ABOVE "above" AFTER "after" ALL "all" ANY "any" AUTHOR "author" AVOID "avoid" BACKUP "backup"
%token <token> CARRIES "carries" CARRY "carry"
%token <token> CLASS "class" COLOR "color" DEGRADED "degraded" DELAY "delay" DENY "deny" DEVICE "device"
%token <token> DISJOINT "disjoint" DOWN "down" DSCP "dscp" DYNAMIC "dynamic" ENCRYPT "encrypt"
%token <token> END_TO_END "end-to-end" EXCEPT "except" EXPECT "expect" EXPIRES "expires" FAILURE "failure" FRESH "fresh" FROM "from" HIGH "high" ICMP "icmp" ID "id"
%token <token> INCLUDE "include" INTERFACE "interface" JITTER "jitter" KEYS "keys" LABELS "labels" LAN "lan"
%token <token> LINK "link" LOSS "loss" LOW "low" MAX "max" METERED "metered" METRIC "metric" MTU "mtu" NETWORK "network"
%token <token> NEVER "never" NORMAL "normal" OF "of" OVER "over" PARALLEL "parallel" PARENT "parent" PATH "path"
%token <token> PLAN "plan" POLICY "policy" PORT "port" PREFERENCE "preference" PREPARED "prepared" PRIORITY "priority"
%token <token> PROBE "probe" PROTOCOL "protocol" RATE_WORD "rate" REACHES "reaches" REASON "reason"
%token <token> REVERT "revert" RISK "risk" ROUND_TRIP "round-trip" SESSION "session" SHARE "share" SHARED "shared" SHORTEST "shortest" SINGLE "single" SITE "site" SIZE_WORD "size"
%token <token> SNMP "snmp" SPACE "space" TAG "tag" TCP "tcp" TEMPLATE "template" THROUGH "through" TIER "tier" TIERS "tiers"
%token <token> TO "to" UDP "udp" UNDER "under" UNDERLAY "underlay" UP "up" UPLINK "uplink" USE "use"
%token <token> USER "user" VIA "via" WITH "with" X "x"

%type <token> keyword soft_keyword plain_keyword ports
%type <node> statement tiers network underlay site template plan keys link class policy deny expect
%type <node> include name bare_name avoid_name set use note risk plan_item dscp_value path_option setting underlay_item site_item device_item key_item link_item
%type <node> limit class_item policy_item uplink_option port_match via class_option with_option probe mtu metric delay rate dscp_mark
%type <list> names bare_names avoid_names selector site_head under_option backup_option
%type <list> dscp_marks uplink_options port_matches dscp_values snmp_port over_names path_options after_option
%type <list> limits link_ends link_block deny_block notes plan_items
%type <list> settings underlay_items site_items device_items key_items link_items class_items
%type <list> policy_items close

%%

file: %empty
	| file statement	{ p->statements = parser_list(p->statements, $2); }
	;

statement: tiers | network | underlay | site | template | plan | keys | link | class | policy
	| deny | expect | include
	| error ';'		{ $$ = NULL; yyerrok; }
	| error '}'		{ $$ = NULL; }
	| error skipped_block	{ $$ = NULL; yyerrok; }
	;

/* A ';', or none where something else begins: said, and taken as if it stood there. */
end: ';' | error		{ yyerrok; }
	;

/* ---- topology ---- */

tiers: TIERS names end		{ $$ = parser_children(parser_node(p, SYNTAX_TIERS, $1), $2); }
	;

network: NETWORK '{' settings close
				{ $$ = parser_children(parser_node(p, SYNTAX_NETWORK, $1), parser_list_join($3, $4)); }
	;
settings: %empty		{ $$ = (struct syntax_list){0}; }
	| settings setting	{ $$ = parser_list($1, $2); }
	;
setting: LABELS NUMBER SIZE_WORD NUMBER end
				{ $$ = parser_value(p, SYNTAX_LABELS, $2); $$->number2 = $4->number; }
	| LINK SPACE PREFIX end	{ $$ = parser_value(p, SYNTAX_LINK_SPACE, $3); }
	| PARALLEL SPACE PREFIX end { $$ = parser_value(p, SYNTAX_PARALLEL_SPACE, $3); }
	| PATH SPACE PREFIX end	{ $$ = parser_value(p, SYNTAX_PATH_SPACE, $3); }
	| LINK PORT NUMBER end	{ $$ = parser_value(p, SYNTAX_LINK_PORT, $3); }
	| SESSION PORT NUMBER end { $$ = parser_value(p, SYNTAX_SESSION_PORT, $3); }
	| skipped_item		{ $$ = NULL; }
	;

underlay: UNDERLAY name '{' underlay_items close
				{ $$ = parser_children(parser_named(p, SYNTAX_UNDERLAY, $2), parser_list_join($4, $5)); }
	| UNDERLAY name error skipped_block
				{ $$ = parser_named(p, SYNTAX_UNDERLAY, $2); $$->broken = true; }
	| UNDERLAY name error ';'
				{ $$ = parser_named(p, SYNTAX_UNDERLAY, $2); $$->broken = true; yyerrok; }
	;
underlay_items: %empty		{ $$ = (struct syntax_list){0}; }
	| underlay_items underlay_item { $$ = parser_list($1, $2); }
	;
underlay_item: probe | mtu | delay | metric
	| rate end
	| DSCP dscp_marks end	{ $$ = parser_children(parser_node(p, SYNTAX_DSCP_MARKS, $1), $2); }
	| skipped_item		{ $$ = NULL; }
	;
probe: PROBE TIME X NUMBER end	{ $$ = parser_value(p, SYNTAX_PROBE, $2); $$->number2 = $4->number; }
	;
mtu: MTU NUMBER end		{ $$ = parser_value(p, SYNTAX_MTU, $2); }
	;
delay: DELAY TIME end		{ $$ = parser_value(p, SYNTAX_DELAY, $2); }
	;
metric: METRIC NUMBER end	{ $$ = parser_value(p, SYNTAX_METRIC, $2); }
	;
rate: RATE_WORD BANDWIDTH	{ $$ = parser_value(p, SYNTAX_RATE, $2); }
	| RATE_WORD UP BANDWIDTH DOWN BANDWIDTH
		{ $$ = parser_value(p, SYNTAX_RATE, $3); $$->number2 = $5->number; }
	;
dscp_marks: dscp_mark		{ $$ = parser_list((struct syntax_list){0}, $1); }
	| dscp_marks ',' dscp_mark { $$ = parser_list($1, $3); }
	;
dscp_mark: HIGH dscp_value	{ $$ = parser_children(parser_number(p, SYNTAX_DSCP_MARK, $1, 2), parser_list((struct syntax_list){0}, $2)); }
	| NORMAL dscp_value	{ $$ = parser_children(parser_number(p, SYNTAX_DSCP_MARK, $1, 1), parser_list((struct syntax_list){0}, $2)); }
	| LOW dscp_value	{ $$ = parser_children(parser_number(p, SYNTAX_DSCP_MARK, $1, 0), parser_list((struct syntax_list){0}, $2)); }
	;

site: SITE name site_head '{' site_items close
		{ $$ = parser_children(parser_named(p, SYNTAX_SITE, $2), parser_list_join($3, parser_list_join($5, $6))); }
	| SITE name site_head use '{' site_items close
		{ struct syntax_list items = parser_list($3, $4);
		  $$ = parser_named(p, SYNTAX_SITE, $2);
		  parser_children($$, parser_list_join(items, parser_list_join($6, $7))); }
	| SITE name site_head use ';'
		{ $$ = parser_children(parser_named(p, SYNTAX_SITE, $2), parser_list($3, $4)); }
	| SITE name error '{' site_items close
		{ $$ = parser_children(parser_named(p, SYNTAX_SITE, $2), parser_list_join($5, $6)); $$->broken = true; }
	| SITE name error ';'	{ $$ = parser_named(p, SYNTAX_SITE, $2); $$->broken = true; }
	;
site_head: TIER name ID NUMBER under_option backup_option
		{ $$ = parser_list((struct syntax_list){0}, parser_named(p, SYNTAX_TIER, $2));
		  $$ = parser_list($$, parser_value(p, SYNTAX_ID, $4));
		  $$ = parser_list_join(parser_list_join($$, $5), $6); }
	;
under_option: %empty		{ $$ = (struct syntax_list){0}; }
	| UNDER name
		{ $$ = parser_list((struct syntax_list){0}, parser_named(p, SYNTAX_UNDER, $2)); }
	;
backup_option: %empty		{ $$ = (struct syntax_list){0}; }
	| BACKUP name
		{ $$ = parser_list((struct syntax_list){0}, parser_named(p, SYNTAX_BACKUP, $2)); }
	;
use: USE name			{ $$ = parser_named(p, SYNTAX_USE, $2); }
	;
site_items: %empty		{ $$ = (struct syntax_list){0}; }
	| site_items site_item	{ $$ = parser_list($1, $2); }
	;
site_item: UPLINK name uplink_options end
				{ $$ = parser_children(parser_named(p, SYNTAX_UPLINK, $2), $3); }
	| LAN PREFIX end	{ $$ = parser_value(p, SYNTAX_LAN, $2); }
	| LAN PREFIX SHARED ADDRESS end
		{ $$ = parser_value(p, SYNTAX_LAN, $2);
		  parser_children($$, parser_list((struct syntax_list){0},
						  parser_value(p, SYNTAX_ADDRESS, $4))); }
	| TAG names end		{ $$ = parser_children(parser_node(p, SYNTAX_TAG, $1), $2); }
	| DEVICE name ADDRESS '{' device_items close
		{ $$ = parser_named(p, SYNTAX_DEVICE, $2);
		  parser_children($$, parser_list((struct syntax_list){0},
						  parser_value(p, SYNTAX_ADDRESS, $3)));
		  parser_children($$, parser_list_join($5, $6)); }
	| skipped_item		{ $$ = NULL; }
	;
uplink_options: uplink_option	{ $$ = parser_list((struct syntax_list){0}, $1); }
	| uplink_options uplink_option { $$ = parser_list($1, $2); }
	;
uplink_option: DYNAMIC		{ $$ = parser_node(p, SYNTAX_DYNAMIC, $1); }
	| ADDRESS		{ $$ = parser_value(p, SYNTAX_ADDRESS, $1); }
	| METERED RATE		{ $$ = parser_value(p, SYNTAX_METERED, $2); }
	| PORT NUMBER		{ $$ = parser_value(p, SYNTAX_PORT, $2); }
	| rate
	| risk
	;
risk: RISK names		{ $$ = parser_children(parser_node(p, SYNTAX_RISK, $1), $2); }
	;
device_items: %empty		{ $$ = (struct syntax_list){0}; }
	| device_items device_item { $$ = parser_list($1, $2); }
	;
device_item: SNMP USER name snmp_port end
				{ $$ = parser_children(parser_named(p, SYNTAX_SNMP, $3), $4); }
	| INTERFACE STRING end	{ $$ = parser_value(p, SYNTAX_INTERFACE, $2); }
	| CARRIES name end	{ $$ = parser_named(p, SYNTAX_CARRIES, $2); }
	| skipped_item		{ $$ = NULL; }
	;
snmp_port: %empty		{ $$ = (struct syntax_list){0}; }
	| PORT NUMBER
		{ $$ = parser_list((struct syntax_list){0}, parser_value(p, SYNTAX_PORT, $2)); }
	;

template: TEMPLATE name '{' site_items close
				{ $$ = parser_children(parser_named(p, SYNTAX_TEMPLATE, $2), parser_list_join($4, $5)); }
	| TEMPLATE name error skipped_block
				{ $$ = parser_named(p, SYNTAX_TEMPLATE, $2); $$->broken = true; }
	| TEMPLATE name error ';'
				{ $$ = parser_named(p, SYNTAX_TEMPLATE, $2); $$->broken = true; yyerrok; }
	;

plan: PLAN LAN PREFIX '{' plan_items close
				{ $$ = parser_children(parser_value(p, SYNTAX_PLAN, $3), parser_list_join($5, $6)); }
	;
plan_items: %empty		{ $$ = (struct syntax_list){0}; }
	| plan_items plan_item	{ $$ = parser_list($1, $2); }
	;
plan_item: TIER name LENGTH end
		{ $$ = parser_named(p, SYNTAX_PLAN_TIER, $2);
		  parser_children($$, parser_list((struct syntax_list){0},
						  parser_value(p, SYNTAX_LENGTH, $3))); }
	| TIER name LENGTH LAN LENGTH end
		{ struct syntax_list lengths = {0};
		  $$ = parser_named(p, SYNTAX_PLAN_TIER, $2);
		  lengths = parser_list(lengths, parser_value(p, SYNTAX_LENGTH, $3));
		  parser_children($$, parser_list(lengths, parser_value(p, SYNTAX_OWN_LENGTH, $5))); }
	| skipped_item		{ $$ = NULL; }
	;

keys: KEYS name '{' key_items close
				{ $$ = parser_children(parser_named(p, SYNTAX_KEYS, $2), parser_list_join($4, $5)); }
	;
key_items: %empty		{ $$ = (struct syntax_list){0}; }
	| key_items key_item	{ $$ = parser_list($1, $2); }
	;
key_item: LINK STRING end	{ $$ = parser_value(p, SYNTAX_LINK_KEY, $2); }
	| SESSION STRING end	{ $$ = parser_value(p, SYNTAX_SESSION_KEY, $2); }
	| skipped_item		{ $$ = NULL; }
	;

link: LINK link_ends link_block
		{ $$ = parser_node(p, SYNTAX_LINK, $1);
		  parser_children($$, parser_list_join($2, $3)); }
	;
link_ends: name name
		{ $$ = parser_list(parser_list((struct syntax_list){0}, $1), $2); }
	| name name PARALLEL
		{ struct syntax_list ends = parser_list((struct syntax_list){0}, $1);
		  $$ = parser_list(parser_list(ends, $2), parser_node(p, SYNTAX_PARALLEL, $3)); }
	;
link_block: '{' link_items close { $$ = parser_list_join($2, $3); }
	| end			{ $$ = (struct syntax_list){0}; }
	;
link_items: %empty		{ $$ = (struct syntax_list){0}; }
	| link_items link_item	{ $$ = parser_list($1, $2); }
	;
link_item: metric | delay | probe | mtu
	| OVER over_names end	{ $$ = parser_children(parser_node(p, SYNTAX_OVER, $1), $2); }
	| risk end
	| PREPARED end		{ $$ = parser_node(p, SYNTAX_PREPARED, $1); }
	| FRESH end		{ $$ = parser_node(p, SYNTAX_FRESH, $1); }
	| skipped_item		{ $$ = NULL; }
	;
over_names: name		{ $$ = parser_list((struct syntax_list){0}, $1); }
	| name ',' name
		{ $$ = parser_list(parser_list((struct syntax_list){0}, $1), $3); }
	;

/* ---- policy ---- */

class: CLASS name '{' class_items close
				{ $$ = parser_children(parser_named(p, SYNTAX_CLASS, $2), parser_list_join($4, $5)); }
	| CLASS name error skipped_block
				{ $$ = parser_named(p, SYNTAX_CLASS, $2); $$->broken = true; }
	| CLASS name error ';'
				{ $$ = parser_named(p, SYNTAX_CLASS, $2); $$->broken = true; yyerrok; }
	;
class_items: %empty		{ $$ = (struct syntax_list){0}; }
	| class_items class_item { $$ = parser_list($1, $2); }
	| class_items TO PORT port_matches end { $$ = parser_list_join($1, $4); }
	| class_items DSCP dscp_values end { $$ = parser_list_join($1, $3); }
	;
class_item: TO PREFIX end	{ $$ = parser_value(p, SYNTAX_TO_PREFIX, $2); }
	| PROTOCOL TCP end	{ $$ = parser_number(p, SYNTAX_PROTOCOL, $2, 6); }
	| PROTOCOL UDP end	{ $$ = parser_number(p, SYNTAX_PROTOCOL, $2, 17); }
	| PROTOCOL ICMP end	{ $$ = parser_number(p, SYNTAX_PROTOCOL, $2, 1); }
	| PRIORITY LOW end	{ $$ = parser_number(p, SYNTAX_PRIORITY, $2, 0); }
	| PRIORITY NORMAL end	{ $$ = parser_number(p, SYNTAX_PRIORITY, $2, 1); }
	| PRIORITY HIGH end	{ $$ = parser_number(p, SYNTAX_PRIORITY, $2, 2); }
	| SHARE PERCENT end	{ $$ = parser_value(p, SYNTAX_SHARE, $2); }
	| note
	| skipped_item		{ $$ = NULL; }
	;
dscp_values: dscp_value		{ $$ = parser_list((struct syntax_list){0}, $1); }
	| dscp_values ',' dscp_value { $$ = parser_list($1, $3); }
	;
dscp_value: name		{ $$ = parser_named(p, SYNTAX_DSCP, $1); }
	| NUMBER		{ $$ = parser_value(p, SYNTAX_DSCP, $1); }
	;
port_matches: port_match	{ $$ = parser_list((struct syntax_list){0}, $1); }
	| port_matches ',' port_match { $$ = parser_list($1, $3); }
	;
port_match: TCP ports
		{ $$ = parser_value(p, SYNTAX_TO_PORT, $2);
		  parser_children($$, parser_list((struct syntax_list){0},
						  parser_number(p, SYNTAX_PROTOCOL, $1, 6))); }
	| UDP ports
		{ $$ = parser_value(p, SYNTAX_TO_PORT, $2);
		  parser_children($$, parser_list((struct syntax_list){0},
						  parser_number(p, SYNTAX_PROTOCOL, $1, 17))); }
	;
ports: NUMBER | RANGE
	;

policy: POLICY name COLOR NUMBER '{' policy_items close
		{ struct syntax_node *color = parser_value(p, SYNTAX_COLOR, $4);
		  $$ = parser_named(p, SYNTAX_POLICY, $2);
		  parser_children($$, parser_list((struct syntax_list){0}, color));
		  parser_children($$, parser_list_join($6, $7)); }
	| POLICY name error '{' policy_items close
		{ $$ = parser_children(parser_named(p, SYNTAX_POLICY, $2), parser_list_join($5, $6)); $$->broken = true; }
	| POLICY name error ';'	{ $$ = parser_named(p, SYNTAX_POLICY, $2); $$->broken = true; }
	;
policy_items: %empty		{ $$ = (struct syntax_list){0}; }
	| policy_items policy_item { $$ = parser_list($1, $2); }
	;
policy_item: FROM selector end	{ $$ = parser_children(parser_node(p, SYNTAX_FROM, $1), $2); }
	| TO selector end	{ $$ = parser_children(parser_node(p, SYNTAX_TO, $1), $2); }
	| CARRY names end	{ $$ = parser_children(parser_node(p, SYNTAX_CARRY, $1), $2); }
	| PATH name PREFERENCE NUMBER VIA via path_options end
		{ struct syntax_list items = {0};
		  items = parser_list(items, parser_value(p, SYNTAX_PREFERENCE, $4));
		  items = parser_list_join(parser_list(items, $6), $7);
		  $$ = parser_children(parser_named(p, SYNTAX_PATH, $2), items); }
	| REVERT AFTER TIME end	{ $$ = parser_value(p, SYNTAX_REVERT, $3); }
	| REVERT AFTER TIME MAX TIME end
		{ $$ = parser_children(parser_value(p, SYNTAX_REVERT, $3),
			parser_list((struct syntax_list){0}, parser_value(p, SYNTAX_REVERT_MAX, $5))); }
	| DEGRADED ABOVE limits end
				{ $$ = parser_children(parser_node(p, SYNTAX_DEGRADED, $1), $3); }
	| probe
	| ENCRYPT END_TO_END end { $$ = parser_node(p, SYNTAX_ENCRYPT, $1); }
	| note
	| skipped_item		{ $$ = NULL; }
	;
limits: limit			{ $$ = parser_list((struct syntax_list){0}, $1); }
	| limits ',' limit	{ $$ = parser_list($1, $3); }
	;
limit: LOSS PERCENT		{ $$ = parser_value(p, SYNTAX_LOSS, $2); }
	| ROUND_TRIP TIME	{ $$ = parser_value(p, SYNTAX_ROUND_TRIP, $2); }
	| JITTER TIME		{ $$ = parser_value(p, SYNTAX_JITTER, $2); }
	;
via: PARENT			{ $$ = parser_node(p, SYNTAX_VIA_PARENT, $1); }
	| BACKUP		{ $$ = parser_node(p, SYNTAX_VIA_BACKUP, $1); }
	| SHORTEST		{ $$ = parser_node(p, SYNTAX_VIA_SHORTEST, $1); }
	| THROUGH names
		{ $$ = parser_children(parser_node(p, SYNTAX_VIA_THROUGH, $1), $2); }
	;
path_options: %empty		{ $$ = (struct syntax_list){0}; }
	| path_options path_option { $$ = parser_list($1, $2); }
	;
path_option: DISJOINT name	{ $$ = parser_named(p, SYNTAX_DISJOINT, $2); }
	| AVOID avoid_names	{ $$ = parser_children(parser_node(p, SYNTAX_AVOID, $1), $2); }
	| AVOID RISK names	{ $$ = parser_children(parser_node(p, SYNTAX_AVOID_RISK, $2), $3); }
	| AVOID LINK link_ends
		{ $$ = parser_children(parser_node(p, SYNTAX_AVOID_LINK, $2), $3); }
	| OVER name		{ $$ = parser_named(p, SYNTAX_BEGIN_OVER, $2); }
	| MAX DELAY TIME	{ $$ = parser_value(p, SYNTAX_MAX_DELAY, $3); }
	| MAX LABELS NUMBER	{ $$ = parser_value(p, SYNTAX_MAX_LABELS, $3); }
	| FROM selector		{ $$ = parser_children(parser_node(p, SYNTAX_FROM, $1), $2); }
	;

/* Who says this rule, why, and until when. */
note: EXPIRES DATE end		{ $$ = parser_value(p, SYNTAX_EXPIRES, $2); }
	| AUTHOR STRING end	{ $$ = parser_value(p, SYNTAX_AUTHOR, $2); }
	| REASON STRING end	{ $$ = parser_value(p, SYNTAX_REASON, $2); }
	;
notes: %empty			{ $$ = (struct syntax_list){0}; }
	| notes note		{ $$ = parser_list($1, $2); }
	| notes skipped_item	{ $$ = parser_list($1, NULL); }
	;

deny: DENY FROM selector TO selector class_option deny_block
		{ struct syntax_list items = {0};
		  $$ = parser_node(p, SYNTAX_DENY, $1);
		  items = parser_list(items, parser_children(parser_node(p, SYNTAX_FROM, $2), $3));
		  items = parser_list(items, parser_children(parser_node(p, SYNTAX_TO, $4), $5));
		  items = $6 ? parser_list(items, $6) : items;
		  parser_children($$, parser_list_join(items, $7)); }
	;
deny_block: '{' notes close	{ $$ = parser_list_join($2, $3); }
	| end			{ $$ = (struct syntax_list){0}; }
	;
class_option: %empty		{ $$ = NULL; }
	| CLASS name		{ $$ = parser_named(p, SYNTAX_WITH, $2); }
	;

expect: EXPECT selector REACHES selector WITH name after_option end
		{ struct syntax_list items = {0};
		  $$ = parser_node(p, SYNTAX_EXPECT, $1);
		  items = parser_list(items, parser_children(parser_node(p, SYNTAX_FROM, $1), $2));
		  items = parser_list(items, parser_children(parser_node(p, SYNTAX_TO, $3), $4));
		  items = parser_list(items, parser_named(p, SYNTAX_WITH, $6));
		  parser_children($$, parser_list_join(items, $7)); }
	| EXPECT selector NEVER REACHES selector with_option end
		{ struct syntax_list items = {0};
		  $$ = parser_number(p, SYNTAX_EXPECT, $1, 1);
		  items = parser_list(items, parser_children(parser_node(p, SYNTAX_FROM, $1), $2));
		  items = parser_list(items, parser_children(parser_node(p, SYNTAX_TO, $4), $5));
		  parser_children($$, $6 ? parser_list(items, $6) : items); }
	;
with_option: %empty		{ $$ = NULL; }
	| WITH name		{ $$ = parser_named(p, SYNTAX_WITH, $2); }
	;
after_option: %empty		{ $$ = (struct syntax_list){0}; }
	| AFTER ANY SINGLE LINK FAILURE
		{ $$ = parser_list((struct syntax_list){0}, parser_node(p, SYNTAX_AFTER_ANY, $1)); }
	| AFTER FAILURE OF LINK link_ends
		{ struct syntax_node *after = parser_node(p, SYNTAX_AFTER_LINK, $4);
		  $$ = parser_list((struct syntax_list){0}, parser_children(after, $5)); }
	;

include: INCLUDE STRING end	{ $$ = parser_value(p, SYNTAX_INCLUDE, $2); }
	;

/* ---- selectors and names ---- */

selector: set			{ $$ = parser_list((struct syntax_list){0}, $1); }
	| selector EXCEPT set
		{ struct syntax_list without = parser_list((struct syntax_list){0}, $3);
		  $$ = parser_list($1, parser_children(parser_node(p, SYNTAX_EXCEPT, $2), without)); }
	;
set: TIER names			{ $$ = parser_children(parser_node(p, SYNTAX_SELECT_TIER, $1), $2); }
	| SITE names	{ $$ = parser_children(parser_node(p, SYNTAX_SELECT_SITE, $1), $2); }
	| UNDER names	{ $$ = parser_children(parser_node(p, SYNTAX_SELECT_UNDER, $1), $2); }
	| TAG names	{ $$ = parser_children(parser_node(p, SYNTAX_SELECT_TAG, $1), $2); }
	| ALL		{ $$ = parser_node(p, SYNTAX_SELECT_ALL, $1); }
	| bare_names
		{ const struct token word = {.offset = $1.first->offset, .length = $1.first->length};
		  $$ = parser_node(p, SYNTAX_SELECT_SITE, &word);
		  $$->text = $1.first->text;
		  parser_children($$, $1); }
	;
names: name			{ $$ = parser_list((struct syntax_list){0}, $1); }
	| names ',' name	{ $$ = parser_list($1, $3); }
	;
bare_names: bare_name		{ $$ = parser_list((struct syntax_list){0}, $1); }
	| bare_names ',' name	{ $$ = parser_list($1, $3); }
	;
name: NAME			{ $$ = parser_name(p, $1); }
	| STRING		{ $$ = parser_name(p, $1); }
	| keyword		{ $$ = parser_name(p, $1); }
	;
bare_name: NAME			{ $$ = parser_name(p, $1); }
	| STRING		{ $$ = parser_name(p, $1); }
	| soft_keyword		{ $$ = parser_name(p, $1); }
	;
avoid_names: avoid_name		{ $$ = parser_list((struct syntax_list){0}, $1); }
	| avoid_names ',' name	{ $$ = parser_list($1, $3); }
	;
avoid_name: NAME		{ $$ = parser_name(p, $1); }
	| STRING		{ $$ = parser_name(p, $1); }
	| plain_keyword		{ $$ = parser_name(p, $1); }
	;
keyword: soft_keyword | TIER | SITE | UNDER | ALL | TAG
	;
soft_keyword: plain_keyword | LINK | RISK
	;
plain_keyword: ABOVE | AFTER | ANY | AUTHOR | AVOID | BACKUP | CARRIES | CARRY | CLASS | COLOR | DEGRADED | DELAY
	| DENY | DEVICE | DISJOINT | DOWN | DSCP | DYNAMIC | ENCRYPT | END_TO_END | EXCEPT | EXPECT
	| EXPIRES | FAILURE | FRESH | FROM | HIGH | ICMP | ID | INCLUDE | INTERFACE | JITTER | KEYS | LABELS | LAN
	| LOSS | LOW | MAX | METERED | METRIC | MTU | NETWORK | NEVER | NORMAL | OF | OVER | PARALLEL | PARENT | PATH
	| PLAN | POLICY | PORT | PREFERENCE | PREPARED | PRIORITY | PROBE | PROTOCOL | RATE_WORD | REACHES | REASON
	| REVERT | ROUND_TRIP | SESSION | SHARE | SHARED | SHORTEST | SINGLE | SIZE_WORD | SNMP | SPACE | TCP | TEMPLATE
	| THROUGH | TIERS | TO | UDP | UNDERLAY | UP | UPLINK | USE | USER | VIA | WITH | X
	;

/* ---- what is skipped after an error ---- */

close: '}'			{ $$ = (struct syntax_list){0}; }
	| error '}'		{ $$ = (struct syntax_list){.broken = true}; }
	;
skipped_item: error ';'	{ yyerrok; }
	| error skipped_block	{ yyerrok; }
	;
skipped_block: '{' skipped '}'
	;
skipped: %empty | skipped skipped_word | skipped skipped_block
	;
skipped_word: keyword | NAME | STRING | NUMBER | RANGE | TIME | RATE | SIZE | ADDRESS | PREFIX
	| BANDWIDTH | DATE | PERCENT | LENGTH | INVALID | ';' | ','
	;

%%

static int grammar_lex(GRAMMAR_STYPE *value, struct parser *p)
{
	value->token = parser_next(p);
	return value->token->kind;
}

#define EXPECTED_MAX 128

static int yyreport_syntax_error(const yypcontext_t *context, struct parser *p)
{
	yysymbol_kind_t kinds[EXPECTED_MAX];
	const char *names[EXPECTED_MAX];
	int count = yypcontext_expected_tokens(context, kinds, EXPECTED_MAX);

	for (int i = 0; i < count; i++)
		names[i] = yysymbol_name(kinds[i]);
	parser_complain(p, names, count < 0 ? 0 : (size_t)count);
	return 0;
}

/* Only "memory exhausted" comes here: the stack's limit, so the nesting's. */
static void grammar_error(struct parser *p, const char *message)
{
	(void)p;
	(void)message;
}
