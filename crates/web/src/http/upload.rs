//! Executables that are uploaded: streamed into a temporary file, whose name has nothing to do with the client.

use crate::{
    api::executables::Uploaded,
    app::{App, STALL},
    http::{
        answer::{Answer, Refusal, ok},
        call::blocking,
    },
};
use axum::{
    extract::{
        DefaultBodyLimit, FromRequest, Multipart, Request, State,
        multipart::{Field, MultipartError},
    },
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{MethodRouter, post},
};
use bytes::Bytes;
use std::{
    io::{self, Write},
    sync::Arc,
};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

/// The longest name that is kept, bytes.
const NAME_BYTES_MAX: usize = 200;

/// What may come on top of an executable: the envelope of the parts.
const ENVELOPE_BYTES_MAX: u64 = 64 * 1024;

/// The route that takes an executable.
pub(crate) fn upload(bytes_max: u64) -> MethodRouter<Arc<App>> {
    let body_bytes_max = usize::try_from(bytes_max.saturating_add(ENVELOPE_BYTES_MAX)).unwrap_or(usize::MAX);
    post(|State(app): State<Arc<App>>, request: Request| async move {
        match receive(&app, request).await {
            Ok((name, file)) => {
                let kept = Arc::clone(&app);
                blocking(&app, move || store(&kept, &name, &file)).await
            }
            Err(refusal) => refusal.into_response(),
        }
    })
    .layer(DefaultBodyLimit::max(body_bytes_max))
}

fn store(app: &App, name: &str, file: &NamedTempFile) -> Result<Answer, Refusal> {
    let executable = app.cluster.add_executable(name, file.path())?;
    ok(&Uploaded::of(&executable))
}

/// Takes the one file of the request.
async fn receive(app: &App, request: Request) -> Result<(String, NamedTempFile), Refusal> {
    let _transfer = app.transfer().await?;
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > app.options.upload_bytes_max.saturating_add(ENVELOPE_BYTES_MAX)) {
        // Before any of it has come.
        return Err(too_large(app.options.upload_bytes_max));
    }
    let wanted = |found: &str| {
        Refusal::bad_request(format!("exactly one file must be sent, as `multipart/form-data` in the field `jarfile`, {found}"))
    };
    let mut parts = Multipart::from_request(request, &()).await.map_err(|error| wanted(&format!("but: {}", error.body_text())))?;
    let mut received = None;
    while let Some(part) = parts.next_field().await.map_err(|error| refusal(app, &error))? {
        let Some(name) = part.file_name() else { continue };
        if received.is_some() {
            return Err(wanted("and there are more"));
        }
        let name = plain_name(name).ok_or_else(|| Refusal::bad_request("the uploaded file needs a name"))?;
        received = Some((name, write(app, part).await?));
    }
    received.ok_or_else(|| wanted("and there is none"))
}

/// Writes a part into a new file. The file is gone again if the client goes away.
async fn write(app: &App, mut part: Field<'_>) -> Result<NamedTempFile, Refusal> {
    let bytes_max = app.options.upload_bytes_max;
    let folder = app.options.upload_folder.clone();
    let (pieces, mut receiver) = mpsc::channel::<Bytes>(4);
    let writing = tokio::task::spawn_blocking(move || -> io::Result<NamedTempFile> {
        std::fs::create_dir_all(&folder)?;
        let mut file = tempfile::Builder::new().prefix("upload-").tempfile_in(&folder)?;
        while let Some(piece) = receiver.blocking_recv() {
            file.write_all(&piece)?;
        }
        file.flush()?;
        Ok(file)
    });
    let mut bytes = 0;
    while let Some(piece) = next_piece(app, &mut part).await? {
        bytes += piece.len() as u64;
        if bytes > bytes_max {
            return Err(too_large(bytes_max));
        }
        // The writer has failed if it takes no more; what it returns below says why.
        if pieces.send(piece).await.is_err() {
            break;
        }
    }
    drop(pieces);
    let failed = |message: String| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the upload could not be written: {message}"));
    writing.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))
}

fn refusal(app: &App, error: &MultipartError) -> Refusal {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(app.options.upload_bytes_max),
        status => Refusal::new(status, error.body_text()),
    }
}

fn too_large(bytes_max: u64) -> Refusal {
    let message = format!("the executable is larger than the {bytes_max} bytes that this server takes (`rest.server.max-content-length`)");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

/// The next piece of a part, if it comes soon.
async fn next_piece(app: &App, part: &mut Field<'_>) -> Result<Option<Bytes>, Refusal> {
    match tokio::time::timeout(STALL, part.chunk()).await {
        Ok(piece) => piece.map_err(|error| refusal(app, &error)),
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "nothing of the upload has come for a while")),
    }
}

/// The last part of a client's file name, without what could hurt a reader; `None` if nothing is left.
fn plain_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut plain: String = last.chars().filter(|c| !c.is_control() && !"<>:\"|?*&'`".contains(*c)).collect();
    while plain.len() > NAME_BYTES_MAX {
        plain.pop();
    }
    let only_dots = plain.chars().all(|c| c == '.' || c.is_whitespace());
    (!only_dots).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::plain_name;

    #[test]
    fn a_name_is_never_a_path() {
        assert_eq!(plain_name("../../etc/passwd").as_deref(), Some("passwd"));
        assert_eq!(plain_name("C:\\jobs\\count").as_deref(), Some("count"));
        assert_eq!(plain_name("word-count").as_deref(), Some("word-count"));
        assert_eq!(plain_name("a\u{0}b\n<script>").as_deref(), Some("abscript"));
        for nothing in ["", "..", "x/", "/", ". ."] {
            assert_eq!(plain_name(nothing), None, "{nothing}");
        }
        assert_eq!(plain_name(&"ü".repeat(200)).unwrap().len(), 200);
    }
}
