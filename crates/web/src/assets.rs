//! The files that pages load, held in the program. Their URL names a hash of their content, so that a browser may keep
//! them for ever and still sees a new version at once.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// For a URL that names the content: it never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// For any other URL, such as that of a page rendered by another version: ask again each time.
const ASK_AGAIN: &str = "no-cache";

/// A file in the program.
pub(crate) struct Asset {
    pub(crate) path: &'static str,
    media_type: &'static str,
    text: &'static str,
}

pub(crate) static CSS: Asset = Asset {
    path: "/assets/app.css",
    media_type: "text/css; charset=utf-8",
    text: include_str!("../assets/app.css"),
};
/// What the console has beside it.
pub(crate) static CONSOLE_CSS: Asset = Asset {
    path: "/assets/console.css",
    media_type: "text/css; charset=utf-8",
    text: include_str!("../assets/console.css"),
};
/// Small modules that make pages quicker to use. None is needed.
pub(crate) static SCRIPTS: [Asset; 3] = [
    script("/assets/live.js", include_str!("../assets/live.js")),
    script("/assets/table.js", include_str!("../assets/table.js")),
    script("/assets/copy.js", include_str!("../assets/copy.js")),
];
/// Follows the log of the console; loaded there only.
pub(crate) static TAIL: Asset = script("/assets/tail.js", include_str!("../assets/tail.js"));
/// The playground: one module out of several files, in the order in which they lean on each other.
pub(crate) static CHAT_SCRIPT: Asset = script(
    "/assets/chat.js",
    concat!(
        include_str!("../assets/chat/markdown.js"),
        include_str!("../assets/chat/stream.js"),
        include_str!("../assets/chat/history.js"),
        include_str!("../assets/chat/show.js"),
        include_str!("../assets/chat/page.js"),
    ),
);
pub(crate) static ICON: Asset =
    Asset { path: "/favicon.svg", media_type: "image/svg+xml", text: include_str!("../assets/favicon.svg") };

/// Where pages load the style sheet from.
pub(crate) static CSS_URL: LazyLock<String> = LazyLock::new(|| CSS.url());
/// Where pages of the console load their own style sheet from.
pub(crate) static CONSOLE_CSS_URL: LazyLock<String> = LazyLock::new(|| CONSOLE_CSS.url());
/// Where pages load the scripts from.
pub(crate) static SCRIPT_URLS: LazyLock<Vec<String>> =
    LazyLock::new(|| SCRIPTS.iter().map(Asset::url).collect());
/// Where the log loads its script from.
pub(crate) static TAIL_URL: LazyLock<String> = LazyLock::new(|| TAIL.url());
/// Where the playground loads its own from.
pub(crate) static CHAT_SCRIPT_URL: LazyLock<String> = LazyLock::new(|| CHAT_SCRIPT.url());
/// Where pages load the icon from.
pub(crate) static ICON_URL: LazyLock<String> = LazyLock::new(|| ICON.url());

const fn script(path: &'static str, text: &'static str) -> Asset {
    Asset { path, media_type: "text/javascript; charset=utf-8", text }
}

impl Asset {
    fn url(&self) -> String {
        let mut url = format!("{}?v=", self.path);
        for byte in Sha256::digest(self.text).iter().take(8) {
            // Writing to a String can't fail.
            let _ = write!(url, "{byte:02x}");
        }
        url
    }

    fn response(&self, url: &str, uri: &Uri) -> Response {
        let is_current = uri.path_and_query().is_some_and(|asked| asked.as_str() == url);
        let cache = HeaderValue::from_static(if is_current { FOREVER } else { ASK_AGAIN });
        let media_type = HeaderValue::from_static(self.media_type);
        ([(CONTENT_TYPE, media_type), (CACHE_CONTROL, cache)], self.text).into_response()
    }
}

pub(crate) async fn css(uri: Uri) -> Response {
    CSS.response(&CSS_URL, &uri)
}

pub(crate) async fn console_css(uri: Uri) -> Response {
    CONSOLE_CSS.response(&CONSOLE_CSS_URL, &uri)
}

