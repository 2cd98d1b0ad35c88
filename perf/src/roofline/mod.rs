//! The least that a broker must do on this machine for the bytes that it takes and gives: what Odradek is compared with.
//!
//! One thread, one ring. Of a Produce request: receive it, check the CRC of its batch, copy it into the group buffer with its
//! offset, write the group with DSYNC into blocks that were written before, one group in flight; when it is complete,
//! acknowledge. Of a Fetch request: send 1 MiB, from memory (topic `memory`) or from warm pages (topic `warm`, one reader
//! at a time, since it blocks in `sendfile`). No sessions, no partitions, no records looked at, nothing that could be read back.
//!
//! Read `frames` (what it understands of Kafka), `served` (Fetch), `log` (the group commit), `server` (the loop).

mod frames;
mod log;
mod served;
mod server;

use std::{io::Write as _, net::TcpListener, path::PathBuf};

use anyhow::Result;

use crate::args::Args;

pub fn run(args: &Args) -> Result<()> {
    let port: u16 = args.required("port")?;
    let data: PathBuf = args.required("data")?;
    std::fs::create_dir_all(&data)?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let mut server = server::Server::new(listener, &data)?;
    let mut out = std::io::stdout();
    writeln!(out, "roofline ready listener=127.0.0.1:{port} pid={}", std::process::id())?;
    out.flush()?;
    server.run()
}
