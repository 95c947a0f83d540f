//! The provider for measurements as a program: `fake-upstream --port N [--stream-frames 50] [--delay-us 0]
//! [--pause-us 0] [--answer-bytes 700]`. Port 0 takes a free one; the address is printed.
#![expect(clippy::print_stdout, reason = "the address is its output")]

use anyhow::{Context, bail};
use tollway_testkit::canned::{self, Options};

fn main() -> anyhow::Result<()> {
    let (port, options) = arguments(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        println!("http://{}/v1", listener.local_addr()?);
        Ok(canned::serve(listener, options).await?)
    })
}

fn arguments(mut words: impl Iterator<Item = String>) -> anyhow::Result<(u16, Options)> {
    let (mut port, mut options) = (0, Options::default());
    while let Some(name) = words.next() {
        let value = words.next().with_context(|| format!("{name} needs a value"))?;
        let number: u64 = value.parse().with_context(|| format!("{name} takes a number, not `{value}`"))?;
        match name.as_str() {
            "--port" => port = u16::try_from(number).context("--port takes 0 to 65535")?,
            "--stream-frames" => options.stream_frames = usize::try_from(number)?,
            "--delay-us" => options.delay_us = number,
            "--pause-us" => options.pause_us = number,
            "--answer-bytes" => options.answer_bytes = usize::try_from(number)?,
            _ => bail!(
                "unknown argument {name}; known: --port --stream-frames --delay-us --pause-us --answer-bytes"
            ),
        }
    }
    Ok((port, options))
}
