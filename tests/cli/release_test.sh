#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Release, seal and keys by the command line, and the proof that nobody needs Tuyen to check a release: for
# good releases and for each mutation below, `tuyen verify` and stock openssl with sha256sum say the same.
# The releases are made by make-release, which shares no code with the program.
#
#	an, binh, chi: officers of roster 1, two must sign     dung takes binh's place in roster 2
#
# Prints TAP. TUYEN names the program to test.
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/tap.sh

# says CODE TEXT COMMAND...: exits with CODE and TEXT is in what it says
says()
{
	local code=$1 text=$2 got
	shift 2
	"$@" >"$work/heard" 2>&1
	got=$?
	cat "$work/heard"
	echo "exit code $got, want $code and '$text'"
	[ $got -eq "$code" ] && grep -qF -- "$text" "$work/heard"
}

not() { ! "$@"; }
same() { echo "have '$1', want '$2'"; [ "$1" = "$2" ]; }
mode() { same "$(stat -c %a "$1")" "$2"; }

# What an auditor types: two officers' signatures, the manifest's digest, every bundle.
stock_verify()
{
	local officer good=0
	for officer in an binh chi; do
		[ -e "$1/signatures/$officer.sig" ] || continue
		openssl pkeyutl -verify -pubin -inkey "keys/$officer.pem" -rawin -in "$1/release" \
			-sigfile "$1/signatures/$officer.sig" || return 1
		good=$((good + 1))
	done
	[ $good -ge 2 ] || return 1
	[ "$(sed -n 's/^manifest //p' "$1/release")" = "$(sha256sum <"$1/manifest" | cut -d' ' -f1)" ] || return 1
	(cd "$1" && sha256sum --quiet --strict -c manifest)
}

both() # both yes|no FOLDER
{
	local ours=no stock=no
	"$tuyen" verify "$2" --roster roster-1 && ours=yes
	stock_verify "$2" && stock=yes
	echo "tuyen says $ours, stock tools say $stock, want $1"
	[ $ours = "$1" ] && [ $stock = "$1" ]
}

flip() # flip FILE BYTE BIT
{
	python3 - "$@" <<-'PYTHON'
	import sys
	name, byte, bit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
	b = bytearray(open(name, "rb").read())
	b[byte] ^= 1 << bit
	open(name, "wb").write(b)
	PYTHON
}

officer() { "$tuyen" officer new "$@" -o keys; }
sign() { "$tuyen" sign "$1" --officer "$2" --key "keys/$2.key" "${@:3}"; }
verify() { "$tuyen" verify "$@"; }
public() { # public NAME...: --officer options
	local name
	for name; do printf -- '--officer %s=keys/%s.pem ' "$name" "$name"; done
}

# ---- keys of a node
umask 000
ok "keygen makes keys" says 0 'keys phuc-xa { link "' "$tuyen" keygen -o node --site phuc-xa
umask 022
ok "a name with a space is quoted" says 0 'keys "quận 3" { link "' "$tuyen" keygen -o quoted --site "quận 3"
ok "a name that a terminal obeys is none" says 1 "cannot be the name" "$tuyen" keygen -o none --site "$(printf 'a\033[2J')"
ok "help to a full disk is a failure" sh -c "! '$tuyen' --help >/dev/full && ! '$tuyen' --version >/dev/full"
ok "the folder is 0700 whatever the umask" mode node 700
ok "link.key is 0600" mode node/link.key 600
ok "session.key is 0600" mode node/session.key 600
ok "a key is 44 characters and a newline" same "$(wc -c <node/link.key)" 45
ok "the two keys differ" says 1 differ cmp node/link.key node/session.key
printed=$("$tuyen" keygen -o node --site phuc-xa --public)
ok "the private key is not printed" not grep -F -e "$(cat node/link.key)" -e "$(cat node/session.key)" <<<"$printed"
# X25519 in PKCS#8 is a fixed head and the key, RFC 8410
public_of() {
	{ printf '\060\056\002\001\000\060\005\006\003\053\145\156\004\042\004\040'; base64 -d "$1"; } |
		openssl pkey -inform DER -pubout -outform DER | tail -c 32 | base64
}
ok "openssl derives the same public keys" same "$printed" \
	"keys phuc-xa { link \"$(public_of node/link.key)\"; session \"$(public_of node/session.key)\"; }"
