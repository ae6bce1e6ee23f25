//! Response heads: rendered once when an asset is loaded, completed by copying at request.
//!
//! A rendered head starts with its status line and `Date`, whose value is patched in while the
//! head is copied; nothing is formatted per request but the numbers of a partial response.

use std::ops::Range;

use super::Coding;

/// The heads of one representation, in one allocation.
///
/// ```text
/// HTTP/1.1 200 OK            ┐ ok()
/// Date: …                    │
/// Content-Type: …            │ ┐ fields()
/// Cache-Control: … ETag: … … │ ┘
/// Content-Length: N          │
///                            ┘
/// HTTP/1.1 304 Not Modified … not_modified()
/// ```
#[derive(Debug)]
pub struct Heads {
    text: Box<[u8]>,
    /// The fields between `Date` and `Content-Length`.
    fields: Range<u16>,
    /// The fields that follow `Content-Type`.
    after_type: u16,
    /// The entity tag with its quotes; empty if there is none.
    etag: Range<u16>,
    /// Where `not_modified` begins.
    split: u16,
    /// Where the value of `Date` begins in `ok`.
    date: u16,
}

/// What a representation's heads are rendered from.
#[derive(Debug, Clone, Copy)]
pub struct Representation<'a> {
    /// The status of the full answer, such as `"200 OK"` (404 for a not-found page).
    pub status: &'static str,
    /// The value of `Content-Type`.
    pub content_type: &'a str,
    /// The value of `Cache-Control`; no field if absent.
    pub cache_control: Option<&'a str>,
    /// A strong entity tag with its quotes; no field if absent.
    pub etag: Option<&'a str>,
    /// The modification time as an HTTP date; no field if absent.
    pub last_modified: Option<&'a str>,
    /// The coding of these bytes.
    pub coding: Coding,
    /// Whether other codings exist, so that caches must look at `Accept-Encoding`.
    pub varies: bool,
    /// Whether ranges of this representation can be asked for.
    pub ranges: bool,
    /// Further field lines, names and values checked by who configured them.
    pub extra: &'a [(String, String)],
    /// The length of the body in bytes.
    pub length: u64,
}

impl Heads {
    /// Renders the heads of `representation`. A `Vary` among the extra fields is joined with ours.
    ///
    /// Returns none if they are longer than [`HEAD_BYTES_MAX`].
    pub fn render(representation: &Representation<'_>) -> Option<Self> {
        let mut text = String::with_capacity(640);
        let field = |text: &mut String, name: &str, value: &str| {
            let start = text.len() + name.len() + 2;
            text.extend([name, ": ", value, "\r\n"]);
            start..start + value.len()
        };
        let vary = vary(representation);

        text.extend([
            "HTTP/1.1 ",
            representation.status,
            "\r\nDate: ",
            DATE_BLANK,
            "\r\n",
        ]);
        let fields_start = text.len();
        field(&mut text, "Content-Type", representation.content_type);
        let after_type = text.len();
        if let Some(value) = representation.cache_control {
            field(&mut text, "Cache-Control", value);
        }
        for (name, value) in representation.extra {
            if !name.eq_ignore_ascii_case("vary") {
                field(&mut text, name, value);
            }
        }
        if let Some(value) = &vary {
            field(&mut text, "Vary", value);
        }
        if let Some(value) = representation.last_modified {
            field(&mut text, "Last-Modified", value);
        }
        let mut etag = 0..0;
        if let Some(value) = representation.etag {
            etag = field(&mut text, "ETag", value);
        }
        if representation.ranges {
            field(&mut text, "Accept-Ranges", "bytes");
        }
        if representation.coding != Coding::Identity {
            field(&mut text, "Content-Encoding", representation.coding.token());
        }
        let fields_end = text.len();
        field(
            &mut text,
            "Content-Length",
            itoa::Buffer::new().format(representation.length),
        );
        text.push_str("\r\n");

        let split = text.len();
        text.extend(["HTTP/1.1 304 Not Modified\r\nDate: ", DATE_BLANK, "\r\n"]);
        if let Some(value) = representation.cache_control {
            field(&mut text, "Cache-Control", value);
        }
        for (name, value) in representation.extra {
            if ["Content-Location", "Expires"]
                .iter()
                .any(|kept| name.eq_ignore_ascii_case(kept))
            {
                field(&mut text, name, value);
            }
        }
        if let Some(value) = representation.etag {
            field(&mut text, "ETag", value);
        }
        if let Some(value) = &vary {
            field(&mut text, "Vary", value);
        }
        text.push_str("\r\n");

        if text.len() > HEAD_BYTES_MAX {
            return None;
        }
        let at = |index: usize| u16::try_from(index).expect("invariant: HEAD_BYTES_MAX fits");
        Some(Self {
            fields: at(fields_start)..at(fields_end),
            after_type: at(after_type),
            etag: at(etag.start)..at(etag.end),
            split: at(split),
            date: at("HTTP/1.1 ".len() + date_offset(representation.status)),
            text: text.into_bytes().into_boxed_slice(),
        })
    }

    /// The head of the full answer, ending with the empty line.
    pub fn ok(&self) -> &[u8] {
        &self.text[..usize::from(self.split)]
    }

