//! The reference Brotli encoder, a C library: one compression as a stream. It is not a kernel
//! interface; it is here because calling C is unsafe.
#![expect(unsafe_code, reason = "a C library")]

use std::io;
use std::ptr::{self, NonNull};

use compu_brotli_sys as c;

/// How contents are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Settings {
    /// From 0, the fastest, to 11, the smallest.
    pub quality: u32,
    /// Binary logarithm of the window, from 10 to 24.
    pub window_bits: u32,
    /// Binary logarithm of the block that is looked at together, from 16 to 24; 0 lets the
    /// library choose.
    pub block_bits: u32,
}

/// One compression under way.
#[derive(Debug)]
pub struct Encoder {
    /// Invariant: made by `BrotliEncoderCreateInstance`, destroyed only when this is dropped.
    state: NonNull<c::BrotliEncoderState>,
}

/// What a call has to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Take input; output may come later.
    Process,
    /// This input is the last: give out everything.
    Finish,
}

impl Encoder {
    /// Begins a compression. `bytes` is the content's length, as far as it is known: the library
    /// chooses some tables by it.
    ///
    /// # Errors
    /// Memory has run out, or a setting is beyond its range.
    pub fn new(settings: Settings, bytes: Option<u64>) -> io::Result<Self> {
        // SAFETY: without functions for memory the library takes malloc, and the opaque pointer
        // is only for such functions.
        let state = unsafe { c::BrotliEncoderCreateInstance(None, None, ptr::null_mut()) };
        let state = NonNull::new(state).ok_or(io::ErrorKind::OutOfMemory)?;
        let mut encoder = Self { state };
        encoder.set(
            c::BrotliEncoderParameter_BROTLI_PARAM_QUALITY,
            settings.quality,
        )?;
        encoder.set(
            c::BrotliEncoderParameter_BROTLI_PARAM_LGWIN,
            settings.window_bits,
        )?;
        encoder.set(
            c::BrotliEncoderParameter_BROTLI_PARAM_LGBLOCK,
            settings.block_bits,
        )?;
        // The library itself cuts what it is told off at this.
        let hint = bytes.map_or(0, |bytes| {
            u32::try_from(bytes.min(1 << 30)).unwrap_or(1 << 30)
        });
        encoder.set(c::BrotliEncoderParameter_BROTLI_PARAM_SIZE_HINT, hint)?;
        Ok(encoder)
    }

    /// Takes from the front of `input` and writes to the front of `output`; returns how much was
    /// written. With [`Operation::Finish`] it is called until [`Self::is_finished`], with what is
    /// left of the same input.
    ///
    /// # Errors
    /// Memory has run out.
    pub fn push(
        &mut self,
        input: &mut &[u8],
        output: &mut [u8],
        operation: Operation,
    ) -> io::Result<usize> {
        let operation = match operation {
            Operation::Process => c::BrotliEncoderOperation_BROTLI_OPERATION_PROCESS,
            Operation::Finish => c::BrotliEncoderOperation_BROTLI_OPERATION_FINISH,
        };
        let mut input_left = input.len();
        let mut input_next = input.as_ptr();
        let mut output_left = output.len();
        let mut output_next = output.as_mut_ptr();
        // SAFETY: the state is alive and ours alone. Each pointer comes with the length of its
        // slice, both slices outlive the call, and the library keeps neither; the total is
        // optional.
        let taken = unsafe {
            c::BrotliEncoderCompressStream(
                self.state.as_ptr(),
                operation,
                &raw mut input_left,
                &raw mut input_next,
                &raw mut output_left,
                &raw mut output_next,
                ptr::null_mut(),
            )
        };
        if taken == 0 {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        *input = &input[input.len() - input_left..];
        Ok(output.len() - output_left)
    }

    /// Whether everything was given out.
    pub fn is_finished(&self) -> bool {
        // SAFETY: the state is alive; the call only reads it.
        let finished = unsafe { c::BrotliEncoderIsFinished(self.state.as_ptr()) };
        finished != 0
    }

    fn set(&mut self, parameter: c::BrotliEncoderParameter, value: u32) -> io::Result<()> {
        // SAFETY: the state is alive and nothing was compressed with it. The library refuses
        // parameters it does not know and brings values into their range.
        let known = unsafe { c::BrotliEncoderSetParameter(self.state.as_ptr(), parameter, value) };
        if known == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(())
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the state is alive until here, and nobody has it after this.
        unsafe { c::BrotliEncoderDestroyInstance(self.state.as_ptr()) }
    }
}

/// The library's version, as `1.2.0`.
pub fn version() -> String {
    // SAFETY: the call takes nothing and returns a constant.
    let version = unsafe { c::BrotliEncoderVersion() };
    format!(
        "{}.{}.{}",
        version >> 24,
        version >> 12 & 0xFFF,
        version & 0xFFF
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &[u8], output_bytes: usize) {
        let settings = Settings {
            quality: 5,
            window_bits: 18,
            block_bits: 0,
        };
        let mut encoder = Encoder::new(settings, None).unwrap();
        let mut compressed = Vec::new();
        let mut output = vec![0; output_bytes];
        let mut input = content;
        while !encoder.is_finished() {
            let count = encoder
                .push(&mut input, &mut output, Operation::Finish)
                .unwrap();
            compressed.extend_from_slice(&output[..count]);
        }
        let mut plain = Vec::new();
        brotli_decompressor::BrotliDecompress(&mut &compressed[..], &mut plain).unwrap();
        assert!(
            plain == content,
            "{} bytes, {output_bytes} at a time",
            content.len()
        );
    }

    #[test]
    fn comes_to_the_same_through_any_buffer() {
        let content: Vec<u8> = (0..70_000_u32)
            .map(|number| (number.wrapping_mul(number) >> 7) as u8)
            .collect();
        check(b"", 1);
        check(b"a", 1);
        check(&content, 1);
        check(&content, 1000);
        check(&content, 1 << 20);
    }

    #[test]
    fn bears_a_length_beyond_its_range() {
        let settings = Settings {
            quality: 5,
            window_bits: 18,
            block_bits: 0,
        };
        assert!(Encoder::new(settings, Some(u64::MAX)).is_ok());
        assert!(version().starts_with("1."));
    }
}
