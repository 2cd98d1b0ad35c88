//! What is known about one configuration key, and how its text becomes a value.
//!
//! The facts (name, type, default, range, importance, whether a running broker can take a change) are Kafka 4.3's; the tables of
//! keys are in `table`. Parsing follows Kafka's rules for each type, and a refusal is worded as Kafka words it, because tools and
//! clients' tests match that text: `Invalid value x for configuration y: ...`.

use std::fmt;

/// The type of a key's value; the numbers are those of DescribeConfigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

/// How much a key matters to someone who reads a list of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    High,
    Medium,
    Low,
}

/// Whether a running Kafka broker takes a change of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    ReadOnly,
    PerBroker,
    ClusterWide,
}

/// What setting the key does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is in force.
    Used,
    /// It tunes a part that Kafka has and Odradek has not (thread pools, purgatories): warned about, then ignored.
    Unneeded,
    /// It tunes a feature that is not served yet, and nothing wrong can come of ignoring it: warned about.
    Later,
    /// It would promise something that is not kept yet (security, compaction, quotas): only the default is accepted.
    NotBuilt,
}

/// Which values are legal, beyond the type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Valid {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    Fraction(f64, f64),
    OneOf(&'static [&'static str]),
    OneOfAnyCase(&'static [&'static str]),
    /// No empty entry, duplicates dropped; entries from the set if it is not empty.
    Entries {
        of: &'static [&'static str],
        may_be_empty: bool,
    },
    NonEmpty,
    GzipLevel,
    ThrottledReplicas,
    /// Where a share group begins.
    OffsetReset,
}

/// A configuration key. `default` is `None` where Kafka's default is null or where it has none.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub default: Option<&'static str>,
    pub valid: Valid,
    pub importance: Importance,
    pub update: Update,
    /// Kafka does not show these in its documentation or in DescribeConfigs.
    pub internal: bool,
    pub effect: Effect,
    pub doc: &'static str,
}

/// A parsed value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Boolean(bool),
    Text(String),
    Int(i64),
    Real(f64),
    List(Vec<String>),
}

/// Why a value was refused. The text is Kafka's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(pub String);

impl InvalidValue {
    pub fn new(name: &str, value: impl fmt::Display, why: &str) -> Self {
        Self(format!("Invalid value {value} for configuration {name}: {why}"))
    }
}

impl Key {
    /// Passwords never leave the broker, in logs or answers.
    pub fn sensitive(&self) -> bool {
        self.kind == Kind::Password
    }

    /// The default, parsed. Defaults are checked by a test, so a bad one cannot reach here.
    pub fn default_value(&self) -> Option<Value> {
        self.default.and_then(|text| self.parse(text).ok())
    }

    /// Text to value: the type, then what is legal.
    pub fn parse(&self, text: &str) -> Result<Value, InvalidValue> {
        let value = self.parse_kind(text)?;
        self.check(&value)?;
        Ok(value)
    }

    fn parse_kind(&self, text: &str) -> Result<Value, InvalidValue> {
        let trimmed = text.trim();
        let number = |bits: &str| {
            InvalidValue::new(self.name, text, &format!("Not a number of type {bits}"))
        };
        match self.kind {
            Kind::Boolean if trimmed.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
            Kind::Boolean if trimmed.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
            Kind::Boolean => {
                Err(InvalidValue::new(self.name, text, "Expected value to be either true or false"))
            }
            Kind::Int => {
                trimmed.parse::<i32>().map(|v| Value::Int(v.into())).map_err(|_| number("INT"))
            }
            Kind::Short => {
                trimmed.parse::<i16>().map(|v| Value::Int(v.into())).map_err(|_| number("SHORT"))
            }
            Kind::Long => trimmed.parse::<i64>().map(Value::Int).map_err(|_| number("LONG")),
            Kind::Double => trimmed.parse::<f64>().map(Value::Real).map_err(|_| number("DOUBLE")),
            Kind::List if trimmed.is_empty() => Ok(Value::List(Vec::new())),
            Kind::List => Ok(Value::List(self.entries(trimmed))),
            Kind::String | Kind::Class | Kind::Password => Ok(Value::Text(trimmed.to_owned())),
        }
    }

    /// Entries that a key does not allow twice count once, as Kafka does with a warning.
    fn entries(&self, text: &str) -> Vec<String> {
        let mut entries: Vec<String> = Vec::new();
        for entry in text.split(',').map(str::trim) {
            if !matches!(self.valid, Valid::Entries { .. })
                || !entries.iter().any(|known| known == entry)
            {
                entries.push(entry.to_owned());
            }
        }
        entries
    }

