/* SPDX-License-Identifier: MIT */
/*
 * peer: what the good and the bad ones of two domains share.
 *
 *   context  threads
 *   failure  as peer_link.h says
 */
#pragma once

#include <stdbool.h>

#include <plinth/test.h>

#include "peer_link.h"

struct peer {
    domid_t domid;
    bool bad; /* it need not do what it should */
};

/* Wait until dom0 has introduced one; false if none comes. */
bool peer_introduced(struct xs_connection *xs, struct peer *peer);

/* We have finished with it. */
void peer_forget(struct xs_connection *xs);

/*
 * The front: offer a connection when the peer waits for one; wait until it has
 * accepted it.  -ENOTCONN if it does not.
 */
int __must_check peer_connect(struct link *l);
int __must_check peer_connected(struct link *l);

/* @bursts times: send so many messages, then receive and check as many. */
int __must_check peer_talk(struct test_run *run_, struct link *l,
                           unsigned int bursts, unsigned int burst);
