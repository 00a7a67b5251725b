# SPDX-License-Identifier: Apache-2.0
# Nothing: for who only wants the kernel and the tools to be there.