pub(crate) async fn script_of(uri: Uri) -> Response {
    let found = SCRIPTS.iter().zip(SCRIPT_URLS.iter()).find(|(script, _)| script.path == uri.path());
    match found {
        Some((script, url)) => script.response(url, &uri),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

pub(crate) async fn tail(uri: Uri) -> Response {
    TAIL.response(&TAIL_URL, &uri)
}

pub(crate) async fn chat_script(uri: Uri) -> Response {
    CHAT_SCRIPT.response(&CHAT_SCRIPT_URL, &uri)
}

pub(crate) async fn icon(uri: Uri) -> Response {
    ICON.response(&ICON_URL, &uri)
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use scraper::Html;
    use tower::ServiceExt;

    use super::{
        ASK_AGAIN, Asset, CHAT_SCRIPT, CONSOLE_CSS, CSS, CSS_URL, FOREVER, ICON_URL, SCRIPT_URLS, SCRIPTS,
    };
    use crate::testing::{SHIPPED, Still, get, several_on, site};

    #[test]
    fn the_hash_follows_the_content() {
        let asset = |text| Asset { path: "/a", media_type: "text/css", text };
        // The first 8 bytes of SHA-256("abc"), from FIPS 180-2, appendix B.1.
        assert_eq!(asset("abc").url(), "/a?v=ba7816bf8f01cfea");
        assert_ne!(asset("abd").url(), asset("abc").url());
        assert_eq!(CSS.url(), *CSS_URL);
    }

    #[tokio::test]
    async fn only_the_named_content_is_kept_for_ever() {
        let rows = [
            (CSS_URL.as_str(), FOREVER, "text/css; charset=utf-8"),
            (ICON_URL.as_str(), FOREVER, "image/svg+xml"),
            (SCRIPT_URLS[0].as_str(), FOREVER, "text/javascript; charset=utf-8"),
            ("/assets/live.js", ASK_AGAIN, "text/javascript; charset=utf-8"),
            ("/assets/app.css", ASK_AGAIN, "text/css; charset=utf-8"),
            ("/assets/app.css?v=0000000000000000", ASK_AGAIN, "text/css; charset=utf-8"),
            ("/favicon.svg", ASK_AGAIN, "image/svg+xml"),
        ];
        for (url, cache, media_type) in rows {
            let file = get(several_on(), url).await;
            assert_eq!((file.status, file.header("cache-control")), (200, cache), "{url}");
            assert_eq!(file.header("content-type"), media_type, "{url}");
            assert!(!file.text.is_empty(), "{url}");
        }
    }

    #[tokio::test]
    async fn pages_load_what_is_served() {
        for path in ["/", "/nowhere"] {
            let page = get(several_on(), path).await;
            page.holds(&format!("<link rel=\"stylesheet\" href=\"{}\">", *CSS_URL));
            page.holds(&format!("<link rel=\"icon\" href=\"{}\" type=\"image/svg+xml\">", *ICON_URL));
        }
    }

    /// What a page loads at first: itself, the style and the scripts, packed as they leave.
    #[tokio::test]
    async fn a_first_view_is_light() {
        let on = ["mistral", "groq", "deepinfra", "togetherai", "openai"];
        let all = SHIPPED.endpoints.iter();
        let world =
            all.fold(Still::new(&SHIPPED, &on), |world, endpoint| world.measured(&endpoint.id, 440.0, 29.0));
        let pages = crate::router(site(several_on(), world));
        let body = async |path: &str, takes: &str| {
            let request = Request::get(path).header("accept-encoding", takes).body(Body::empty()).unwrap();
            let response = pages.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            to_bytes(response.into_body(), 8 << 20).await.unwrap()
        };
        let packed = async |path: String| body(&path, "gzip").await.len();
        let paths = [
            "/",
            "/models",
            "/openai/gpt-oss-120b",
            "/mistralai/mistral-small-2603/mistral",
            "/providers",
            "/charts",
            "/benchmarks",
            "/compare",
            "/compare/mistralai/mistral-small-2603/openai/gpt-oss-120b",
            "/calculator",
            "/status",
        ];
        for path in paths {
            let page = String::from_utf8(body(path, "identity").await.to_vec()).unwrap();
            let html = Html::parse_document(&page);
            let (mut style, mut script) = (0, 0);
            for element in html.root_element().descendent_elements() {
                match (element.value().name(), element.attr("src").or(element.attr("href"))) {
                    ("link", Some(url)) if element.attr("rel") == Some("stylesheet") => {
                        style += packed(url.to_owned()).await
                    }
                    ("script", Some(url)) => script += packed(url.to_owned()).await,
                    _ => (),
                }
            }
            let all = packed(path.to_owned()).await + style + script;
            assert!(style > 0 && script > 0, "{path}");
            assert!(
                all <= 150_000 && style <= 40_000 && script <= 40_000,
                "{path}: {all}, style {style}, script {script}"
            );
        }
    }

    #[test]
    fn style_and_scripts_are_small() {
        let scripts: usize = SCRIPTS.iter().map(|script| script.text.len()).sum();
        let style = CSS.text.len() + CONSOLE_CSS.text.len();
        assert!(style <= 60_000, "{style} bytes of style");
        assert!(CSS.text.len() <= 40_000, "{} bytes of style", CSS.text.len());
        assert!(scripts <= 40_000, "{scripts} bytes of script");
        let chat = CHAT_SCRIPT.text.len();
        assert!(chat <= 40_000, "{chat} bytes of the playground's script");
    }

    /// The `--name: #rrggbb` of one scheme.
    fn color(css: &str, name: &str) -> [f64; 3] {
        let (_, rest) = css.split_once(&format!("--{name}: #")).unwrap_or_else(|| panic!("no --{name}"));
        [0, 2, 4].map(|at| {
            let part = f64::from(u8::from_str_radix(&rest[at..at + 2], 16).unwrap()) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        })
    }

    /// Contrast as WCAG 2.2 defines it: relative luminance of both, the lighter above the darker.
    fn contrast(css: &str, a: &str, b: &str) -> f64 {
        let [a, b] = [a, b].map(|name| {
            let [red, green, blue] = color(css, name);
            0.2126 * red + 0.7152 * green + 0.0722 * blue
        });
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn contrast_is_wcag_aa_in_both_schemes() {
        let (light, dark) = CSS.text.split_once("prefers-color-scheme: dark").unwrap();
        let texts = [
            ("ink", "page"),
            ("ink", "raise"),
            ("ink", "good-back"),
            ("soft", "raise"),
            ("soft", "good-back"),
            ("on-accent", "accent"),
            ("accent", "raise"),
            ("accent", "good-back"),
            ("good", "surface"),
            ("bad", "surface"),
            ("ink", "surface"),
            ("ink", "chip"),
            ("soft", "page"),
            ("soft", "surface"),
            ("soft", "chip"),
            ("accent", "page"),
            ("accent", "surface"),
            ("good", "good-back"),
            ("warn", "warn-back"),
            ("warn", "surface"),
            ("ink", "warn-back"),
            ("bad", "bad-back"),
            ("ink", "bad-back"),
            ("code-ink", "code-back"),
            ("code-soft", "code-back"),
        ];
        for (scheme, css) in [("light", light), ("dark", dark)] {
            for (ink, back) in texts {
                let ratio = contrast(css, ink, back);
                assert!(ratio >= 4.5, "{scheme}: {ink} on {back} is {ratio:.2}");
            }
            // What is no text but has to be seen: the focus ring, edges of inputs, marks of charts.
            let shapes = ["focus", "edge", "series-1", "series-2", "series-3", "series-4", "series-5"];
            for shape in shapes {
                for back in ["page", "surface"] {
                    let ratio = contrast(css, shape, back);
                    assert!(ratio >= 3.0, "{scheme}: {shape} on {back} is {ratio:.2}");
                }
            }
        }
    }
}
