//! Request bodies: found to their end and dropped. Frames are read as strictly as RFC 9112
//! §7.1 has them, so that no other parser can see the end of a body anywhere else; the text of
//! chunk extensions, which moves no end, is only kept free of controls.

use super::request::{BodyFraming, RequestError, is_token};

/// Progress through one request body.
#[derive(Debug)]
pub struct BodyReader {
    state: State,
    /// Content bytes that may still come before the body is too large.
    content_bytes_left: u64,
    /// Bytes of chunk lines and trailers that may still come.
    framing_bytes_left: u32,
    /// Whether neither adds up over chunks.
    is_streaming: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Content of known length.
    Length(u64),
    /// `chunk-size`: the value so far and whether a digit has come.
    Size {
        value: u64,
        digits: bool,
    },
    /// Blanks behind the size, which only an extension may follow.
    Blank {
        size: u64,
    },
    /// Behind a semicolon: blanks, then the name of an extension.
    ExtensionStart {
        size: u64,
    },
    /// `chunk-ext`, ignored.
    Extension {
        size: u64,
    },
    /// The line feed behind a chunk size.
    SizeEnd {
        size: u64,
    },
    Data(u64),
    DataReturn,
    DataEnd,
    /// The first byte of a trailer line, or the return of the empty line.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerEnd,
    /// The last line feed.
    LastEnd,
    Done,
}

impl BodyReader {
    /// A reader for a body of `framing` that may hold up to `body_bytes_max` bytes.
    ///
    /// # Errors
    /// [`RequestError::BodyTooLarge`] if it is known to hold more.
    pub const fn new(framing: BodyFraming, body_bytes_max: u64) -> Result<Self, RequestError> {
        let state = match framing {
            BodyFraming::None => State::Done,
            BodyFraming::Length(length) if length > body_bytes_max => {
                return Err(RequestError::BodyTooLarge);
            }
            BodyFraming::Length(length) => State::Length(length),
            BodyFraming::Chunked => State::Size {
                value: 0,
                digits: false,
            },
        };
        Ok(Self {
            state,
            content_bytes_left: body_bytes_max,
            framing_bytes_left: FRAMING_BYTES_MAX,
            is_streaming: false,
        })
    }

    /// A reader for a body of `framing` that somebody else takes: of any size, with framing that
    /// is limited for each chunk.
    pub const fn streaming(framing: BodyFraming) -> Self {
        let state = match framing {
            BodyFraming::None => State::Done,
            BodyFraming::Length(length) => State::Length(length),
            BodyFraming::Chunked => State::Size {
                value: 0,
                digits: false,
            },
        };
        Self {
            state,
            content_bytes_left: u64::MAX,
            framing_bytes_left: FRAMING_BYTES_MAX,
            is_streaming: true,
        }
    }

    /// Whether the whole body has been read.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Reads on; returns how many bytes of `input` belong to the body.
    ///
    /// # Errors
    /// [`RequestError`]: nothing behind this body can be trusted.
    pub fn read(&mut self, input: &[u8]) -> Result<usize, RequestError> {
        let mut rest = input;
        while !self.is_done() && !rest.is_empty() {
            rest = match self.state {
                State::Length(left) => {
                    let (left, rest) = skip(left, rest);
                    self.state = if left == 0 {
                        State::Done
                    } else {
                        State::Length(left)
                    };
                    rest
                }
                State::Data(left) => {
                    let (left, rest) = skip(left, rest);
                    self.state = if left == 0 {
                        State::DataReturn
                    } else {
                        State::Data(left)
                    };
                    rest
                }
                _ => {
                    self.state = self.step(rest[0])?;
                    &rest[1..]
                }
            };
        }
        Ok(input.len() - rest.len())
    }

    /// One byte of framing.
    fn step(&mut self, byte: u8) -> Result<State, RequestError> {
        self.framing_bytes_left = self
            .framing_bytes_left
            .checked_sub(1)
            .ok_or(RequestError::BodyTooLarge)?;
        match self.state {
            State::Size { value, digits } => self.step_size(value, digits, byte),
            State::Blank { size } | State::ExtensionStart { size } | State::Extension { size } => {
                self.step_extension(size, byte)
            }
            State::SizeEnd { size } => self.step_size_end(size, byte),
            _ => self.step_line(byte),
        }
    }

    fn step_size(&self, value: u64, digits: bool, byte: u8) -> Result<State, RequestError> {
        match (char::from(byte).to_digit(16), byte) {
            (Some(digit), _) => {
                let value = value.checked_mul(16).ok_or(RequestError::BodyTooLarge)?;
                Ok(State::Size {
                    value: value + u64::from(digit),
                    digits: true,
                })
            }
            (None, b'\r') if digits => Ok(State::SizeEnd { size: value }),
            (None, b';') if digits => Ok(State::ExtensionStart { size: value }),
            (None, b' ' | b'\t') if digits => Ok(State::Blank { size: value }),
            _ => Err(RequestError::Malformed),
        }
    }

    fn step_extension(&self, size: u64, byte: u8) -> Result<State, RequestError> {
        match (self.state, byte) {
            (State::Blank { .. } | State::ExtensionStart { .. }, b' ' | b'\t') => Ok(self.state),
            (State::Blank { .. }, b';') => Ok(State::ExtensionStart { size }),
            (State::ExtensionStart { .. }, _) if is_token(byte) => Ok(State::Extension { size }),
            (State::Extension { .. }, b'\r') => Ok(State::SizeEnd { size }),
            (State::Extension { .. }, _) if is_field_byte(byte) => Ok(State::Extension { size }),
            _ => Err(RequestError::Malformed),
        }
    }

