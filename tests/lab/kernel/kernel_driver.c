/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel layer without the daemon: for scripts in a lab.
 *
 *	kernel_driver check
 *	kernel_driver plan|apply BUNDLE LINK.key SESSION.key [INDEX ...]	INDEX: active paths; the first of each color
 *	kernel_driver clear BUNDLE						what is there goes
 *	kernel_driver poke DEVICE
 *	kernel_driver watch SECONDS						prints "event" for each wakening that counts
 *	kernel_driver many COUNT SECONDS						applies so many routes, then watches
 *	kernel_driver nft BUNDLE						the table's text as we write it
 *	kernel_driver bundles FOLDER SOURCE ...					compiles each site's bundle to FOLDER/SITE
 *
 * With WATCH in the environment, "event" is printed if what it did itself would wake it. apply prints the plan, applies it, and says "applied N failed N messages N". A key file holds a base64 private key.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tuyen/cli/load.h"
#include "tuyen/core/desired.h"
#include "tuyen/core/plan.h"
#include "tuyen/kernel/kernel.h"
#include "tuyen/policies/compile.h"

static void die(const char *what, const char *why)
{
	fprintf(stderr, "kernel_driver: %s: %s\n", what, why);
	exit(1);
}

static char *file_read(const char *path, size_t *ret_length)
{
	FILE *file = fopen(path, "re");
	char *bytes = malloc(1 << 24);

	if (!file || !bytes)
		die(path, strerror(errno));
	*ret_length = fread(bytes, 1, (1 << 24) - 1, file);
	bytes[*ret_length] = '\0';
	fclose(file);
	return bytes;
}

static void forwarding_read(const char *path, struct forwarding *f)
{
	struct reason reason;
	size_t length;
	char *bytes = file_read(path, &length);

	if (forwarding_parse(bytes, length, f, &reason) < 0)
		die(path, reason.text);
	free(bytes);
}

static void key_read(const char *path, uint8_t key[static WG_KEY_LEN])
{
	size_t length;
	char *text = file_read(path, &length);

	text[strcspn(text, "\n")] = '\0';
	if (wg_key_parse(text, key) < 0)
		die(path, "no key");
	free(text);
}

static void active_take(const struct forwarding *f, char **indexes, struct active_paths *active)
{
	for (size_t i = 0; i < f->path_count; i++) {
		const struct fwd_path *p = &f->paths[i];
		bool chosen = !*indexes, known = false;

		for (char **index = indexes; *index; index++)
			chosen |= strtoul(*index, NULL, 10) == p->index;
		for (size_t j = 0; j < active->count; j++)
			known |= active->entry[j].color == p->color &&
				 active->entry[j].endpoint_site == p->endpoint_site;
		if (chosen && !known)
			active->entry[active->count++] =
			    (struct active_path){.color = p->color,
					     .endpoint_site = p->endpoint_site,
					     .index = p->index};
	}
}

