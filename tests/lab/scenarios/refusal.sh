# SPDX-License-Identifier: Apache-2.0
# What a node refuses, with a reason that names it, while forwarding goes on: one flipped bit, an older epoch, another
# site's bundle, too few signatures, a stranger's; and the epoch does not go back over a restart.
# clock: virtual
# seconds: 1200
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

country_up || bail "the country comes up"
pass "the country comes up"
stream_echo_start
stream_start phuc-xa 20

refused() { # NAME FILE PATTERN
	local out code=0
	out=$(install_seal phuc-xa "$2" 2>&1) || code=$?
	is "$1 is refused" "$code" 1
	like "... with its reason" "$out" "$3"
	is "... and the epoch stays" "$(status_get phuc-xa .bundle.epoch)" "$epoch"
}

country_release 2 >release2.log 2>&1 || bail "a second release"
out=$(install_seal phuc-xa seals.2/901.seal 2>&1)
is "a newer release is accepted" $? 0
ok "... and its epoch is in force" wait_for 10 "epoch 2" status_is phuc-xa .bundle.epoch 2
epoch=2

flip() { # FROM TO OFFSET: one bit
	cp "$1" "$2"
	printf "\\x$(printf %02x $(($(od -An -tu1 -j "$3" -N 1 "$1") ^ 1)))" | dd of="$2" bs=1 seek="$3" conv=notrunc status=none
}
country_release 3 >release3.log 2>&1 || bail "a third release"
size=$(stat -c %s seals.3/901.seal)
flip seals.3/901.seal flipped-end.seal $((size - 10))
flip seals.3/901.seal flipped-middle.seal $((size / 2))
flip seals.3/901.seal flipped-start.seal 60
flip seals.3/901.seal flipped-magic.seal 3
refused "a flipped bit in the bundle" flipped-end.seal '.'
refused "a flipped bit in the middle" flipped-middle.seal '.'
refused "a flipped bit in the statement" flipped-start.seal '.'
refused "a flipped bit in the first line" flipped-magic.seal '.'
refused "an older epoch" seals.1/901.seal 'epoch'
refused "another site's bundle" seals.3/902.seal 'site'
head -c 100 seals.3/901.seal >short.seal
refused "a cut file" short.seal '.'
: >empty.seal
refused "an empty file" empty.seal '.'

"$tuyen" compile $COUNTRY_SOURCES keys.topology -o release.4 --epoch 4 >/dev/null 2>&1
"$tuyen" sign release.4 --officer an --key officers/an.key >/dev/null
"$tuyen" seal release.4 --all -o seals.4 >seal4.log 2>&1
if [ -e seals.4/901.seal ]; then
	refused "one signature of two" seals.4/901.seal 'sign'
else
	like "tuyen seal itself says that a signature is missing" "$(cat seal4.log)" 'sign'
	skip "so no seal with one signature to install" 2
fi
"$tuyen" officer new stranger -o officers >/dev/null
like "a stranger's signature does not pass" "$("$tuyen" sign release.4 --officer binh --key officers/stranger.key 2>&1
	"$tuyen" verify release.4 --roster roster 2>&1)" 'match|sign|differ'

stop_daemon phuc-xa
start_daemon phuc-xa
wait_for 20 "status" eval 'status_get phuc-xa .daemon.version'
is "after a restart the epoch is the same" "$(status_get phuc-xa .bundle.epoch)" 2
refused "the older epoch, after a restart" seals.1/901.seal 'epoch'
ok "the status keeps the reasons" wait_for 5 "the reasons" \
	eval 'status_get phuc-xa "[.bundle.refusals[].reason] | join(\"; \")" | grep -q epoch'
out=$(install_seal phuc-xa seals.3/901.seal 2>&1)
is "the rightful third release is accepted" $? 0
ok "... and in force" wait_for 10 "epoch 3" status_is phuc-xa .bundle.epoch 3
sleep 1
stream_stop phuc-xa
is "forwarding went on all the time: nothing is lost" "$lost" 0
country_down
done_testing
