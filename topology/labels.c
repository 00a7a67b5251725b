/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/topology/labels.h"

#include <stddef.h>
#include <string.h>

#include "tuyen/base/err.h"

int label_stack_compare(const struct label_stack *a, const struct label_stack *b)
{
	if (a->depth != b->depth)
		return a->depth < b->depth ? -1 : 1;
	for (uint8_t i = 0; i < a->depth; i++)
		if (a->label[i] != b->label[i])
			return a->label[i] < b->label[i] ? -1 : 1;
	return 0;
}

bool label_stack_equal(const struct label_stack *a, const struct label_stack *b)
{
	return label_stack_compare(a, b) == 0;
}

/* By hand: a country's bundles hold a million labels. @return what follows. */
static char *label_format(uint32_t label, char *out)
{
	char digits[7];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + label % 10);
		label /= 10;
	} while (label);
	memcpy(out, digits + n, sizeof(digits) - n);
	return out + sizeof(digits) - n;
}

const char *label_stack_format(const struct label_stack *stack, char out[static LABEL_STACK_STRLEN])
{
	char *end = out;

	if (!stack->depth)
		*end++ = '-';
	for (uint8_t i = 0; i < stack->depth; i++) {
		if (i)
			*end++ = '/';
		end = label_format(stack->label[i] & LABEL_MAX, end);
	}
	*end = '\0';
	return out;
}

/* One decimal number without leading zeros, at most LABEL_MAX. @return its end, NULL on error. */
static const char *label_parse(const char *s, uint32_t *ret_label)
{
	uint32_t value = 0;
	const char *p = s;

	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (uint32_t)(*p - '0');
		if (value > LABEL_MAX)
			return NULL;
	}
	if (p == s || (*s == '0' && p != s + 1))
		return NULL;
	*ret_label = value;
	return p;
}

int label_stack_parse(const char *string, struct label_stack *ret_stack)
{
	struct label_stack stack = {0};
	const char *p = string;
	uint32_t label;

	if (!strcmp(string, "-")) {
		*ret_stack = stack;
		return 0;
	}
	for (;; p++) {
		p = label_parse(p, &label);
		if (!p || !label_stack_push_bottom(&stack, label))
			return -TUYEN_EINVAL;
		if (*p == '\0')
			break;
		if (*p != '/')
			return -TUYEN_EINVAL;
	}
	*ret_stack = stack;
	return 0;
}
