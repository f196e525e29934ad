#!/bin/sh
# SPDX-License-Identifier: MIT
# Two CPUs, so that Xen can switch the one vCPU between them.
exec tests/guest-run selftest-legacy.elf legacy --via dom0 --smp 2
