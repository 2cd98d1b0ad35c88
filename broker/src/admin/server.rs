//! The thread, its routes, and the phase that `/health` tells.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use futures::future::BoxFuture;

use super::bounded::Bounded;
use super::{process, text};
use crate::metrics::Sample;

/// Asks every executor for what it counted.
pub type Source = Arc<dyn Fn() -> BoxFuture<'static, Vec<Sample>> + Send + Sync>;

/// An executor that does not answer within this is not healthy enough to be waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    Starting,
    Serving,
    Stopping,
}

/// A handle to the server. It serves until the process ends.
pub struct Admin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    phase: AtomicU8,
    source: OnceLock<Source>,
}

impl Admin {
    /// Binds the address and starts the thread.
    pub fn start(address: SocketAddr) -> anyhow::Result<Admin> {
        let bind = || {
            format!(
                "odradek.admin.listener: cannot bind {address}. Is it in use? `ss -ltnp` shows by whom"
            )
        };
        let listener = TcpListener::bind(address).with_context(bind)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let shared = Arc::<Shared>::default();
        let state = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("admin".into());
        thread.spawn(move || {
            if let Err(error) = runtime.block_on(serve(listener, state)) {
                tracing::error!(%error, "the admin server ended: /health and /metrics are gone");
            }
        })?;
        Ok(Admin { address, shared })
    }

    /// The address it has, the port that the system chose included.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The node serves: from now on it can be asked.
    pub fn serving(&self, source: Source) {
        let _ = self.shared.source.set(source);
        self.shared.set(Phase::Serving);
    }

    /// The node stops: it is not to be sent anything more.
    pub fn stopping(&self) {
        self.shared.set(Phase::Stopping);
    }
}

impl Shared {
    fn set(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            _ => Phase::Stopping,
        }
    }

    /// What the executors count; `None` if one does not answer.
    async fn samples(&self) -> Option<Vec<Sample>> {
        let Some(source) = self.source.get().filter(|_| self.phase() == Phase::Serving) else {
            return Some(Vec::new());
        };
        tokio::time::timeout(PATIENCE, source()).await.ok()
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    let listener = Bounded::new(tokio::net::TcpListener::from_std(listener)?);
    let routes = Router::new()
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .with_state(shared);
    axum::serve(listener, routes).await
}

/// 200 if the node serves, 503 if not.
async fn health(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let (status, word) = match shared.phase() {
        Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        Phase::Serving => (StatusCode::OK, "serving"),
        Phase::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
    };
    (status, Json(serde_json::json!({ "ready": status == StatusCode::OK, "status": word })))
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let Some(mut samples) = shared.samples().await else {
        let text = format!("an executor did not answer within {} s\n", PATIENCE.as_secs());
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            text,
        );
    };
    samples.extend(process::samples());
    (
        StatusCode::OK,
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text::render(&samples),
    )
}
