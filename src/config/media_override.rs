//! Media types given by the operator: `.ext=TYPE` or `basename=TYPE`, and the charset of text.
//! Parses; the table they are laid over belongs to the HTTP core.

use http::HeaderValue;

/// Parses `.ext=TYPE` or `basename=TYPE` into the name in lower case and the type.
pub(super) fn parse_mime(text: &str) -> Result<(String, String), MimeError> {
    let (name, media_type) = text.split_once('=').ok_or(MimeError::Form)?;
    let (name, media_type) = (name.trim(), media_type.trim());
    if matches!(name, "" | ".") || name.contains('/') {
        return Err(MimeError::Name);
    }
    if !is_media_type(media_type) {
        return Err(MimeError::Type);
    }
    Ok((name.to_lowercase(), media_type.to_owned()))
}

/// Parses the name of a charset, which is a token in `Content-Type`.
pub(super) fn parse_charset(text: &str) -> Result<String, MimeError> {
    if !is_token(text) {
        return Err(MimeError::Charset);
    }
    Ok(text.to_owned())
}

/// Why a text is no media type or charset; all for the operator to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum MimeError {
    /// No `=`.
    #[error("write .ext=TYPE or basename=TYPE, such as .glb=model/gltf-binary")]
    Form,
    /// The part before the `=` names no file.
    #[error("the part before = is an extension with its dot, or a file name without a path")]
    Name,
    /// The part after the `=` is not `type/subtype`.
    #[error("the type is written type/subtype, such as model/gltf-binary")]
    Type,
    /// Not a token.
    #[error("a charset is a name such as utf-8")]
    Charset,
}

/// Whether `text` is `type/subtype` with optional parameters (RFC 9110 §8.3.1).
fn is_media_type(text: &str) -> bool {
    let essence = text.split_once(';').map_or(text, |(essence, _)| essence);
    let halves = essence.trim_end().split_once('/');
    halves.is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
        && HeaderValue::from_str(text).is_ok()
}

/// Whether `text` is a token (RFC 9110 §5.6.2).
fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, &str), MimeError>) {
        let expected = expected.map(|(name, kind)| (name.to_owned(), kind.to_owned()));
        assert_eq!(parse_mime(text), expected, "{text}");
    }

    #[test]
    fn parses_media_types() {
        check(".glb=model/gltf-binary", Ok((".glb", "model/gltf-binary")));
        check(".GLB=model/x", Ok((".glb", "model/x")));
        check("LICENSE=text/plain", Ok(("license", "text/plain")));
        check(
            ".tar.gz=application/gzip",
            Ok((".tar.gz", "application/gzip")),
        );
        check(
            ".txt=text/plain; charset=latin-1",
            Ok((".txt", "text/plain; charset=latin-1")),
        );
    }

    #[test]
    fn refuses_what_is_no_media_type() {
        check(".glb", Err(MimeError::Form));
        check("=text/plain", Err(MimeError::Name));
        check(".=text/plain", Err(MimeError::Name));
        check("a/b=text/plain", Err(MimeError::Name));
        check(".x=", Err(MimeError::Type));
        check(".x=text", Err(MimeError::Type));
        check(".x=/plain", Err(MimeError::Type));
        check(".x=text/plain/more", Err(MimeError::Type));
        check(".x=text/pl ain", Err(MimeError::Type));
        check(".x=text/plain;\r\nX: y", Err(MimeError::Type));
    }

    #[test]
    fn a_charset_is_a_token() {
        assert_eq!(parse_charset("utf-8").as_deref(), Ok("utf-8"));
        assert_eq!(parse_charset(""), Err(MimeError::Charset));
        assert_eq!(parse_charset("utf-8; x"), Err(MimeError::Charset));
    }
}
