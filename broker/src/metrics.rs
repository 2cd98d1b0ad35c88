//! What is measured, as the admin thread shows it: a flat list of samples, made by each shard when it is asked and never shared.

/// How a sample's value is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows, from the start of the process on.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// One value of one metric. Samples of one name have one `help` and one `kind`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// `odradek_` and words in snake case; a counter ends in `_total`, a unit stands before that.
    pub name: &'static str,
    pub help: &'static str,
    pub kind: MetricKind,
    pub labels: Vec<(&'static str, String)>,
    pub value: Reading,
}

/// A number, or a distribution.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    Number(f64),
    /// Shown as a Prometheus summary: quantiles, sum and count. `kind` does not matter.
    Distribution {
        quantiles: Vec<(f64, f64)>,
        sum: f64,
        count: u64,
    },
}

impl Sample {
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Sample {
        Sample {
            name,
            help,
            kind: MetricKind::Counter,
            labels: Vec::new(),
            value: Reading::Number(value as f64),
        }
    }

    pub fn gauge(name: &'static str, help: &'static str, value: f64) -> Sample {
        Sample {
            name,
            help,
            kind: MetricKind::Gauge,
            labels: Vec::new(),
            value: Reading::Number(value),
        }
    }

    /// A histogram of microseconds, shown in seconds as its p50, p99, p99.9 and maximum.
    pub fn latency(
        name: &'static str,
        help: &'static str,
        micros: &hdrhistogram::Histogram<u64>,
    ) -> Sample {
        let seconds = |micros: u64| micros as f64 / 1e6;
        let quantiles =
            [0.5, 0.99, 0.999, 1.0].map(|q| (q, seconds(micros.value_at_quantile(q)))).to_vec();
        let sum = micros.mean() * micros.len() as f64 / 1e6;
        let value = Reading::Distribution { quantiles, sum, count: micros.len() };
        Sample { name, help, kind: MetricKind::Gauge, labels: Vec::new(), value }
    }

    /// The same with one more label.
    #[must_use]
    pub fn with(mut self, label: &'static str, value: impl ToString) -> Sample {
        self.labels.push((label, value.to_string()));
        self
    }
}
