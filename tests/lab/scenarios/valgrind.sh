# SPDX-License-Identifier: Apache-2.0
# Bar 8. A commune's whole life under valgrind: start, failover, way back, a new release, a refused one, stop. No error and
# no leak in any of its three processes. On the virtual clock valgrind's slowness costs no time.
# clock: virtual
# seconds: 2400
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

# The sandbox opens no file, so what valgrind needs to name a function is read at the start.
valgrind="valgrind --leak-check=full --show-leak-kinds=definite,indirect,possible --num-callers=20 --suppressions=$LAB_TREE/tests/lab/valgrind.supp"
start_under_valgrind() {
	LAB_WRAPPER=$valgrind
	start_daemon "$1"
	LAB_WRAPPER=
}

country_up || bail "the country comes up"
pass "the country comes up"
stop_daemon phuc-xa
start_under_valgrind phuc-xa
ok "the commune under valgrind: links and paths" wait_for 120 "the paths" paths_up phuc-xa 2
ok "... on its main path" wait_for 60 "the main path" path_is phuc-xa main
link_cut phuc-xa ba-dinh
ok "it moves to the spare path" wait_for 60 "the spare path" path_is phuc-xa spare
link_heal phuc-xa ba-dinh
ok "... and back" wait_for 120 "the main path" path_is phuc-xa main
country_release 2 >release2.log 2>&1
install_seal phuc-xa seals.2/901.seal >/dev/null 2>&1
ok "it takes a new release" wait_for 60 "epoch 2" status_is phuc-xa .bundle.epoch 2
install_seal phuc-xa seals.1/901.seal >/dev/null 2>&1
is "... and refuses an old one" "$(status_get phuc-xa .bundle.epoch)" 2
for what in links paths sessions labels bundle; do "$tuyen" show $what --control "$(control_of phuc-xa)" >/dev/null; done
"$tuyen" plan --control "$(control_of phuc-xa)" >/dev/null
in_site phuc-xa ip route flush table 550010
sleep 3
cp phuc-xa.log before-stop.log
halt phuc-xa
wait_for 30 "valgrind's last word" eval '[ "$(grep -c "ERROR SUMMARY" phuc-xa.log)" -ge 3 ]'
is "three processes end with no error" "$(grep -c 'ERROR SUMMARY: 0 errors' phuc-xa.log)" 3
is "... and none with one" "$(grep -c 'ERROR SUMMARY: [1-9]' phuc-xa.log)" 0
is "nothing is lost" "$(grep -E '(definitely|indirectly|possibly) lost: [1-9]' phuc-xa.log | wc -l)" 0
[ $lab_failed -eq 0 ] || grep -A 12 -E "==[0-9]+== (Invalid|Syscall param|Conditional|Use of|[0-9,]+ bytes in)" phuc-xa.log | head -n 60 | sed "s/^/# /"
country_down
done_testing
