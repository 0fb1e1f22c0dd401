//! A log sink that never blocks: lines go through a bounded queue to a thread of their own, and are dropped and
//! counted when the queue is full.
//!
//! A container runtime that stops reading the pipe would otherwise stop every review at the next log line (fault 57
//! of our fault list). `tracing-appender` does the same with three more dependencies.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait. At 500 bytes a line this is 1 MB, two seconds of a busy server.
const QUEUE: usize = 2048;
/// Bytes that may wait: lines can be longer than that, and what they quote may be anybody's.
const MOST: usize = 4 << 20;
/// Lines are gathered up to this many bytes for one write.
const BATCH: usize = 32 * 1024;

/// How long a line waits for others: waking this thread for each of them costs as much as a small review.
const GATHER: Duration = Duration::from_millis(10);

/// The near end of the queue; cheap to clone.
#[derive(Debug, Clone)]
pub struct Sink {
    queue: SyncSender<Message>,
    /// Bytes in the queue.
    waiting: Arc<AtomicUsize>,
    dropped: Counter,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

impl Sink {
    /// Starts the thread that writes to `out`.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, lines) = sync_channel(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let taken = Arc::clone(&waiting);
        let write = move || write(&lines, &taken, out);
        thread::Builder::new().name("logs".into()).stack_size(64 * 1024).spawn(write)?;
        Ok(Self { queue, waiting, dropped: Counter::default() })
    }

    /// Lines lost because the queue was full.
    pub fn dropped(&self) -> Counter {
        self.dropped.clone()
    }

    /// Puts one line, its end included, into the queue.
    pub fn send(&self, line: Vec<u8>) {
        let length = line.len();
        let before = self.waiting.fetch_add(length, Relaxed);
        if before.saturating_add(length) > MOST || self.queue.try_send(Message::Line(line)).is_err() {
            self.waiting.fetch_sub(length, Relaxed);
            self.dropped.inc();
        }
    }

    /// Waits until what was logged so far is written, but not longer than `patience`.
    pub fn flush(&self, patience: Duration) {
        let (done, written) = sync_channel(1);
        if self.queue.try_send(Message::Flush(done)).is_ok() {
            // Late or gone, the program ends anyway.
            written.recv_timeout(patience).ok();
        }
    }
}

impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.send(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The far end. A sink that fails (closed pipe, full disk) loses the lines, never the program.
fn write(lines: &Receiver<Message>, waiting: &AtomicUsize, mut out: impl Write) {
    let mut batch = Vec::new();
    while let Ok(first) = lines.recv() {
        let mut flushed = Vec::new();
        if matches!(first, Message::Line(_)) {
            thread::sleep(GATHER);
        }
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Line(line) => {
                    waiting.fetch_sub(line.len(), Relaxed);
                    batch.extend_from_slice(&line);
                }
                Message::Flush(done) => flushed.push(done),
            }
            next = if batch.len() < BATCH { lines.try_recv().ok() } else { None };
        }
        drop(out.write_all(&batch).and_then(|()| out.flush()));
        batch.clear();
        batch.shrink_to(2 * BATCH);
        for done in flushed {
            done.send(()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Blocked;

    impl Write for Blocked {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            loop {
                thread::park();
            }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Fault 57: log sink blocked.
    #[test]
    fn a_blocked_sink_drops_lines_and_returns_at_once() {
        let mut sink = Sink::start(Blocked).unwrap();
        // What the writer may take before it blocks, what the queue holds, and one line more.
        for _ in 0..=BATCH + QUEUE {
            sink.write_all(b"line\n").unwrap();
        }
        assert!(sink.dropped().get() > 0);
        sink.flush(Duration::from_millis(10));
    }

    #[test]
    fn a_blocked_sink_keeps_few_bytes_however_long_the_lines() {
        let sink = Sink::start(Blocked).unwrap();
        for _ in 0..32 {
            sink.send(vec![b'x'; 1 << 20]);
        }
        assert!(sink.waiting.load(Relaxed) <= MOST);
        // The first may be with the writer.
        let kept = 32 - sink.dropped().get();
        assert!((1..=MOST as u64 / (1 << 20) + 1).contains(&kept), "{kept} lines were kept");
    }

    #[test]
    fn flush_waits_for_what_was_logged() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let mut sink = Sink::start(path.reopen().unwrap()).unwrap();
        sink.write_all(b"one\n").unwrap();
        sink.write_all(b"two\n").unwrap();
        sink.flush(Duration::from_secs(5));
        assert_eq!(std::fs::read_to_string(path.path()).unwrap(), "one\ntwo\n");
    }
}
