//! What object stores do that the conformance suite does not see.
