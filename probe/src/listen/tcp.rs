//! Answers questions that come over TCP.

use std::{io, sync::Arc, time::Duration};

use nix::libc;
use socket2::SockRef;
use tokio::{
    io::Interest,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::Context;
use crate::{
    challenge::{self, Identity, MAX_ASK},
    log, short_line,
};

/// How long to wait after an accept that failed: the files or the memory that were lacking come
/// back when other connections end.
const BACK_OFF: Duration = Duration::from_millis(50);

pub(super) async fn serve(listener: TcpListener, context: &Context) {
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
        // One over the limit waits here, the others behind it in the kernel's queue, connected.
        let permit = Arc::clone(&context.connections)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let (identity, patience) = (context.identity.clone(), context.patience);
        conversations.spawn(async move {
            // Whoever is too slow, or gone, has only itself to tell.
            let _ = timeout(patience, converse(stream, &identity)).await;
            drop(permit);
        });
    }
}

async fn converse(mut stream: TcpStream, identity: &Identity) -> io::Result<()> {
    let mut buffer = [0; MAX_ASK];
    let received = short_line::read(&mut stream, &mut buffer).await?;
    if let Some(answer) = challenge::answer(received, identity) {
        // There is more to come, the end of the stream: the kernel sends both in one packet. A
        // socket that has sent nothing yet has room for the whole answer.
        let send = || SockRef::from(&stream).send_with_flags(&answer, libc::MSG_MORE);
        stream.async_io(Interest::WRITABLE, send).await?;
    }
    Ok(())
}