before=$(sha256sum node/*.key)
ok "keygen never overwrites" says 1 "never overwritten" "$tuyen" keygen -o node --site phuc-xa
ok "and the keys are as before" same "$(sha256sum node/*.key)" "$before"
rm node/link.key && ln -s /nonexistent node/link.key
ok "nor does it follow a link" says 1 "never overwritten" "$tuyen" keygen -o node --site phuc-xa
ok "nothing was left behind" same "$(find node -type f -o -type l | sort | tr "\n" " ")" "node/link.key node/session.key "
chmod 644 node/session.key && rm node/link.key && cp -p node/session.key node/link.key
ok "a key that others may read is refused" says 1 "others may read" "$tuyen" keygen -o node --site x --public
ok "a site's name is one word of the language" says 0 'keys "x { }" { link "' "$tuyen" keygen -o node2 --site 'x { }'
ok "a folder is needed" says 2 usage "$tuyen" keygen --site x

# ---- officers and rosters
for name in an binh chi dung; do
	ok "officer $name" officer $name
done
ok "an officer on P-384" officer token --p384
echo "correct horse" >phrase && chmod 600 phrase
ok "an officer with a passphrase" officer careful --passphrase-file phrase
ok "the private key is 0600" mode keys/an.key 600
ok "it is encrypted when asked" grep -q ENCRYPTED keys/careful.key
ok "it is never overwritten" says 1 "exists" officer an
ok "a name is a safe file name" says 1 "only letters" officer ../evil
# shellcheck disable=SC2046
ok "roster 1" "$tuyen" roster new --threshold 2 $(public an binh chi) -o roster-1
ok "shows its threshold" says 0 "threshold 2 of 3" "$tuyen" roster show roster-1
ok "shows JSON" says 0 '"threshold":2' "$tuyen" roster show roster-1 --json
for threshold in 4294967298 -4294967294 0 2x; do # the first two are 2 in 32 bits
	ok "a threshold of $threshold is refused" says 2 "'$threshold': a roster has" \
		"$tuyen" roster new --threshold $threshold $(public an binh chi) -o no
done
ok "of 33 officers none is left out unsaid" says 2 "a roster has 1 to 32 officers" \
	"$tuyen" roster new --threshold 2 $(for i in {1..33}; do echo "--officer o$i=keys/an.pem"; done) -o no
ok "a threshold above the officers is refused" says 1 "threshold 2 with 1" \
	"$tuyen" roster new --threshold 2 --officer an=keys/an.pem -o no
ok "one key under two names is refused" says 1 "have the same key" \
	"$tuyen" roster new --threshold 2 --officer an=keys/an.pem --officer bn=keys/an.pem -o no
ok "roster 2: dung for binh" "$tuyen" roster next roster-1 --remove binh --officer dung=keys/dung.pem -o roster-2
ok "its version is 2" grep -q '^version 2$' roster-2
ok "no roster came of errors" test ! -e no

# ---- sign and verify
"$here/make-release" good 7 1 1 101 210 211 901 902 9010
ok "a release that is not there is said to be missing" says 1 "nowhere: No such file" verify nowhere --roster roster-1
ok "an unsigned release is refused" says 1 "0 of 2 signatures needed" verify good --roster roster-1
ok "an unsigned release is not sealed" says 1 "not signed" "$tuyen" seal good --all -o none
ok "an signs and sees the epoch" says 0 "epoch     7" sign good an
ok "one signature is too few" says 1 "1 of 2 signatures needed" verify good --roster roster-1
chmod 640 keys/binh.key
ok "a key that others may read does not sign" says 1 "others may read" sign good binh
chmod 600 keys/binh.key
ok "openssl signs as well" openssl pkeyutl -sign -rawin -inkey keys/binh.key -in good/release -out good/signatures/binh.sig
mv good/signatures/binh.sig stock.sig
ok "binh signs" sign good binh
ok "Ed25519: the same bytes as openssl's" cmp stock.sig good/signatures/binh.sig
ok "good: both say yes" both yes good
ok "JSON names the signers" says 0 '"signers":["an","binh"]' verify good --roster roster-1 --json
ok "an epoch too old is refused" says 1 "release has epoch 7, --epoch asks for 8" verify good --roster roster-1 --epoch 8
ok "the root by sha256 alone is the statement's" same "$(python3 - good <<'PYTHON'
import hashlib, re, sys
names = re.findall(r"sites/\d+\.bundle", open(sys.argv[1] + "/manifest").read())
sha = lambda b: hashlib.sha256(b).digest()
level = [sha(b"\0" + sha(open(sys.argv[1] + "/" + n, "rb").read())) for n in names]
while len(level) > 1:
    level = [hashlib.sha256(b"\1" + b"".join(level[i:i + 2])).digest() if i + 1 < len(level) else level[i]
             for i in range(0, len(level), 2)]
print(level[0].hex())
PYTHON
)" "$(sed -n 's/^root //p' good/release)"

# Each line changes one thing; nothing that both check may stay unseen by either.
mutation() # mutation NAME COMMAND...
{
	local name=$1
	shift
	rm -rf bad && cp -r good bad
	if (cd bad && "$@"); then
		ok "$name: both say no" both no bad
	else
		ok "$name: could not be made" false
	fi
}
swap() { mv "$1" x && mv "$2" "$1" && mv x "$2"; }
for byte in 0 14 40 100 200 300 340; do
	mutation "release, byte $byte" flip release $byte 0
done
mutation "release, another epoch" sed -i 's/^epoch 7/epoch 8/' release
mutation "release, a line more" sh -c 'echo "source x" >>release'
for byte in 0 31 32 63; do
	mutation "signature, byte $byte" flip signatures/an.sig $byte 7
done
mutation "signature of another" cp signatures/binh.sig signatures/an.sig
mutation "signature cut off" truncate -s 63 signatures/an.sig
mutation "one signature left" rm signatures/an.sig
mutation "bundle, a bit" flip sites/901.bundle 20 3
mutation "bundle, a byte more" sh -c 'echo >>sites/901.bundle'
mutation "bundle lost" rm sites/901.bundle
mutation "bundles swapped" swap sites/901.bundle sites/902.bundle
mutation "manifest, a bit" flip manifest 5 0
mutation "manifest, a line lost" sed -i 3d manifest
mutation "manifest and bundles swapped" sh -c 'sed -i "s/901/x/; s/902/901/; s/x/902/" manifest
	mv sites/901.bundle x; mv sites/902.bundle sites/901.bundle; mv x sites/902.bundle'
# Seals are made of the manifest: what is wrong with it makes none.
manifest() # manifest NAME SEAL-SAYS COMMAND...
{
	local name=$1 text=$2
	shift 2
	rm -rf bad && cp -r good bad
	ok "manifest, $name: changed" sh -c 'cd bad && "$@" && ! cmp -s manifest ../good/manifest' - "$@"
	ok "manifest, $name: not verified" says 1 "bad/" verify bad --roster roster-1
	ok "manifest, $name: not sealed" says 1 "$text" "$tuyen" seal bad --all -o bad-seals
	ok "manifest, $name: no seal" sh -c '! ls bad-seals/*.seal'
	rm -rf bad-seals
}
manifest "two swapped" "bad/manifest is not the one" sed -i '2{h;d};3G' manifest
manifest "a line lost" "bad/manifest is not the one" sed -i 3d manifest
manifest "a line twice" "bad/manifest is not the one" sed -i 3p manifest
manifest "another file" "bad/manifest is not the one" sed -i '2s|sites/|../|' manifest
manifest "empty" "bad/manifest is not the one" sh -c ': >manifest'
manifest "lost" "No such file" rm manifest
manifest "names swapped" "bad/manifest is not the one" sed -i '1{s/$/x/;s/[0-9]*.bundlex/902.bundle/}' manifest
rm -rf bad && cp -r good bad && sed -i 's/^./z/' bad/manifest
ok "what does not fit together is not signed" says 1 "bad/manifest is not the one" sign bad chi
# The statement fits its manifest, and that no release.
resealed() { # COMMAND...: of another manifest, the digest in the statement
	rm -rf bad && cp -r good bad && (cd bad && rm -r signatures && "$@" &&
		sed -i "s/^manifest .*/manifest $(sha256sum <manifest | cut -c1-64)/" release)
}
resealed sed -i '2{h;d};3G' manifest
ok "two swapped and signed for: refused with their line" says 1 "bad/manifest: site 101 comes after site 210" sign bad chi
resealed sed -i '3s|sites/|../|' manifest
ok "another file, signed for: with its line" says 1 "bad/manifest: line 3 is not of this form" sign bad chi
resealed sed -i 3d manifest
ok "a line lost, signed for: counted" says 1 "bad/manifest: 6 bundles, the release has 7" sign bad chi
resealed sh -c 'sed -i "s/^root ./root x/" release; sed -i "s/^root x/root 0/" release; grep -q "^root 00" release && sed -i "s/^root 0/root 1/" release; true'
ok "another root, signed for: refused" says 1 "bad/sites is not of this release" sign bad chi
rm -rf bad && cp -r good bad && sed -i 's/^tuyen-release 2/tuyen-release 1/' bad/release && rm -r bad/signatures
ok "a release of the first form is compiled anew" says 1 "bad/release is of form 1" sign bad chi
"$here/make-release" twice 7 1 1 901 902=901
ok "two bundles of one site are not signed" says 1 "902.bundle is not of site 902" sign twice chi
ok "and no signature is left" test ! -e bad/signatures/chi.sig
cp -r good unproven && rm -r unproven/signatures && sed -i 's/^audit .*/audit none/' unproven/release
ok "what nobody audited is not signed" says 1 "nobody proved these bundles" sign unproven chi
ok "nor is it half signed" test ! -e unproven/signatures
ok "unless the officer says so" says 0 "audit     none" sign unproven chi --unaudited
cp -r good other
ok "a signature is never overwritten" says 1 "an.sig is there already" "$tuyen" sign other --officer an --key keys/chi.key
ok "a key of another name is not an's" sh -c "rm other/signatures/an.sig && '$tuyen' sign other --officer an --key keys/chi.key"
ok "which the roster sees" says 1 "signature of officer 'an' does not match" verify other --roster roster-1

