//! The least that a broker must do on this machine for the bytes that it takes and gives: what Odradek is compared with.
//!
//! One thread, one ring. Of a Produce request: receive it, check the CRC of every batch, copy them into the group buffer with
//! their offsets, write the group with DSYNC into blocks that were written before, one group in flight; when it is complete,
//! acknowledge. Of a Fetch request: send 1 MiB, from memory (topic `memory`) or from warm pages (topic `warm`, one reader
//! at a time, since it blocks in `sendfile`). No sessions, no partitions, no records looked at, nothing that could be read back.
//!
//! It says enough of itself for Kafka's own producers to send to it; `perf send` and `perf fetch` need not ask. A request that
//! is not understood ends the program, since whatever was being measured is void.
//!
//! Read `frames` (which request it is), `produce`, `served` (Fetch), `node` (what clients ask first), `log` (the group
//! commit), `connection`, `server` (the loop).

mod connection;
mod frames;
mod log;
mod node;
mod produce;
mod served;
mod server;

use std::{io::Write as _, net::TcpListener, path::PathBuf};

use anyhow::{Result, ensure};

use crate::args::Args;
use node::Node;

pub fn run(args: &Args) -> Result<()> {
    let port: u16 = args.required("port")?;
    let data: PathBuf = args.required("data")?;
    let partitions: i32 = args.or("partitions", 6)?;
    ensure!(partitions > 0, "--partitions {partitions}: there must be one");
    std::fs::create_dir_all(&data)?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let mut server = server::Server::new(listener, Node::new(port, partitions), &data)?;
    let mut out = std::io::stdout();
    writeln!(out, "roofline ready listener=127.0.0.1:{port} pid={}", std::process::id())?;
    out.flush()?;
    server.run()
}