    fn step_size_end(&mut self, size: u64, byte: u8) -> Result<State, RequestError> {
        match (byte, size) {
            (b'\n', 0) => Ok(State::TrailerStart),
            (b'\n', _) if self.is_streaming => {
                self.framing_bytes_left = FRAMING_BYTES_MAX;
                Ok(State::Data(size))
            }
            (b'\n', _) => {
                self.content_bytes_left = self
                    .content_bytes_left
                    .checked_sub(size)
                    .ok_or(RequestError::BodyTooLarge)?;
                Ok(State::Data(size))
            }
            _ => Err(RequestError::Malformed),
        }
    }

    fn step_line(&self, byte: u8) -> Result<State, RequestError> {
        Ok(match (self.state, byte) {
            (State::DataReturn, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => State::Size {
                value: 0,
                digits: false,
            },
            (State::TrailerStart, b'\r') => State::LastEnd,
            (State::TrailerStart | State::TrailerName, _) if is_token(byte) => State::TrailerName,
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerValue, b'\r') => State::TrailerEnd,
            (State::TrailerValue, _) if is_field_byte(byte) => State::TrailerValue,
            (State::TrailerEnd, b'\n') => State::TrailerStart,
            (State::LastEnd, b'\n') => State::Done,
            _ => return Err(RequestError::Malformed),
        })
    }
}

/// Skips content: how much of it is left, and what follows.
fn skip(left: u64, input: &[u8]) -> (u64, &[u8]) {
    let taken = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
    (left - taken as u64, &input[taken..])
}

/// What may stand in a field value or behind a semicolon (RFC 9110 §5.5).
const fn is_field_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x20..=0x7E | 0x80..)
}

/// Bytes of chunk lines and trailers in one body: one-byte chunks cost the sender, not us.
const FRAMING_BYTES_MAX: u32 = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes of `input` are the body; none if it is not complete.
    fn read(framing: BodyFraming, input: &[u8]) -> Result<Option<usize>, RequestError> {
        let mut reader = BodyReader::new(framing, 100)?;
        let bytes = reader.read(input)?;
        Ok(reader.is_done().then_some(bytes))
    }

    #[track_caller]
    fn check(body: &str, expected: Result<Option<usize>, RequestError>) {
        assert_eq!(
            read(BodyFraming::Chunked, body.as_bytes()),
            expected,
            "{body:?}"
        );
        let mut torn = BodyReader::new(BodyFraming::Chunked, 100).unwrap();
        let result = body
            .bytes()
            .try_fold(0, |sum, byte| torn.read(&[byte]).map(|bytes| sum + bytes))
            .map(|bytes| torn.is_done().then_some(bytes));
        assert_eq!(result, expected, "torn {body:?}");
    }

    #[test]
    fn reads_chunks_to_their_end() {
        check("0\r\n\r\n", Ok(Some(5)));
        check("0\r\n\r\nGET /", Ok(Some(5)));
        check("5\r\nhello\r\n0\r\n\r\n", Ok(Some(15)));
        check("A\r\n0123456789\r\n000\r\n\r\n", Ok(Some(22)));
        check("1;a=b;c=\"d\"\r\nx\r\n0;e\r\n\r\n", Ok(Some(23)));
        check("1 ; a\r\nx\r\n0\r\n\r\n", Ok(Some(15)));
        check("0\r\nA: b\r\nC:\r\n\r\n", Ok(Some(15)));
        check("5\r\nhel", Ok(None));
        check("0\r\n", Ok(None));
    }

    #[test]
    fn refuses_what_others_might_read_differently() {
        for body in [
            "\r\n",
            ";a\r\n",
            "g\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            " 1\r\n",
            "1 \r\n",
            "1;\r\n",
            "1\nx\r\n",
            "1\rx",
            "1\r\nxy",
            "1\r\nx\n",
            "1\r\nx\ry",
            "0\r\n\n",
            "0\n\r\n",
            "1;a\nx\r\n",
            "1;a\0\r\n",
            "0\r\nA b: c\r\n\r\n",
            "0\r\nA: b\nC: d\r\n\r\n",
            "0\r\n: b\r\n\r\n",
            "0\r\n A: b\r\n\r\n",
            "0\r\nA : b\r\n\r\n",
        ] {
            check(body, Err(RequestError::Malformed));
        }
    }

    #[test]
    fn limits_content_and_framing() {
        let large = Err(RequestError::BodyTooLarge);
        check("65\r\n", large);
        check("FFFFFFFFFFFFFFFF1\r\n", large);
        check(&format!("0;a{}", "b".repeat(20_000)), large);
        check(&format!("{}\r\n", "0".repeat(20_000)), large);
        let chunks = "32\r\n".to_owned() + &"x".repeat(50) + "\r\n";
        check(&format!("{chunks}{chunks}0\r\n\r\n"), Ok(Some(117)));
        check(&format!("{chunks}{chunks}1\r\n"), large);
        assert_eq!(
            read(BodyFraming::Length(101), b"").unwrap_err(),
            RequestError::BodyTooLarge
        );
        assert_eq!(read(BodyFraming::Length(3), b"abcd"), Ok(Some(3)));
        assert_eq!(read(BodyFraming::Length(3), b"ab"), Ok(None));
        assert_eq!(read(BodyFraming::None, b"ab"), Ok(Some(0)));
    }
}