    /// Where the value of `Date` begins in [`Self::ok`].
    pub fn date_offset(&self) -> usize {
        usize::from(self.date)
    }

    /// The head of a 304 (RFC 9110 §15.4.5), ending with the empty line.
    pub fn not_modified(&self) -> &[u8] {
        &self.text[usize::from(self.split)..]
    }

    /// The representation's own field lines, `Content-Type` first, without `Content-Length`.
    pub fn fields(&self) -> &[u8] {
        &self.text[usize::from(self.fields.start)..usize::from(self.fields.end)]
    }

    /// The `Content-Type` line alone, with its line end.
    pub fn content_type_line(&self) -> &[u8] {
        &self.text[usize::from(self.fields.start)..usize::from(self.after_type)]
    }

    /// [`Self::fields`] without the `Content-Type` line.
    pub fn fields_after_type(&self) -> &[u8] {
        &self.text[usize::from(self.after_type)..usize::from(self.fields.end)]
    }

    /// The entity tag with its quotes, or nothing.
    pub fn etag(&self) -> &[u8] {
        &self.text[usize::from(self.etag.start)..usize::from(self.etag.end)]
    }

    /// User memory of the rendered text in bytes.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }
}

/// `Vary` of a representation: ours and the operator's in one line.
fn vary(representation: &Representation<'_>) -> Option<String> {
    let own = representation.varies.then_some("Accept-Encoding");
    let configured = representation
        .extra
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("vary"))
        .map(|(_, value)| value.as_str())
        .filter(|value| !(own.is_some() && value.eq_ignore_ascii_case("accept-encoding")));
    let members: Vec<&str> = own.into_iter().chain(configured).collect();
    (!members.is_empty()).then(|| members.join(", "))
}

/// Where the value of `Date` begins in a head that starts with `status_line` and its line end.
pub const fn date_offset(status_line: &str) -> usize {
    status_line.len() + "\r\nDate: ".len()
}

/// The longest pair of heads; offsets into them are 16 bits wide.
pub const HEAD_BYTES_MAX: usize = u16::MAX as usize;

/// The length of an IMF-fixdate (RFC 9110 §5.6.7) in bytes.
pub const DATE_BYTES: usize = 29;

/// Stands where the date will be copied to.
pub const DATE_BLANK: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

const _: () = assert!(DATE_BLANK.len() == DATE_BYTES);

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Representation<'_> = Representation {
        status: "200 OK",
        content_type: "text/css; charset=utf-8",
        cache_control: Some("max-age=60, public"),
        etag: Some("\"abc\""),
        last_modified: Some("Fri, 02 Jan 1970 00:00:00 GMT"),
        coding: Coding::Identity,
        varies: false,
        ranges: true,
        extra: &[],
        length: 12,
    };

    #[test]
    fn renders_the_full_answer_and_its_parts() {
        let heads = Heads::render(&PLAIN).unwrap();
        let ok = std::str::from_utf8(heads.ok()).unwrap();
        assert_eq!(
            ok,
            "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
             Content-Type: text/css; charset=utf-8\r\nCache-Control: max-age=60, public\r\n\
             Last-Modified: Fri, 02 Jan 1970 00:00:00 GMT\r\nETag: \"abc\"\r\n\
             Accept-Ranges: bytes\r\nContent-Length: 12\r\n\r\n"
        );
        assert_eq!(
            &ok[date_offset("HTTP/1.1 200 OK")..][..DATE_BYTES],
            DATE_BLANK
        );
        assert_eq!(heads.etag(), b"\"abc\"");
        assert!(heads.fields().starts_with(b"Content-Type: "));
        assert!(heads.fields().ends_with(b"Accept-Ranges: bytes\r\n"));
        assert!(heads.fields_after_type().starts_with(b"Cache-Control: "));
        assert_eq!(
            heads.content_type_line(),
            b"Content-Type: text/css; charset=utf-8\r\n"
        );
    }

    #[test]
    fn not_modified_keeps_the_fields_of_rfc_9110() {
        let extra = [
            (
                "Expires".to_owned(),
                "Fri, 02 Jan 1970 00:00:00 GMT".to_owned(),
            ),
            ("X-Else".to_owned(), "1".to_owned()),
            ("Vary".to_owned(), "Origin".to_owned()),
        ];
        let heads = Heads::render(&Representation {
            varies: true,
            extra: &extra,
            ..PLAIN
        })
        .unwrap();
        assert_eq!(
            std::str::from_utf8(heads.not_modified()).unwrap(),
            "HTTP/1.1 304 Not Modified\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
             Cache-Control: max-age=60, public\r\nExpires: Fri, 02 Jan 1970 00:00:00 GMT\r\n\
             ETag: \"abc\"\r\nVary: Accept-Encoding, Origin\r\n\r\n"
        );
    }

    #[test]
    fn refuses_heads_it_cannot_address() {
        let extra = [("X-Long".to_owned(), "x".repeat(HEAD_BYTES_MAX))];
        assert!(
            Heads::render(&Representation {
                extra: &extra,
                ..PLAIN
            })
            .is_none()
        );
    }
}
