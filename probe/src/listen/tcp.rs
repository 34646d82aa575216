//! Answers questions that come over TCP.

use std::{io, sync::Arc, time::Duration};

use nix::libc;
use socket2::SockRef;
use tokio::{
    io::{AsyncWriteExt, Interest},
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::ListenerContext;
use crate::{
    challenge::{self, MAX_ASK},
    log, short_line,
};

/// How long to wait after an accept that failed: files or memory are lacking until other
/// connections end.
const BACK_OFF: Duration = Duration::from_millis(50);

pub(super) async fn serve(listener: TcpListener, context: &ListenerContext) {
    let mut conversations = JoinSet::new();
    let mut failing = false;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                if !failing {
                    log::say(format_args!("Cannot accept connections for now: {error}"));
                }
                failing = true;
                sleep(BACK_OFF).await;
                continue;
            }
        };
        failing = false;
        while conversations.try_join_next().is_some() {}
        // A connection over the limit waits here, the next ones in the kernel's queue.
        let permit = Arc::clone(&context.connections)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let context = context.clone();
        conversations.spawn(async move {
            // A client that is too slow, or gone, gets no answer, and nobody else is concerned.
            if let Ok(Ok(Some(stay))) = timeout(context.patience, converse(stream, &context)).await
            {
                drop(permit);
                let _ = stay.converse(&context).await;
            }
        });
    }
}

/// A connection that stays after its first answer.
struct Stay {
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
}

impl Stay {
    /// Answers until the other end closes, says something else, or is silent for too long.
    async fn converse(mut self, context: &ListenerContext) -> io::Result<()> {
        let mut buffer = [0; MAX_ASK];
        loop {
            let read = short_line::read(&mut self.stream, &mut buffer);
            let received = timeout(context.idle, read).await??;
            let Some(answer) = challenge::answer_and_stay(received, &context.identity) else {
                return Ok(());
            };
            timeout(context.patience, self.stream.write_all(&answer)).await??;
        }
    }
}

/// Answers the first question, and returns the connection if it is to stay.
async fn converse(mut stream: TcpStream, context: &ListenerContext) -> io::Result<Option<Stay>> {
    let identity = &context.identity;
    let mut buffer = [0; MAX_ASK];
    let received = short_line::read(&mut stream, &mut buffer).await?;
    if let Some(answer) = challenge::answer_and_stay(received, identity) {
        // Without room nothing is answered, so the dialler knows that it holds no connection.
        let Ok(permit) = Arc::clone(&context.staying).try_acquire_owned() else { return Ok(None) };
        stream.write_all(&answer).await?;
        return Ok(Some(Stay { stream, _permit: permit }));
    }
    if let Some(answer) = challenge::answer(received, identity) {
        // With MSG_MORE the kernel sends the answer in one packet with the end of the stream. A
        // socket that has sent nothing yet has room for the whole answer.
        let send = || SockRef::from(&stream).send_with_flags(&answer, libc::MSG_MORE);
        stream.async_io(Interest::WRITABLE, send).await?;
    }
    Ok(None)
}
