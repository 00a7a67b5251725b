/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/policies/seal.h"

#include <stdio.h>
#include <string.h>

#include "tuyen/base/wire.h"
#include "tuyen/topology/forwarding.h"

/*
 * What stands between a file of unknown origin and the kernel of a node. Read from top to bottom:
 * first the framing, the only code that sees bytes nobody vouched for; it copies nothing but the
 * hashes of the proof. Then the checks, each of which trusts only what the one before has proved:
 *
 *	trusted roster -> roster chain -> statement -> Merkle root -> bundle -> this site
 *
 * The bundle is not parsed here: its first two lines are compared as bytes.
 */

#define RELEASE_BYTES_MAX STATEMENT_BYTES_MAX

/* The next section if it is of @type: else @ret_view is empty and nothing is taken. */
static bool section_read(struct wire_reader *r, enum seal_section type, size_t max,
			 struct seal_view *ret_view)
{
	struct wire_reader ahead = *r;

	*ret_view = (struct seal_view){0};
	if (r->failed || wire_reader_left(r) == 0 || wire_read_u8(&ahead) != type)
		return false;
	ret_view->length = wire_read_u32(&ahead);
	ret_view->bytes = ret_view->length <= max ? wire_read_view(&ahead, ret_view->length) : NULL;
	if (!ret_view->bytes)
		ahead.failed = true;
	*r = ahead;
	return !r->failed;
}

static bool signature_split(struct seal_view section, struct signature *ret_signature)
{
	size_t n = section.length ? section.bytes[0] : 0;

	if (n > OFFICER_NAME_MAX || section.length <= 1 + n ||
	    section.length - 1 - n > SIGNATURE_MAX ||
	    !officer_name_valid((const char *)section.bytes + 1, n))
		return false;
	*ret_signature = (struct signature){
	    .name = (const char *)section.bytes + 1,
	    .name_length = n,
	    .bytes = section.bytes + 1 + n,
	    .length = section.length - 1 - n,
	};
	return true;
}

static bool names_ascend(const struct signature *a, const struct signature *b)
{
	size_t shorter = a->name_length < b->name_length ? a->name_length : b->name_length;
	int order = memcmp(a->name, b->name, shorter);

	return order < 0 || (order == 0 && a->name_length < b->name_length);
}

/* A text of @type and the signatures that follow it. */
static bool signed_read(struct wire_reader *r, enum seal_section type, size_t max,
			struct seal_signed *ret_signed)
{
	struct seal_signed *s = ret_signed;
	struct seal_view section;

	s->count = 0;
	if (!section_read(r, type, max, &s->text))
		return false;
	while (section_read(r, (enum seal_section)(type + 1), 1 + OFFICER_NAME_MAX + SIGNATURE_MAX,
			    &section)) {
		if (s->count == SEAL_SIGNATURES_MAX ||
		    !signature_split(section, &s->signatures[s->count]) ||
		    (s->count &&
		     !names_ascend(&s->signatures[s->count - 1], &s->signatures[s->count]))) {
			r->failed = true;
			return false;
		}
		s->count++;
	}
	return !r->failed;
}

static bool proof_split(struct seal_view section, struct seal_parts *parts)
{
	struct wire_reader r;

	wire_reader_init(&r, section.bytes, section.length);
	parts->index = wire_read_u32(&r);
	parts->path.depth = wire_reader_left(&r) / SHA256_LEN;
	if (r.failed || wire_reader_left(&r) % SHA256_LEN || parts->path.depth > MERKLE_PATH_MAX)
		return false;
	wire_read_bytes(&r, parts->path.sibling, wire_reader_left(&r));
	return true;
}

int seal_decode(const uint8_t *bytes, size_t length, struct seal_parts *ret_parts,
		struct reason *reason)
{
	struct seal_view proof;
	struct wire_reader r;

