//! The server: binds, runs on threads of its own, ends when it is told to or dropped.

use crate::{
    app::App,
    cluster::Cluster,
    listen::{ClearListener, Peer, TlsListener},
    routes,
};
use axum::serve::Listener;
use bytes::Bytes;
use flott_core::time::SharedClock;
use flott_security::{Tokens, Traffic};
use std::{
    fmt, io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    path::PathBuf,
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};
use tokio::{runtime, sync::oneshot};
use tokio_rustls::rustls::ServerConfig;

/// How long answers that are under way may take when the server ends.
const GRACE: Duration = Duration::from_secs(5);

/// More than calls, transfers and operations together may occupy.
const BLOCKING_THREADS_MAX: usize = 512;

/// A file of a dashboard.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Its media type.
    pub content_type: &'static str,
    /// What is in it.
    pub body: Bytes,
    /// Whether `body` is compressed with gzip.
    pub gzip: bool,
    /// Its entity tag, with quotes.
    pub tag: Option<&'static str>,
    /// Whether its name changes with its content.
    pub immutable: bool,
}

impl Asset {
    /// A file that is neither compressed nor cached.
    pub fn plain(content_type: &'static str, body: Bytes) -> Self {
        Asset { content_type, body, gzip: false, tag: None, immutable: false }
    }
}

/// Finds the file of a dashboard by its path without the slash in front, such as `index.html`.
pub type Assets = Arc<dyn Fn(&str) -> Option<Asset> + Send + Sync>;

/// Who leads, of the JobManagers that there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leading {
    /// This server's own.
    Here,
    /// Another one, whose server is there, such as `http://host:8081`.
    At(String),
    /// Nobody, as far as it is known here.
    Nobody,
}

/// Tells who leads.
pub type Elsewhere = Arc<dyn Fn() -> Leading + Send + Sync>;

/// How a server behaves.
#[derive(Clone)]
pub struct Options {
    /// The time: results of operations expire by it, and durations are reckoned to it.
    pub clock: SharedClock,
    /// The version that tools are told. They read the first numbers as the version of the REST API.
    pub version: String,
    /// The revision that tools are told: `commit @ date`, or what there is instead.
    pub revision: String,
    /// How often dashboards ask.
    pub refresh_interval: Duration,
    /// The name of the time zone that the cluster runs in, and its present distance from UTC in ms.
    pub time_zone: fn() -> (String, i64),
    /// Whether executables may be uploaded and run. Whoever reaches the server may then run code on the cluster.
    pub submit: bool,
    /// Whether dashboards offer to change the parallelism of jobs.
    pub rescale: bool,
    /// Whether records that go through tasks may be looked at.
    pub tap: bool,
    /// Whether dashboards offer to cancel jobs.
    pub cancel: bool,
    /// The largest executable, bytes.
    pub upload_bytes_max: u64,
    /// Where an upload lies until the cluster has taken it.
    pub upload_folder: PathBuf,
    /// How many checkpoints a list of them shows.
    pub checkpoint_history: usize,
    /// Hosts other than IP addresses and `localhost` by which browsers may reach a server on the loopback address, and whose pages
    /// may change something: those of a proxy in front of it.
    pub allowed_hosts: Vec<String>,
    /// A dashboard to serve beside the calls. Whoever reaches the server gets it, without a token.
    pub assets: Option<Assets>,
    /// Whether values of labels that Prometheus gets have letters, digits, `_` and `:` alone: other characters become `_`, as Flink has
    /// it unless told otherwise.
    pub filter_label_values: bool,
    /// Where another JobManager leads, callers are sent there; while nobody does, they are told so. `None`: this one always leads.
    pub elsewhere: Option<Elsewhere>,
    /// The tokens of those who may call; each route says which role it needs. `None`: everyone may do everything.
    pub tokens: Option<Tokens>,
    /// What TLS connections are made with; `None`: they are in clear.
    pub tls: Option<Arc<ServerConfig>>,
    /// What counts the bytes of its connections.
    pub traffic: Traffic,
}

