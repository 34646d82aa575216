//! Answers questions that come over UDP.

use std::{io, time::Duration};

use tokio::{net::UdpSocket, time::sleep};

use super::ListenerContext;
use crate::challenge::{self, MAX_ASK};

/// How long to wait after a receive that failed.
const BACK_OFF: Duration = Duration::from_millis(50);

pub(super) async fn serve(socket: UdpSocket, context: &ListenerContext) {
    loop {
        if answer_one(&socket, context).await.is_err() {
            sleep(BACK_OFF).await;
        }
    }
}

async fn answer_one(socket: &UdpSocket, context: &ListenerContext) -> io::Result<()> {
    // One byte more than the longest question, so that no longer datagram is cut down to one.
    let mut buffer = [0; MAX_ASK + 1];
    let (count, asker) = socket.recv_from(&mut buffer).await?;
    let received = &buffer[..count];
    if let Some(nonce) = challenge::asked(received) {
        context.heard.note(&nonce);
    }
    if let Some(answer) = challenge::answer(received, &context.identity) {
        // An answer that cannot be sent is a datagram lost; the dialler asks again.
        let _ = socket.send_to(&answer, asker).await;
    }
    Ok(())
}
