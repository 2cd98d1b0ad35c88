//! Which topic names are legal: Kafka's rule, and its words for what breaks it.

/// The longest name; a partition's directory adds a dash and up to five digits, and a file name has 255 bytes.
const LENGTH_MAX: usize = 249;

/// What is wrong with a name, as INVALID_TOPIC_EXCEPTION says it.
pub fn check(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let why = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        _ if name.encode_utf16().count() > LENGTH_MAX => {
            format!("the length of '{name}' is longer than the max allowed length {LENGTH_MAX}")
        }
        _ if !name.chars().all(legal) => {
            format!(
                "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
            )
        }
        _ => return Ok(()),
    };
    Err(format!("Topic name is invalid: {why}"))
}

/// Topics that brokers write and clients may only read.
pub fn internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}
