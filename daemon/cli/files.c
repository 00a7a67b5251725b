/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tuyen/cli/cli.h"

static int system_fail(struct reason *reason, const char *path)
{
	int err = errno == ENOENT   ? -TUYEN_ENOENT
		  : errno == EEXIST ? -TUYEN_EEXIST
				    : -TUYEN_ESYSTEM;

	return reason_set(reason, err, "%s: %s", path, strerror(errno));
}

void text_wipe(struct text *t)
{
	if (t->bytes)
		explicit_bzero(t->bytes, t->capacity);
	text_clear(t);
}

int cli_fail(const char *command, int err, const struct reason *reason)
{
	fprintf(stderr, "tuyen %s: %s\n", command,
		reason->text[0] ? reason->text : tuyen_strerror(err));
	return err == -TUYEN_ESYSTEM || err == -TUYEN_ENOMEM ? CLI_SYSTEM : CLI_INPUT;
}

static int file_check(int fd, const char *path, size_t max, unsigned int flags, size_t *ret_size,
		      struct reason *reason)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return system_fail(reason, path);
	if (!S_ISREG(st.st_mode))
		return reason_set(reason, -TUYEN_EINVAL, "%s: not a file", path);
	if ((flags & FILE_SECRET) && (st.st_mode & 077))
		return reason_set(reason, -TUYEN_EINVAL,
				  "%s: others may read this secret; chmod 600 it", path);
	if ((uint64_t)st.st_size > max)
		return reason_set(reason, -TUYEN_ELIMIT, "%s: above %zu bytes", path, max);
	*ret_size = (size_t)st.st_size;
	return 0;
}

/* One block that never moves, so that a secret is in no second place. */
static int bytes_read(int fd, const char *path, size_t size, struct text *ret_text,
		      struct reason *reason)
{
	char *bytes = malloc(size + 1);
	size_t got = 0;

	if (!bytes)
		return -TUYEN_ENOMEM;
	while (got < size) {
		ssize_t n = read(fd, bytes + got, size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			explicit_bzero(bytes, size);
			free(bytes);
			return n < 0 ? system_fail(reason, path)
				     : reason_set(reason, -TUYEN_EAGAIN,
						  "%s: changed while it was read", path);
		}
		got += (size_t)n;
	}
	bytes[size] = '\0';
	text_clear(ret_text);
	*ret_text = (struct text){.bytes = bytes, .length = size, .capacity = size + 1};
	return 0;
}

int file_read(const char *path, size_t max, unsigned int flags, struct text *ret_text,
	      struct reason *reason)
{
	int fd =
	    open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (flags & FILE_SECRET ? O_NOFOLLOW : 0));
	size_t size = 0;
	int err;

	if (fd < 0)
		return system_fail(reason, path);
	err = file_check(fd, path, max, flags, &size, reason);
	if (!err)
		err = bytes_read(fd, path, size, ret_text, reason);
	close(fd);
	return err;
}

int bytes_write(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t n = write(fd, bytes, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		bytes += n;
		length -= (size_t)n;
	}
	return 0;
}

static int file_publish(const char *temporary, const char *path, unsigned int flags)
{
	if (flags & FILE_REPLACE)
		return rename(temporary, path);
	if (link(temporary, path) < 0) /* fails on any existing name, a dangling link too */
		return -1;
	return unlink(temporary);
}

static void parent_flush(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder =
	    slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	free(folder);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

int file_write(const char *path, const void *bytes, size_t length, mode_t mode, unsigned int flags,
	       struct reason *reason)
{
	struct text temporary = {0};
	int fd, err = 0;

	text_printf(&temporary, "%s.%ld.new", path, (long)getpid());
	if (temporary.failed)
		return -TUYEN_ENOMEM;
	fd = open(temporary.bytes, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		err = system_fail(reason, temporary.bytes);
		text_clear(&temporary);
		return err;
	}
	if (bytes_write(fd, bytes, length) < 0 || fchmod(fd, mode) < 0 ||
	    (!(flags & FILE_MANY) && fsync(fd) < 0) ||
	    file_publish(temporary.bytes, path, flags) < 0) {
		err = system_fail(reason, path);
		unlink(temporary.bytes);
	}
	close(fd);
	if (!(flags & FILE_MANY))
		parent_flush(path);
	text_clear(&temporary);
	return err;
}

int folder_make(const char *path, mode_t mode, struct reason *reason)
{
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return chmod(path, mode) == 0 ? 0 : system_fail(reason, path);
	if (errno != EEXIST)
		return system_fail(reason, path);
	if (stat(path, &st) < 0)
		return system_fail(reason, path);
	if (!S_ISDIR(st.st_mode))
		return reason_set(reason, -TUYEN_EEXIST, "%s: not a folder", path);
	return 0;
}

int folder_flush(const char *path, struct reason *reason)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

	if (fd < 0 || syncfs(fd) < 0)
		err = system_fail(reason, path);
	if (fd >= 0)
		close(fd);
	return err;
}
