//! Makes batches: for what the broker itself writes (metadata, control records), and for tests, in the bytes that Kafka's
//! Java client would write where the codec leaves no choice.

use bytes::Bytes;

use crate::batch::deflate::Deflate;
use crate::batch::varint::{put_int, put_long};
use crate::batch::{
    Attributes, Batch, BatchHeader, Codec, ControlType, EndTransaction, HEADER_BYTES,
    LENGTH_OVERHEAD, MAGIC, at, control_key,
};
use crate::units::{Epoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// One record to be written.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewRecord<'a> {
    pub timestamp: Timestamp,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

/// Collects records, then writes them as one batch.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    records: Vec<u8>,
    largest_timestamp: Timestamp,
    append_time: Option<Timestamp>,
}

impl Default for BatchBuilder {
    fn default() -> BatchBuilder {
        BatchBuilder::new()
    }
}

impl BatchBuilder {
    /// A batch at offset 0, without codec, epoch and producer.
    pub fn new() -> BatchBuilder {
        let header = BatchHeader {
            base_offset: Offset::ZERO,
            batch_length: 0,
            leader_epoch: Epoch::NONE,
            magic: MAGIC,
            crc: 0,
            attributes: Attributes(0),
            last_offset_delta: 0,
            base_timestamp: Timestamp::NONE,
            max_timestamp: Timestamp::NONE,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: Sequence::NONE,
            count: 0,
        };
        BatchBuilder {
            header,
            records: Vec::new(),
            largest_timestamp: Timestamp::NONE,
            append_time: None,
        }
    }

    #[must_use]
    pub fn base_offset(mut self, offset: Offset) -> BatchBuilder {
        self.header.base_offset = offset;
        self
    }

    #[must_use]
    pub fn leader_epoch(mut self, epoch: Epoch) -> BatchBuilder {
        self.header.leader_epoch = epoch;
        self
    }

    #[must_use]
    pub fn codec(mut self, codec: Codec) -> BatchBuilder {
        self.header.attributes = self.header.attributes.with_codec(codec);
        self
    }

    #[must_use]
    pub fn producer(
        mut self,
        id: ProducerId,
        epoch: ProducerEpoch,
        base_sequence: Sequence,
    ) -> BatchBuilder {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    #[must_use]
    pub fn transactional(mut self) -> BatchBuilder {
        self.header.attributes.0 |= Attributes::TRANSACTIONAL;
        self
    }

    #[must_use]
    pub fn control(mut self) -> BatchBuilder {
        self.header.attributes.0 |= Attributes::CONTROL;
        self
    }

    /// All records get this time, and the batch says that a broker set it.
    #[must_use]
    pub fn log_append_time(mut self, time: Timestamp) -> BatchBuilder {
        self.header.attributes.0 |= Attributes::LOG_APPEND_TIME;
        self.append_time = Some(time);
        self
    }

    /// Sets attribute bits as they are: for tests of what others send.
    #[must_use]
    pub fn attribute_bits(mut self, bits: i16) -> BatchBuilder {
        self.header.attributes.0 |= bits;
        self
    }

    /// A record without headers.
    #[must_use]
    pub fn record(
        mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> BatchBuilder {
        self.push(NewRecord { timestamp, key, value, headers: &[] });
        self
    }

    /// A control record.
    #[must_use]
    pub fn control_record(
        self,
        timestamp: Timestamp,
        control_type: ControlType,
        value: &[u8],
    ) -> BatchBuilder {
        self.control().record(timestamp, Some(&control_key(control_type)), Some(value))
    }

    /// The marker that ends a transaction.
    #[must_use]
    pub fn end_transaction(self, timestamp: Timestamp, marker: EndTransaction) -> BatchBuilder {
        self.transactional().control_record(timestamp, marker.control_type(), &marker.value())
    }

    /// Adds a record; its offset is the one after the record before.
    pub fn push(&mut self, record: NewRecord<'_>) {
        if self.header.count == 0 {
            self.header.base_timestamp = record.timestamp;
        }
        self.largest_timestamp = self.largest_timestamp.max(record.timestamp);
        let mut body = Vec::with_capacity(64);
        body.push(0);
        put_long(&mut body, record.timestamp.0.wrapping_sub(self.header.base_timestamp.0));
        put_int(&mut body, self.header.count);
        put_nullable(&mut body, record.key);
        put_nullable(&mut body, record.value);
        put_int(&mut body, count(record.headers.len()));
        for &(key, value) in record.headers {
            put_nullable(&mut body, Some(key));
            put_nullable(&mut body, value);
        }
        put_int(&mut self.records, count(body.len()));
        self.records.extend_from_slice(&body);
        self.header.count += 1;
    }

    /// How many records it has so far.
    pub fn count(&self) -> i32 {
        self.header.count
    }

    /// The bytes of the records so far, before compression.
    pub fn record_bytes(&self) -> usize {
        self.records.len()
    }

    pub fn build(self) -> Batch {
        let mut header = self.header;
        header.last_offset_delta = (header.count - 1).max(0);
        header.max_timestamp = self.append_time.unwrap_or(self.largest_timestamp);
        let payload = deflate(header.codec().unwrap_or(Codec::None), self.records);
        header.batch_length = count(payload.len() + HEADER_BYTES - LENGTH_OVERHEAD);
        seal(header, &payload)
    }

    pub fn build_bytes(self) -> Bytes {
        self.build().bytes().clone()
    }
}

/// Puts header and payload together and computes the CRC.
pub(crate) fn seal(mut header: BatchHeader, payload: &[u8]) -> Batch {
    let mut bytes = vec![0; HEADER_BYTES + payload.len()];
    bytes[HEADER_BYTES..].copy_from_slice(payload);
    let (head, _) = bytes.split_first_chunk_mut().expect("a header was reserved");
    header.write(head);
    header.crc = crc32c::crc32c(&bytes[at::ATTRIBUTES..]);
    bytes[at::CRC..at::ATTRIBUTES].copy_from_slice(&header.crc.to_be_bytes());
    Batch::built(bytes.into(), header)
}

/// A length as the format holds it. What we build is far below the limit: a batch is built in memory by ourselves.
pub(super) fn count(length: usize) -> i32 {
    i32::try_from(length).expect("a batch that we build has less than 2 GiB")
}

fn length(bytes: Option<&[u8]>) -> i32 {
    bytes.map_or(-1, |bytes| count(bytes.len()))
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_int(out, length(bytes));
    out.extend_from_slice(bytes.unwrap_or_default());
}

/// Compresses as Kafka's Java client does.
pub(crate) fn deflate(codec: Codec, records: Vec<u8>) -> Vec<u8> {
    if codec == Codec::None {
        return records;
    }
    let mut stream = Deflate::new(codec.into());
    stream.write(&records);
    stream.finish()
}
