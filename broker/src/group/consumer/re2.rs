//! Regular expressions as RE2/J reads them, which Kafka uses for subscriptions: translated, with every literal escaped, into what the
//! `regex` crate reads. Both match in linear time; they differ in what they take for syntax.
//!
//! Read here and refused there, or the other way around: `[[a]`, `a{`, `[a&&b]`, `\Q..\E`, octal escapes; `a**`, `(?x)`, `a{1001}`. The
//! texts of errors are RE2/J's. A pattern matches a whole name.

use std::collections::HashSet;
use std::fmt::Write;

use regex::{Regex, RegexBuilder};

/// What a compiled pattern may take: a client chooses it.
const BYTES_MAX: usize = 1 << 20;
const REPEAT_MAX: u32 = 1000;
/// It is the key of the record that says which topics match.
const PATTERN_MAX: usize = i16::MAX as usize;
/// Classes of Unicode in a pattern: each of them costs far more than it is long, and names of topics are ASCII.
const PROPERTIES_MAX: usize = 100;

const ESCAPE: &str = "invalid escape sequence";
const RANGE: &str = "invalid character class range";
const REPEAT: &str = "invalid repeat count";
const PERL: &str = "invalid or unsupported Perl syntax";
const TOO_LARGE: &str = "expression too large";

/// Classes that may stand as `[:name:]`.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// The description of what is wrong.
type Fault = &'static str;

pub(super) fn compile(pattern: &str) -> Result<Regex, Fault> {
    if pattern.len() > PATTERN_MAX {
        return Err(TOO_LARGE);
    }
    let mut reader = Reader {
        rest: pattern,
        out: String::new(),
        depth: 0,
        names: HashSet::new(),
        properties: 0,
        class_end: pattern.rfind(":]").map_or(usize::MAX, |at| pattern.len() - at),
    };
    reader.read()?;
    let whole = format!(r"\A(?:{})\z", reader.out);
    let compiled = RegexBuilder::new(&whole).size_limit(BYTES_MAX).build();
    compiled.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => TOO_LARGE,
        _ => "regexp/syntax: internal error",
    })
}

struct Reader<'a> {
    rest: &'a str,
    out: String,
    /// Groups that are open.
    depth: usize,
    names: HashSet<&'a str>,
    /// Classes of Unicode so far.
    properties: usize,
    /// From the last `:]` to the end.
    class_end: usize,
}

/// What stands before a repetition operator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Operand,
    Repetition,
}

impl<'a> Reader<'a> {
    fn read(&mut self) -> Result<(), Fault> {
        let mut before = Before::Nothing;
        while let Some(c) = self.rest.chars().next() {
            before = match c {
                '(' => self.open(before)?,
                ')' if self.depth == 0 => return Err("regexp/syntax: internal error"),
                ')' => {
                    self.depth -= 1;
                    self.copy(1, Before::Operand)
                }
                '|' => self.copy(1, Before::Nothing),
                '.' | '^' | '$' => self.copy(1, Before::Operand),
                '*' | '+' | '?' => self.repeat(1, before)?,
                '{' => match counts(self.rest)? {
                    Some(length) => self.repeat(length, before)?,
                    None => self.literal(c),
                },
                '[' => self.class()?,
                '\\' => self.escape()?,
                _ => self.literal(c),
            };
        }
        if self.depth > 0 { Err("missing closing )") } else { Ok(()) }
    }

    /// Takes what stands next as it is.
    fn copy(&mut self, length: usize, then: Before) -> Before {
        let (taken, rest) = self.rest.split_at(length);
        self.out.push_str(taken);
        self.rest = rest;
        then
    }

    fn literal(&mut self, c: char) -> Before {
        self.rest = &self.rest[c.len_utf8()..];
        put(&mut self.out, c);
        Before::Operand
    }

    fn repeat(&mut self, length: usize, before: Before) -> Result<Before, Fault> {
        match before {
            Before::Nothing => return Err("missing argument to repetition operator"),
            Before::Repetition => return Err("invalid nested repetition operator"),
            Before::Operand => {}
        }
        self.copy(length, before);
        if self.rest.starts_with('?') {
            self.copy(1, before);
        }
        Ok(Before::Repetition)
    }

