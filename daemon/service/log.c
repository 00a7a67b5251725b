/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/service/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A process has one log: the one place of the project with file-scope state. */
static struct {
	const char *process;
	enum log_level highest;
	bool journal;
	unsigned int lost;
} sink = {"tuyend", LOG_LEVEL_INFO, false, 0};

void log_open(const char *process, enum log_level highest)
{
	sink.process = process;
	sink.highest = highest;
	sink.journal = getenv("JOURNAL_STREAM") != NULL;
}

/* A line is shorter than what a pipe or socket that polls writable takes at once: who reads slowly
 * stops nobody. */
static bool would_wait(void)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&out, 1, 0) == 0;
}

static void lost_tell(void)
{
	char line[128];
	int length =
	    snprintf(line, sizeof(line), "%s%s: %u lines were lost: the log did not take them\n",
		     sink.journal ? "<4>" : "", sink.process, sink.lost);

	if (write(STDERR_FILENO, line, (size_t)length) == length)
		sink.lost = 0;
}

void log_write(enum log_level level, const char *format, ...)
{
	char line[1024];
	size_t start = 0, length;
	va_list args;

	if (level > sink.highest)
		return;
	if (would_wait()) {
		sink.lost++;
		return;
	}
	if (sink.lost)
		lost_tell();
	if (sink.journal)
		start = (size_t)snprintf(line, sizeof(line), "<%d>", level);
	start += (size_t)snprintf(line + start, sizeof(line) - start, "%s: ", sink.process);
	va_start(args, format);
	vsnprintf(line + start, sizeof(line) - start - 1, format, args);
	va_end(args);
	length = strlen(line);
	for (size_t i = start; i < length; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[length] = '\n';
	if (write(STDERR_FILENO, line, length + 1) < 0)
		return; /* nowhere left to say it */
}
