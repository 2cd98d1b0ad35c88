//! Sessions: their epochs, how many there may be, and what ends them.

use std::time::{Duration, Instant};

use net::wire::ErrorCode;
use net::wire::share_acknowledge::ShareAcknowledgeRequest;
use net::wire::share_fetch::ShareFetchRequest;

use super::member::{Member, Wish};
use super::{ACCEPT, RELEASE, node, produce};

#[test]
fn a_request_names_its_session() {
    let (node, topic) = node(3, 3, &[]);
    let mut client = node.connect();
    produce(&mut client, 0, &["0"]);
    let mut a = Member::new(&node, "g", "a", topic);
    for epoch in [-1, 1, 5] {
        a.epoch = epoch;
        assert_eq!(a.fetch(&[0], Wish::long()).code, ErrorCode::SHARE_SESSION_NOT_FOUND);
        a.epoch = epoch;
        let code = a.acknowledge(0, &[(0, 0, ACCEPT)]);
        assert_eq!(code, ErrorCode::SHARE_SESSION_NOT_FOUND);
    }
    a.epoch = 0;
    let code = a.acknowledge(0, &[(0, 0, ACCEPT)]);
    assert_eq!(code, ErrorCode::INVALID_SHARE_SESSION_EPOCH);
    a.epoch = 0;
    let told = a.fetch_saying(&[0], &[(0, 0, 0, ACCEPT)], Wish::long());
    assert_eq!(told.code, ErrorCode::INVALID_REQUEST);
    a.epoch = 0;
    let got = a.fetch(&[0, 1], Wish::default());
    assert_eq!(got.acquired, [(0, 0, 0, 1)]);
    a.epoch = 2;
    assert_eq!(a.fetch(&[], Wish::long()).code, ErrorCode::INVALID_SHARE_SESSION_EPOCH);
    a.epoch = 2;
    let code = a.acknowledge(0, &[(0, 0, ACCEPT)]);
    assert_eq!(code, ErrorCode::INVALID_SHARE_SESSION_EPOCH);
    // Requests of both kinds count the epoch up, whatever connection they use.
    a.epoch = 1;
    let _first = std::mem::replace(&mut a.client, node.connect());
    assert_eq!(a.acknowledge(0, &[(0, 0, RELEASE)]), ErrorCode::NONE);
    assert_eq!(a.fetch(&[], Wish::default()).acquired, [(0, 0, 0, 2)]);
    // What the session just got is named; what there is nothing to say of is not.
    let got = a.fetch(&[2], Wish::short());
    assert_eq!((got.code, got.named), (ErrorCode::NONE, vec![2]));
    assert_eq!(a.fetch(&[], Wish::short()).named, Vec::<i32>::new());
    a.epoch = -1;
    assert_eq!(a.acknowledge(0, &[(0, 0, ACCEPT)]), ErrorCode::NONE);
    assert_eq!(a.acknowledge(0, &[(0, 0, ACCEPT)]), ErrorCode::SHARE_SESSION_NOT_FOUND);
}

#[test]
fn who_asks_must_be_said() {
    let (node, topic) = node(1, 1, &[]);
    let mut a = Member::new(&node, "g", "a", topic);
    let long = "m".repeat(37);
    for member in [None, Some(""), Some(&*long)] {
        let fetch = ShareFetchRequest {
            member_id: member.map(Into::into),
            ..a.request(&[0], &[], Wish::long())
        };
        assert_eq!(a.client.call(1, &fetch).error_code, ErrorCode::INVALID_REQUEST);
        let acknowledge = ShareAcknowledgeRequest {
            group_id: Some("g".into()),
            member_id: member.map(Into::into),
            ..ShareAcknowledgeRequest::default()
        };
        assert_eq!(a.client.call(1, &acknowledge).error_code, ErrorCode::INVALID_REQUEST);
    }
    let fetch = ShareFetchRequest { group_id: None, ..a.request(&[0], &[], Wish::long()) };
    assert_eq!(a.client.call(1, &fetch).error_code, ErrorCode::INVALID_REQUEST);
    let acknowledge = ShareAcknowledgeRequest {
        member_id: Some("a".into()),
        ..ShareAcknowledgeRequest::default()
    };
    assert_eq!(a.client.call(1, &acknowledge).error_code, ErrorCode::INVALID_REQUEST);
}

#[test]
fn a_session_that_ends_gives_back_what_its_member_has() {
    for shards in [1, 3] {
        let (node, topic) = node(shards, 2, &[]);
        let mut client = node.connect();
        produce(&mut client, 0, &["0", "1"]);
        produce(&mut client, 1, &["x"]);
        let mut a = Member::new(&node, "g", "a", topic);
        let mut b = Member::new(&node, "g", "b", topic);
        let both = |member: &mut Member| {
            let mut got = Vec::new();
            let until = Instant::now() + Duration::from_secs(10);
            while got.len() < 2 {
                assert!(Instant::now() < until, "{got:?}");
                let named: &[i32] = if member.epoch == 0 { &[0, 1] } else { &[] };
                got.extend(member.fetch(named, Wish::default()).acquired);
            }
            got.sort_unstable();
            got
        };
        assert_eq!(both(&mut a), [(0, 0, 1, 1), (1, 0, 0, 1)]);
        // By a fetch.
        assert_eq!(a.end(), ErrorCode::NONE);
        assert_eq!(both(&mut b), [(0, 0, 1, 2), (1, 0, 0, 2)]);
        // By an acknowledgement, what it says first.
        b.epoch = -1;
        assert_eq!(b.acknowledge(1, &[(0, 0, ACCEPT)]), ErrorCode::NONE);
        a.epoch = 0;
        assert_eq!(a.fetch(&[0, 1], Wish::default()).acquired, [(0, 0, 1, 3)]);
        // With its connection.
        b.epoch = 0;
        assert_eq!(b.fetch(&[0, 1], Wish::short()).acquired, []);
        b.send_fetch(&[], &[], Wish::long());
        drop(a);
        assert_eq!(b.received(2).acquired, [(0, 0, 0, 4)], "half of them: they fail often");
        // Nobody is left: nothing is kept for the group.
        drop(b);
        let until = Instant::now() + Duration::from_secs(10);
        while node.counter("odradek_led_share_partitions") > 0.0 {
            assert!(Instant::now() < until, "share partitions stay");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(node.counter("odradek_share_sessions").abs() < 0.5);
    }
}

#[test]
fn a_session_that_begins_anew_leaves_what_its_member_has() {
    let (node, topic) = node(3, 1, &[]);
    let mut client = node.connect();
    produce(&mut client, 0, &["0", "1"]);
    let mut a = Member::new(&node, "g", "a", topic);
    assert_eq!(a.fetch(&[0], Wish::default()).acquired, [(0, 0, 1, 1)]);
    let mut again = Member::new(&node, "g", "a", topic);
    assert_eq!(again.fetch(&[0], Wish::short()).acquired, []);
    assert_eq!(a.fetch(&[], Wish::short()).code, ErrorCode::NONE, "it is one session");
    drop(a);
    std::thread::sleep(Duration::from_millis(50));
    again.epoch += 1;
    assert_eq!(again.acknowledge(0, &[(0, 1, ACCEPT)]), ErrorCode::NONE);
}
