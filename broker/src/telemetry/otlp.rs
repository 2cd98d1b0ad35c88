//! Reads `MetricsData` of OpenTelemetry's protocol: of gauges and sums the numbers, of histograms count and sum. What else stands in
//! it is skipped; a message that is cut short or has lengths beyond its end is an error.
//!
//! ```text
//! MetricsData { 2?: .. 1: ResourceMetrics { 2: ScopeMetrics { 2: Metric { 1: name, 5: Gauge, 7: Sum, 9: Histogram } } } }
//! Gauge, Sum { 1: NumberDataPoint { 4: double, 6: sfixed64, 7: KeyValue }, 2 of Sum: temporality }
//! Histogram { 1: HistogramDataPoint { 4: count fixed64, 5: sum double, 9: KeyValue }, 2: temporality }
//! ```

/// Points of one push, at most.
const POINTS_MAX: usize = 5000;
/// Of a name with its attributes, in bytes.
const NAME_BYTES_MAX: usize = 1024;
/// `AGGREGATION_TEMPORALITY_DELTA`.
const DELTA: u64 = 1;

/// What tells one series from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub name: String,
    /// `key=value`, separated by commas.
    pub attributes: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub name: Name,
    pub value: f64,
    /// To be added to what was there.
    pub is_delta: bool,
}

/// It is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// One field of a message.
enum Field<'a> {
    Number(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
}

/// All points, as far as there is room for them.
pub(super) fn read(data: &[u8]) -> Result<Vec<Point>, Malformed> {
    let mut points = Vec::new();
    each(data, |resource| match resource {
        (1, Field::Bytes(resource)) => each(resource, |scope| match scope {
            (2, Field::Bytes(scope)) => each(scope, |metric| match metric {
                (2, Field::Bytes(metric)) => read_metric(metric, &mut points),
                _ => Ok(()),
            }),
            _ => Ok(()),
        }),
        _ => Ok(()),
    })?;
    Ok(points)
}

fn read_metric(metric: &[u8], points: &mut Vec<Point>) -> Result<(), Malformed> {
    let mut name = "";
    let mut data = None;
    each(metric, |field| {
        match field {
            (1, Field::Bytes(text)) => name = std::str::from_utf8(text).map_err(|_| Malformed)?,
            (kind @ (5 | 7 | 9), Field::Bytes(bytes)) => data = Some((kind, bytes)),
            _ => {}
        }
        Ok(())
    })?;
    let Some((kind, data)) = data else { return Ok(()) };
    let mut is_delta = false;
    each(data, |field| {
        if let (2, Field::Number(temporality)) = field {
            is_delta = kind != 5 && temporality == DELTA;
        }
        Ok(())
    })?;
    each(data, |field| match field {
        (1, Field::Bytes(point)) if kind == 9 => read_histogram(point, name, is_delta, points),
        (1, Field::Bytes(point)) => read_number(point, name, is_delta, points),
        _ => Ok(()),
    })
}

fn read_number(
    point: &[u8],
    name: &str,
    is_delta: bool,
    points: &mut Vec<Point>,
) -> Result<(), Malformed> {
    let mut value = None;
    let mut attributes = String::new();
    each(point, |field| {
        match field {
            (4, Field::Fixed(bits)) => value = Some(f64::from_bits(bits)),
            #[expect(clippy::cast_precision_loss, reason = "metrics are shown as doubles")]
            (6, Field::Fixed(bits)) => value = Some(bits.cast_signed() as f64),
            (7, Field::Bytes(pair)) => read_attribute(pair, &mut attributes)?,
            _ => {}
        }
        Ok(())
    })?;
    if let Some(value) = value {
        add(points, name.to_owned(), attributes, value, is_delta);
    }
    Ok(())
}

