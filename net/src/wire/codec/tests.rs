//! Both coders at their edges. What the derive makes of a struct is tested in `net/tests/derive.rs`.

use bytes::Bytes;
use bytestring::ByteString;

use super::*;

#[track_caller]
fn check<T: Wire + PartialEq + std::fmt::Debug>(flexible: bool, value: T, bytes: &[u8]) {
    let encoded = encode(|e| {
        e.set_flexible(flexible);
        value.encode(e, 0)
    });
    assert_eq!(encoded.and_then(|encoded| encoded.into_bytes()).unwrap(), bytes);
    let mut d = Decoder::new(Bytes::copy_from_slice(bytes));
    d.set_flexible(flexible);
    assert_eq!(T::decode(&mut d, 0), Ok(value));
    assert_eq!(d.remaining(), 0);
}

#[track_caller]
fn refuse<T: Wire + PartialEq + std::fmt::Debug>(flexible: bool, bytes: &[u8], error: DecodeError) {
    let mut d = Decoder::new(Bytes::copy_from_slice(bytes));
    d.set_flexible(flexible);
    assert_eq!(T::decode(&mut d, 0), Err(error));
}

#[test]
fn strings() {
    let text = |text: &'static str| ByteString::from_static(text);
    check(false, text("ab"), &[0, 2, b'a', b'b']);
    check(true, text("ab"), &[3, b'a', b'b']);
    check(false, text(""), &[0, 0]);
    check(true, text(""), &[1]);
    check(false, None::<ByteString>, &[0xff, 0xff]);
    check(true, None::<ByteString>, &[0]);
    refuse::<ByteString>(false, &[0xff, 0xff], DecodeError::UnexpectedNull { position: 0 });
    refuse::<ByteString>(false, &[0xff, 0xfe], DecodeError::Length { position: 0, length: -2 });
    refuse::<ByteString>(
        false,
        &[0, 3, b'a'],
        DecodeError::Short { position: 2, needed: 3, remaining: 1 },
    );
    refuse::<ByteString>(
        true,
        &[0x81, 0x80, 2],
        DecodeError::Length { position: 0, length: 32768 },
    );
    refuse::<ByteString>(true, &[3, 0xc3, 0x28], DecodeError::Utf8 { position: 1 });
    refuse::<ByteString>(true, &[0xff; 6], DecodeError::Varint { position: 0 });
}

#[test]
fn bytes_and_arrays() {
    check(false, Bytes::from_static(&[7]), &[0, 0, 0, 1, 7]);
    check(true, Bytes::from_static(&[7]), &[2, 7]);
    check(false, vec![1i16, -1], &[0, 0, 0, 2, 0, 1, 0xff, 0xff]);
    check(true, Some(vec![1i8]), &[2, 1]);
    check(true, None::<Vec<i8>>, &[0]);
    check(false, None::<Vec<i8>>, &[0xff; 4]);
    refuse::<Vec<i8>>(
        false,
        &[0x7f, 0xff, 0xff, 0xff],
        DecodeError::Short { position: 4, needed: 0x7fff_ffff, remaining: 0 },
    );
    refuse::<Vec<i8>>(
        true,
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        DecodeError::Short { position: 5, needed: 0xffff_fffe, remaining: 0 },
    );
}

#[test]
fn an_array_is_charged_before_it_is_allocated() {
    let count = 10_000u32;
    let mut frame = count.to_be_bytes().to_vec();
    frame.resize(frame.len() + 2 * 10_000, 0);
    let refused = from_bytes::<Vec<ByteString>>(frame.into(), 0);
    assert!(matches!(refused, Err(DecodeError::Allocation { needed: 320_000, .. })), "{refused:?}");
}

#[test]
fn a_stored_message_fills_its_bytes() {
    assert_eq!(
        from_bytes::<i8>(Bytes::from_static(&[1, 2]), 0),
        Err(DecodeError::Trailing { remaining: 1 })
    );
}

#[test]
fn a_string_too_long_for_its_length() {
    let text = ByteString::from("x".repeat(32768));
    assert_eq!(to_bytes(&text, 0), Err(EncodeError::Length { length: 32768 }));
}

#[test]
fn varints() {
    let mut value = 1u32;
    for _ in 0..32 {
        for value in [value - 1, value, value.wrapping_mul(2).wrapping_sub(1)] {
            let bytes = encode(|e| {
                e.unsigned_varint(value);
                Ok(())
            });
            let mut d = Decoder::new(bytes.and_then(|bytes| bytes.into_bytes()).unwrap());
            assert_eq!((d.unsigned_varint(), d.remaining()), (Ok(value), 0));
        }
        value = value.rotate_left(1);
    }
}
