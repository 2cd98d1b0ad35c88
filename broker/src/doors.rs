//! The shard's listeners: opened when everything behind them is ready, closed first when the node stops.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use net::connection::Limits;
use net::connections::{Connections, Rules};
use net::listener::Listener;

use crate::api::Api;
use crate::ports::Port;
use crate::shard::Shard;

/// How long a stopping node lets answers leave.
const DRAIN: Duration = Duration::from_secs(3);
/// Requests of one connection that are read ahead of their answers.
const IN_FLIGHT_REQUESTS: usize = 100;
/// Their bytes. One request may be larger.
const IN_FLIGHT_BYTES: usize = 16 << 20;
/// A peer that takes nothing of its answer for so long is gone.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// A shard's ports, first bound, then open.
pub(crate) struct Doors {
    bound: Vec<Port>,
    open: Vec<Rc<Listener>>,
    /// Of the whole node.
    connections: Arc<Connections>,
}

impl Doors {
    pub(crate) fn new(bound: Vec<Port>, connections: Arc<Connections>) -> Doors {
        Doors { bound, open: Vec::new(), connections }
    }
}

/// Accepts connections from now on.
pub(crate) fn open(shard: &Rc<Shard>) -> Result<(), String> {
    let bound = std::mem::take(&mut shard.doors.borrow_mut().bound);
    let api = Rc::new(Api(Rc::clone(shard)));
    for port in bound {
        let listener = Listener::new(
            &shard.net,
            port.socket,
            port.name.as_str().into(),
            limits(shard),
            Arc::clone(&shard.doors.borrow().connections),
            Rc::clone(&api),
        )
        .map_err(|error| format!("listener {} on {}: {error}", port.name, port.address))?;
        shard.doors.borrow_mut().open.push(Rc::new(listener));
    }
    Ok(())
}

/// From now on the node takes these connections; those that there are stay.
pub(crate) fn limit(shard: &Shard, rules: Rules) {
    shard.doors.borrow().connections.set(rules);
}

/// Stops accepting, then lets the connections end.
pub(crate) async fn close(shard: &Shard) {
    let open = std::mem::take(&mut shard.doors.borrow_mut().open);
    for listener in &open {
        listener.close().await;
    }
    for listener in &open {
        listener.drain(DRAIN).await;
    }
}

fn limits(shard: &Shard) -> Limits {
    let config = shard.in_force();
    let for_ever = Duration::from_secs(365 * 86_400);
    Limits {
        frame_bytes_max: config.request_bytes_max(),
        in_flight_requests_max: IN_FLIGHT_REQUESTS,
        in_flight_bytes_max: IN_FLIGHT_BYTES,
        send_timeout: SEND_TIMEOUT,
        idle_timeout: config.connections_max_idle_ms.map_or(for_ever, Duration::from_millis),
        send_buffer_bytes: config.socket_send_buffer_bytes,
        receive_buffer_bytes: config.socket_receive_buffer_bytes,
    }
}
