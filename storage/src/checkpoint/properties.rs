//! The text format of Java's properties files: `key=value`, `key: value` or `key value`, comments with `#` or `!`, escapes with
//! a backslash, lines continued by one at their end.

/// One key and its value, with the line on which it starts, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    pub line: usize,
    pub key: String,
    pub value: String,
}

/// All properties in the order of the file. Every text can be read; a key may occur more than once, and the last one counts.
pub fn parse_properties(text: &str) -> Vec<Property> {
    const WHITE: [char; 3] = [' ', '\t', '\u{c}'];
    let text = text.replace("\r\n", "\n");
    let mut lines = text.split(['\n', '\r']).map(|line| line.trim_start_matches(WHITE)).zip(1..);
    let mut found = Vec::new();
    while let Some((first, line)) = lines.next() {
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while continues(&logical) {
            logical.pop();
            let Some((next, _)) = lines.next() else { break };
            logical.push_str(next);
        }
        let (key, value) = split(&logical);
        found.push(Property { line, key: unescape(key), value: unescape(value) });
    }
    found
}

/// Whether the line ends in an odd number of backslashes.
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// At the first separator that is not escaped: `=` or `:`, or white space, with white space around it.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let mut end = line.len();
    for (i, c) in line.char_indices() {
        if !escaped && matches!(c, '=' | ':' | ' ' | '\t' | '\u{c}') {
            end = i;
            break;
        }
        escaped = c == '\\' && !escaped;
    }
    let (key, rest) = line.split_at(end);
    let white = [' ', '\t', '\u{c}'];
    let rest = rest.trim_start_matches(white);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(white);
    (key, value)
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits =
                    chars.as_str().get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                out.push(digits.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER));
                if digits.is_some() {
                    chars.nth(3);
                }
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

/// One line that reads back as this key and value.
pub fn print_property(key: &str, value: &str) -> String {
    format!("{}={}", escape(key, true), escape(value, false))
}

fn escape(text: &str, key: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, c) in text.chars().enumerate() {
        match c {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{c}' => out.push_str("\\f"),
            ' ' if key || i == 0 => out.push_str("\\ "),
            '\\' | '=' | ':' | '#' | '!' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_java_reads_them() {
        let check = |text: &str, expected: &[(usize, &str, &str)]| {
            let found = parse_properties(text);
            let found: Vec<_> =
                found.iter().map(|p| (p.line, p.key.as_str(), p.value.as_str())).collect();
            assert_eq!(found, expected, "{text:?}");
        };
        check("", &[]);
        check("# a\n! b\n\n  \n", &[]);
        check("a=b", &[(1, "a", "b")]);
        check("a = b \nc: d\ne f", &[(1, "a", "b "), (2, "c", "d"), (3, "e", "f")]);
        check("a", &[(1, "a", "")]);
        check("a==b", &[(1, "a", "=b")]);
        check("#c\r\na=b\r\nc=d\r\n", &[(2, "a", "b"), (3, "c", "d")]);
        check("a=b\\\n   c\nd=e", &[(1, "a", "bc"), (3, "d", "e")]);
        check("a=b\\\r\n   c\r\nd=e", &[(1, "a", "bc"), (3, "d", "e")]);
        check("a\\ b=c\\u0041\\t", &[(1, "a b", "cA\t")]);
        check("a=\\u00zz", &[(1, "a", "\u{fffd}00zz")]);
        check("a=b\\", &[(1, "a", "b")]);
    }

    #[test]
    fn what_is_printed_is_read() {
        for (key, value) in
            [("a", "b"), ("a b", " c d"), ("#x", "a\\b=c:d"), ("t\tn\n", "\r\u{c}"), ("é", "日")]
        {
            let found = parse_properties(&print_property(key, value));
            assert_eq!(found, [Property { line: 1, key: key.into(), value: value.into() }]);
        }
    }
}
