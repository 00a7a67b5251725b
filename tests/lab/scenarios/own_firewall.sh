# SPDX-License-Identifier: Apache-2.0
# A node whose host has a firewall of its own, that drops what tuyend(8) does not say it must let pass: all comes up, a query
# is answered, and after a restart nothing is planned. phuc-xa only calls; ba-dinh is called, and carries others'.
# clock: virtual
# seconds: 240
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

established='ct state established,related accept'
called="$established; udp dport 51820 accept"
below='iifname "link0" meta l4proto 137 accept
	iifname "link0" udp dport 3784 accept
	iifname "link0" icmp type echo-request accept
	iifname "link0" icmp type echo-reply accept'
own='iifname "lo" accept'
between='iifname "lan0" oifname "s10" accept
	iifname "s10" oifname "lan0" accept'
firewall() { # SITE INPUT FORWARD: a table of the host's own, as an administrator would write it
	in_site "$1" nft -f - <<-END
		table inet host
		delete table inet host
		table inet host {
			chain input {
				type filter hook input priority 10; policy drop;
				$2
			}
			chain forward {
				type filter hook forward priority 10; policy drop;
				$3
			}
		}
	END
}
whole() { # SITE LINES: all that tuyend(8) names, and what the lines want
	firewall "$1" "$2
		$below
		$own" "$between"
}
anew() { # SITE: as after a boot
	local words
	stop_daemon "$1"
	tuyend_words "$1"
	in_site "$1" "${words[@]}" --remove >"remove.$1" 2>&1
	is "nothing of $1's is left" "$(ip -n "$1" -o link | grep -cE ' (link0|lsp[0-9]+|s10)[:@]')" 0
	start_daemon "$1"
}
marks_of_connections() { # MATCH: as another table for several lines sets them
	in_site phuc-xa nft "table inet lines; delete table inet lines; table inet lines {
		chain pre { type filter hook prerouting priority mangle; $1 meta mark set ct mark; }; }"
}
links_down() { status_is "$1" '[.links[] | select(.state == "up")] | length' 0; }

country_up || exit 1
https_start
ok "a query is answered" query_answers phuc-xa
whole phuc-xa "$established"
whole ba-dinh "$called"
whole npdc-hn "$called"
ok "... and with the hosts' own firewalls too" query_answers phuc-xa
ok "... where another table sets the marks of what has none" eval 'marks_of_connections "meta mark 0" && query_answers phuc-xa'
ok "... not where it takes marks away" eval 'marks_of_connections "" && ! query_answers phuc-xa'
in_site phuc-xa nft delete table inet lines
anew phuc-xa
ok "a node that only calls comes up from nothing behind its own" wait_for 60 "both paths of phuc-xa" paths_up phuc-xa 2
ok "... with its session" wait_for 30 "its session" session_up phuc-xa
ok "... and a query is answered" query_answers phuc-xa
anew ba-dinh
ok "so does one that is called" wait_for 60 "both paths of phuc-xa again" paths_up phuc-xa 2

firewall phuc-xa "$below
	$own" "$between"
ok "without the lines its links go down" wait_for 60 "no link of phuc-xa" links_down phuc-xa
whole phuc-xa "$established"
ok "... and come back" wait_for 60 "its paths" paths_up phuc-xa 2
firewall npdc-hn "$called
	$below" "$between"
ok "without lo at the data centre the paths go down" wait_for 60 "no path of phuc-xa" paths_up phuc-xa 0
whole npdc-hn "$called"
ok "... and come back" wait_for 60 "its paths" paths_up phuc-xa 2
wait_for 30 "its session" session_up phuc-xa
ok "... with the query" wait_for 30 "an answer" query_answers phuc-xa
firewall phuc-xa "$established
	$below
	$own" ""
ok "without forwarding no query is answered" eval '! query_answers phuc-xa'
ok "... and the table is as its owner left it" eval 'in_site phuc-xa nft list table inet host | grep -q "priority filter + 10; policy drop"'
country_down
done_testing