impl Options {
    /// What is usual; `clock` is the time.
    pub fn new(clock: SharedClock) -> Self {
        Options {
            clock,
            version: format!("2.3.0-flott-{}", env!("CARGO_PKG_VERSION")),
            revision: format!("flott-{}", env!("CARGO_PKG_VERSION")),
            refresh_interval: Duration::from_secs(3),
            time_zone: || ("UTC".to_owned(), 0),
            submit: true,
            rescale: true,
            tap: false,
            cancel: true,
            upload_bytes_max: 1 << 30,
            upload_folder: std::env::temp_dir(),
            checkpoint_history: 10,
            allowed_hosts: Vec::new(),
            assets: None,
            filter_label_values: true,
            elsewhere: None,
            tokens: None,
            tls: None,
            traffic: Traffic::default(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("version", &self.version).field("submit", &self.submit).finish_non_exhaustive()
    }
}

/// A running server. Ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on `address` and serves `cluster` until [`Server::shutdown`]. Without [`Options::tokens`] whoever can reach it can do
    /// everything that it offers.
    ///
    /// # Errors
    /// Nothing can listen on `address`, or no threads can be started.
    pub fn bind(address: impl ToSocketAddrs, cluster: Arc<dyn Cluster>, options: Options) -> io::Result<Server> {
        Server::start(address, cluster, options, routes::router)
    }

    /// Listens on `address` and gives the metrics of `cluster` to Prometheus; nothing else can be asked or done there.
    ///
    /// # Errors
    /// As [`Server::bind`].
    pub fn bind_metrics(address: impl ToSocketAddrs, cluster: Arc<dyn Cluster>, options: Options) -> io::Result<Server> {
        Server::start(address, cluster, options, routes::metrics_router)
    }

    fn start(
        address: impl ToSocketAddrs,
        cluster: Arc<dyn Cluster>,
        options: Options,
        router: fn(Arc<App>) -> axum::Router,
    ) -> io::Result<Server> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let mut builder = runtime::Builder::new_multi_thread();
        builder.worker_threads(2).max_blocking_threads(BLOCKING_THREADS_MAX).thread_name("flott-web").enable_io().enable_time();
        let runtime = builder.build()?;
        let (tls, traffic) = (options.tls.clone(), options.traffic.clone());
        let listener = {
            let _entered = runtime.enter();
            let listener = tokio::net::TcpListener::from_std(listener)?;
            match tls {
                None => Listening::InClear(ClearListener::new(listener, traffic)),
                Some(config) => Listening::Encrypted(TlsListener::new(listener, config, traffic)?),
            }
        };
        let router = router(Arc::new(App::new(cluster, options, address)));
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("flott-web-main".to_owned()).spawn(move || {
            runtime.block_on(async {
                match listener {
                    Listening::InClear(listener) => serve(listener, router, stopped).await,
                    Listening::Encrypted(listener) => serve(listener, router, stopped).await,
                }
            });
            // Calls that wait for the cluster are not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Server { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more calls, gives those under way a few seconds, and ends.
    pub fn shutdown(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // Dropping the sender tells the same.
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the REST server ended with a panic");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

enum Listening {
    InClear(ClearListener),
    Encrypted(TlsListener),
}

async fn serve<L>(listener: L, router: axum::Router, stopped: oneshot::Receiver<()>)
where
    L: Listener<Addr = SocketAddr>,
    Peer: for<'a> axum::extract::connect_info::Connected<axum::serve::IncomingStream<'a, L>>,
{
    let router = router.into_make_service_with_connect_info::<Peer>();
    let (draining, drained) = oneshot::channel::<()>();
    let told = async move {
        // The sender is dropped, which is an error to the channel and the signal to us.
        let _ = stopped.await;
        drop(draining);
    };
    let grace = async move {
        let _ = drained.await;
        tokio::time::sleep(GRACE).await;
    };
    let serving = std::future::IntoFuture::into_future(axum::serve(listener, router).with_graceful_shutdown(told));
    let serving = std::pin::pin!(serving);
    let grace = std::pin::pin!(grace);
    match first(serving, grace).await {
        Some(Err(error)) => tracing::error!("the REST server cannot go on: {error}"),
        Some(Ok(())) => {}
        None => tracing::warn!("the REST server ended before all calls were answered"),
    }
}

/// What `work` returns, or `None` if `limit` is over first.
async fn first<T>(
    mut work: std::pin::Pin<&mut impl Future<Output = T>>,
    mut limit: std::pin::Pin<&mut impl Future<Output = ()>>,
) -> Option<T> {
    std::future::poll_fn(|context| {
        if let std::task::Poll::Ready(done) = work.as_mut().poll(context) {
            return std::task::Poll::Ready(Some(done));
        }
        limit.as_mut().poll(context).map(|()| None)
    })
    .await
}