	if (length > SEAL_BYTES_MAX)
		return reason_set(reason, -TUYEN_ELIMIT, "seal is above %u bytes", SEAL_BYTES_MAX);
	if (length < strlen(SEAL_MAGIC) || memcmp(bytes, SEAL_MAGIC, strlen(SEAL_MAGIC)) != 0)
		return reason_set(reason, -TUYEN_EINVAL,
				  "not a seal: it does not begin with 'tuyen-seal 1'");
	wire_reader_init(&r, bytes, length);
	wire_read_view(&r, strlen(SEAL_MAGIC));
	ret_parts->chain_length = 0;
	while (ret_parts->chain_length < SEAL_CHAIN_MAX &&
	       signed_read(&r, SEAL_ROSTER, ROSTER_BYTES_MAX,
			   &ret_parts->chain[ret_parts->chain_length]))
		ret_parts->chain_length++;
	if (!signed_read(&r, SEAL_RELEASE, RELEASE_BYTES_MAX, &ret_parts->release) ||
	    !section_read(&r, SEAL_PROOF, 4 + MERKLE_PATH_MAX * SHA256_LEN, &proof) ||
	    !section_read(&r, SEAL_BUNDLE, FORWARDING_BYTES_MAX, &ret_parts->bundle))
		return reason_set(reason, -TUYEN_ETRUNC,
				  "seal is damaged or cut off: a section is missing or too long");
	if (wire_reader_left(&r))
		return reason_set(reason, -TUYEN_EINVAL, "seal has %zu bytes after its end",
				  wire_reader_left(&r));
	if (!proof_split(proof, ret_parts))
		return reason_set(reason, -TUYEN_EINVAL,
				  "seal is damaged: its proof has an odd length");
	return 0;
}

static bool view_is(struct seal_view view, const char *bytes, size_t length)
{
	return view.length == length && memcmp(view.bytes, bytes, length) == 0;
}

/* Check: who the officers are now. */
static int chain_verify(const struct seal_parts *parts, const struct seal_trust *trust,
			struct seal_result *ret, struct reason *reason)
{
	size_t next = 0;
	int err = roster_parse(trust->roster, trust->roster_length, &ret->roster, reason);

	if (err < 0)
		return err;
	ret->roster_text = trust->roster;
	ret->roster_length = trust->roster_length;
	for (size_t i = 0; i < parts->chain_length; i++)
		if (view_is(parts->chain[i].text, trust->roster, trust->roster_length))
			next = i + 1;
	for (; next < parts->chain_length; next++) {
		const struct seal_signed *step = &parts->chain[next];

		err = roster_follow(&ret->roster, (const char *)step->text.bytes, step->text.length,
				    step->signatures, step->count, &ret->roster, reason);
		if (err < 0)
			return err;
		ret->roster_text = (const char *)step->text.bytes;
		ret->roster_length = step->text.length;
		ret->roster_moved = true;
	}
	return 0;
}

/* Check: that enough of them signed this statement; only then is it read. */
static int statement_verify(const struct seal_parts *parts, struct seal_result *ret,
			    struct reason *reason)
{
	const struct seal_signed *release = &parts->release;
	int err = roster_verify(&ret->roster, release->text.bytes, release->text.length,
				release->signatures, release->count, &ret->signers, reason);

	if (err < 0)
		return err;
	err = statement_parse((const char *)release->text.bytes, release->text.length,
			      &ret->statement, reason);
	if (err < 0)
		return err;
	if (ret->statement.roster_version > ret->roster.version)
		return reason_set(reason, -TUYEN_ESIGNATURE,
				  "release needs roster version %u, this node has %u and the seal "
				  "leads no further",
				  ret->statement.roster_version, ret->roster.version);
	return sha256_digest(release->text.bytes, release->text.length, ret->statement_digest);
}

/* Check: that time does not go back. */
static int epoch_verify(const struct seal_trust *trust, struct seal_result *ret,
			struct reason *reason)
{
	uint64_t epoch = ret->statement.epoch;
	bool same = memcmp(ret->statement_digest, trust->statement_digest, SHA256_LEN) == 0;

	if (epoch < trust->epoch)
		return reason_set(reason, -TUYEN_EEPOCH,
				  "release has epoch %llu, epoch %llu was accepted before",
				  (unsigned long long)epoch, (unsigned long long)trust->epoch);
	if (epoch == trust->epoch && !same)
		return reason_set(reason, -TUYEN_EEPOCH,
				  "two releases of epoch %llu: another one was accepted before",
				  (unsigned long long)epoch);
	ret->repeated = epoch == trust->epoch;
	ret->expired = trust->now_s > ret->statement.expires_s;
	return 0;
}

