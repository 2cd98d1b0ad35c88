//! Compares a message with Kafka's JSON of it. The message is taken from its `Debug` form, which says every field by name:
//! so fields in the wrong order show, where bytes alone would not tell two numbers apart.

use bytes::Bytes;
use net::wire::{DecodeError, ErrorCode, Wire, from_bytes, to_bytes};
use serde_json::{Map, Value};

/// Decodes Kafka's bytes, compares the message with Kafka's JSON, encodes it again.
pub(crate) fn check<T: Wire + std::fmt::Debug>(
    bytes: Bytes,
    version: i16,
    json: &Value,
) -> Result<(), String> {
    let message: T =
        from_bytes(bytes.clone(), version).map_err(|error: DecodeError| error.to_string())?;
    compare(&parse(&format!("{message:?}")), json)?;
    let encoded = to_bytes(&message, version).map_err(|error| error.to_string())?;
    if encoded == bytes {
        Ok(())
    } else {
        Err(format!("encodes to other bytes: {encoded:02x?}\nexpected {bytes:02x?}"))
    }
}

/// Whether each field of `kafka` has the same value in `ours`. Fields that Kafka leaves out stand at their defaults.
fn compare(ours: &Value, kafka: &Value) -> Result<(), String> {
    match (ours, kafka) {
        (Value::Object(ours), Value::Object(kafka)) => {
            kafka.iter().try_for_each(|(name, kafka)| {
                let ours = ours.get(&snake(name)).ok_or_else(|| format!("no field {name}"))?;
                // Kafka's JSON never says what records are, only that they are there. Their bytes are compared.
                if name == "records" && ours.is_string() && kafka.is_string() {
                    return Ok(());
                }
                compare(ours, kafka).map_err(|error| format!("{name}: {error}"))
            })
        }
        (Value::Array(ours), Value::Array(kafka)) if ours.len() == kafka.len() => {
            ours.iter().zip(kafka).try_for_each(|(ours, kafka)| compare(ours, kafka))
        }
        _ if ours == kafka => Ok(()),
        _ => Err(format!("{ours}, and for Kafka {kafka}")),
    }
}

fn snake(camel: &str) -> String {
    let mut snake = String::new();
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// Reads `Debug`'s form.
fn parse(debug: &str) -> Value {
    let mut parser = Parser { rest: debug };
    let value = parser.value();
    assert_eq!(parser.rest, "", "all of it is read");
    value
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn value(&mut self) -> Value {
        if self.eat("[") {
            return Value::Array(self.list("]"));
        }
        if self.eat("b\"") {
            return Value::String(to_base64(&self.quoted(), STANDARD));
        }
        if self.eat("\"") {
            return Value::String(String::from_utf8(self.quoted()).expect("UTF-8"));
        }
        let word = self.word();
        if self.eat(" { ") {
            return self.fields(word);
        }
        if self.eat("(") {
            let mut values = self.list(")");
            return values.pop().expect("a tuple of one");
        }
        atom(word)
    }

    fn fields(&mut self, name: &str) -> Value {
        let mut fields = Map::new();
        loop {
            let name = self.word().to_owned();
            assert!(self.eat(": "), "a field: {}", self.rest);
            fields.insert(name, self.value());
            if !self.eat(", ") {
                break;
            }
        }
        assert!(self.eat(" }"), "the end of {name}: {}", self.rest);
        match fields.remove("parts") {
            // Records in memory: at most one part, that holds its bytes.
            Some(Value::Array(mut parts)) => {
                parts.pop().unwrap_or_else(|| Value::String(String::new()))
            }
            _ => Value::Object(fields),
        }
    }

    fn list(&mut self, end: &str) -> Vec<Value> {
        let mut values = Vec::new();
        while !self.eat(end) {
            values.push(self.value());
            self.eat(", ");
        }
        values
    }

    fn word(&mut self) -> &'a str {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !"_-.".contains(c))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// What stands before the next quote, its escapes undone.
    fn quoted(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let end = self.rest.find(['"', '\\']).expect("a quote");
            bytes.extend_from_slice(&self.rest.as_bytes()[..end]);
            let escaped = self.rest.as_bytes()[end] == b'\\';
            self.rest = &self.rest[end + 1..];
            if !escaped {
                return bytes;
            }
            let code = self.rest.as_bytes()[0];
            self.rest = &self.rest[1..];
            match code {
                b'n' => bytes.push(b'\n'),
                b'r' => bytes.push(b'\r'),
                b't' => bytes.push(b'\t'),
                b'0' => bytes.push(0),
                b'x' => {
                    bytes.push(u8::from_str_radix(&self.rest[..2], 16).expect("two digits"));
                    self.rest = &self.rest[2..];
                }
                b'u' => {
                    let (digits, rest) = self.rest[1..].split_once('}').expect("a brace");
                    let letter = u32::from_str_radix(digits, 16)
                        .ok()
                        .and_then(char::from_u32)
                        .expect("a letter");
                    bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                    self.rest = rest;
                }
                other => bytes.push(other),
            }
        }
    }

    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

/// None, a boolean, a number, an id, an error code's name.
fn atom(word: &str) -> Value {
    if word == "None" {
        return Value::Null;
    }
    if let Ok(value) = word.parse::<bool>() {
        return Value::Bool(value);
    }
    if let Ok(number) = word.parse::<i64>() {
        return Value::from(number);
    }
    if let Ok(number) = word.parse::<f64>() {
        return Value::from(number);
    }
    if let Ok(id) = uuid::Uuid::parse_str(word) {
        return Value::String(to_base64(id.as_bytes(), URL).trim_end_matches('=').to_owned());
    }
    match (-1..=200).map(ErrorCode).find(|code| code.name() == Some(word)) {
        Some(code) => Value::from(code.0),
        // A struct without fields.
        None => Value::Object(Map::new()),
    }
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn to_base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let padding = digit > chunk.len();
            text.push(if padding {
                '='
            } else {
                char::from(alphabet[(group >> (18 - 6 * digit) & 63) as usize])
            });
        }
    }
    text
}

pub(crate) fn base64(text: &str) -> Vec<u8> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut group, mut bits) = (0u32, 0);
    for digit in text.bytes() {
        let value = (0u32..).zip(STANDARD).find(|(_, known)| **known == digit).expect("base64").0;
        (group, bits) = (group << 6 | value, bits + 6);
        if bits >= 8 {
            bits -= 8;
            bytes.push((group >> bits & 0xff) as u8);
        }
    }
    bytes
}
