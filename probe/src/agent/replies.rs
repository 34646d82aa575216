//! Writes replies as lines, as many at once as are ready.

use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::mpsc,
};

use crate::{log, wire::Reply};

/// How many replies are written at once at most.
const BATCH: usize = 64;

/// Writes replies until every sender is gone. Replies that the writer does not take are lost.
pub(super) async fn write(mut queue: mpsc::Receiver<Reply>, mut writer: impl AsyncWrite + Unpin) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut bytes = Vec::new();
    let mut failing = false;
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        bytes.clear();
        for reply in batch.drain(..) {
            serde_json::to_writer(&mut bytes, &reply).expect("a reply is plain data");
            bytes.push(b'\n');
        }
        let written = match writer.write_all(&bytes).await {
            Ok(()) => writer.flush().await,
            failed @ Err(_) => failed,
        };
        // Replies of a failed write are lost: the operator attaches anew and asks again.
        if let Err(error) = &written
            && !failing
        {
            log::say(format_args!("Cannot write replies: {error}"));
        }
        failing = written.is_err();
    }
}
