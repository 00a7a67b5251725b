" SPDX-License-Identifier: Apache-2.0
" Vim syntax of topology and policy files. Copy to ~/.vim/syntax/tuyen.vim, and into ~/.vimrc:
"   autocmd BufRead,BufNewFile *.topology,*.policy setlocal syntax=tuyen
if exists("b:current_syntax")
  finish
endif

syntax iskeyword @,48-57,_,-,192-255
syntax keyword tuyenStatement tiers network underlay site template plan keys link class policy deny expect include
syntax keyword tuyenItem labels size space port session probe x mtu delay metric tier id under backup
syntax keyword tuyenItem uplink metered lan device snmp user interface carries over to from protocol
syntax keyword tuyenItem priority carry color path preference via disjoint revert after encrypt
syntax keyword tuyenItem degraded above loss round-trip jitter reaches with never any single failure of use tag risk dscp share shared except avoid
syntax keyword tuyenItem max expires author reason rate up down prepared fresh parallel
syntax keyword tuyenValue dynamic high normal low tcp udp icmp parent shortest through end-to-end all
syntax match tuyenNumber "\<\d\+\(us\|ms\|s\|m\|[KMG]B\(/day\)\?\|[kMG]bit/s\)\?\>"
syntax match tuyenNumber "\<\d\{4}-\d\d-\d\d\>\|\<\d\+%\|\s\zs/\d\+\>"
syntax match tuyenAddress "\<\d\+\.\d\+\.\d\+\.\d\+\(/\d\+\)\?\>"
syntax match tuyenAddress "\<\x*:[0-9a-fA-F:.]\+"
syntax region tuyenString start=+"+ skip=+\\.+ end=+"+ oneline
syntax match tuyenComment "#.*$" contains=@Spell

highlight default link tuyenStatement Statement
highlight default link tuyenItem Keyword
highlight default link tuyenValue Constant
highlight default link tuyenNumber Number
highlight default link tuyenAddress Identifier
highlight default link tuyenString String
highlight default link tuyenComment Comment

let b:current_syntax = "tuyen"
