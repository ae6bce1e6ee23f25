//! A client's side of a WebSocket: frames made and read here (RFC 6455 §5), so that both ends of
//! an echo are different code.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::message::Reader;
use super::{Fault, World, concerning};
use crate::ledger::PATIENCE;
use crate::plan::{Abort, Plan};
use crate::prng::Prng;

/// Sends all messages of `plan` at once, reads them back, and closes.
pub(super) async fn talk<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    world: &World,
    reader: Reader<R>,
    mut writer: W,
    plan: &Plan,
    lengths: &[usize],
) -> Result<(), Fault> {
    let (mut stream, early) = reader.into_parts();
    let mut early = &early[..];
    let mut stream = tokio::io::AsyncReadExt::chain(&mut early, &mut stream);
    let sending = send(&mut writer, plan, lengths);
    let receiving = receive(&mut stream, plan, lengths);
    let both = tokio::time::timeout(PATIENCE * 2, both(sending, receiving)).await;
    let ended = both.map_err(|_| concerning(plan, "messages do not come back"))?;
    if plan.abort.is_some() {
        world.ledger.abandon(plan.id);
        return Ok(());
    }
    ended.map_err(|fault| concerning(plan, fault))?;
    let mut rest = Vec::new();
    match timeout(PATIENCE, stream.read_to_end(&mut rest)).await {
        Ok(_) if rest.is_empty() => {}
        Ok(_) => return Err(concerning(plan, "bytes behind the closing frame")),
        Err(_) => return Err(concerning(plan, "a closed WebSocket stays open")),
    }
    world.ledger.answer(plan.id);
    Ok(())
}

/// Both, until the second is done or one fails.
async fn both(
    sending: impl Future<Output = std::io::Result<()>>,
    receiving: impl Future<Output = Result<(), Fault>>,
) -> Result<(), Fault> {
    let mut sending = std::pin::pin!(sending);
    let mut receiving = std::pin::pin!(receiving);
    let mut is_sent = false;
    std::future::poll_fn(|context| {
        if !is_sent {
            is_sent = sending.as_mut().poll(context).is_ready();
        }
        receiving.as_mut().poll(context)
    })
    .await
}

async fn send(
    writer: &mut (impl AsyncWrite + Unpin),
    plan: &Plan,
    lengths: &[usize],
) -> std::io::Result<()> {
    let mut prng = Prng::new(plan.id);
    for (index, &bytes) in lengths.iter().enumerate() {
        let frame = frame(2, &plan.message(index, bytes), prng.next() as u32);
        let (first, second) = frame.split_at(prng.piece(frame.len()));
        writer.write_all(first).await?;
        writer.flush().await?;
        writer.write_all(second).await?;
        writer.flush().await?;
    }
    writer.write_all(&frame(8, &[], 7)).await?;
    writer.flush().await
}

async fn receive(
    stream: &mut (impl AsyncRead + Unpin),
    plan: &Plan,
    lengths: &[usize],
) -> Result<(), Fault> {
    for (index, &bytes) in lengths.iter().enumerate() {
        if plan.abort == Some(Abort::Receiving(index)) {
            return Ok(());
        }
        let (code, content) = read(stream).await.map_err(|error| error.to_string())?;
        if code != 2 || content != plan.message(index, bytes) {
            return Err(format!("another message {index}: {} bytes", content.len()));
        }
    }
    match read(stream).await {
        Ok((8, _)) => Ok(()),
        other => Err(format!("no closing frame: {other:.100?}")),
    }
}

/// A frame of a client: whole, masked (RFC 6455 §5.3).
fn frame(code: u8, content: &[u8], mask: u32) -> Vec<u8> {
    let mut frame = vec![0x80 | code];
    match content.len() {
        bytes @ 0..126 => frame.push(0x80 | bytes as u8),
        bytes @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend((bytes as u16).to_be_bytes());
        }
        bytes => {
            frame.push(0x80 | 127);
            frame.extend((bytes as u64).to_be_bytes());
        }
    }
    let mask = mask.to_be_bytes();
    frame.extend(mask);
    let masked = content.iter().zip(mask.iter().cycle());
    frame.extend(masked.map(|(byte, mask)| byte ^ mask));
    frame
}

/// A frame of a server: whole, not masked.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<(u8, Vec<u8>)> {
    let mut start = [0; 2];
    stream.read_exact(&mut start).await?;
    let length = match start[1] {
        bytes @ 0..126 => u64::from(bytes),
        126 => u64::from(stream.read_u16().await?),
        127 => stream.read_u64().await?,
        _ => return Err(std::io::Error::other("a server masks")),
    };
    let mut content = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
    stream.read_exact(&mut content).await?;
    match start[0] & 0xf0 {
        0x80 => Ok((start[0] & 0x0f, content)),
        _ => Err(std::io::Error::other("a message in parts")),
    }
}
