//! Log files, sent piece by piece.

use crate::{
    app::{App, STALL},
    http::{
        answer::Refusal,
        call::{Call, Params, finished},
        range::{Asked, asked},
    },
    model::{LogFile, LogKind, Process},
};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use bytes::Bytes;
use futures_core::Stream;
use std::{
    io,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, mpsc},
};

/// How much is asked of the cluster at once.
const PIECE_BYTES: usize = 256 * 1024;

/// Which file a route sends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    /// The one that the path names.
    Named,
    /// The current one of a kind.
    Current(LogKind),
}

/// The route that sends a log file of the process that its path names.
pub(crate) fn log_file(which: Which) -> MethodRouter<Arc<App>> {
    get(move |State(app): State<Arc<App>>, params: Params, request: Request| async move {
        let range = request.headers().get(header::RANGE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let call = match Call::without_body(app, params, request) {
            Ok((call, _)) => call,
            Err(refusal) => return refusal.into_response(),
        };
        let app = Arc::clone(&call.app);
        let found = finished(&app, move || find(&call, which).map(|(process, file)| (call, process, file))).await;
        let (call, process, file) = match found {
            Ok(found) => found,
            Err(refusal) => return refusal.into_response(),
        };
        match app.transfer().await {
            Ok(transfer) => send(call, process, file, range.as_deref(), transfer),
            Err(refusal) => refusal.into_response(),
        }
    })
}

/// The process that a path names.
pub(crate) fn process(call: &Call) -> Process {
    match call.param("tm") {
        "" => Process::JobManager,
        id => Process::TaskManager(id.to_owned()),
    }
}

/// The file, if it is one of those that the process lists: no other name reaches the cluster.
fn find(call: &Call, which: Which) -> Result<(Process, LogFile), Refusal> {
    let process = process(call);
    let mut files = call.cluster().logs(&process)?.into_iter();
    let found = match which {
        Which::Named => files.find(|file| file.name == call.param("file")),
        Which::Current(kind) => files.find(|file| file.kind == kind),
    };
    let file = found.ok_or_else(|| Refusal::not_found("File not found."))?;
    Ok((process, file))
}

fn send(call: Call, process: Process, file: LogFile, range: Option<&str>, transfer: OwnedSemaphorePermit) -> Response {
    let size = file.size;
    let asked = asked(range, size);
    let (status, part) = match &asked {
        Asked::Whole => (StatusCode::OK, 0..size),
        Asked::Part(part) => (StatusCode::PARTIAL_CONTENT, part.clone()),
        Asked::Unsatisfiable => {
            let headers = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            let message = format!("the file `{}` has {size} bytes", file.name);
            return (headers, Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, message)).into_response();
        }
    };
    let mut headers: Vec<(HeaderName, String)> = vec![
        (header::CONTENT_TYPE, "text/plain; charset=UTF-8".to_owned()),
        (header::CONTENT_LENGTH, (part.end - part.start).to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        // What a job has printed must not run as a page.
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    if status == StatusCode::PARTIAL_CONTENT {
        headers.push((header::CONTENT_RANGE, format!("bytes {}-{}/{size}", part.start, part.end - 1)));
    }
    let (pieces, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        read(&call, &process, &file.name, part, &pieces);
        drop(transfer);
    });
    let mut response = Response::new(Body::from_stream(Pieces(receiver)));
    *response.status_mut() = status;
    for (name, value) in headers {
        match value.try_into() {
            Ok(value) => response.headers_mut().insert(name, value),
            Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        };
    }
    response
}

/// Reads `part` until it is sent or the receiver has gone.
fn read(call: &Call, process: &Process, name: &str, part: Range<u64>, pieces: &mpsc::Sender<io::Result<Bytes>>) {
    let runtime = Handle::current();
    let mut offset = part.start;
    while offset < part.end {
        let length = usize::try_from(part.end - offset).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let piece = match call.cluster().read_log(process, name, offset, length) {
            Ok(piece) if piece.is_empty() => Err(io::Error::other(format!("the log file `{name}` has become shorter"))),
            Ok(mut piece) => {
                piece.truncate(length);
                offset += piece.len() as u64;
                Ok(Bytes::from(piece))
            }
            Err(error) => Err(io::Error::other(error)),
        };
        let failed = piece.is_err();
        // The outer error is a client that takes nothing, the inner one a client that has gone.
        let sent = runtime.block_on(async { tokio::time::timeout(STALL, pieces.send(piece)).await });
        if failed || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// The pieces of a file, as a body wants them.
struct Pieces(mpsc::Receiver<io::Result<Bytes>>);

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
