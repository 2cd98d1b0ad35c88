//! Several manifests become others, all or none.
//!
//! What they are to become is first written into one file, the *plan*, and that is what decides. Before it is renamed into place nothing
//! has changed; from then on every start carries it out, before it opens a store, until it is gone.
//!
//! ```text
//! odradek.plan   0 u64 magic, 8 u32 length of the body, 12 u32 CRC-32C of the body, 16 body
//! body           u16 manifests, then for each of them u16 its store (65535: the controller's), u32 + its bytes
//! ```
//! Little endian. Carrying it out: each manifest under its name, the manifests and log files of higher shards removed, the directory
//! synced, the plan removed. A plan that a crash has left unfinished, under its temporary name, goes then, too.

use std::io;
use std::path::PathBuf;

use crate::commit_log::files::LogDir;
use crate::config::StoreName;
use crate::error::OpenError;
use crate::manifest::Manifest;
use crate::removal::or_gone;
use crate::runtime::{Runtime, read_file, replace_file, temporary};

pub(crate) const PLAN: &str = "odradek.plan";
const MAGIC: u64 = u64::from_le_bytes(*b"ODRPLN01");
const HEAD_BYTES: usize = 16;
const CONTROLLER: u16 = u16::MAX;

/// Writes the plan, durably, and carries it out. No store of the directory is open.
pub(crate) async fn decide<R: Runtime>(
    runtime: &R,
    directory: LogDir<'_>,
    plan: Vec<(StoreName, Manifest)>,
) -> Result<(), OpenError> {
    let path = directory.path.join(PLAN);
    replace_file(runtime, &path, &encode(&plan)).await.map_err(OpenError::io(&path))?;
    runtime.sync_directory(directory.path).await.map_err(OpenError::io(directory.path))?;
    carry_out(runtime, directory).await
}

/// Does what the plan says, if there is one. May be done again.
pub(crate) async fn carry_out<R: Runtime>(
    runtime: &R,
    directory: LogDir<'_>,
) -> Result<(), OpenError> {
    let path = directory.path.join(PLAN);
    // Another plan may never be made that would take its place.
    let unfinished = temporary(&path);
    or_gone(runtime.unlink(&unfinished).await).map_err(OpenError::io(&unfinished))?;
    let bytes = match read_file(runtime, &path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(OpenError::io(&path))?,
    };
    let damaged = || OpenError::Manifest { path: path.clone(), what: "the plan is damaged".into() };
    let plan = decode(&bytes).ok_or_else(damaged)?;
    for (store, manifest) in &plan {
        let path = directory.manifest(*store);
        manifest.write(runtime, &path).await.map_err(OpenError::io(&path))?;
    }
    let shards = plan.iter().filter(|(store, _)| *store != StoreName::Controller).count();
    for path in retired(runtime, directory, shards).await? {
        runtime.unlink(&path).await.map_err(OpenError::io(&path))?;
    }
    if directory.commit != directory.path {
        let commit = directory.commit;
        runtime.sync_directory(commit).await.map_err(OpenError::io(commit))?;
    }
    runtime.sync_directory(directory.path).await.map_err(OpenError::io(directory.path))?;
    runtime.unlink(&path).await.map_err(OpenError::io(&path))?;
    runtime.sync_directory(directory.path).await.map_err(OpenError::io(directory.path))
}

/// Manifests, log files and spares of shards that are no more.
async fn retired<R: Runtime>(
    runtime: &R,
    LogDir { commit: directory, .. }: LogDir<'_>,
    shards: usize,
) -> Result<Vec<PathBuf>, OpenError> {
    let names = runtime.list(directory).await.map_err(OpenError::io(directory))?;
    let of_shard = |name: &str| -> Option<usize> {
        let rest = name.strip_prefix("odradek-")?;
        let (shard, _) = rest.split_once(['-', '.'])?;
        shard.parse().ok()
    };
    let gone = names.iter().filter(|name| of_shard(name).is_some_and(|shard| shard >= shards));
    Ok(gone.map(|name| directory.join(name)).collect())
}

fn encode(plan: &[(StoreName, Manifest)]) -> Vec<u8> {
    let mut body = u16::try_from(plan.len()).unwrap_or(u16::MAX).to_le_bytes().to_vec();
    for (store, manifest) in plan {
        let store = match store {
            StoreName::Shard(shard) => *shard,
            StoreName::Controller => CONTROLLER,
        };
        let bytes = manifest.encode();
        body.extend(store.to_le_bytes());
        body.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        body.extend(bytes);
    }
    let mut out = MAGIC.to_le_bytes().to_vec();
    out.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(crc32c::crc32c(&body).to_le_bytes());
    out.extend(body);
    out
}

/// `None` for anything that `encode` did not write whole.
fn decode(bytes: &bytes::Bytes) -> Option<Vec<(StoreName, Manifest)>> {
    let number = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let short = |at: usize| Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let magic = u64::from_le_bytes(*bytes.first_chunk()?);
    let body = bytes.get(HEAD_BYTES..HEAD_BYTES + number(8)? as usize)?;
    if magic != MAGIC || number(12)? != crc32c::crc32c(body) {
        return None;
    }
    let count = short(HEAD_BYTES)?;
    let mut at = HEAD_BYTES + 2;
    let mut plan = Vec::new();
    for _ in 0..count {
        let store = match short(at)? {
            CONTROLLER => StoreName::Controller,
            shard => StoreName::Shard(shard),
        };
        let length = number(at + 2)? as usize;
        let end = (at + 6).checked_add(length).filter(|end| *end <= bytes.len())?;
        plan.push((store, Manifest::decode(&bytes.slice(at + 6..end))?));
        at += 6 + length;
    }
    Some(plan)
}
