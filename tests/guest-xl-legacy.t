#!/bin/sh
# SPDX-License-Identifier: MIT
exec tests/guest-run selftest-legacy.elf legacy --via xl
