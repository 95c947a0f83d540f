//! The binary event stream of AWS, taken apart as it arrives.
#![expect(missing_docs, reason = "stand-in")]
use std::ops::ControlFlow;
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Event,
    Exception,
}
#[derive(Debug)]
pub struct Frame<'a> {
    pub kind: Kind,
    pub name: &'a str,
    pub data: &'a [u8],
}
#[derive(Debug)]
pub struct Decoder;
impl Decoder {
    pub fn new(_max: usize) -> Decoder {
        Decoder
    }
    pub fn feed(
        &mut self,
        _b: &[u8],
        _on: &mut dyn FnMut(Frame<'_>) -> ControlFlow<()>,
    ) -> Result<(), crate::sse::FrameTooLarge> {
        Ok(())
    }
}
