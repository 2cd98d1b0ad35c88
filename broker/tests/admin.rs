//! The admin server: `/health` through the life of a node, `/metrics` in Prometheus's format, and connections that stall.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use broker::admin::{Admin, Source, render};
use broker::metrics::Sample;
use hdrhistogram::Histogram;

fn start() -> Admin {
    Admin::start(SocketAddr::from(([127, 0, 0, 1], 0))).expect("started")
}

fn source(samples: Vec<Sample>) -> Source {
    Arc::new(move || {
        let samples = samples.clone();
        Box::pin(async move { samples })
    })
}

fn get(admin: &Admin, path: &str) -> String {
    let mut stream = TcpStream::connect(admin.address()).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

#[test]
fn health_follows_the_node() {
    let admin = start();
    let starting = get(&admin, "/health");
    assert!(
        starting.starts_with("HTTP/1.1 503")
            && starting.contains(r#"{"ready":false,"status":"starting"}"#),
        "{starting}"
    );
    admin.serving(source(Vec::new()));
    let serving = get(&admin, "/health");
    assert!(
        serving.starts_with("HTTP/1.1 200")
            && serving.contains(r#"{"ready":true,"status":"serving"}"#),
        "{serving}"
    );
    admin.stopping();
    assert!(get(&admin, "/health").contains(r#"{"ready":false,"status":"stopping"}"#));
    assert!(get(&admin, "/other").starts_with("HTTP/1.1 404"));
}

#[test]
fn metrics_are_asked_for_each_time() {
    let admin = start();
    assert!(get(&admin, "/metrics").contains("process_resident_memory_bytes"));
    admin.serving(source(vec![
        Sample::counter("odradek_requests_total", "Requests", 7).with("api", "Fetch"),
    ]));
    let text = get(&admin, "/metrics");
    assert!(
        text.starts_with("HTTP/1.1 200") && text.contains("text/plain; version=0.0.4"),
        "{text}"
    );
    for line in [
        "# HELP odradek_requests_total Requests",
        "# TYPE odradek_requests_total counter",
        "odradek_requests_total{api=\"Fetch\"} 7",
        "odradek_build_info{version=",
        "process_cpu_seconds_total ",
        "process_open_fds ",
    ] {
        assert!(text.contains(line), "{line} is missing in {text}");
    }
}

#[test]
fn an_executor_that_does_not_answer_fails_the_scrape_and_nothing_else() {
    let admin = start();
    admin.serving(Arc::new(|| Box::pin(std::future::pending())));
    assert!(get(&admin, "/metrics").starts_with("HTTP/1.1 503"));
    assert!(get(&admin, "/health").starts_with("HTTP/1.1 200"));
}

#[test]
fn connections_that_send_nothing_leave_room() {
    let admin = start();
    let silent: Vec<TcpStream> =
        (0..60).map(|_| TcpStream::connect(admin.address()).expect("connected")).collect();
    assert!(get(&admin, "/health").starts_with("HTTP/1.1 503"));
    drop(silent);
}

#[test]
fn a_port_that_is_taken_is_refused_with_its_key() {
    let admin = start();
    let error = Admin::start(admin.address()).err().expect("taken");
    assert!(format!("{error:#}").contains("odradek.admin.listener: cannot bind"), "{error:#}");
}

#[test]
fn samples_are_rendered_by_name() {
    let mut micros = Histogram::<u64>::new(3).expect("a histogram");
    micros.record_n(1000, 99).expect("recorded");
    micros.record(2_000_000).expect("recorded");
    let text = render(&[
        Sample::gauge("b", "say \"b\"\\\nb", 1.5).with("path", "a\"b\\c\nd"),
        Sample::counter("a_total", "A", 1).with("shard", 0),
        Sample::gauge("b", "B", 2.0),
        Sample::counter("a_total", "A", 18446744073709551615).with("shard", 1).with("x", "y"),
        Sample::latency("l_seconds", "L", &micros).with("shard", 2),
    ]);
    let expected = "\
# HELP a_total A
# TYPE a_total counter
a_total{shard=\"0\"} 1
a_total{shard=\"1\",x=\"y\"} 18446744073709552000
# HELP b say \"b\"\\\\\\nb
# TYPE b gauge
b{path=\"a\\\"b\\\\c\\nd\"} 1.5
b 2
# HELP l_seconds L
# TYPE l_seconds summary
l_seconds{shard=\"2\",quantile=\"0.5\"} 0.001
l_seconds{shard=\"2\",quantile=\"0.99\"} 0.001
l_seconds{shard=\"2\",quantile=\"0.999\"} 2.000895
l_seconds{shard=\"2\",quantile=\"1\"} 2.000895
";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("l_seconds_count{shard=\"2\"} 100\n"), "{text}");
}
