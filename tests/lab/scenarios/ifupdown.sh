# SPDX-License-Identifier: Apache-2.0
# The box's networking is restarted while traffic runs, by Debian's own ifupdown: what stands in interfaces(5) goes and comes back, and
# the kernel takes with it what of ours hangs on it. Traffic is out while the address is away; all that went is back in one turn, and
# what did not go is not written again.
# clock: virtual
# seconds: 900
# needs: ifupdown
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

TURN_MS=100   # from the kernel's event to the end of the turn that follows it, and a gap of the stream
REPAIR_MS=180 # a link's detection, and likewise
OURS=84       # the protocol of our routes and rules

interfaces() { # SITE: its line, and its LAN if it has one, as the lab made them
	local s=$1 lan=${country_lan[$1]:-}
	cat >"$s.interfaces" <<-END
	auto lo
	iface lo inet loopback
	auto u-carrier
	iface u-carrier inet static
		address ${country_public[$s]}/32
		gateway $CARRIER_GATEWAY
	END
	[ -z "$lan" ] || cat >>"$s.interfaces" <<-END
	auto lan0
	iface lan0 inet static
		address ${lan%.*}.1/${lan#*/}
	END
	mkdir -p "$s.ifstate"
}
networking() { # SITE ifup|ifdown ARGUMENT...: without the scripts in /etc/network/if-*.d, which are this machine's
	local s=$1 verb=$2; shift 2
	in_site "$s" "$verb" --no-scripts --interfaces "$s.interfaces" --state-dir "$s.ifstate" "$@"
}
stop_networking() { networking "$1" ifdown -a --exclude=lo; } # both as networking.service has it
start_networking() { networking "$1" ifup -a; }
give_to_ifupdown() { # SITE: what the lab has set, it sets
	local device
	interfaces "$1"
	for device in $(sed -n 's/^auto \(u-carrier\|lan0\)$/\1/p' "$1.interfaces"); do
		ip -n "$1" addr flush dev "$device"
		ip -n "$1" link set "$device" down
	done
	start_networking "$1"
}

state_of() { # SITE: all that the kernel has of ours, and what it stands on
	in_site "$1" ip rule
	in_site "$1" ip route show table all | grep -v "^local \|^broadcast " | sort
	in_site "$1" ip -f mpls route | sort
	in_site "$1" ip -o link | sed 's/ qlen .*//'
	in_site "$1" ip -o addr | awk '{print $2, $3, $4}' | sort
	in_site "$1" wg showconf link0
	in_site "$1" nft list ruleset | sed 's/counter packets [0-9]* bytes [0-9]*/counter/'
}
operations() { status_get "$1" .daemon.operations; }
plan_empty() { "$tuyen" plan --control "$(control_of "$1")" | grep -q nothing; }
handshakes() { in_site "$1" wg show all latest-handshakes; }
as_before() { state_of "$1" >now && diff "$1.before" now; }
begin() { # SITE
	state_of "$1" >"$1.before"
	before=$(operations "$1") shaken=$(handshakes "$1")
	stream_start phuc-xa 10
	sleep 0.5 # answers come before the line goes
	began=$(now_ms)
}
end() { # SITE NAME MOST_MS
	local name=$2
	away=$(($(now_ms) - began))
	ok "$name: all is as before" wait_for 30 "what was there before" as_before "$1"
	ok "... and nothing is left to do" plan_empty "$1"
	sleep 1 # whatever would be done for nothing, or lost later
	stream_stop phuc-xa
	at_most "... traffic was out, in ms" "$outage_ms" $(($3 + away))
}

daemon_options[phuc-xa]="--uplinks fibre=u-carrier"
daemon_options[ba-dinh]="--uplinks fibre=u-carrier"
country_up || bail "the country comes up"
pass "the country comes up"
stream_echo_start
for s in phuc-xa ba-dinh; do give_to_ifupdown $s; done
whole() { paths_up phuc-xa 2 && path_is phuc-xa main && links_up ba-dinh 2; }
status_conditions+="whole "
ok "ifupdown has taken the lines over" wait_for 30 "the paths" whole
sleep 6 # the periodic turn, so that all is said

# ---- systemctl restart networking ----
begin phuc-xa
stop_networking phuc-xa
state_of phuc-xa >down
lost_of_ours=$(diff phuc-xa.before down | grep -c "^<.* proto $OURS ")
start_networking phuc-xa
end phuc-xa "networking restarted" $TURN_MS
at_least "... routes of ours went with the line" "$lost_of_ours" 1
is "... and nothing else was written" $(($(operations phuc-xa) - before)) "$lost_of_ours"
is "... and no key was made anew" "$(handshakes phuc-xa)" "$shaken"
wait_for 30 "the main path" whole

# ---- the line is away for longer than any path lives ----
begin phuc-xa
networking phuc-xa ifdown u-carrier
ok "the line is taken away: it is said" wait_for 5 "the word" grep -q "uplink fibre: no default route over u-carrier" phuc-xa.log
sleep 3 # longer than a path that is not heard is taken to live
networking phuc-xa ifup u-carrier
end phuc-xa "... and given back" $TURN_MS
ok "... and the main path is used" wait_for 30 "the main path" whole

# ---- the LAN's device ----
begin phuc-xa
networking phuc-xa ifdown lan0
ok "the LAN's device is taken away" eval '! ip -n phuc-xa -4 addr show dev lan0 up | grep -q inet'
sleep 1 # so long hosts are cut off; what they send waits for an answer of ARP
networking phuc-xa ifup lan0
end phuc-xa "... and given back" $TURN_MS
at_most "... and no more was written than what says that the LAN is there: once as it went, once as it came" \
	$(($(operations phuc-xa) - before)) 2

# ---- a district on the way ----
begin ba-dinh
stop_networking ba-dinh
sleep 3 # likewise
start_networking ba-dinh
began=$(now_ms) # others have a way while it is away
end ba-dinh "a district's networking stopped for 3 s" $REPAIR_MS
ok "... and the main path is used" wait_for 30 "the main path" whole
country_down
done_testing
