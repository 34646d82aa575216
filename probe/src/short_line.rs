//! Reads one short line from a connection into a buffer of fixed size.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads until there is a newline, the buffer is full or the far end has closed, and returns all
/// that was read. What follows the newline is kept, for the caller to refuse.
pub(crate) async fn read<'a>(
    from: &mut (impl AsyncRead + Unpin),
    buffer: &'a mut [u8],
) -> io::Result<&'a [u8]> {
    let mut filled = 0;
    while filled < buffer.len() {
        let count = from.read(&mut buffer[filled..]).await?;
        let fresh = &buffer[filled..filled + count];
        let ended = count == 0 || fresh.contains(&b'\n');
        filled += count;
        if ended {
            break;
        }
    }
    Ok(&buffer[..filled])
}
