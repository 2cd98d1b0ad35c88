//! Which names a topic may have. The texts are Kafka's: its tools print them.

/// The longest name, in characters: a directory's name is made of it.
const LENGTH_MAX: usize = 249;

/// Topics that only the broker writes to.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// Why a topic cannot be called so.
pub fn invalid(name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    // Kafka counts UTF-16 units, as Java does.
    let length = name.encode_utf16().count();
    let why = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." => "'.' is not allowed".to_owned(),
        ".." => "'..' is not allowed".to_owned(),
        _ if length > LENGTH_MAX => {
            format!("the length of '{name}' is longer than the max allowed length {LENGTH_MAX}")
        }
        _ if !name.chars().all(legal) => {
            format!(
                "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
            )
        }
        _ => return None,
    };
    Some(format!("Topic name is invalid: {why}"))
}

/// Is it one of the topics that only the broker writes to?
pub fn internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}

/// Can the name collide with another? Names of metrics replace '.' by '_'.
pub(super) fn may_collide(name: &str) -> bool {
    name.contains(['.', '_'])
}

/// What colliding names have in common.
pub(super) fn unified(name: &str) -> String {
    name.replace('.', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafkas() {
        for name in ["a", "A-z_0.9", "...", "-", "__consumer_offsets", &"x".repeat(249)] {
            assert_eq!(invalid(name), None, "{name}");
        }
        let check = |name: &str, why: &str| {
            assert_eq!(invalid(name), Some(format!("Topic name is invalid: {why}")));
        };
        check("", "the empty string is not allowed");
        check(".", "'.' is not allowed");
        check("..", "'..' is not allowed");
        check(
            "a b",
            "'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
        );
        check(
            "ä",
            "'ä' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
        );
        let long = "x".repeat(250);
        check(&long, &format!("the length of '{long}' is longer than the max allowed length 249"));
    }
}
