//! Ranges of versions, as Kafka's schemas write them.

use proc_macro2::TokenStream;
use quote::quote;
use syn::LitStr;

/// The versions from `first` to `last`, both included. `last` below `first` is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Versions {
    pub(crate) first: i16,
    pub(crate) last: i16,
}

impl Versions {
    pub(crate) const ALL: Versions = Versions { first: 0, last: i16::MAX };
    const NONE: Versions = Versions { first: i16::MAX, last: -1 };

    pub(crate) fn parse(text: &LitStr) -> syn::Result<Versions> {
        Versions::of(&text.value()).ok_or_else(|| {
            syn::Error::new(text.span(), "versions are \"3+\", \"0-12\", \"5\" or \"none\"")
        })
    }

    fn of(text: &str) -> Option<Versions> {
        let number =
            |text: &str| text.parse::<u16>().ok().and_then(|number| i16::try_from(number).ok());
        if text == "none" {
            return Some(Versions::NONE);
        }
        if let Some(first) = text.strip_suffix('+') {
            return Some(Versions { first: number(first)?, last: i16::MAX });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let versions = Versions { first: number(first)?, last: number(last)? };
        (versions.first <= versions.last).then_some(versions)
    }

    /// An expression that says whether `version`, known to lie in `within`, is one of these; `None` when it always is.
    pub(crate) fn test(self, within: Versions) -> Option<TokenStream> {
        let Versions { first, last } = self;
        match (first <= within.first, last >= within.last) {
            _ if first > last => Some(quote!(false)),
            (true, true) => None,
            (true, false) => Some(quote!((version <= #last))),
            (false, true) => Some(quote!((version >= #first))),
            (false, false) => Some(quote!((#first..=#last).contains(&version))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Versions;

    #[track_caller]
    fn check(text: &str, expected: Option<(i16, i16)>) {
        assert_eq!(
            Versions::of(text),
            expected.map(|(first, last)| Versions { first, last }),
            "{text}"
        );
    }

    #[test]
    fn as_kafka_writes_them() {
        check("3+", Some((3, i16::MAX)));
        check("0-12", Some((0, 12)));
        check("5", Some((5, 5)));
        check("none", Some((i16::MAX, -1)));
        check("12-0", None);
        check("-1", None);
        check("+", None);
        check("", None);
        check("40000", None);
    }

    #[test]
    fn a_test_that_is_always_true_is_left_out() {
        let within = Versions { first: 3, last: 13 };
        let test = |text: &str| {
            Versions::of(text)
                .and_then(|versions| versions.test(within))
                .map(|test| test.to_string())
        };
        assert_eq!(test("0+"), None);
        assert_eq!(test("3-13"), None);
        assert_eq!(test("none").as_deref(), Some("false"));
        assert_eq!(test("4+").as_deref(), Some("(version >= 4i16)"));
        assert_eq!(test("0-12").as_deref(), Some("(version <= 12i16)"));
        assert_eq!(test("5-6").as_deref(), Some("(5i16 ..= 6i16) . contains (& version)"));
    }
}