    fn open(&mut self, before: Before) -> Result<Before, Fault> {
        let Some(perl) = self.rest.strip_prefix("(?") else {
            self.depth += 1;
            return Ok(self.copy(1, Before::Nothing));
        };
        if let Some(named) = perl.strip_prefix("P<").or_else(|| perl.strip_prefix('<')) {
            let invalid = "invalid named capture";
            let (name, rest) = named.split_once('>').ok_or(invalid)?;
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(invalid);
            }
            if !self.names.insert(name) {
                return Err("duplicate capture group name");
            }
            self.rest = rest;
            self.out.push('(');
            self.depth += 1;
            return Ok(Before::Nothing);
        }
        let end = perl.find([':', ')']).ok_or(PERL)?;
        let (on, off) = match perl[..end].split_once('-') {
            Some((_, "")) => return Err(PERL),
            Some(both) => both,
            None => (&perl[..end], ""),
        };
        let known = |flag: char| matches!(flag, 'i' | 'm' | 's' | 'U');
        let mut flags = on.chars().chain(off.chars());
        if !flags.all(known)
            || has_twice(on)
            || has_twice(off)
            || on.chars().any(|f| off.contains(f))
        {
            return Err(PERL);
        }
        let group = perl[end..].starts_with(':');
        self.depth += usize::from(group);
        if !group && perl[..end].is_empty() {
            // `(?)` says nothing, and there is no such thing here.
            self.rest = &perl[end + 1..];
            return Ok(before);
        }
        self.copy("(?".len() + end + 1, before);
        Ok(if group { Before::Nothing } else { before })
    }

    fn escape(&mut self) -> Result<Before, Fault> {
        let mut chars = self.rest.chars();
        chars.next();
        match chars.next() {
            None => Err("trailing backslash at end of expression"),
            Some('A' | 'b' | 'B' | 'z') => Ok(self.copy(2, Before::Operand)),
            Some(c) if let Some(class) = perl(c) => {
                self.out.push_str(class);
                self.rest = &self.rest[2..];
                Ok(Before::Operand)
            }
            Some('Q') => {
                let (text, rest) =
                    self.rest[2..].split_once(r"\E").unwrap_or((&self.rest[2..], ""));
                text.chars().for_each(|c| put(&mut self.out, c));
                let before = if text.is_empty() { Before::Nothing } else { Before::Operand };
                self.rest = rest;
                Ok(before)
            }
            Some('p' | 'P') => {
                let class = self.property()?;
                self.out.push_str(&class);
                Ok(Before::Operand)
            }
            Some(_) => {
                let c = self.escaped()?;
                put(&mut self.out, c);
                Ok(Before::Operand)
            }
        }
    }

    /// `\pL`, `\p{Greek}`, `\P{^Greek}`.
    fn property(&mut self) -> Result<String, Fault> {
        let mut negated = self.rest.starts_with(r"\P");
        let (name, rest) = match self.rest[2..].strip_prefix('{') {
            Some(braced) => braced.split_once('}').ok_or(RANGE)?,
            None => {
                let first = self.rest[2..].chars().next().ok_or(RANGE)?;
                self.rest[2..].split_at(first.len_utf8())
            }
        };
        let plain = name.strip_prefix('^').unwrap_or(name);
        negated ^= plain.len() != name.len();
        let class = format!(r"\{}{{{plain}}}", if negated { 'P' } else { 'p' });
        self.properties += 1;
        if self.properties > PROPERTIES_MAX {
            return Err(TOO_LARGE);
        }
        let known = plain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !known || Regex::new(&class).is_err() {
            return Err(RANGE);
        }
        self.rest = rest;
        Ok(class)
    }

    /// One character behind a backslash.
    fn escaped(&mut self) -> Result<char, Fault> {
        let text = &self.rest[1..];
        let c = text.chars().next().ok_or("trailing backslash at end of expression")?;
        let octal = |digits: usize| {
            let all = text.bytes().take(digits).take_while(|b| (b'0'..=b'7').contains(b));
            let length = all.count();
            (u32::from_str_radix(&text[..length], 8).ok(), length)
        };
        let (code, length) = match c {
            '1'..='7' if octal(2).1 < 2 => return Err(ESCAPE),
            '0'..='7' => octal(3),
            'x' => match text[1..].strip_prefix('{') {
                Some(braced) => {
                    let (digits, _) = braced.split_once('}').ok_or(ESCAPE)?;
                    (hex(digits), digits.len() + 3)
                }
                None => (text.get(1..3).and_then(hex), 3),
            },
            'a' => (Some(7), 1),
            'f' => (Some(12), 1),
            'n' => (Some(10), 1),
            'r' => (Some(13), 1),
            't' => (Some(9), 1),
            'v' => (Some(11), 1),
            _ if c.is_ascii_alphanumeric() => return Err(ESCAPE),
            _ => (Some(u32::from(c)), c.len_utf8()),
        };
        let escaped = code.and_then(char::from_u32).ok_or(ESCAPE)?;
        self.rest = &text[length..];
        Ok(escaped)
    }

    fn class(&mut self) -> Result<Before, Fault> {
        self.copy(1, Before::Nothing);
        if self.rest.starts_with('^') {
            self.copy(1, Before::Nothing);
        }
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            if let Some(named) = self.rest.strip_prefix("[:")
                && named.len() >= self.class_end
                && let Some((name, rest)) = named.split_once(":]")
            {
                let class = format!("[:{name}:]");
                if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
                    return Err(RANGE);
                }
                self.out.push_str(&class);
                self.rest = rest;
                continue;
            }
            match self.rest.as_bytes() {
                [b'\\', b'p' | b'P', ..] => {
                    let class = self.property()?;
                    self.out.push_str(&class);
                }
                [b'\\', c, ..] if let Some(class) = perl(char::from(*c)) => {
                    self.out.push_str(class);
                    self.rest = &self.rest[2..];
                }
                _ => self.range()?,
            }
        }
        Ok(self.copy(1, Before::Operand))
    }

    fn range(&mut self) -> Result<(), Fault> {
        let low = self.class_char()?;
        let mut high = low;
        if let Some(rest) = self.rest.strip_prefix('-')
            && !rest.starts_with(']')
        {
            self.rest = rest;
            high = self.class_char()?;
            if high < low {
                return Err(RANGE);
            }
        }
        put(&mut self.out, low);
        self.out.push('-');
        put(&mut self.out, high);
        Ok(())
    }

    fn class_char(&mut self) -> Result<char, Fault> {
        let c = self.rest.chars().next().ok_or("missing closing ]")?;
        if c == '\\' {
            return self.escaped();
        }
        self.rest = &self.rest[c.len_utf8()..];
        Ok(c)
    }
}

