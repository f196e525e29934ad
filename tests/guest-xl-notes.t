#!/bin/sh
# SPDX-License-Identifier: MIT
exec tests/guest-run selftest.elf notes --via xl
