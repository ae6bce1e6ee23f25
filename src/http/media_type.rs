//! Media types of files by their names: what `Content-Type` says. Looked up once per asset, when
//! it is loaded; never looks into the file.

use std::collections::HashMap;

/// The media types of one configuration.
#[derive(Clone, Debug)]
pub struct MediaTypes {
    charset: String,
    /// By `.ext` or whole base name, in lower case.
    by_name: HashMap<String, String>,
}

impl MediaTypes {
    /// Types where `text/*` gets `charset` (none if empty) and `overrides` come before the
    /// tables. An override's key is `.ext` or a whole base name in any case; the last of equal
    /// keys counts. The values go into heads as they are: whoever reads the configuration has
    /// checked them.
    pub fn new(charset: &str, overrides: &[(String, String)]) -> Self {
        let known = TABLE
            .iter()
            .flat_map(|(media_type, names)| names.split(' ').map(move |name| (name, *media_type)))
            .map(|(name, media_type)| (name.to_owned(), media_type.to_owned()));
        let overrides = overrides
            .iter()
            .map(|(key, media_type)| (key.to_lowercase(), media_type.clone()));
        Self {
            charset: charset.to_owned(),
            by_name: known.chain(overrides).collect(),
        }
    }

    /// The whole value of `Content-Type` for a file by its base name.
    pub fn of(&self, file_name: &str) -> String {
        let media_type = self.lookup(&file_name.to_lowercase());
        // An override may bring its own charset.
        let is_complete = media_type.to_lowercase().contains("charset=");
        if is_text(media_type) && !self.charset.is_empty() && !is_complete {
            return format!("{media_type}; charset={}", self.charset);
        }
        media_type.to_owned()
    }

    /// The media type for a lower-case base name: the whole name first, then its last extension.
    fn lookup(&self, name: &str) -> &str {
        let dotted = name.rfind('.').map_or("", |dot| &name[dot..]);
        self.by_name
            .get(name)
            .or_else(|| self.by_name.get(dotted))
            .map(String::as_str)
            .or_else(|| mime_guess::from_ext(dotted.strip_prefix('.')?).first_raw())
            .unwrap_or(OCTET_STREAM)
    }
}

/// Whether a charset means something for the type.
fn is_text(media_type: &str) -> bool {
    let top_level = media_type.split('/').next();
    top_level.is_some_and(|name| name.eq_ignore_ascii_case("text"))
}

/// The type of bytes about which nothing is known (RFC 9110 §8.3).
const OCTET_STREAM: &str = "application/octet-stream";