fn read_histogram(
    point: &[u8],
    name: &str,
    is_delta: bool,
    points: &mut Vec<Point>,
) -> Result<(), Malformed> {
    let (mut count, mut sum) = (None, None);
    let mut attributes = String::new();
    each(point, |field| {
        match field {
            #[expect(clippy::cast_precision_loss, reason = "metrics are shown as doubles")]
            (4, Field::Fixed(bits)) => count = Some(bits as f64),
            (5, Field::Fixed(bits)) => sum = Some(f64::from_bits(bits)),
            (9, Field::Bytes(pair)) => read_attribute(pair, &mut attributes)?,
            _ => {}
        }
        Ok(())
    })?;
    for (what, value) in [("count", count), ("sum", sum)] {
        if let Some(value) = value {
            add(points, format!("{name}.{what}"), attributes.clone(), value, is_delta);
        }
    }
    Ok(())
}

fn add(points: &mut Vec<Point>, name: String, attributes: String, value: f64, is_delta: bool) {
    if points.len() < POINTS_MAX && name.len() + attributes.len() <= NAME_BYTES_MAX {
        points.push(Point { name: Name { name, attributes }, value, is_delta });
    }
}

/// `KeyValue { 1: key, 2: AnyValue { 1: string, 2: bool, 3: int, 4: double } }`.
fn read_attribute(pair: &[u8], attributes: &mut String) -> Result<(), Malformed> {
    let (mut key, mut value) = ("", String::new());
    each(pair, |field| {
        match field {
            (1, Field::Bytes(text)) => key = std::str::from_utf8(text).map_err(|_| Malformed)?,
            (2, Field::Bytes(any)) => each(any, |any| {
                value = match any {
                    (1, Field::Bytes(text)) => {
                        std::str::from_utf8(text).map_err(|_| Malformed)?.to_owned()
                    }
                    (2, Field::Number(number)) => (number != 0).to_string(),
                    (3, Field::Number(number)) => number.cast_signed().to_string(),
                    (4, Field::Fixed(bits)) => f64::from_bits(bits).to_string(),
                    _ => String::new(),
                };
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    if attributes.len() + key.len() + value.len() < NAME_BYTES_MAX {
        let comma = if attributes.is_empty() { "" } else { "," };
        attributes.push_str(&format!("{comma}{key}={value}"));
    }
    Ok(())
}

/// Calls for each field of a message.
fn each<'a>(
    mut rest: &'a [u8],
    mut field: impl FnMut((u64, Field<'a>)) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let value = match key & 7 {
            0 => Field::Number(varint(&mut rest)?),
            1 => Field::Fixed(u64::from_le_bytes(take(&mut rest)?)),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).map_err(|_| Malformed)?;
                let (bytes, behind) = rest.split_at_checked(length).ok_or(Malformed)?;
                rest = behind;
                Field::Bytes(bytes)
            }
            5 => Field::Number(u64::from(u32::from_le_bytes(take(&mut rest)?))),
            _ => return Err(Malformed),
        };
        field((key >> 3, value))?;
    }
    Ok(())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (bytes, behind) = rest.split_first_chunk::<N>().ok_or(Malformed)?;
    *rest = behind;
    Ok(*bytes)
}

fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let [byte] = take::<1>(rest)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Malformed)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A sum `m` of 3, with the attribute `k=v`, as a delta.
    pub(in crate::telemetry) const EXAMPLE: &[u8] = &[
        0x0a, 34, 0x12, 32, 0x12, 30, 0x0a, 1, b'm', 0x3a, 25, 0x0a, 21, 0x31, 3, 0, 0, 0, 0, 0, 0,
        0, 0x3a, 10, 0x0a, 1, b'k', 0x12, 5, 0x0a, 3, b'v', b'v', b'v', 0x10, 1,
    ];

    #[test]
    fn numbers_are_read() {
        let points = read(EXAMPLE).unwrap();
        let name = Name { name: "m".into(), attributes: "k=vvv".into() };
        assert_eq!(points, [Point { name, value: 3.0, is_delta: true }]);
    }

    #[test]
    fn what_is_cut_or_changed_does_no_harm() {
        for length in 0..EXAMPLE.len() {
            let _ = read(&EXAMPLE[..length]);
            assert!(length == 0 || read(&EXAMPLE[..length]).is_err());
        }
        for at in 0..EXAMPLE.len() {
            for bit in 0..8 {
                let mut changed = EXAMPLE.to_vec();
                changed[at] ^= 1 << bit;
                let _ = read(&changed);
            }
        }
    }
}
