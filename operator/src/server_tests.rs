use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1 as client;
use tokio::{io::AsyncReadExt, time::Instant};

use super::*;

const LIMITS: ServerLimits = ServerLimits {
    connections: 4,
    request: Duration::from_secs(2),
    connection: Duration::from_secs(5),
};

async fn bed() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(serve(listener, LIMITS, |_| text(StatusCode::OK, "ok\n")));
    address
}

/// Asks for a page, and returns the answer, if there is one.
async fn ask(address: std::net::SocketAddr) -> Option<String> {
    let stream = TcpStream::connect(address).await.expect("it is accepted or queued");
    let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await.ok()?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/").header("host", "x").body(Empty::<Bytes>::new());
    let answer = sender.send_request(request.expect("a request")).await.ok()?;
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    connection.abort();
    Some(String::from_utf8_lossy(&body).into_owned())
}

/// How long it takes until the server has closed the connection.
async fn closed(mut stream: TcpStream) -> Duration {
    let began = Instant::now();
    let mut rest = vec![];
    // The server may answer that the client was too slow, or reset the connection.
    drop(stream.read_to_end(&mut rest).await);
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn the_newest_beyond_the_limit_is_closed_at_once_and_the_others_have_their_time() {
    let address = bed().await;
    let mut slow = vec![];
    for _ in 0..LIMITS.connections {
        slow.push(TcpStream::connect(address).await.expect("a place"));
    }
    let newest = TcpStream::connect(address).await.expect("it is accepted");
    assert!(closed(newest).await < Duration::from_millis(100));
    for stream in slow {
        assert!(closed(stream).await <= LIMITS.request + Duration::from_millis(100));
    }
    assert_eq!(ask(address).await.as_deref(), Some("ok\n"));
}

#[tokio::test(start_paused = true)]
async fn who_sends_a_request_byte_by_byte_is_cut_off() {
    use tokio::io::AsyncWriteExt;
    let address = bed().await;
    let (reader, mut writer) = TcpStream::connect(address).await.expect("a place").into_split();
    let began = Instant::now();
    let writing = tokio::spawn(async move {
        let request = b"GET / HTTP/1.1\r\nx: ";
        for byte in request.iter().copied().chain(std::iter::repeat(b'a')) {
            if writer.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut reader = reader;
    let mut rest = vec![];
    drop(reader.read_to_end(&mut rest).await);
    writing.abort();
    assert!(
        began.elapsed() <= LIMITS.request + Duration::from_millis(200),
        "{:?}",
        began.elapsed()
    );
}