fn put(out: &mut String, c: char) {
    // Writing to a string does not fail.
    let _ = write!(out, "\\x{{{:x}}}", u32::from(c));
}

/// The classes of Perl: of ASCII, where the `regex` crate takes all of Unicode, which is hundreds of times as large.
fn perl(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => r"[\t\n\f\r ]",
        'S' => r"[^\t\n\f\r ]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        _ => return None,
    })
}

fn hex(digits: &str) -> Option<u32> {
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

fn has_twice(flags: &str) -> bool {
    flags.chars().enumerate().any(|(at, flag)| flags.chars().take(at).any(|other| other == flag))
}

/// The length of `{n}`, `{n,}` or `{n,m}`; `None` if it is not one, and stands for itself.
fn counts(text: &str) -> Result<Option<usize>, Fault> {
    let Some(inner) = text[1..].split_once('}').map(|(inner, _)| inner) else { return Ok(None) };
    let (low, high) = inner.split_once(',').unwrap_or((inner, inner));
    let number = |digits: &str| {
        let plain = digits.bytes().all(|b| b.is_ascii_digit());
        let plain = plain && !digits.is_empty() && (digits == "0" || !digits.starts_with('0'));
        // More digits than fit are too many in any case.
        plain.then(|| digits.parse().unwrap_or(u32::MAX))
    };
    let low = number(low);
    let high = if high.is_empty() && inner.ends_with(',') { low } else { number(high) };
    let (Some(low), Some(high)) = (low, high) else { return Ok(None) };
    if high > REPEAT_MAX || low > high { Err(REPEAT) } else { Ok(Some(inner.len() + 2)) }
}

#[cfg(test)]
mod tests;
