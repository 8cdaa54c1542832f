//! `/healthz`, `/readyz` with its reason, `/metrics`.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::sync::watch;

use super::metrics::Metrics;

/// Whether the operator does its work.
#[derive(Clone)]
pub struct Health(watch::Sender<Phase>);

#[derive(Clone, Debug)]
enum Phase {
    Starting(&'static str),
    StandingBy,
    Ready,
}

impl Default for Health {
    fn default() -> Self {
        Self(watch::Sender::new(Phase::Starting("waiting for the API server")))
    }
}

impl Health {
    /// Not ready, and why.
    pub fn starting(&self, why: &'static str) {
        self.0.send_replace(Phase::Starting(why));
    }

    /// Ready to take over; another replica leads.
    pub fn standing_by(&self) {
        self.0.send_replace(Phase::StandingBy);
    }

    /// Judging.
    pub fn ready(&self) {
        self.0.send_replace(Phase::Ready);
    }
}

/// Serves until the process ends.
pub async fn serve(listen: SocketAddr, health: Health, metrics: Arc<Metrics>) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}: choose another address with --listen"))?;
    tracing::info!(address = %listener.local_addr()?, "serving health and metrics");
    let app = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready).with_state(health))
        .route("/metrics", get(expose).with_state(metrics));
    axum::serve(listener, app).await.context("the health server ended")
}

async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    let phase = health.0.borrow().clone();
    match phase {
        Phase::Ready => (StatusCode::OK, "ok: leading\n".to_owned()),
        Phase::StandingBy => (StatusCode::OK, "ok: standing by\n".to_owned()),
        Phase::Starting(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}

async fn expose(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    match metrics.text() {
        Ok(text) => (
            StatusCode::OK,
            [(
                header::CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            )],
            text,
        ),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            format!("{error}\n"),
        ),
    }
}
