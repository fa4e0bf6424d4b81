//! A codec for streams that one bad frame must not end.
//!
//! With the usual codec a frame that does not decode is an error of the call, and the call is over: one bad message
//! would cost an agent its run. Here every frame gives a value; one that cannot be understood gives `Undecodable`,
//! and the machine that receives it counts it, warns and goes on. Only broken framing (a wrong length, a compression
//! nobody agreed on, more than [`MESSAGE_BYTES`](crate::limits::MESSAGE_BYTES)) still ends a stream: after it nobody
//! knows where the next message begins.

use crate::convert::{Message, decode, encode};
use bytes::Buf;
use std::marker::PhantomData;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Encodes messages of one direction and decodes those of the other, whatever arrives.
#[derive(Debug)]
pub struct LenientCodec<E, D>(PhantomData<fn(E) -> D>);

/// The encoding half of [`LenientCodec`].
#[derive(Debug)]
pub struct LenientEncoder<E>(PhantomData<fn(E)>);

/// The decoding half of [`LenientCodec`].
#[derive(Debug)]
pub struct LenientDecoder<D>(PhantomData<fn() -> D>);

impl<E, D> Default for LenientCodec<E, D> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E: Message, D: Message> Codec for LenientCodec<E, D> {
    type Encode = E;
    type Decode = D;
    type Encoder = LenientEncoder<E>;
    type Decoder = LenientDecoder<D>;

    fn encoder(&mut self) -> Self::Encoder {
        LenientEncoder(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        LenientDecoder(PhantomData)
    }
}

impl<E: Message> Encoder for LenientEncoder<E> {
    type Item = E;
    type Error = Status;

    fn encode(&mut self, message: E, frame: &mut EncodeBuf<'_>) -> Result<(), Status> {
        encode(message, frame).map_err(|error| Status::internal(error.to_string()))
    }
}

impl<D: Message> Decoder for LenientDecoder<D> {
    type Item = D;
    type Error = Status;

    fn decode(&mut self, frame: &mut DecodeBuf<'_>) -> Result<Option<D>, Status> {
        // The whole frame is taken off the stream first, so that what follows it is read from its beginning even
        // when this one is left half read.
        let frame = frame.copy_to_bytes(frame.remaining());
        Ok(Some(decode(&frame)))
    }
}
