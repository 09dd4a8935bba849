//! The HTTP server of `serve`: one router, guarded as a whole.

mod app;
mod letta_api;
pub mod metrics;
mod ops;
mod rest;
mod scoped;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::config::ServerSettings;
use crate::error::{Code, Error, Result, message, shell};
use crate::limits;
use crate::mcp;
use crate::operations;
use crate::service::Service;
use crate::web::connections::{self, Limits};
use crate::web::guard::{self, Gate, Guard};
use crate::web::{Problem, admission};

pub use app::App;
pub use metrics::Metrics;
pub use rest::{Running, document};

/// How long running requests may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Binds the configured address. `None` if no server is wanted, or if the default address is in
/// use: then another scheduler on this machine has it.
///
/// # Errors
/// [`Code::ConfigInvalid`] if the address can't be bound, or if other machines can reach it while
/// no key exists.
pub async fn bind(settings: &ServerSettings, service: &Service) -> Result<Option<TcpListener>> {
    let Some(address) = settings.listen else {
        return Ok(None);
    };
    if !settings.is_local(address) && !service.has_keys().await? {
        return Err(Error::new(
            Code::ConfigInvalid,
            format!(
                "other machines can reach {address} (it is not a loopback address, or \
                 PROMPTYOSELF_HOSTS names it), and there is no key yet, so anyone could schedule \
                 prompts: create a key first"
            ),
        )
        .example(shell("promptyoself key create --name laptop")));
    }
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(e) if !settings.chosen && e.kind() == std::io::ErrorKind::AddrInUse => {
            tracing::warn!(
                "the HTTP server is off, because {address} is in use: choose another address \
                 with --listen"
            );
            Ok(None)
        }
        Err(e) => Err(Error::new(
            Code::ConfigInvalid,
            message![shell("--listen"), " {address}: this address can't be used"],
        )
        .example(shell("promptyoself serve --listen 127.0.0.1:8466"))
        .caused_by(e)),
    }
}

/// Listens on the configured address and answers requests until `stop`. The returned future ends
/// when running requests have finished; they have a few seconds.
///
/// # Errors
/// Those of [`bind`].
pub async fn start(
    settings: &ServerSettings,
    service: &Service,
    metrics: Metrics,
    mcp: mcp::Shared,
    stop: CancellationToken,
) -> Result<impl Future<Output = ()> + use<>> {
    let listener = bind(settings, service).await?;
    let task = match listener {
        None => None,
        Some(listener) => {
            let address = listener.local_addr().map_err(|e| {
                Error::new(Code::Internal, "could not read our own address").caused_by(e)
            })?;
            tracing::info!("answering at http://{address}");
            let app = App {
                service: service.clone(),
                operations: operations::ALL,
                guard: Arc::new(Guard::new(settings, address)),
                metrics,
                mcp,
                running: Default::default(),
            };
            let limits = Limits::of_process(&settings.proxies);
            Some(tokio::spawn(serve(listener, app, limits, stop)))
        }
    };
    Ok(async move {
        if let Some(task) = task {
            let _ = task.await;
        }
    })
}

async fn serve(listener: TcpListener, app: App, limits: Limits, stop: CancellationToken) {
    let clock = app.service.clock.clone();
    let places = limits.places(clock.clone());
    let revoked = admission::end_revoked(app.service.clone(), places.active_requests.clone());
    let answering = connections::answer(
        listener,
        router(app),
        limits,
        places,
        clock.clone(),
        stop.clone(),
    );
    let deadline = async {
        stop.cancelled().await;
        clock.sleep(DRAIN).await;
    };
    tokio::select! {
        () = answering => {}
        () = deadline => {}
        () = revoked => {}
    }
}

/// Every route.
pub fn router(app: App) -> Router {
    let letta = Arc::new(ops::LettaSeen::default());
    let readyz = move |State(app): State<App>| {
        let letta = letta.clone();
        async move { ops::readyz(app, &letta).await }
    };
    let gate = Gate {
        guard: app.guard.clone(),
        service: app.service.clone(),
    };
    Router::new()
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(ops::metrics))
        .merge(letta_api::routes(&app))
        .merge(mcp::http::routes(&app.service, &app.mcp))
        .merge(rest::router(&app))
        .fallback(rest::no_route)
        .method_not_allowed_fallback(rest::no_method)
        .layer(middleware::from_fn_with_state(
            app.service.clone(),
            admission::admit,
        ))
        .layer(middleware::from_fn_with_state(gate, guard::check))
        .layer(DefaultBodyLimit::max(limits::BODY))
        .layer(CatchPanicLayer::custom(|_| {
            Problem::from(Error::new(Code::Internal, "stopped by an internal error"))
                .into_response()
        }))
        .with_state(app)
}
