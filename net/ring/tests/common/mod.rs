//! One executor and one ring per test.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::{
    future::Future,
    net::{TcpListener, TcpStream},
    os::fd::OwnedFd,
    sync::Arc,
};

use glommio::{LocalExecutorBuilder, Placement};
use ring::{Ring, RingOptions};

pub(crate) fn with_ring<F: Future<Output = ()>>(
    options: RingOptions,
    test: impl FnOnce(Ring) -> F,
) {
    let executor = LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20).make().unwrap();
    executor.run(async move {
        let ring = Ring::new(&options).unwrap();
        test(ring.clone()).await;
        ring.close().await;
    });
}

pub(crate) fn pair() -> (Arc<OwnedFd>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    (Arc::new(OwnedFd::from(ours)), peer)
}