/// What `mime_guess` lacks or gets wrong, and what must not change with its next release.
///
/// WhiteNoise's types hold but for obsolete ones (`.woff`, `.bmp`, `.m4a`,
/// `apple-app-site-association`); mime-db decides on what WhiteNoise lacks, except for `.vcf`
/// (RFC 6350).
const TABLE: &[(&str, &str)] = &[
    ("application/appinstaller", ".appinstaller"),
    ("application/gzip", ".gz .tgz"),
    (
        "application/json",
        ".map .topojson apple-app-site-association",
    ),
    ("application/manifest+json", ".webmanifest"),
    ("application/msix", ".msix"),
    ("application/msixbundle", ".msixbundle"),
    ("application/node", ".cjs"),
    ("application/pkix-cert", ".cer"),
    ("application/rdf+xml", ".owl"),
    ("application/sql", ".sql"),
    ("application/toml", ".toml"),
    ("application/ttml+xml", ".ttml"),
    ("application/vnd.apple.keynote", ".key"),
    ("application/vnd.apple.mpegurl", ".m3u8"),
    ("application/vnd.apple.numbers", ".numbers"),
    ("application/vnd.apple.pages", ".pages"),
    ("application/vnd.autodesk.fbx", ".fbx"),
    ("application/vnd.mapbox-vector-tile", ".mvt"),
    ("application/vnd.ms-cab-compressed", ".cab"),
    ("application/vnd.visio", ".vsdx"),
    ("application/wasm", ".wasm"),
    ("application/wsdl+xml", ".wsdl"),
    ("application/x-brotli", ".br"),
    ("application/x-ipynb+json", ".ipynb"),
    ("application/x-ndjson", ".ndjson"),
    ("application/x-pilot", ".pdb .prc"),
    ("application/x-redhat-package-manager", ".rpm"),
    ("application/x-sea", ".sea"),
    ("application/xml", ".xsd"),
    ("application/xml-dtd", ".dtd"),
    ("application/xslt+xml", ".xsl .xslt"),
    ("application/zstd", ".zst"),
    ("audio/amr", ".amr"),
    ("audio/midi", ".mid .midi .rmi"),
    ("audio/mp4", ".m4a .m4b"),
    ("audio/x-aiff", ".aif .aifc .aiff"),
    ("audio/x-realaudio", ".ra"),
    ("font/collection", ".ttc"),
    ("font/otf", ".otf"),
    ("font/ttf", ".ttf"),
    ("font/woff", ".woff"),
    ("font/woff2", ".woff2"),
    ("image/aces", ".exr"),
    ("image/avif", ".avif .avifs"),
    ("image/bmp", ".bmp"),
    ("image/jxl", ".jxl"),
    ("image/ktx2", ".ktx2"),
    ("image/vnd.adobe.photoshop", ".psd"),
    ("image/vnd.ms-dds", ".dds"),
    ("image/x-icon", ".cur .ico"),
    ("model/3mf", ".3mf"),
    ("model/mtl", ".mtl"),
    ("model/obj", ".obj"),
    ("model/step", ".step .stp"),
    ("model/stl", ".stl"),
    ("model/vnd.usdz+zip", ".usdz"),
    ("text/cache-manifest", ".manifest"),
    ("text/javascript", ".js .mjs"),
    ("text/jsx", ".jsx"),
    ("text/mdx", ".mdx"),
    ("text/vcard", ".vcf"),
    ("text/wgsl", ".wgsl"),
    ("text/x-cross-domain-policy", "crossdomain.xml"),
    ("text/yaml", ".yaml .yml"),
    ("video/iso.segment", ".m4s"),
    ("video/mp2t", ".m2t .m2ts .mts .ts"),
    ("video/x-matroska", ".mkv"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file_name: &str, expected: &str) {
        assert_eq!(
            MediaTypes::new("utf-8", &[]).of(file_name),
            expected,
            "{file_name}"
        );
    }

    #[test]
    fn every_name_is_in_the_table_once() {
        let names: Vec<&str> = TABLE.iter().flat_map(|row| row.1.split(' ')).collect();
        let distinct: std::collections::HashSet<&&str> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
        for name in names {
            assert_eq!(name, name.to_lowercase());
            assert!(name.starts_with('.') || name.len() > 10, "{name}");
        }
    }

    #[test]
    fn text_has_a_charset() {
        check("a.css", "text/css; charset=utf-8");
        check("a.html", "text/html; charset=utf-8");
        check("a.svg", "image/svg+xml");
        check("a.json", "application/json");
        let latin = MediaTypes::new("iso-8859-1", &[]);
        assert_eq!(latin.of("a.txt"), "text/plain; charset=iso-8859-1");
        assert_eq!(MediaTypes::new("", &[]).of("a.txt"), "text/plain");
    }

    #[test]
    fn looks_at_the_whole_name_then_at_the_last_extension() {
        check(
            "crossdomain.xml",
            "text/x-cross-domain-policy; charset=utf-8",
        );
        check(
            "CrossDomain.XML",
            "text/x-cross-domain-policy; charset=utf-8",
        );
        check("apple-app-site-association", "application/json");
        check("app.min.4f3c2b1a0d9e.JS", "text/javascript; charset=utf-8");
        check("a.tar.gz", "application/gzip");
        check(".js", "text/javascript; charset=utf-8");
        for name in [
            "",
            ".",
            "js",
            "CNAME",
            "a.",
            "a.css~",
            "a.no-such-type",
            "zip",
        ] {
            check(name, "application/octet-stream");
        }
        check("é.PNG", "image/png");
        check("\u{fffd}.ü", "application/octet-stream");
    }

    #[test]
    fn overrides_come_first() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let types = MediaTypes::new(
            "utf-8",
            &[
                pair(".JS", "application/x-first"),
                pair(".js", "application/javascript"),
                pair(".foo", "text/foo"),
                pair(".bar", "TEXT/bar; Charset=koi8-r"),
                pair("README", "text/plain"),
                pair("crossdomain.xml", "text/xml"),
                pair("special.js", "text/special"),
            ],
        );
        let check = |name, expected| assert_eq!(types.of(name), expected, "{name}");
        check("a.js", "application/javascript");
        check("special.js", "text/special; charset=utf-8");
        check("a.FOO", "text/foo; charset=utf-8");
        check("a.bar", "TEXT/bar; Charset=koi8-r");
        check("readme", "text/plain; charset=utf-8");
        check("crossdomain.xml", "text/xml; charset=utf-8");
        check("a.css", "text/css; charset=utf-8");
    }

    /// `rows`: a type without charset and its extensions, from `;` to `;`.
    #[track_caller]
    fn check_all(rows: &str) {
        let types = MediaTypes::new("", &[]);
        for row in rows.split(';') {
            let (expected, extensions) = row.split_once(' ').unwrap();
            for extension in extensions.split(' ') {
                assert_eq!(types.of(&format!("a.{extension}")), expected, "{extension}");
            }
        }
    }

    #[test]
    fn covers_what_whitenoise_covers() {
        check_all(
            "application/atom+xml atom;application/java-archive ear jar war;\
             application/json json;application/mac-binhex40 hqx;application/msword doc;\
             application/pdf pdf;application/postscript ai eps ps;application/rss+xml rss;\
             application/rtf rtf;application/vnd.apple.mpegurl m3u8;\
             application/vnd.google-earth.kml+xml kml;application/vnd.google-earth.kmz kmz;\
             application/vnd.ms-excel xls;application/vnd.ms-fontobject eot;\
             application/vnd.ms-powerpoint ppt;application/vnd.oasis.opendocument.graphics odg;\
             application/vnd.oasis.opendocument.presentation odp;\
             application/vnd.oasis.opendocument.spreadsheet ods;\
             application/vnd.oasis.opendocument.text odt;\
             application/vnd.openxmlformats-officedocument.presentationml.presentation pptx;\
             application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx;\
             application/vnd.openxmlformats-officedocument.wordprocessingml.document docx;\
             application/vnd.wap.wmlc wmlc;application/wasm wasm;\
             application/x-7z-compressed 7z;application/x-cocoa cco;\
             application/x-java-archive-diff jardiff;application/x-java-jnlp-file jnlp;\
             application/x-makeself run;application/x-perl pl pm;application/x-pilot pdb prc;\
             application/x-rar-compressed rar;application/x-redhat-package-manager rpm;\
             application/x-sea sea;application/x-shockwave-flash swf;application/x-stuffit sit;\
             application/x-tcl tcl tk;application/x-x509-ca-cert crt der pem;\
             application/x-xpinstall xpi;application/xhtml+xml xhtml;application/xspf+xml xspf;\
             application/zip zip;audio/midi kar mid midi;audio/mp4 m4a;audio/mpeg mp3;\
             audio/ogg ogg;audio/x-realaudio ra;font/woff woff;font/woff2 woff2;\
             image/avif avif;image/bmp bmp;image/gif gif;image/jpeg jpeg jpg;image/png png;\
             image/svg+xml svg svgz;image/tiff tif tiff;image/vnd.wap.wbmp wbmp;\
             image/webp webp;image/x-icon ico;image/x-jng jng;text/css css;\
             text/html htm html shtml;text/javascript js mjs;text/markdown md;text/mathml mml;\
             text/plain txt;text/vnd.sun.j2me.app-descriptor jad;text/vnd.wap.wml wml;\
             text/x-component htc;text/xml xml;video/3gpp 3gp 3gpp;video/mp2t ts;\
             video/mp4 mp4;video/mpeg mpeg mpg;video/quicktime mov;video/webm webm;\
             video/x-flv flv;video/x-m4v m4v;video/x-mng mng;video/x-ms-asf asf asx;\
             video/x-ms-wmv wmv;video/x-msvideo avi",
        );
    }

    #[test]
    fn knows_the_web_as_mime_db_does() {
        check_all(
            "application/dash+xml mpd;application/epub+zip epub;application/geo+json geojson;\
             application/gpx+xml gpx;application/gzip gz;application/json map;\
             application/json5 json5;application/ld+json jsonld;\
             application/manifest+json webmanifest;application/node cjs;application/ogg ogx;\
             application/pkix-cert cer;application/rdf+xml rdf;application/sql sql;\
             application/toml toml;application/ttml+xml ttml;\
             application/vnd.android.package-archive apk;application/vnd.apple.keynote key;\
             application/vnd.apple.numbers numbers;application/vnd.apple.pages pages;\
             application/vnd.autodesk.fbx fbx;application/vnd.visio vsdx;application/wasm wasm;\
             application/x-bzip2 bz2;application/x-ipynb+json ipynb;application/x-subrip srt;\
             application/x-tar tar;application/x-xz xz;application/xml xsd;\
             application/xml-dtd dtd;application/xslt+xml xslt;audio/aac aac;audio/amr amr;\
             audio/ogg oga opus;audio/wav wav;audio/webm weba;audio/x-aiff aif;\
             audio/x-matroska mka;font/collection ttc;font/otf otf;font/ttf ttf;\
             image/aces exr;image/apng apng;image/avif avif;image/heic heic;image/heif heif;\
             image/jxl jxl;image/ktx2 ktx2;image/vnd.adobe.photoshop psd;image/vnd.ms-dds dds;\
             model/gltf+json gltf;model/gltf-binary glb;model/step step;\
             model/vnd.usdz+zip usdz;text/cache-manifest appcache manifest;text/calendar ics;\
             text/csv csv;text/jsx jsx;text/less less;text/markdown markdown;text/mdx mdx;\
             text/plain conf ini log;text/tab-separated-values tsv;text/turtle ttl;\
             text/vtt vtt;text/wgsl wgsl;text/x-scss scss;text/yaml yaml yml;\
             video/iso.segment m4s;video/ogg ogv;video/x-matroska mkv",
        );
    }

    #[test]
    fn knows_what_mime_db_lacks() {
        check_all(
            "application/gzip tgz;application/json topojson;application/x-brotli br;\
             application/x-ndjson ndjson;application/zstd zst;audio/flac flac;\
             image/avif avifs;image/x-icon cur;text/vcard vcf",
        );
    }
}
