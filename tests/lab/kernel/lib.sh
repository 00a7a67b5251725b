# SPDX-License-Identifier: Apache-2.0
# The example country brought up by kernel_driver instead of daemons. Sourced after lib.sh and country.sh.

driver=${KERNEL_DRIVER:-$LAB_BIN/kernel_driver}

compile_country() {
	local s k
	mkdir -p b
	for s in $COUNTRY_SITES; do
		for k in link session; do wg genkey >"$s.$k"; done
		echo "keys $s { link \"$(wg pubkey <"$s.link")\"; session \"$(wg pubkey <"$s.session")\"; }"
	done >keys.source
	"$driver" bundles b "$LAB_TREE/topology/examples/first-light.topology" \
		"$LAB_TREE/policies/examples/first-light.policy" keys.source
}
node() { # VERB SITE [INDEX...]
	local verb=$1 s=$2; shift 2
	in_site "$s" "$driver" "$verb" "b/$s" "$s.link" "$s.session" "$@" 2>>driver.log
}
planned() { node plan "$@" | tail -n 1; }
empty() { [ "$(planned "$@")" = "plan of 0 operations" ]; }
nft_same() {
	in_site "$1" "$driver" nft "b/$1" >nft.want
	in_site "$1" nft -s -p list table inet tuyen >nft.have
	diff nft.want nft.have
}
handshake() { [ "$(in_site "$1" wg show "$2" latest-handshakes | awk '$2 > 0' | wc -l)" -ge "$3" ]; }
tcp() { # FROM TO PORT: does a connection open?
	in_site "$1" timeout 2 bash -c "exec 3<>/dev/tcp/$2/$3"
}
serve() { # NAMESPACE PORT
	spawn "serve-$1-$2" ip netns exec "$1" python3 -c "
import socket
s = socket.create_server(('', $2))
while True:
    c, _ = s.accept()
    c.close()"
}
ping_site() { in_site "$1" ping -q -c 1 -W 1 -I "$2" "$3"; }