    fn check(&self, value: &Value) -> Result<(), InvalidValue> {
        let refuse = |why: &str| Err(InvalidValue::new(self.name, value, why));
        match (self.valid, value) {
            (Valid::AtLeast(least), Value::Int(v)) if *v < least => {
                refuse(&format!("Value must be at least {least}"))
            }
            (Valid::Between(least, most), Value::Int(v)) => match *v {
                v if v < least => refuse(&format!("Value must be at least {least}")),
                v if v > most => refuse(&format!("Value must be no more than {most}")),
                _ => Ok(()),
            },
            (Valid::Fraction(least, most), Value::Real(v)) => match *v {
                v if v < least => refuse(&format!("Value must be at least {least}")),
                v if v > most => refuse(&format!("Value must be no more than {most}")),
                _ => Ok(()),
            },
            (Valid::OneOf(set), Value::Text(v)) if !set.contains(&v.as_str()) => {
                refuse(&format!("String must be one of: {}", set.join(", ")))
            }
            (Valid::OneOfAnyCase(set), Value::Text(v))
                if !set.iter().any(|s| s.eq_ignore_ascii_case(v)) =>
            {
                refuse(&format!("String must be one of (case insensitive): {}", set.join(", ")))
            }
            (Valid::NonEmpty, Value::Text(v)) if v.is_empty() => refuse("String must be non-empty"),
            (Valid::GzipLevel, Value::Int(v)) if *v != -1 && !(1..=9).contains(v) => {
                refuse("Value must be between 1 and 9 or equal to -1")
            }
            (Valid::Entries { of, may_be_empty }, Value::List(v)) => {
                self.check_entries(of, may_be_empty, v)
            }
            (Valid::ThrottledReplicas, Value::List(v)) if !throttled_replicas(v) => {
                refuse(&format!(
                    "{} must be the literal '*' or a list of replicas in the following format: \
                 [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                    self.name
                ))
            }
            (Valid::OffsetReset, Value::Text(v)) if !offset_reset(v) => refuse(&format!(
                "Invalid value `{v}` for configuration {}. The value must be either 'earliest', 'latest' or of the format \
                 'by_duration:<PnDTnHnMn.nS>'.",
                self.name
            )),
            _ => Ok(()),
        }
    }

    fn check_entries(
        &self,
        of: &[&str],
        may_be_empty: bool,
        entries: &[String],
    ) -> Result<(), InvalidValue> {
        let name = self.name;
        if entries.is_empty() && !may_be_empty {
            let any = if of.is_empty() {
                "any non-empty value".to_owned()
            } else {
                format!("[{}]", of.join(", "))
            };
            return Err(InvalidValue(format!(
                "Configuration '{name}' must not be empty. Valid values include: {any}"
            )));
        }
        for entry in entries {
            if entry.is_empty() {
                return Err(InvalidValue(format!(
                    "Configuration '{name}' values must not be empty."
                )));
            }
            if !of.is_empty() && !of.contains(&entry.as_str()) {
                let why = format!("String must be one of: {}", of.join(", "));
                return Err(InvalidValue::new(name, entry, &why));
            }
        }
        Ok(())
    }
}

/// `*`, or pairs `partition:broker`; empty entries pass.
fn throttled_replicas(entries: &[String]) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let pair = |entry: &String| match entry.split_once(':') {
        Some((partition, broker)) => number(partition) && number(broker),
        None => entry.is_empty(),
    };
    entries.iter().all(pair) || entries.concat() == "*"
}

/// `earliest`, `latest`, or how long before now.
fn offset_reset(text: &str) -> bool {
    let duration = text.strip_prefix("by_duration:");
    ["earliest", "latest"].contains(&text)
        || duration.is_some_and(|text| super::duration::parse_ms(text).is_some())
}

impl Value {
    /// The text that Kafka shows for the value (a list joined by commas).
    pub fn text(&self) -> String {
        match self {
            Value::Boolean(v) => v.to_string(),
            Value::Text(v) => v.clone(),
            Value::Int(v) => v.to_string(),
            Value::Real(v) => java_double(*v),
            Value::List(v) => v.join(","),
        }
    }
}

/// As Kafka's refusals print it: lists in brackets.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::List(v) => write!(f, "[{}]", v.join(", ")),
            other => f.write_str(&other.text()),
        }
    }
}

/// Java prints doubles with at least one decimal, and as `1.5E10` outside of 10^-3 .. 10^7.
fn java_double(v: f64) -> String {
    let size = v.abs();
    if v == 0.0 || !v.is_finite() || (1e-3..1e7).contains(&size) {
        return format!("{v:?}");
    }
    let text = format!("{v:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_printed_as_java_does() {
        for (value, text) in [
            (0.5, "0.5"),
            (1.0, "1.0"),
            (f64::MAX, "1.7976931348623157E308"),
            (1e7, "1.0E7"),
            (12345678.5, "1.23456785E7"),
            (0.0001, "1.0E-4"),
            (0.0, "0.0"),
        ] {
            assert_eq!(java_double(value), text);
        }
    }

    #[test]
    fn throttled_replicas_are_pairs_or_a_star() {
        for (text, legal) in [
            ("*", true),
            ("0:1,1:2", true),
            ("", true),
            ("0:1,", true),
            ("0", false),
            ("a:b", false),
        ] {
            let entries: Vec<String> = text.split(',').map(str::to_owned).collect();
            assert_eq!(throttled_replicas(&entries), legal, "{text}");
        }
    }
}
