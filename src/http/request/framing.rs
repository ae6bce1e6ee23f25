//! The fields that say where a request ends and what may follow it (RFC 9112 §6, §9.3).

use httparse::Header;

use super::super::authority;
use super::{BodyFraming, Field, RequestError, Version, is_token};

/// The fields that decide where this request ends and whether another may follow.
#[derive(Default)]
pub(super) struct FramingFields<'a> {
    host: Option<&'a [u8]>,
    length: Option<&'a [u8]>,
    transfer_codings: Option<Result<(), RequestError>>,
    expect: Option<&'a [u8]>,
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
    pub(super) present: u16,
}

impl<'a> FramingFields<'a> {
    pub(super) fn collect(lines: &'a [Header<'a>]) -> Result<Self, RequestError> {
        let mut found = Self::default();
        for line in lines {
            match line.name.len() {
                4 if line.name.eq_ignore_ascii_case("host") => once(&mut found.host, line.value)?,
                6 if line.name.eq_ignore_ascii_case("expect") => {
                    once(&mut found.expect, line.value)?;
                }
                7 if line.name.eq_ignore_ascii_case("upgrade") => found.upgrade = true,
                10 if line.name.eq_ignore_ascii_case("connection") => found.connection(line.value),
                14 if line.name.eq_ignore_ascii_case("content-length") => {
                    once(&mut found.length, line.value)?;
                }
                17 if line.name.eq_ignore_ascii_case("transfer-encoding") => {
                    // Several lines would have to be joined as other parsers join them.
                    once(&mut found.transfer_codings, transfer_codings(line.value))?;
                }
                _ => {
                    if let Some(field) = Field::of(line.name) {
                        found.present |= field.bit();
                    }
                }
            }
        }
        Ok(found)
    }

    /// `Connection` options (RFC 9110 §7.6.1).
    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',') {
            let option = option.trim_ascii();
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// RFC 9112 §3.2: exactly one valid `Host` in 1.1. An http URI has no empty host
    /// (RFC 9110 §4.2.1), so neither has this field.
    pub(super) fn check_host(&self, version: Version) -> Result<(), RequestError> {
        match (self.host, version) {
            (Some(host), _) if authority::is_valid(host, authority::Port::Optional) => Ok(()),
            (None, Version::Http10) => Ok(()),
            _ => Err(RequestError::Malformed),
        }
    }

    /// RFC 9112 §6.3. Both framings at once is how requests are smuggled (§11.2).
    pub(super) fn body(&self, version: Version) -> Result<BodyFraming, RequestError> {
        match (self.length, &self.transfer_codings) {
            (None, None) => Ok(BodyFraming::None),
            (Some(length), None) => match parse_length(length)? {
                0 => Ok(BodyFraming::None),
                length => Ok(BodyFraming::Length(length)),
            },
            (None, Some(codings)) if version == Version::Http11 => {
                codings.map(|()| BodyFraming::Chunked)
            }
            (_, Some(_)) => Err(RequestError::Malformed),
        }
    }

    pub(super) fn expects_continue(&self, version: Version) -> Result<bool, RequestError> {
        match (self.expect, version) {
            // RFC 9110 §10.1.1: ignored when received from a 1.0 client.
            (None, _) | (_, Version::Http10) => Ok(false),
            (Some(value), _) if value.eq_ignore_ascii_case(b"100-continue") => Ok(true),
            _ => Err(RequestError::Expectation),
        }
    }
}

/// A field that may come once.
fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), RequestError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(RequestError::Malformed),
    }
}

/// Chunked alone is spoken (RFC 9112 §6.1); a list that does not end in it has no end.
fn transfer_codings(value: &[u8]) -> Result<(), RequestError> {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let mut codings = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    let last = codings.next_back().unwrap_or_default();
    let mut count_others = 0_usize;
    let sound = codings.all(|coding| {
        count_others += 1;
        is_coding(coding) && !is_chunked(coding)
    });
    match (is_chunked(last), count_others) {
        (true, 0) => Ok(()),
        (true, _) if sound => Err(RequestError::TransferCoding),
        (false, 0) if is_coding(last) => Err(RequestError::TransferCoding),
        _ => Err(RequestError::Malformed),
    }
}

fn is_coding(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().copied().all(is_token)
}

/// `Content-Length = 1*DIGIT`; a number no machine can hold is too large, not malformed.
fn parse_length(value: &[u8]) -> Result<u64, RequestError> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(RequestError::Malformed);
    }
    value
        .iter()
        .try_fold(0_u64, |sum, digit| {
            sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
        .ok_or(RequestError::BodyTooLarge)
}
