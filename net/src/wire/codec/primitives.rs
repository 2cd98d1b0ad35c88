//! `Wire` for Kafka's primitive types and what is made of them.

use bytes::Bytes;
use bytestring::ByteString;
use uuid::Uuid;

use super::{DecodeError, Decoder, EncodeError, Encoder, Nullable, Wire};
use crate::send::{Part, Parts};

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Wire for $number {
            #[inline]
            fn decode(d: &mut Decoder, _: i16) -> Result<$number, DecodeError> {
                d.array().map(<$number>::from_be_bytes)
            }

            #[inline]
            fn encode(&self, e: &mut Encoder, _: i16) -> Result<(), EncodeError> {
                e.put(&self.to_be_bytes());
                Ok(())
            }
        }
    )*};
}

numbers!(i8, i16, u16, i32, u32, i64, f64);

/// A byte; any but 0 is true.
impl Wire for bool {
    fn decode(d: &mut Decoder, _: i16) -> Result<bool, DecodeError> {
        Ok(d.i8()? != 0)
    }

    fn encode(&self, e: &mut Encoder, _: i16) -> Result<(), EncodeError> {
        e.put(&[u8::from(*self)]);
        Ok(())
    }
}

/// 16 bytes; nil for none.
impl Wire for Uuid {
    fn decode(d: &mut Decoder, _: i16) -> Result<Uuid, DecodeError> {
        d.array().map(Uuid::from_bytes)
    }

    fn encode(&self, e: &mut Encoder, _: i16) -> Result<(), EncodeError> {
        e.put(self.as_bytes());
        Ok(())
    }
}

/// At most 32,767 bytes of UTF-8.
impl Wire for ByteString {
    fn decode(d: &mut Decoder, version: i16) -> Result<ByteString, DecodeError> {
        let position = d.position();
        ByteString::decode_nullable(d, version)?.ok_or(DecodeError::UnexpectedNull { position })
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        ByteString::encode_nullable(Some(self), e, version)
    }
}

impl Nullable for ByteString {
    fn decode_nullable(d: &mut Decoder, _: i16) -> Result<Option<ByteString>, DecodeError> {
        let Some(length) = d.string_length()? else { return Ok(None) };
        let position = d.position();
        ByteString::try_from(d.slice(length)?).map(Some).map_err(|_| DecodeError::Utf8 { position })
    }

    fn encode_nullable(
        value: Option<&ByteString>,
        e: &mut Encoder,
        _: i16,
    ) -> Result<(), EncodeError> {
        e.string_length(value.map(|value| value.len()))?;
        if let Some(value) = value {
            e.put(value.as_bytes());
        }
        Ok(())
    }
}

/// Bytes, and the records of a request: both have the same form.
impl Wire for Bytes {
    fn decode(d: &mut Decoder, version: i16) -> Result<Bytes, DecodeError> {
        let position = d.position();
        Bytes::decode_nullable(d, version)?.ok_or(DecodeError::UnexpectedNull { position })
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        Bytes::encode_nullable(Some(self), e, version)
    }
}

impl Nullable for Bytes {
    fn decode_nullable(d: &mut Decoder, _: i16) -> Result<Option<Bytes>, DecodeError> {
        match d.length()? {
            None => Ok(None),
            Some(length) => d.slice(length).map(Some),
        }
    }

    fn encode_nullable(value: Option<&Bytes>, e: &mut Encoder, _: i16) -> Result<(), EncodeError> {
        e.length(value.map(|value| value.len() as u64))?;
        if let Some(value) = value {
            e.put(value);
        }
        Ok(())
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn decode(d: &mut Decoder, version: i16) -> Result<Vec<T>, DecodeError> {
        let position = d.position();
        Vec::decode_nullable(d, version)?.ok_or(DecodeError::UnexpectedNull { position })
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        Vec::encode_nullable(Some(self), e, version)
    }
}

impl<T: Wire> Nullable for Vec<T> {
    fn decode_nullable(d: &mut Decoder, version: i16) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = d.length()? else { return Ok(None) };
        d.charge(count, size_of::<T>())?;
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(T::decode(d, version)?);
        }
        Ok(Some(elements))
    }

    fn encode_nullable(
        value: Option<&Vec<T>>,
        e: &mut Encoder,
        version: i16,
    ) -> Result<(), EncodeError> {
        e.length(value.map(|value| value.len() as u64))?;
        value.into_iter().flatten().try_for_each(|element| element.encode(e, version))
    }
}

impl<T: Nullable> Wire for Option<T> {
    fn decode(d: &mut Decoder, version: i16) -> Result<Option<T>, DecodeError> {
        T::decode_nullable(d, version)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        T::encode_nullable(self.as_ref(), e, version)
    }
}

/// The records of a response: null, or parts that are sent as they are, never copied.
#[derive(Clone, Debug, Default)]
pub struct Records(pub Option<Parts>);

impl Records {
    pub const NULL: Records = Records(None);

    /// No records, which is not null: Kafka's clients want this where there is nothing to send.
    pub const EMPTY: Records = Records(Some(Parts::new()));

    /// Bytes of all parts; 0 for null.
    pub fn len(&self) -> u64 {
        self.0.as_ref().map_or(0, Parts::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Parts> for Records {
    fn from(parts: Parts) -> Records {
        Records(Some(parts))
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Records {
        Records(Some(bytes.into()))
    }
}

/// As far as it can be said without reading a file: two lists of parts in memory are equal when their bytes are.
impl PartialEq for Records {
    fn eq(&self, other: &Records) -> bool {
        fn bytes(parts: &Parts) -> Option<Vec<u8>> {
            let mut all = Vec::new();
            for part in parts {
                match part {
                    Part::Bytes(bytes) => all.extend_from_slice(bytes),
                    Part::File(_) => return None,
                }
            }
            Some(all)
        }
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(another)) => {
                one.len() == another.len()
                    && bytes(one).is_some_and(|one| Some(one) == bytes(another))
            }
            _ => false,
        }
    }
}

/// The form of nullable bytes.
impl Wire for Records {
    fn decode(d: &mut Decoder, version: i16) -> Result<Records, DecodeError> {
        // One part: its list is charged like an array of one.
        let bytes = Option::<Bytes>::decode(d, version)?;
        if bytes.as_ref().is_some_and(|bytes| !bytes.is_empty()) {
            d.charge(4, size_of::<Part>())?;
        }
        Ok(Records(bytes.map(Parts::from)))
    }

    fn encode(&self, e: &mut Encoder, _: i16) -> Result<(), EncodeError> {
        e.length(self.0.as_ref().map(Parts::len))?;
        if let Some(parts) = &self.0 {
            e.insert(parts);
        }
        Ok(())
    }
}