# ---- P-384 and passphrases
# shellcheck disable=SC2046
"$tuyen" roster new --threshold 2 $(public token careful) -o roster-token >/dev/null
"$here/make-release" tokens 1 1 5
ok "P-384 signs" sign tokens token
ok "stock openssl verifies it" openssl dgst -sha384 -verify keys/token.pem -signature tokens/signatures/token.sig tokens/release
ok "an encrypted key needs its passphrase" says 1 "--passphrase-file" sign tokens careful
ok "and signs with it" sign tokens careful --passphrase-file phrase
ok "both kinds verify" verify tokens --roster roster-token
openssl dgst -sha384 -sign keys/token.key -out tokens/signatures/token.sig tokens/release
ok "a signature by openssl verifies" verify tokens --roster roster-token
flip tokens/signatures/token.sig 20 0
ok "a flipped bit in it does not" says 1 "'token' does not match" verify tokens --roster roster-token

# ---- seals
ok "seals of all sites" says 0 "7 sites of epoch 7" "$tuyen" seal good --all -o seals
cp -r good few-good && rm "$(ls few-good/signatures/*.sig | head -1)"
ok "too few for the roster that nodes trust: not sealed" says 1 "1 of 2 signatures needed" "$tuyen" seal few-good --all -o few-good-seals --trusted roster-1
ok "seven files" same "$(find seals -name "*.seal" | wc -l)" 7
ok "a seal verifies at its node" says 0 "verified  bundle of" verify seals/901.seal --roster roster-1 --site 901
ok "and not at another" says 1 "this bundle is of site 901, this node is 902" verify seals/901.seal --roster roster-1 --site 902
ok "ids are whole: 901 is not 9010" says 1 "of site 9010, this node is 901" verify seals/9010.seal --roster roster-1 --site 901
ok "an older epoch is refused" says 1 "epoch 7" verify seals/901.seal --roster roster-1 --site 901 --epoch 8
ok "JSON says why" says 1 '"ok":false' verify seals/901.seal --roster roster-1 --site 902 --json
ok "also of a file whose name is no UTF-8" says 1 '"ok":false' verify $'no\xff' --roster roster-1 --json
ok "one site by name" "$tuyen" seal good name-902 -o byname
ok "gives the same bytes" cmp byname/902.seal seals/902.seal
ok "a site that is not there" says 1 "no site 'nowhere'" "$tuyen" seal good nowhere -o byname
cp seals/901.seal cut.seal && truncate -s -1 cut.seal
ok "a seal cut off" says 1 "damaged or cut off" verify cut.seal --roster roster-1 --site 901
cp seals/901.seal bit.seal && flip bit.seal $(($(stat -c %s bit.seal) - 3)) 0
ok "a bundle with a flipped bit" says 1 "bundle does not belong to this release" verify bit.seal --roster roster-1 --site 901
ok "a seal that is none" says 1 "not a seal" verify roster-1 --roster roster-1 --site 901