/* The bundle's leaf: of its digest, or in releases of form 1 of all its bytes. Neither can be taken
 * for the other: a bundle is no 32 bytes. */
static int leaf_of(const struct seal_parts *parts, const struct seal_result *ret,
		   struct merkle_hash *ret_leaf)
{
	if (ret->statement.form == 1)
		return merkle_leaf(parts->bundle.bytes, parts->bundle.length, ret_leaf);
	return merkle_leaf(ret->bundle_digest, SHA256_LEN, ret_leaf);
}

/* Check: that the bundle is a leaf of the tree whose root was signed. */
static int bundle_verify(const struct seal_parts *parts, struct seal_result *ret,
			 struct reason *reason)
{
	struct merkle_hash leaf;
	int err = sha256_digest(parts->bundle.bytes, parts->bundle.length, ret->bundle_digest);

	if (!err)
		err = leaf_of(parts, ret, &leaf);
	if (err < 0)
		return err;
	err = merkle_verify(&leaf, parts->index, ret->statement.sites, &parts->path,
			    &ret->statement.root);
	if (err < 0)
		return reason_set(reason, err,
				  "bundle does not belong to this release (Merkle proof does not "
				  "lead to the root)");
	ret->bundle = parts->bundle.bytes;
	ret->bundle_length = parts->bundle.length;
	return 0;
}

/* Check: that it is ours. The site's id comes second, "site 901 phuc-xa ..."; it is compared as
 * bytes. */
static int site_verify(const struct seal_trust *trust, const struct seal_result *ret,
		       struct reason *reason)
{
	char ours[sizeof(SEAL_BUNDLE_HEAD) + 12];
	size_t head = strlen(SEAL_BUNDLE_HEAD), digits = head;
	int length = snprintf(ours, sizeof(ours), SEAL_BUNDLE_HEAD "%u ", trust->site_id);

	if (ret->bundle_length > (size_t)length && memcmp(ret->bundle, ours, (size_t)length) == 0)
		return 0;
	if (ret->bundle_length < head || memcmp(ret->bundle, SEAL_BUNDLE_HEAD, head) != 0)
		return reason_set(reason, -TUYEN_EINVAL,
				  "bundle is of a kind that this version does not know");
	while (digits < ret->bundle_length && digits < head + 10 && ret->bundle[digits] >= '0' &&
	       ret->bundle[digits] <= '9')
		digits++;
	return reason_set(reason, -TUYEN_ESITE, "this bundle is of site %.*s, this node is %u",
			  (int)(digits - head), (const char *)ret->bundle + head, trust->site_id);
}

/* Each check has said why; only hashing fails without a word. */
static int refuse(int err, struct reason *reason)
{
	return err == -TUYEN_ENOMEM ? reason_set(reason, err, "%s", tuyen_strerror(err)) : err;
}

int seal_verify_statement(const struct seal_parts *parts, const struct seal_trust *trust,
			  struct seal_result *ret, struct reason *reason)
{
	struct seal_result result = {0};
	int err;

	err = chain_verify(parts, trust, &result, reason);
	if (!err)
		err = statement_verify(parts, &result, reason);
	if (!err)
		err = epoch_verify(trust, &result, reason);
	if (err < 0)
		return refuse(err, reason);
	*ret = result;
	return 0;
}

int seal_verify(const uint8_t *bytes, size_t length, const struct seal_trust *trust,
		struct seal_result *ret, struct reason *reason)
{
	struct seal_result result;
	struct seal_parts parts;
	int err;

	err = seal_decode(bytes, length, &parts, reason);
	if (!err)
		err = seal_verify_statement(&parts, trust, &result, reason);
	if (!err)
		err = bundle_verify(&parts, &result, reason);
	if (!err)
		err = site_verify(trust, &result, reason);
	if (err < 0)
		return refuse(err, reason);
	*ret = result;
	return 0;
}
