//! What `#[derive(Wire)]` makes of a struct, seen from another crate: null, tags, defaults, nesting, versions.

use bytestring::ByteString;
use net::wire::{DecodeError, EncodeError, Wire, from_bytes, to_bytes};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "1-4", flexible = "3+")]
struct Message {
    number: i16,
    #[wire(versions = "2+", default = -1)]
    strict: i8,
    #[wire(versions = "2", default = 7, ignorable)]
    once: i8,
    #[wire(nullable = "2+")]
    name: Option<ByteString>,
    elements: Vec<Element>,
    #[wire(versions = "4+")]
    nested: Option<Element>,
    #[wire(versions = "3+", tag = 9)]
    far: Element,
    #[wire(versions = "3+", tag = 2, default = 5, ignorable)]
    near: i8,
}

#[derive(Clone, Debug, PartialEq, Wire)]
struct Element {
    #[wire(default = -1)]
    id: i8,
    #[wire(versions = "3+", tag = 0)]
    label: Option<ByteString>,
}

/// Names that the derived code might trip over.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-1", flexible = "none")]
struct Names {
    version: i8,
    d: i8,
    e: i8,
    #[wire(versions = "1+")]
    r#type: i8,
    outer: Vec<i8>,
}

fn text(text: &'static str) -> Option<ByteString> {
    Some(ByteString::from_static(text))
}

fn element(id: i8) -> Element {
    Element { id, ..Element::default() }
}

#[track_caller]
fn check<T: Wire + PartialEq + std::fmt::Debug>(version: i16, message: T, bytes: &[u8]) {
    assert_eq!(to_bytes(&message, version).as_deref(), Ok(bytes));
    assert_eq!(from_bytes(bytes.to_vec().into(), version), Ok(message));
}

#[track_caller]
fn refuse(version: i16, bytes: &[u8], error: DecodeError) {
    assert_eq!(from_bytes::<Message>(bytes.to_vec().into(), version), Err(error));
}

#[test]
fn defaults_are_kafkas() {
    let message = Message::default();
    assert_eq!((message.number, message.strict, message.once, message.near), (0, -1, 7, 5));
    assert_eq!((message.name, message.far.id), (None, -1));
}

#[test]
fn each_version_has_its_fields() {
    let message =
        Message { number: 258, name: text("n"), elements: vec![element(3)], ..Message::default() };
    check(1, message.clone(), &[1, 2, 0, 1, b'n', 0, 0, 0, 1, 3]);
    check(2, message.clone(), &[1, 2, 0xff, 7, 0, 1, b'n', 0, 0, 0, 1, 3]);
    check(3, message.clone(), &[1, 2, 0xff, 2, b'n', 2, 3, 0, 0]);
    check(4, message.clone(), &[1, 2, 0xff, 2, b'n', 2, 3, 0, 0xff, 0]);
    let nested = Message { nested: Some(element(4)), ..message };
    check(4, nested, &[1, 2, 0xff, 2, b'n', 2, 3, 0, 1, 4, 0, 0]);
}

#[test]
fn tagged_fields_in_the_order_of_their_tags_unless_at_their_default() {
    let empty = Message { name: text(""), ..Message::default() };
    let near = Message { near: 6, ..empty.clone() };
    check(3, near.clone(), &[0, 0, 0xff, 1, 1, 1, 2, 1, 6]);
    let both = Message { far: Element { id: 1, label: text("a") }, ..near };
    check(3, both, &[0, 0, 0xff, 1, 1, 2, 2, 1, 6, 9, 6, 1, 1, 0, 2, 2, b'a']);
    check(3, empty, &[0, 0, 0xff, 1, 1, 0]);
}

#[test]
fn unknown_tagged_fields_are_skipped_everywhere() {
    let bytes = [0, 0, 0xff, 1, 2, 3, 1, 8, 2, 0xaa, 0xbb, 2, 1, 0, 2, 1, 6];
    let message =
        Message { name: text(""), elements: vec![element(3)], near: 6, ..Message::default() };
    assert_eq!(from_bytes(bytes.to_vec().into(), 3), Ok(message));
}

#[test]
fn a_tagged_field_ends_where_it_says() {
    refuse(3, &[0, 0, 0xff, 1, 1, 1, 2, 2, 6, 0], DecodeError::Tag { number: 2, position: 10 });
    refuse(
        3,
        &[0, 0, 0xff, 1, 1, 1, 2, 0],
        DecodeError::Short { position: 8, needed: 1, remaining: 0 },
    );
    refuse(
        3,
        &[0, 0, 0xff, 1, 1, 1, 2, 200, 1, 0],
        DecodeError::Short { position: 9, needed: 200, remaining: 1 },
    );
}

#[test]
fn null_only_where_the_version_has_it() {
    let message = Message { ..Message::default() };
    assert_eq!(to_bytes(&message, 1), Err(EncodeError::Null { field: "name", version: 1 }));
    refuse(1, &[0, 0, 0xff, 0xff, 0, 0, 0, 0], DecodeError::Null { field: "name" });
    check(2, message, &[0, 0, 0xff, 7, 0xff, 0xff, 0, 0, 0, 0]);
    refuse(
        2,
        &[0, 0, 0xff, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        DecodeError::UnexpectedNull { position: 6 },
    );
}

#[test]
fn what_a_version_cannot_say_is_an_error_unless_it_may_be_dropped() {
    let message = |message: Message| Message { name: text(""), ..message };
    let unsupported = |field, version| Err(EncodeError::Unsupported { field, version });
    assert_eq!(
        to_bytes(&message(Message { strict: 0, ..Message::default() }), 1),
        unsupported("strict", 1)
    );
    assert_eq!(
        to_bytes(&message(Message { far: element(2), ..Message::default() }), 2),
        unsupported("far", 2)
    );
    assert_eq!(
        to_bytes(&message(Message { nested: Some(element(2)), ..Message::default() }), 3),
        unsupported("nested", 3)
    );
    let label = Element { id: 0, label: text("l") };
    assert_eq!(
        to_bytes(&message(Message { elements: vec![label], ..Message::default() }), 2),
        unsupported("label", 2)
    );
    let dropped = to_bytes(&message(Message { once: 1, near: 1, ..Message::default() }), 1);
    assert_eq!(dropped.as_deref(), Ok(&[0, 0, 0, 0, 0, 0, 0, 0][..]));
}

#[test]
fn versions_that_do_not_exist() {
    for version in [-1, 0, 5] {
        assert_eq!(
            to_bytes(&Message::default(), version),
            Err(EncodeError::Version { message: "Message", version })
        );
        refuse(version, &[0; 20], DecodeError::Version { message: "Message", version });
    }
}

#[test]
fn fields_may_have_any_name() {
    check(
        1,
        Names { version: 1, d: 2, e: 3, r#type: 4, outer: vec![5] },
        &[1, 2, 3, 4, 0, 0, 0, 1, 5],
    );
}