static void apply(struct kernel *kernel, struct kernel_plan *plan)
{
	struct kernel_report report = {0};
	int err = kernel_apply(kernel, plan, &report);

	printf("applied %zu failed %zu messages %llu\n", report.applied, report.failed,
	       (unsigned long long)report.netlink_messages);
	if (err < 0)
		die("apply", report.first_failure.text);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void run(struct kernel *kernel, const struct kernel_state *desired, bool doing, bool quiet)
{
	struct kernel_state *actual;
	struct kernel_plan *plan;
	struct reason reason;
	struct text text;
	double start = now_ms(), read, planned;

	if (kernel_read(kernel, desired, &actual, &reason) < 0)
		die("read", reason.text);
	read = now_ms();
	if (kernel_plan_build(desired, actual, &plan, &reason) < 0)
		die("plan", reason.text);
	planned = now_ms();
	text_init(&text);
	kernel_plan_print(plan, &text);
	if (!quiet)
		fputs(text_string(&text), stdout);
	text_clear(&text);
	printf("plan of %zu operations\n", plan->count);
	if (doing)
		apply(kernel, plan);
	fprintf(stderr, "ms: read %.1f plan %.1f apply %.1f\n", read - start, planned - read,
		now_ms() - planned);
	kernel_plan_free(plan);
	kernel_state_free(actual);
}

static void work(struct kernel *kernel, char **argv, bool doing)
{
	struct forwarding f;
	struct node_keys keys;
	struct active_paths active = {.count = 0};
	struct kernel_state *desired;

	forwarding_init(&f);
	forwarding_read(argv[2], &f);
	key_read(argv[3], keys.link);
	key_read(argv[4], keys.session);
	active_take(&f, argv + 5, &active);
	if (desired_build(&f, &keys, &active, &desired) < 0)
		die("desired", "no memory");
	run(kernel, desired, doing, getenv("QUIET") != NULL);
	kernel_state_free(desired);
	forwarding_clear(&f);
}

static void clear(struct kernel *kernel)
{
	struct kernel_state *nothing = kernel_state_new();

	if (!nothing)
		die("clear", "no memory");
	run(kernel, nothing, true, getenv("QUIET") != NULL);
	kernel_state_free(nothing);
}

static void check(struct kernel *kernel)
{
	struct kernel_check found[16];
	size_t count = kernel_selfcheck(kernel, found, 16);

	for (size_t i = 0; i < count; i++)
		printf("%s %s: %s%s%s\n", found[i].ok ? "ok  " : "FAIL", found[i].name,
		       found[i].found, *found[i].remedy ? " -> " : "", found[i].remedy);
}

static void watch(struct kernel *kernel, const char *seconds)
{
	struct pollfd fd = {.fd = kernel_event_fd(kernel), .events = POLLIN};
	double end = now_ms() + strtod(seconds, NULL) * 1e3;

	while (now_ms() < end) {
		if (poll(&fd, 1, (int)(end - now_ms()) + 1) > 0)
			puts(kernel_event_drain(kernel) ? "event" : "own");
		fflush(stdout);
	}
}

/* As many as a gateway has, and nothing else. */
static void many(struct kernel *kernel, const char *count, const char *seconds)
{
	struct kernel_state *desired = kernel_state_new();

	for (unsigned long i = 0; desired && i < strtoul(count, NULL, 10); i++) {
		struct kernel_route *route = kernel_state_add_route(desired);

		if (!route)
			die("many", "no memory");
		route->table = TUYEN_TABLE_FIRST;
		route->type = KERNEL_ROUTE_UNREACHABLE;
		route->destination = (struct ipv4_prefix){0x0a000000u + (uint32_t)i, 32};
	}
	if (!desired)
		die("many", "no memory");
	kernel_state_sort(desired);
	run(kernel, desired, true, true);
	fflush(stdout);
	watch(kernel, seconds);
	kernel_state_free(desired);
}

/* After an apply: does our own change wake us? */
static void wakening_tell(struct kernel *kernel)
{
	struct pollfd fd = {.fd = kernel_event_fd(kernel), .events = POLLIN};

	if (getenv("WATCH") && poll(&fd, 1, 300) > 0)
		puts(kernel_event_drain(kernel) ? "event" : "own");
}

static void nft(const char *bundle)
{
	struct forwarding f;
	struct text text;

	forwarding_init(&f);
	forwarding_read(bundle, &f);
	text_init(&text);
	desired_nft(&f, NULL, &text);
	fputs(text_string(&text), stdout);
	text_clear(&text);
	forwarding_clear(&f);
}

static void bundle_write(const struct compile_result *result, uint32_t site, const char *folder)
{
	struct forwarding f;
	struct text text;
	char path[4096];
	FILE *file;

	if (compile_site(result, site, &f) < 0)
		die("compile", "no memory");
	text_init(&text);
	forwarding_encode(&f, &text);
	snprintf(path, sizeof(path), "%s/%s", folder, f.site);
	file = fopen(path, "we");
	if (!file || fwrite(text.bytes, 1, text.length, file) != text.length)
		die(path, strerror(errno));
	fclose(file);
	text_clear(&text);
	forwarding_clear(&f);
}

static void bundles(char **argv, size_t count)
{
	struct load load;
	struct compile_result *result;

	if (load_network((const char *const *)(argv + 3), count, NULL, &load) < 0)
		die("bundles", "the sources have errors");
	if (compile_network(&load.network, COMPILE_NEED_KEYS, &result) < 0) {
		for (size_t i = 0; result && i < compile_problem_count(result); i++)
			fprintf(stderr, "%s\n", compile_problem(result, i)->text);
		die("bundles", "does not compile");
	}
	for (uint32_t i = 0; i < load.network.site_count; i++)
		bundle_write(result, i, argv[2]);
	compile_free(result);
	load_clear(&load);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	struct kernel *kernel;
	struct reason reason;

	if (kernel_open(&kernel, &reason) < 0)
		die("open", reason.text);
	if (strcmp(verb, "check") == 0)
		check(kernel);
	else if (strcmp(verb, "clear") == 0)
		clear(kernel);
	else if (strcmp(verb, "poke") == 0 && argc == 3)
		printf("poke %d\n", kernel_session_poke(kernel, argv[2]));
	else if (strcmp(verb, "watch") == 0 && argc == 3)
		watch(kernel, argv[2]);
	else if (strcmp(verb, "many") == 0 && argc == 4)
		many(kernel, argv[2], argv[3]);
	else if (strcmp(verb, "nft") == 0 && argc == 3)
		nft(argv[2]);
	else if (strcmp(verb, "bundles") == 0 && argc >= 4)
		bundles(argv, (size_t)argc - 3);
	else if ((strcmp(verb, "plan") == 0 || strcmp(verb, "apply") == 0) && argc >= 5)
		work(kernel, argv, strcmp(verb, "apply") == 0);
	else
		die("usage",
		    "check | plan|apply BUNDLE LINK.key SESSION.key [INDEX ...] | clear | "
		    "poke DEVICE | watch SECONDS | many COUNT SECONDS | nft BUNDLE | bundles FOLDER SOURCE ...");
	wakening_tell(kernel);
	kernel_close(kernel);
	return 0;
}
