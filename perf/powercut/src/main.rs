//! `powercut IMAGE DIRECTORY SOCKET FLUSH_US`: mounts the drive over an image, as `DIRECTORY/drive`, until it is unmounted. A flush
//! takes so many microseconds. Needs root.

#![expect(clippy::disallowed_types, reason = "one drive, asked by two threads; no shard")]

use std::{
    fs::File,
    os::unix::net::UnixListener,
    path::Path,
    process::ExitCode,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use fuser::{Config, MountOption, Session};
use powercut::{
    control,
    drive::{CACHE_BYTES, Drive},
    layer::Layer,
};

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("powercut: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<()> {
    let [image, directory, socket, flush_us] = words else {
        bail!("usage: powercut IMAGE DIRECTORY SOCKET FLUSH_US");
    };
    let flush = Duration::from_micros(flush_us.parse().context("FLUSH_US")?);
    let file = File::options().read(true).write(true).open(image).context(image.clone())?;
    let drive = Arc::new(Mutex::new(Drive::new(file, CACHE_BYTES)?));
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("powercut".into()), MountOption::NoDev];
    let layer = Layer { drive: Arc::clone(&drive), flush };
    let session = Session::new(layer, Path::new(directory), &config).context("mounting")?;
    // Who can connect finds the drive mounted.
    let listener = UnixListener::bind(socket).context(socket.clone())?;
    thread::Builder::new().spawn(move || control::serve(&listener, &drive))?;
    session.run().context("serving")
}
