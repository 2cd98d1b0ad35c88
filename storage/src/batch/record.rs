//! Walking the records of a batch.
//!
//! [`PlainRecords`] walks uncompressed bytes and allocates nothing. [`Records`] walks any batch: compressed records come
//! out of a buffer that grows to the largest record only, and never to more than the batch may inflate to.

use bytes::Bytes;

use crate::batch::inflate::Inflated;
use crate::batch::varint::Cursor;
use crate::batch::{BatchError, BatchHeader, Codec, Invalidity, Unreadable};
use crate::units::{Offset, Timestamp};

/// The fixed part of a record, and where its variable parts lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordFields<'a> {
    pub attributes: u8,
    pub timestamp_delta: i64,
    pub offset_delta: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Headers<'a>,
}

/// The headers of one record, checked to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    count: i32,
    bytes: &'a [u8],
}

/// One header: keys are text, and may repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

/// A record with the offset and time that it has in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Headers<'a>,
}

impl<'a> Headers<'a> {
    pub fn len(&self) -> usize {
        usize::try_from(self.count).unwrap_or(0)
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many there are, and their bytes as they stand in the record.
    pub(crate) fn raw(&self) -> (i32, &'a [u8]) {
        (self.count, self.bytes)
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        if self.count <= 0 {
            return None;
        }
        let mut cursor = Cursor::new(self.bytes);
        let header = header(&mut cursor)?;
        self.count -= 1;
        self.bytes = cursor.rest;
        Some(header)
    }
}

fn header<'a>(cursor: &mut Cursor<'a>) -> Option<Header<'a>> {
    let key_length = cursor.int()?;
    let key = cursor.nullable(key_length)??;
    let value_length = cursor.int()?;
    let value = cursor.nullable(value_length)?;
    Some(Header { key, value })
}

/// Why the bytes are no record. The caller knows its index.
pub(crate) type Problem = &'static str;
pub(crate) const TRUNCATED: Problem = "it is longer than what is left of the batch";
pub(crate) const MALFORMED: Problem = "its fields do not fit its length";
pub(crate) const HEADERS: Problem = "its headers are malformed";

/// Takes one record from the front of `rest`.
#[inline(always)]
pub(crate) fn take_record<'a>(rest: &mut &'a [u8]) -> Result<RecordFields<'a>, Problem> {
    let mut cursor = Cursor::new(rest);
    let length = cursor.int().ok_or(TRUNCATED)?;
    let length = usize::try_from(length).map_err(|_| MALFORMED)?;
    let (body, after) = cursor.rest.split_at_checked(length).ok_or(TRUNCATED)?;
    *rest = after;
    record_body(body)
}

#[inline(always)]
fn record_body(body: &[u8]) -> Result<RecordFields<'_>, Problem> {
    let mut cursor = Cursor::new(body);
    let fields = leading_fields(&mut cursor).ok_or(MALFORMED)?;
    let count = cursor.int().ok_or(MALFORMED)?;
    if count != 0 {
        check_headers(count, cursor.rest)?;
    } else if !cursor.rest.is_empty() {
        return Err(MALFORMED);
    }
    Ok(RecordFields { headers: Headers { count, bytes: cursor.rest }, ..fields })
}

#[inline(always)]
fn leading_fields<'a>(cursor: &mut Cursor<'a>) -> Option<RecordFields<'a>> {
    let attributes = cursor.byte()?;
    let timestamp_delta = cursor.long()?;
    let offset_delta = cursor.int()?;
    let key_length = cursor.int()?;
    let key = cursor.nullable(key_length)?;
    let value_length = cursor.int()?;
    let value = cursor.nullable(value_length)?;
    let headers = Headers { count: 0, bytes: &[] };
    Some(RecordFields { attributes, timestamp_delta, offset_delta, key, value, headers })
}

/// What a check needs of a record. Lengths are negative for null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordShape {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    pub(crate) key_length: i32,
    pub(crate) value_length: i32,
}

/// As [`take_record`], without the contents.
pub(crate) fn take_shape(rest: &mut &[u8]) -> Result<RecordShape, Problem> {
    let fields = take_record(rest)?;
    Ok(RecordShape {
        timestamp_delta: fields.timestamp_delta,
        offset_delta: fields.offset_delta,
        key_length: length(fields.key),
        value_length: length(fields.value),
    })
}

/// Nearly all records are short of numbers: length, timestamp and offset of at most two bytes each, a key of less than 64, a
/// value of less than 1 MiB, no headers. They are read from two words, with a bounds check for each word instead of each byte.
/// None for every other record, and for whatever is wrong with one: the long way says what.
#[inline(always)]
pub(crate) fn common_shape(rest: &[u8]) -> Option<(RecordShape, &[u8])> {
    let mut word = u64::from_le_bytes(*rest.first_chunk()?);
    let mut at = 0;
    let length = usize::try_from(short(&mut word, &mut at)?).ok()?;
    // The next record's place depends on nothing else: its reading can begin while this one's goes on.
    let end = at + length;
    word >>= 8;
    at += 1;
    let timestamp_delta = short(&mut word, &mut at)?;
    let offset_delta = short(&mut word, &mut at)?;
    // Seven bytes at most are used up: the key's length is in the word.
    let key_length = short_unsigned(&mut word, &mut at, 1)?;
    let key_length = unzigzag(key_length);
    let value_at = at + usize::try_from(key_length).unwrap_or(0);
    let mut word = u64::from(u32::from_le_bytes(*rest.get(value_at..)?.first_chunk()?));
    let mut at = value_at;
    let value_length = unzigzag(short_unsigned(&mut word, &mut at, 3)?);
    let headers_at = at + usize::try_from(value_length).unwrap_or(0);
    if headers_at + 1 != end || *rest.get(headers_at)? != 0 {
        return None;
    }
    let shape = RecordShape {
        timestamp_delta: timestamp_delta.into(),
        offset_delta,
        key_length,
        value_length,
    };
    Some((shape, rest.get(end..)?))
}

