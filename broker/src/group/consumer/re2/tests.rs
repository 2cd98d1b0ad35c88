use super::*;

/// Names that patterns are tried on.
const NAMES: [&str; 21] = [
    "a", "b", "ab", "[a", "a]", "[]", "a.b", "&", "A", "-", "~", "aaa", "]", "{", "<", "_", "a{",
    "a{,3}", "5", "}", "{1}",
];

/// What RE2/J 1.8 says of each: the names that match, or why it is none.
#[rustfmt::skip]
const PATTERNS: [(&str, Result<&str, &str>); 94] = [
    (r#"["#, Err(r#"missing closing ]"#)),
    (r#"("#, Err(r#"missing closing )"#)),
    (r#")"#, Err(r#"regexp/syntax: internal error"#)),
    (r#"a**"#, Err(r#"invalid nested repetition operator"#)),
    (r#"*a"#, Err(r#"missing argument to repetition operator"#)),
    (r#"a{1001}"#, Err(r#"invalid repeat count"#)),
    (r#"a{2,1}"#, Err(r#"invalid repeat count"#)),
    (r#"a{"#, Ok(r#"a{"#)),
    (r#"a{,3}"#, Ok(r#"a{,3}"#)),
    (r#"(?=a)"#, Err(r#"invalid or unsupported Perl syntax"#)),
    (r#"\1"#, Err(r#"invalid escape sequence"#)),
    (r#"[z-a]"#, Err(r#"invalid character class range"#)),
    (r#"\"#, Err(r#"trailing backslash at end of expression"#)),
    (r#"[a"#, Err(r#"missing closing ]"#)),
    (r#"(?P<n"#, Err(r#"invalid named capture"#)),
    (r#"(?<n>a)"#, Ok(r#"a"#)),
    (r#"(?P<n>a)(?P<n>b)"#, Err(r#"duplicate capture group name"#)),
    (r#"\pX"#, Err(r#"invalid character class range"#)),
    (r#"[[a]]"#, Ok(r#"a] []"#)),
    (r#"[a&&b]"#, Ok(r#"a b &"#)),
    (r#"\Qa.b\E"#, Ok(r#"a.b"#)),
    (r#"\Qa.b"#, Ok(r#"a.b"#)),
    (r#"\8"#, Err(r#"invalid escape sequence"#)),
    (r#"\_"#, Ok(r#"_"#)),
    (r#"\<"#, Ok(r#"<"#)),
    (r#"x{0,1000}"#, Ok(r#""#)),
    (r#"(?x)a b"#, Err(r#"invalid or unsupported Perl syntax"#)),
    (r#"(?u)a"#, Err(r#"invalid or unsupported Perl syntax"#)),
    (r#"[[:alpha:]]+"#, Ok(r#"a b ab A aaa"#)),
    (r#"[[:foo:]]"#, Err(r#"invalid character class range"#)),
    (r#"\Z"#, Err(r#"invalid escape sequence"#)),
    (r#"\z"#, Ok(r#""#)),
    (r#"\A"#, Ok(r#""#)),
    (r#"a++"#, Err(r#"invalid nested repetition operator"#)),
    (r#"a*?"#, Ok(r#"a aaa"#)),
    (r#"a??"#, Ok(r#"a"#)),
    (r#"a?+"#, Err(r#"invalid nested repetition operator"#)),
    (r#"(?i)A"#, Ok(r#"a A"#)),
    (r#"[^]a]"#, Ok(r#"b & A - ~ { < _ 5 }"#)),
    (r#"[]a]"#, Ok(r#"a ]"#)),
    (r#"[]"#, Err(r#"missing closing ]"#)),
    (r#"\C"#, Err(r#"invalid escape sequence"#)),
    (r#"\G"#, Err(r#"invalid escape sequence"#)),
    (r#"\R"#, Err(r#"invalid escape sequence"#)),
    (r#"\h"#, Err(r#"invalid escape sequence"#)),
    (r#"\x{41}"#, Ok(r#"A"#)),
    (r#"\x4"#, Err(r#"invalid escape sequence"#)),
    (r#"\x41"#, Ok(r#"A"#)),
    (r#"\101"#, Ok(r#"A"#)),
    (r#"\07"#, Ok(r#""#)),
    (r#"(?:a"#, Err(r#"missing closing )"#)),
    (r#"(?"#, Err(r#"invalid or unsupported Perl syntax"#)),
    (r#"(?i"#, Err(r#"invalid or unsupported Perl syntax"#)),
    (r#"(?z)"#, Err(r#"invalid or unsupported Perl syntax"#)),
    (r#"|a"#, Ok(r#"a"#)),
    (r#"a||b"#, Ok(r#"a b"#)),
    (r#"^$"#, Ok(r#""#)),
    (r#"a{1}{2}"#, Err(r#"invalid nested repetition operator"#)),
    (r#"(a{100}){11}"#, Ok(r#""#)),
    (r#"[a-\d]"#, Err(r#"invalid escape sequence"#)),
    (r#"[\d-z]"#, Ok(r#"- 5"#)),
    (r#"\pN"#, Ok(r#"5"#)),
    (r#"\p{Greek}"#, Ok(r#""#)),
    (r#"\p{^Greek}"#, Ok(r#"a b & A - ~ ] { < _ 5 }"#)),
    (r#"\PN"#, Ok(r#"a b & A - ~ ] { < _ }"#)),
    (r#"é.*"#, Ok(r#""#)),
    (r#"\é"#, Ok(r#""#)),
    (r#"[\Q]\E]"#, Err(r#"invalid escape sequence"#)),
    (r#"(?s)."#, Ok(r#"a b & A - ~ ] { < _ 5 }"#)),
    (r#"(?U)a+"#, Ok(r#"a aaa"#)),
    (r#"(?-i)a"#, Ok(r#"a"#)),
    (r#"(?i-s:a)"#, Ok(r#"a A"#)),
    (r#"\b{start}"#, Ok(r#""#)),
    (r#"[a--b]"#, Err(r#"invalid character class range"#)),
    (r#"[a~~b]"#, Ok(r#"a b ~"#)),
    (r#"(?R)"#, Err(r#"invalid or unsupported Perl syntax"#)),
    (r#"\e"#, Err(r#"invalid escape sequence"#)),
    (r#"\cA"#, Err(r#"invalid escape sequence"#)),
    (r#"a{0}{"#, Ok(r#"{"#)),
    (r#"}"#, Ok(r#"}"#)),
    (r#"{"#, Ok(r#"{"#)),
    (r#"{1}"#, Err(r#"missing argument to repetition operator"#)),
    (r#"+"#, Err(r#"missing argument to repetition operator"#)),
    (r#"(+)"#, Err(r#"missing argument to repetition operator"#)),
    (r#"(|a)*"#, Ok(r#"a aaa"#)),
    (r#"^*"#, Ok(r#""#)),
    (r#"\b*"#, Ok(r#""#)),
    (r#"(?i)*"#, Err(r#"missing argument to repetition operator"#)),
    (r#"[\b]"#, Err(r#"invalid escape sequence"#)),
    (r#"[\z]"#, Err(r#"invalid escape sequence"#)),
    (r#"[\_\-]"#, Ok(r#"- _"#)),
    (r#"(?P=n)"#, Err(r#"invalid or unsupported Perl syntax"#)),
    (r#"(?#c)a"#, Err(r#"invalid or unsupported Perl syntax"#)),
    (r#"[a-z&&[^b]]"#, Ok(r#"a] []"#)),
];

#[test]
fn patterns_mean_what_they_mean_to_re2j() {
    for (pattern, expected) in PATTERNS {
        let matching = |regex: Regex| {
            let matching: Vec<_> = NAMES.into_iter().filter(|name| regex.is_match(name)).collect();
            matching.join(" ")
        };
        let found = compile(pattern).map(matching);
        assert_eq!(found, expected.map(str::to_owned), "{pattern}");
    }
}

#[test]
fn no_pattern_is_larger_than_it_may_be() {
    assert!(compile(r"((a{1000}){1000}){1000}").is_err());
    assert!(compile(&"(".repeat(100_000)).is_err());
    assert!(compile(&format!("{}{}", "(".repeat(10_000), ")".repeat(10_000))).is_err());
}

/// The classes of Perl are RE2/J's: of ASCII, so that they may be repeated as often as there.
#[test]
fn classes_of_perl_are_ascii() {
    let names = ["ab_1", "é", "1", "\u{b}", "ſ"];
    let check = |pattern: &str, expected: [bool; 5]| {
        let regex = compile(pattern).unwrap_or_else(|fault| panic!("{pattern}: {fault}"));
        assert_eq!(names.map(|name| regex.is_match(name)), expected, "{pattern}");
    };
    check(r"\w{1,249}", [true, false, true, false, false]);
    check(r"[\w.-]{1,249}", [true, false, true, false, false]);
    check(r"[^\w]{1,249}", [false, true, false, true, true]);
    check(r"(?i)\w{1,249}", [true, false, true, false, true]);
    check(r"\S{1,249}", [true; 5]);
    check(r"\d{1,1000}", [false, false, true, false, false]);
    check(r"\D{1,1000}", [false, true, false, true, true]);
    check(r".{1,1000}", [true; 5]);
}

/// A client chooses it: what it costs to read it has a bound, and it must fit into the key of a record.
#[test]
fn what_is_too_long_is_not_looked_at() {
    let check = |unit: &str, times: usize| {
        assert_eq!(compile(&unit.repeat(times)).err(), Some("expression too large"), "{unit}");
    };
    for unit in ["{", "[a]", r"\d", "a{2}", "(", "\\"] {
        check(unit, PATTERN_MAX / unit.len() + 1);
    }
    check(r"\pL", PROPERTIES_MAX + 1);
    check(r"[\p{Lu}]", PROPERTIES_MAX + 1);
    assert!(compile(&"[a]".repeat(PATTERN_MAX / 3)).is_ok());
}
