#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The examples of the manual pages of the command line run as they are written, off a node, in a folder as README has it. Prints TAP.
cd "$(dirname "$0")/../.." || exit 2
pages=$PWD/packaging/man
. tests/cli/tap.sh
mkdir bin && ln -s "$tuyen" bin/tuyen
export PATH=$work/bin:$PATH

lines() { # PAGE: the commands of its first block of examples
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$pages/$1" | sed -n '/^\.Bd -literal/,/^\.Ed/p; s/^\.Dl //p' |
		sed '/^\.Ed/,$d; /^\.Bd/d; s/^\$ //'
}
run() { # PAGE: each of them
	local line count
	count=$(lines "$1" | wc -l)
	ok "$1 has examples" [ "$count" -gt 0 ]
	while IFS= read -r line; do
		ok "$1: $line" bash -o pipefail -c "$line"
	done < <(lines "$1")
}

run tuyen-generate.1
rm -r country
tuyen generate national --provinces 4 --districts 12 --communes 60 --gateways 2 --keys -o . >/dev/null
tuyen officer new an -o . >/dev/null && tuyen officer new binh -o . >/dev/null
tuyen roster new --threshold 2 --officer an=an.pem --officer binh=binh.pem -o roster >/dev/null
run tuyen.1
run tuyen-audit.1
mkdir 63 34 && mv national.* 63 && rm -r release-8
tuyen generate national --provinces 2 --districts 0 --communes 61 --gateways 2 --keys -o 34 >/dev/null
run tuyen-migrate.1
done_testing
