//! How a request and a response begin.
//!
//! ```text
//! request    length i32 | api key i16 | api version i16 | correlation id i32 | client id (nullable string, i16 length) | v2: tags | body
//! response   length i32 | correlation id i32 | v1: tags | body
//! ```
//!
//! A flexible version of a request has header version 2, any other 1; its response 1 and 0. Two oddities: the client id
//! is never compact (KIP-482), so that a broker can read it before it knows the version, and the response to ApiVersions
//! always has header version 0 (KIP-511), since its reader may not know yet what this broker speaks.

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    DecodeError, Decoder, EncodeError, Encoder, Nullable, Request, Wire,
    api_versions::ApiVersionsRequest, codec::encode, registry::api,
};
use crate::send::Parts;

/// The head of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestHeader {
    pub api_key: i16,
    pub api_version: i16,
    /// Comes back in the response.
    pub correlation_id: i32,
    pub client_id: Option<ByteString>,
}

impl RequestHeader {
    /// Reads the head of a frame (without its length). The key is one of ours, the version need not be: see
    /// `AnyRequest::decode`.
    pub fn decode(d: &mut Decoder) -> Result<RequestHeader, DecodeError> {
        let (key, version) = (d.i16()?, d.i16()?);
        let api = api(key).ok_or(DecodeError::Key { key })?;
        let correlation_id = d.i32()?;
        let client_id = ByteString::decode_nullable(d, version)?;
        if version >= api.flexible {
            d.skip_tagged_fields()?;
        }
        Ok(RequestHeader { api_key: key, api_version: version, correlation_id, client_id })
    }
}

/// A whole answer, its length in front. Records are parts of their own; everything else is one buffer.
pub fn response<R: Request>(
    correlation_id: i32,
    version: i16,
    response: &R::Response,
) -> Result<Parts, EncodeError> {
    frame(|e| {
        correlation_id.encode(e, version)?;
        if version >= R::FLEXIBLE && R::KEY != ApiVersionsRequest::KEY {
            e.unsigned_varint(0);
        }
        response.encode(e, version)
    })
}

/// A whole request, its length in front, as a client sends it.
pub fn request<R: Request>(
    correlation_id: i32,
    client_id: Option<&ByteString>,
    version: i16,
    request: &R,
) -> Result<Parts, EncodeError> {
    frame(|e| {
        R::KEY.encode(e, version)?;
        version.encode(e, version)?;
        correlation_id.encode(e, version)?;
        ByteString::encode_nullable(client_id, e, version)?;
        if version >= R::FLEXIBLE {
            e.unsigned_varint(0);
        }
        request.encode(e, version)
    })
}

/// Reads a response frame (without its length) as a client does: its correlation id and its body.
pub fn decode_response<R: Request>(
    frame: Bytes,
    version: i16,
) -> Result<(i32, R::Response), DecodeError> {
    let mut d = Decoder::new(frame);
    let correlation_id = d.i32()?;
    if version >= R::FLEXIBLE && R::KEY != ApiVersionsRequest::KEY {
        d.skip_tagged_fields()?;
    }
    Ok((correlation_id, R::Response::decode(&mut d, version)?))
}

fn frame(
    mut write: impl FnMut(&mut Encoder) -> Result<(), EncodeError>,
) -> Result<Parts, EncodeError> {
    let mut encoded = encode(|e| {
        e.put(&[0; 4]);
        write(e)
    })?;
    encoded.prefix_length()?;
    Ok(encoded.into_parts())
}

#[cfg(test)]
mod tests;
