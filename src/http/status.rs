//! The statuses whitering answers with, as constants: nothing is formatted per request.

/// Declares [`Status`] from one table of names, codes, reason phrases and bodies.
macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $reason:literal, $kind:tt;)+) => {
        /// A status code (RFC 9110 §15) with its reason phrase.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Status {
            $($(#[$doc])* $name,)+
        }

        impl Status {
            /// Every status there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The three digits.
            pub const fn code(self) -> u16 {
                match self { $(Self::$name => $code,)+ }
            }

            /// The reason phrase.
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$name => $reason,)+ }
            }

            /// Code and reason phrase, such as `404 Not Found`.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => concat!($code, " ", $reason),)+ }
            }

            /// The status line without its line end, such as `HTTP/1.1 404 Not Found`.
            pub const fn line(self) -> &'static str {
                match self { $(Self::$name => concat!("HTTP/1.1 ", $code, " ", $reason),)+ }
            }

            /// The plain text that explains an error; empty for what is none.
            pub const fn body(self) -> &'static str {
                match self { $(Self::$name => statuses!(@body $kind $code $reason),)+ }
            }
        }
    };
    (@body plain $code:literal $reason:literal) => { "" };
    (@body error $code:literal $reason:literal) => { concat!($code, " ", $reason, "\n") };
}

statuses! {
    /// §15.2.1: the body that was announced may be sent.
    Continue = 100, "Continue", plain;
    /// §15.3.1.
    Ok = 200, "OK", plain;
    /// §15.3.5: never with a body.
    NoContent = 204, "No Content", plain;
    /// §15.3.7: one or several ranges.
    PartialContent = 206, "Partial Content", plain;
    /// §15.4.3.
    Found = 302, "Found", plain;
    /// §15.4.5: never with a body.
    NotModified = 304, "Not Modified", plain;
    /// §15.5.1.
    BadRequest = 400, "Bad Request", error;
    /// §15.5.5.
    NotFound = 404, "Not Found", error;
    /// §15.5.6: comes with `Allow`.
    MethodNotAllowed = 405, "Method Not Allowed", error;
    /// §15.5.9.
    RequestTimeout = 408, "Request Timeout", error;
    /// §15.5.13.
    PreconditionFailed = 412, "Precondition Failed", error;
    /// §15.5.14.
    ContentTooLarge = 413, "Content Too Large", error;
    /// §15.5.15.
    UriTooLong = 414, "URI Too Long", error;
    /// §15.5.17: comes with `Content-Range: bytes */N`.
    RangeNotSatisfiable = 416, "Range Not Satisfiable", error;
    /// §15.5.18.
    ExpectationFailed = 417, "Expectation Failed", error;
    /// §15.5.20.
    MisdirectedRequest = 421, "Misdirected Request", error;
    /// RFC 6585 §5.
    RequestHeaderFieldsTooLarge = 431, "Request Header Fields Too Large", error;
    /// §15.6.2.
    NotImplemented = 501, "Not Implemented", error;
    /// §15.6.4.
    ServiceUnavailable = 503, "Service Unavailable", error;
    /// §15.6.6.
    HttpVersionNotSupported = 505, "HTTP Version Not Supported", error;
}

impl Status {
    /// The field lines that an answer of this status carries, each with its line end.
    pub const fn fields(self) -> &'static str {
        match self {
            // RFC 9110 §15.5.6.
            Self::MethodNotAllowed => "Allow: GET, HEAD\r\n",
            Self::ServiceUnavailable => "Retry-After: 1\r\n",
            _ => "",
        }
    }

    /// Whether this is a client or server error (4xx, 5xx).
    pub const fn is_error(self) -> bool {
        self.code() >= 400
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: Status, line: &str, body: &str) {
        assert_eq!(status.line(), line);
        assert_eq!(status.body(), body);
    }

    #[test]
    fn has_lines_and_bodies() {
        check(Status::Continue, "HTTP/1.1 100 Continue", "");
        check(Status::Ok, "HTTP/1.1 200 OK", "");
        check(Status::NotModified, "HTTP/1.1 304 Not Modified", "");
        check(
            Status::NotFound,
            "HTTP/1.1 404 Not Found",
            "404 Not Found\n",
        );
        check(
            Status::HttpVersionNotSupported,
            "HTTP/1.1 505 HTTP Version Not Supported",
            "505 HTTP Version Not Supported\n",
        );
    }

    #[test]
    fn covers_every_status_that_is_sent() {
        let codes: Vec<u16> = Status::ALL.iter().map(|status| status.code()).collect();
        assert_eq!(
            codes,
            [
                100, 200, 204, 206, 302, 304, 400, 404, 405, 408, 412, 413, 414, 416, 417, 421,
                431, 501, 503, 505
            ]
        );
    }

    #[test]
    fn says_the_same_in_every_form() {
        for status in Status::ALL {
            let text = format!("{} {}", status.code(), status.reason());
            assert_eq!(status.text(), text);
            assert_eq!(status.line(), format!("HTTP/1.1 {text}"));
            assert_eq!(status.body().is_empty(), !status.is_error());
        }
    }
}
