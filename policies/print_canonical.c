/* SPDX-License-Identifier: Apache-2.0 */
/* What a program writes is brought into its form by the same printer as what people write. */
#include <string.h>

#include "tuyen/policies/print.h"

int print_canonical(struct text *text)
{
	struct diag_list diags;
	struct syntax_file *file = NULL;
	struct text printed;
	int err;

	if (text->failed)
		return -TUYEN_ENOMEM;
	diag_list_init(&diags);
	text_init(&printed);
	err = syntax_parse("text", text_string(text), text->length, &diags, &file);
	if (!err && diags.error_count)
		err = -TUYEN_EINVAL;
	if (!err) {
		print_file(file, &printed);
		err = printed.failed ? -TUYEN_ENOMEM : 0;
	}
	syntax_file_free(file);
	diag_list_clear(&diags);
	if (err) {
		text_clear(&printed);
		return err;
	}
	text_clear(text);
	*text = printed;
	return 0;
}
