//! Keys of a client metrics subscription (KIP-714).

use super::*;

keys! { pub(crate) CLIENT_METRICS:
    "interval.ms", Int = "300000", Any, Medium, ClusterWide, Public, Used;
        "How often a client pushes its metrics, in milliseconds: 100 to 3600000."
    "match", List = "", ENTRIES, Medium, ClusterWide, Public, Used;
        "Which clients are meant: a list of name=regular expression."
    "metrics", List = "", ENTRIES, Medium, ClusterWide, Public, Used;
        "Prefixes of the names of the metrics that are wanted; * for all."
}
