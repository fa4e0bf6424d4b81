//! What crosses the wire arrives as it was meant, or is said not to have been understood.

mod any;
mod hostile;
mod roundtrip;
mod stream;
