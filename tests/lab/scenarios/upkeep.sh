# SPDX-License-Identifier: Apache-2.0
# The engineers' way to the boxes, as README.md has it: from the data centre to every commune, opened from there alone. The communes are
# the head-ends of these sessions, so that it is a way to as many as there are.
# clock: virtual
# seconds: 600
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

# What README.md says, letter by letter.
sed -n '/^    class ssh /,/^    deny /p' "$LAB_TREE/README.md" | sed 's/^    //' >upkeep.policy
COUNTRY_SOURCES+=" $LAB_DIR/upkeep.policy"
country_daemons_up() {
	wait_for 60 "the paths of phuc-xa" paths_up phuc-xa 3 &&
		wait_for 30 "the paths of kham-thien" paths_up kham-thien 2 &&
		wait_for 30 "the sessions of phuc-xa" sessions_up phuc-xa 2 &&
		wait_for 30 "the sessions of kham-thien" sessions_up kham-thien 2
}
connects() { # NAMESPACE ADDRESS PORT
	in_site "$1" timeout 3 bash -c 'exec 3<>/dev/tcp/$0/$1' "$2" "$3" 2>/dev/null
}
refused() { ! connects "$@"; }

like "README.md has the policy" "$(cat upkeep.policy)" 'policy upkeep'
country_up || bail "the country comes up"
pass "the country comes up"
npdc=${country_host[npdc-hn]}
declare -A box=([phuc-xa]=10.9.1.1 [kham-thien]=10.9.2.1)
for s in phuc-xa kham-thien; do
	spawn "ssh-$s" ip netns exec $s "$LAB_TOOLS/load" server "${box[$s]}" 22
	spawn "other-$s" ip netns exec $s "$LAB_TOOLS/load" server "${box[$s]}" 2222
done
spawn ssh-npdc ip netns exec lan-npdc-hn "$LAB_TOOLS/load" server "$npdc" 22
wait_for 10 "the servers" listening lan-npdc-hn tcp 22
for s in phuc-xa kham-thien; do
	wait_for 10 "the servers" listening $s tcp 2222
	ok "an engineer at the data centre gets into $s" connects lan-npdc-hn "${box[$s]}" 22
	ok "... by no other port" refused lan-npdc-hn "${box[$s]}" 2222
	ok "who is behind $s gets into nothing at the data centre" refused "lan-$s" "$npdc" 22
	ok "... nor does the box itself" refused $s "$npdc" 22
done
ok "a commune does not get into another's box" refused lan-kham-thien "${box[phuc-xa]}" 22
ok "... nor does a box" refused kham-thien "${box[phuc-xa]}" 22
ok "the server at the data centre is there" connects lan-npdc-hn "$npdc" 22
https_start
ok "a query passes beside it" query_answers phuc-xa
country_down
done_testing