# ---- a node's folder
mkdir -p state/incoming
mkfifo pipe.seal
mkdir folder.seal
ok "a pipe is not installed" says 1 "not a file" timeout 5 "$tuyen" install pipe.seal --state state
ok "nor a folder" says 1 "not a file" "$tuyen" install folder.seal --state state
ok "nor what is not there" says 1 "No such file" "$tuyen" install none.seal --state state
ok "and nothing came in" same "$(ls -A state/incoming)" ""
# of a file that may have 100 KB the second write takes a part
full() { (trap '' XFSZ; ulimit -f 100; "$@"); }
head -c 150000 /dev/zero >large.seal
ok "a full disk is named" says 2 "File too large" full "$tuyen" install large.seal --state state --control "$PWD/none"
ok "... and leaves nothing" same "$(find state/incoming -name '*large*')" ""
ok "a seal is left for tuyend" says 0 "when it starts" "$tuyen" install seals/901.seal --state state --control "$PWD/none"
ok "as it is" cmp seals/901.seal state/incoming/901.seal

# ---- the officers change
"$here/make-release" next 8 2 1 901
sign next an >/dev/null && sign next dung >/dev/null
ok "roster 2 is needed" says 1 "1 of 2 signatures needed" verify next --roster roster-1
ok "an and dung verify with roster 2" verify next --roster roster-2
cp roster-2 next/roster
ok "an signs roster 2" sign next an --roster
ok "one is too few for it" says 1 "by the old officers: 1 of 2" verify next --roster roster-1
ok "chi signs roster 2" sign next chi --roster
ok "roster 1 leads to roster 2" says 0 "newer than the one given" verify next --roster roster-1
ok "a seal carries the roster" "$tuyen" seal next 901 -o moved
cp -r next few && rm few/signatures/dung.sig
ok "too few signatures for the roster in it: not sealed" says 1 "1 of 2 signatures needed" "$tuyen" seal few 901 -o few-seals
ok "and no seal is written" sh -c '! ls few-seals 2>/dev/null'
ok "as nodes of roster 1 would have it" "$tuyen" seal next 901 -o moved --trusted roster-1
ok "a node of roster 1 takes it" says 0 "roster version 2" verify moved/901.seal --roster roster-1 --site 901
ok "a node of roster 2 as well" verify moved/901.seal --roster roster-2 --site 901
ok "binh is out" says 1 "1 of 2 signatures needed" verify good --roster roster-2
flip next/roster 40 0
ok "a changed roster is refused" says 1 "does not match" verify next --roster roster-1
sign roster-2 an --roster >/dev/null && sign roster-2 chi --roster >/dev/null
ok "a roster beside the release" "$tuyen" seal next 901 -o chained --roster roster-2
ok "gives the same seal" cmp chained/901.seal moved/901.seal

# ---- the example country, as the compiler makes it
for site in npdc-hn hanoi ba-dinh dong-da phuc-xa kham-thien; do
	"$tuyen" keygen -o "nodes-$site" --site $site
done >country.topology
source=$here/../..
ok "the example compiles" "$tuyen" compile "$source/topology/examples/first-light.topology" \
	"$source/policies/examples/first-light.policy" country.topology -o country --epoch 1
sign country binh >/dev/null && sign country chi >/dev/null
ok "it is good: both say yes" both yes country
ok "and each site takes its seal" "$tuyen" seal country --all -o country-seals
for seal in country-seals/*.seal; do
	site=$(basename "$seal" .seal)
	ok "site $site verifies" verify "$seal" --roster roster-1 --site "$site"
done
flip country/sites/210.bundle 100 0
ok "with a flipped bit: both say no" both no country

done_testing
