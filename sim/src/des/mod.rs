//! Tier 1: the two machines alone on virtual time, in a discrete-event simulation. No runtime, no sockets.
