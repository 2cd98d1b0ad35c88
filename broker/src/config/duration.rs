//! Durations as Java's `Duration.parse` reads them: `PnDTnHnMn.nS`, in milliseconds.

/// `None` for what is no duration, is negative, or does not fit.
pub(crate) fn parse_ms(text: &str) -> Option<u64> {
    let text = text.to_ascii_uppercase();
    let (sign, rest) = signed(&text);
    let (days, time) = match rest.strip_prefix('P')?.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, Some(time)),
        None => (rest.strip_prefix('P')?, None),
    };
    if days.is_empty() && time.is_none() {
        return None;
    }
    let mut ms: i128 = 0;
    if !days.is_empty() {
        ms += whole(days.strip_suffix('D')?)? * 86_400_000;
    }
    let mut left = time.unwrap_or_default();
    for (unit, factor) in [('H', 3_600_000), ('M', 60_000)] {
        if let Some((number, rest)) = left.split_once(unit) {
            ms += whole(number)? * factor;
            left = rest;
        }
    }
    if !left.is_empty() {
        ms += seconds(left.strip_suffix('S')?)?;
    }
    u64::try_from(ms * sign).ok()
}

fn signed(text: &str) -> (i128, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Java's parts fit 64 bits, so that no product of them overflows here.
fn whole(text: &str) -> Option<i128> {
    let digits = text.trim_start_matches(['-', '+']);
    let legal = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    text.parse::<i64>().ok().filter(|_| legal).map(i128::from)
}

/// Whole seconds and up to nine digits behind the point.
fn seconds(text: &str) -> Option<i128> {
    let Some((number, fraction)) = text.split_once('.') else { return Some(whole(text)? * 1000) };
    if fraction.len() > 9 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let padded = format!("{fraction:0<3}");
    let ms = whole(&padded[..3])?;
    let negative = number.starts_with('-');
    Some(whole(number)? * 1000 + if negative { -ms } else { ms })
}

#[cfg(test)]
mod tests {
    use super::parse_ms;

    #[test]
    fn durations_are_read_as_java_reads_them() {
        for (text, ms) in [
            ("PT1S", Some(1000)),
            ("P1D", Some(86_400_000)),
            ("p2dt3h4m5.25s", Some(2 * 86_400_000 + 3 * 3_600_000 + 4 * 60_000 + 5250)),
            ("PT0.000000001S", Some(0)),
            ("+PT2H", Some(7_200_000)),
            ("PT-1S", None),
            ("-PT1S", None),
            ("-PT-1S", Some(1000)),
            ("P", None),
            ("PT", None),
            ("P1DT", None),
            ("1D", None),
            ("PT1M1H", None),
            ("PTS", None),
            ("PT+-1S", None),
            ("P99999999999999999999D", None),
            ("P9223372036854775807D", None),
            ("", None),
        ] {
            assert_eq!(parse_ms(text), ms, "{text}");
        }
    }
}
