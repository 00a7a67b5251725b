/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CLI_FILES_H
#define TUYEN_CLI_FILES_H

#include <sys/types.h>

#include "tuyen/base/err.h"
#include "tuyen/base/text.h"

/** Files of the command line. All: 0 or a negative error with "PATH: ..." in @reason. Modes are as given, whatever the umask. */

enum file_flag {
	FILE_SECRET = 1, /* read: refuses what others may read, and symbolic links */
	FILE_REPLACE =
	    2,	       /* write: over an old file, which stays whole until the new one is there */
	FILE_MANY = 4, /* write: not flushed, the caller ends with folder_flush() */
};

/** The whole file, at most @max bytes, into an initialised text. */
int file_read(const char *path, size_t max, unsigned int flags, struct text *ret_text,
	      struct reason *reason);
/** All of it: of a disk that fills up the kernel takes a part, and says why with the next. @return 0, or -1 with errno. */
int bytes_write(int fd, const char *bytes, size_t length);
/** Atomic and flushed to the disk. Without FILE_REPLACE an existing name is -TUYEN_EEXIST. */
int file_write(const char *path, const void *bytes, size_t length, mode_t mode, unsigned int flags,
	       struct reason *reason);
/** Makes the folder unless it is there; its parent must be. */
int folder_make(const char *path, mode_t mode, struct reason *reason);
/** Flushes what was written with FILE_MANY: the file system that @path is in. */
int folder_flush(const char *path, struct reason *reason);
/** Wipes and clears. */
void text_wipe(struct text *t);

/** Prints "tuyen COMMAND: REASON" to standard error. @return the exit code for @err. */
int cli_fail(const char *command, int err, const struct reason *reason);

#endif
