/* SPDX-License-Identifier: MIT */
/*
 * recurse: uses up the stack it is called on.  Each level has a frame and a
 * return address, so that the call trace is long.  Never returns.
 *
 *   context  any, in a test that is to end so
 */
#pragma once

unsigned int recurse(unsigned int n);
