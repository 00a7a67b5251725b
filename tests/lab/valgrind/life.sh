# SPDX-License-Identifier: Apache-2.0
# Bar 8. A whole life of a commune's daemon under valgrind: start, failover and back, reload (taken and refused), status, stop.
# needs: test (valgrind)
# clock: virtual
# seconds: 600
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

valgrind_start() { # SITE: its daemon, every process of it under valgrind
	local s=$1
	tuyend=$LAB_TREE/build/valgrind/tuyend_driver LAB_WRAPPER="valgrind -q --trace-children=yes --leak-check=full
		--show-leak-kinds=definite,indirect,possible --errors-for-leak-kinds=definite,indirect --track-fds=no
		--suppressions=$LAB_TREE/tests/lab/valgrind/libnftables.supp --log-file=$LAB_DIR/valgrind.$s.%p" start_daemon "$s"
}

country_net && country_officers >make.log 2>&1 && country_keys >>make.log 2>&1 && country_release 1 >>make.log 2>&1 ||
	{ diag_file make.log 20; bail "a release is made"; }
for s in $COUNTRY_SITES; do
	install_before_start "$s" 1
	[ "$s" = phuc-xa ] || start_daemon "$s"
done
valgrind_start phuc-xa
ok "the country comes up" country_daemons_up
ok "the main path is in use" wait_for 20 "the main path" path_is phuc-xa main
link_cut phuc-xa ba-dinh
ok "traffic moves to the spare path" wait_for 20 "the spare path" path_is phuc-xa spare
link_heal phuc-xa ba-dinh
ok "and back" wait_for 60 "the main path" path_is phuc-xa main
country_release 2 >>make.log 2>&1
ok "a new release is taken" install_seal phuc-xa seals.2/901.seal
ok "an older one is refused" eval '! install_seal phuc-xa seals.1/901.seal'
ok "another site's is refused" eval '! install_seal phuc-xa seals.2/902.seal'
like "the plan is empty" "$("$tuyen" plan --control "$(control_of phuc-xa)")" nothing
in_site phuc-xa ip link del lsp210
ok "a deleted adjacency is made again" wait_for 20 "lsp210" in_site phuc-xa ip link show lsp210
ok "links, paths and session are up in the end" wait_for 30 "the paths" paths_up phuc-xa 2
stop_daemon phuc-xa
logs=$(ls valgrind.phuc-xa.* 2>/dev/null | wc -l)
at_least "processes that valgrind watched" "$logs" 3
is "what valgrind has to say of them, in lines" "$(cat valgrind.phuc-xa.* | wc -l)" 0
[ "$lab_failed" -eq 0 ] || for f in valgrind.phuc-xa.* phuc-xa.log; do diag_file "$f" 30; done
country_down
done_testing
