//! Prometheus's text format, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::metrics::{MetricKind, Reading, Sample};

/// All samples, those of one name together under its help and type, in the order of the names.
pub fn render(samples: &[Sample]) -> String {
    let mut by_name: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        by_name.entry(sample.name).or_default().push(sample);
    }
    let mut text = String::with_capacity(samples.len() * 80);
    for (name, samples) in by_name {
        let first = samples[0];
        let kind = match (&first.value, first.kind) {
            (Reading::Distribution { .. }, _) => "summary",
            (Reading::Number(_), MetricKind::Counter) => "counter",
            (Reading::Number(_), MetricKind::Gauge) => "gauge",
        };
        let help = first.help.replace('\\', "\\\\").replace('\n', "\\n");
        put(&mut text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        for sample in samples {
            put_sample(&mut text, sample);
        }
    }
    text
}

fn put_sample(text: &mut String, sample: &Sample) {
    let Sample { name, labels, .. } = sample;
    match &sample.value {
        Reading::Number(value) => {
            put(text, format_args!("{name}{} {value}\n", braces(labels, None)))
        }
        Reading::Distribution { quantiles, sum, count } => {
            for (quantile, value) in quantiles {
                put(text, format_args!("{name}{} {value}\n", braces(labels, Some(*quantile))));
            }
            let labels = braces(labels, None);
            put(text, format_args!("{name}_sum{labels} {sum}\n{name}_count{labels} {count}\n"));
        }
    }
}

fn braces(labels: &[(&str, String)], quantile: Option<f64>) -> String {
    let quantile = quantile.map(|quantile| ("quantile", quantile.to_string()));
    let escape =
        |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels = labels.iter().chain(quantile.as_ref());
    let pairs: Vec<String> =
        labels.map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(what);
}
