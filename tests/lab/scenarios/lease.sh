# SPDX-License-Identifier: Apache-2.0
# A carrier's lease that claims the LAN: an address, or a route, of the site's own network over the line. Neither is the carrier the LAN
# then, nor is anything for the LAN led to it in clear; and whom it names in the LAN is reached on.
# seconds: 300
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

country_up || bail "the country comes up"
pass "the country comes up"
https_start
LAN_ADDRESS=10.9.1.201
ip -n carrier addr add $LAN_ADDRESS/32 dev u-phuc-xa
ip -n carrier route add 10.0.0.0/16 via "${country_public[phuc-xa]}" dev u-phuc-xa onlink
spawn box ip netns exec phuc-xa "$LAB_TOOLS/stream" echo 0.0.0.0 5555
wait_for 5 "a server on the box" listening phuc-xa udp 5555

impostor_asks() { # as a host of the LAN would, from the carrier's net
	[ "$(in_site carrier curl -sS --max-time "$(lab_patience 2)" --interface $LAN_ADDRESS --cacert www.pem \
		--resolve "population.example:443:${country_host[npdc-hn]}" https://population.example/citizen 2>&1)" = "$QUERY_TEXT" ]
}
box_answers() { # NAMESPACE SOURCE
	local got
	got=$(in_site "$1" timeout 1 "$LAB_TOOLS/stream" send 10.9.1.1 5555 100 "$2" 2>&1)
	[[ $got =~ answered=([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -gt 0 ]
}
told() { grep -c "leads over line u-carrier to $1," phuc-xa.log; }
ip -n carrier route add 10.9.1.1/32 via "${country_public[phuc-xa]}" dev u-phuc-xa onlink

claim() { # NAME ROUTE
	ok "$1: it is said" wait_for 10 "the word" eval "[ \"\$(told $2)\" = 1 ]"
	ok "... the carrier is not the LAN" eval '! impostor_asks'
	ok "... and nothing on the box answers it" eval "! box_answers carrier $LAN_ADDRESS"
}
ok "nobody claims the LAN: it asks" query_answers phuc-xa
ok "... and the box answers it" box_answers lan-phuc-xa 10.9.1.10
ok "... and not the carrier" eval '! impostor_asks'

ip -n phuc-xa route add $LAN_ADDRESS/32 via $CARRIER_GATEWAY dev u-carrier onlink proto dhcp
claim "a route to one address" $LAN_ADDRESS/32
ip -n phuc-xa route del $LAN_ADDRESS/32
ip -n phuc-xa addr add 10.9.1.200/25 dev u-carrier
claim "an address among the LAN's" 10.9.1.128/25
ok "... and the LAN asks on" query_answers phuc-xa
ip -n phuc-xa addr del 10.9.1.200/25 dev u-carrier
ok "... its end is said" wait_for 10 "the word" grep -q "no route leads over a line to the LAN any more" phuc-xa.log

# What the data centre answers is underway when the lease comes, and is sent again.
head -c 8000000 /dev/zero >www/much
spawn download ip netns exec lan-phuc-xa curl -sS --limit-rate 200k --cacert www.pem -o much \
	--resolve "population.example:443:${country_host[npdc-hn]}" https://population.example/much
wait_for 10 "a download" test -s much
capture_start clear carrier u-phuc-xa "host ${country_host[phuc-xa]}"
ip -n phuc-xa route add "${country_host[phuc-xa]}/32" via $CARRIER_GATEWAY dev u-carrier onlink proto dhcp
ok "a route to a host that asks is said" wait_for 10 "the word" eval '[ "$(told 10.9.1.10/32)" = 1 ]'
before=$(stat -c %s much)
ok "... and its answers come all the same" wait_for 20 "more of it" eval '[ "$(stat -c %s much)" -gt $((before + 400000)) ]'
ok "... also of the box" box_answers lan-phuc-xa 10.9.1.10
halt download # the server has one at a time
ok "... and those to another question" wait_for 10 "an answer" query_answers phuc-xa
capture_stop clear
is "... and leads none of them to the carrier" "$(captured clear)" 0
ip -n phuc-xa route del "${country_host[phuc-xa]}/32" via $CARRIER_GATEWAY dev u-carrier
led_apart() { in_site phuc-xa ip rule | grep -q ^9800:; }
ok "... until it is gone, and what was done against it with it" wait_for 10 "the end of the rule" eval '! led_apart'
ok "... and they still come" query_answers phuc-xa
is "nothing of it was drift" "$(status_get phuc-xa .daemon.drift_repairs)" 0

# The LAN behind the line's own device: nobody can tell the two apart, and it works as ever.
ip -n phuc-xa addr del 10.9.1.1/24 dev lan0
ip -n phuc-xa addr add 10.9.1.200/25 dev u-carrier
ok "a LAN behind the same device as the line is one" wait_for 15 "an answer" impostor_asks
country_down
done_testing