/// A zigzag varint of one or two bytes, from the low end of a word.
#[inline(always)]
fn short(word: &mut u64, at: &mut usize) -> Option<i32> {
    short_unsigned(word, at, 2).map(unzigzag)
}

/// A varint of at most `bytes` (up to three) bytes.
#[inline(always)]
fn short_unsigned(word: &mut u64, at: &mut usize, bytes: usize) -> Option<u32> {
    let [a, b, c, ..] = word.to_le_bytes().map(u32::from);
    let (raw, used) = if a < 0x80 {
        (a, 1)
    } else if bytes >= 2 && b < 0x80 {
        (a & 0x7f | b << 7, 2)
    } else if bytes >= 3 && c < 0x80 {
        (a & 0x7f | (b & 0x7f) << 7 | c << 14, 3)
    } else {
        return None;
    };
    *word >>= 8 * used;
    *at += used;
    Some(raw)
}

#[inline(always)]
fn unzigzag(raw: u32) -> i32 {
    (raw >> 1).cast_signed() ^ -(raw & 1).cast_signed()
}

fn length(bytes: Option<&[u8]>) -> i32 {
    // Lengths come from 32-bit varints, so they fit.
    bytes.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX))
}

#[inline(never)]
fn check_headers(count: i32, bytes: &[u8]) -> Result<(), Problem> {
    // Every header has at least two bytes, but Kafka refuses only a count beyond the bytes at once; the walk does the rest.
    if usize::try_from(count).map_or(true, |count| count > bytes.len()) {
        return Err(HEADERS);
    }
    let mut cursor = Cursor::new(bytes);
    for _ in 0..count {
        header(&mut cursor).ok_or(HEADERS)?;
    }
    if cursor.rest.is_empty() { Ok(()) } else { Err(MALFORMED) }
}

/// The records in uncompressed bytes. Stops after the declared count; bytes that follow it are an error.
#[derive(Clone, Debug)]
pub struct PlainRecords<'a> {
    header: BatchHeader,
    rest: &'a [u8],
    index: i32,
}

impl<'a> PlainRecords<'a> {
    /// `payload` is what follows the header of an uncompressed batch.
    pub fn new(header: BatchHeader, payload: &'a [u8]) -> PlainRecords<'a> {
        PlainRecords { header, rest: payload, index: 0 }
    }

    /// The next record; None at the end.
    pub fn next_record(&mut self) -> Result<Option<Record<'a>>, BatchError> {
        if self.index >= self.header.count {
            return if self.rest.is_empty() {
                Ok(None)
            } else {
                Err(Invalidity::BytesRemain.into())
            };
        }
        let fields = take_record(&mut self.rest)
            .map_err(|problem| Invalidity::Record { index: self.index, problem })?;
        self.index += 1;
        Ok(Some(placed(&self.header, fields)))
    }
}

impl<'a> Iterator for PlainRecords<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.next_record().transpose();
        if matches!(item, Some(Err(_))) {
            self.index = self.header.count;
            self.rest = &[];
        }
        item
    }
}

fn placed<'a>(header: &BatchHeader, fields: RecordFields<'a>) -> Record<'a> {
    Record {
        offset: header.base_offset + i64::from(fields.offset_delta),
        timestamp: header.timestamp(fields.timestamp_delta),
        key: fields.key,
        value: fields.value,
        headers: fields.headers,
    }
}

/// The records of any batch, one at a time: each borrows the walk's buffer until the next is asked for.
#[derive(Debug)]
pub struct Records {
    header: BatchHeader,
    source: Source,
    index: i32,
}

#[derive(Debug)]
enum Source {
    Plain { payload: Bytes, position: usize },
    Inflated(Box<Inflated>),
    Unknown,
}

impl Records {
    /// `payload` is what follows the header.
    pub fn new(header: BatchHeader, payload: Bytes) -> Records {
        let source = match header.codec() {
            Some(Codec::None) => Source::Plain { payload, position: 0 },
            Some(codec) if header.count > 0 => {
                Source::Inflated(Box::new(Inflated::new(codec, payload)))
            }
            // A batch that the cleaner emptied holds no stream.
            Some(_) => Source::Plain { payload: Bytes::new(), position: 0 },
            None => Source::Unknown,
        };
        Records { header, source, index: 0 }
    }

    /// The next record; None after the last, once it is certain that nothing follows it.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, BatchError> {
        let ended = self.index >= self.header.count;
        let index = self.index;
        match &mut self.source {
            Source::Unknown => {
                Err(Unreadable::UnknownCodec(self.header.attributes.codec_bits()).into())
            }
            Source::Plain { payload, position } => {
                let mut rest = payload.get(*position..).unwrap_or_default();
                if ended {
                    return if rest.is_empty() {
                        Ok(None)
                    } else {
                        Err(Invalidity::BytesRemain.into())
                    };
                }
                let fields = take_record(&mut rest)
                    .map_err(|problem| Invalidity::Record { index, problem })?;
                *position = payload.len() - rest.len();
                self.index += 1;
                Ok(Some(placed(&self.header, fields)))
            }
            Source::Inflated(inflated) => {
                if ended {
                    return if inflated.at_end()? {
                        Ok(None)
                    } else {
                        Err(Invalidity::BytesRemain.into())
                    };
                }
                let mut body = inflated.whole_record(index)?;
                self.index += 1;
                let fields = take_record(&mut body)
                    .map_err(|problem| Invalidity::Record { index, problem })?;
                Ok(Some(placed(&self.header, fields)))
            }
        }
    }
}
