//! Images, files, sound and video: what they are, and whether Google fetches them itself.

use std::borrow::Cow;

/// What a block shows, where its media type is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    File,
    Audio,
    Video,
}

impl Kind {
    /// For messages, and the type that is assumed.
    pub(super) const fn noun_and_default(self) -> (&'static str, &'static str) {
        match self {
            Kind::Image => ("an image", "image/jpeg"),
            Kind::File => ("a file", "application/pdf"),
            Kind::Audio => ("audio", "audio/wav"),
            Kind::Video => ("a video", "video/mp4"),
        }
    }

    /// By media type.
    pub(super) fn of(media_type: &str) -> Kind {
        match media_type.split('/').next().unwrap_or_default() {
            "image" => Kind::Image,
            "audio" => Kind::Audio,
            "video" => Kind::Video,
            _ => Kind::File,
        }
    }
}

/// The first letters of base64 tell what the bytes are; clients don't always.
const MAGIC: [(&str, &str); 6] = [
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", ""),
    ("JVBERi", "application/pdf"),
    ("T2dnUw", "audio/ogg"),
];

/// The media type of bytes: what they begin with, else what was declared, else what `kind` suggests.
pub(super) fn media_type<'m>(declared: &'m str, base64: &str, kind: Kind) -> Cow<'m, str> {
    let told = MAGIC.iter().find(|(magic, _)| base64.starts_with(magic)).map(|(_, name)| *name);
    let riff = told == Some("");
    match (told, declared) {
        // RIFF holds WebP as well as WAV.
        _ if riff && kind == Kind::Image => "image/webp".into(),
        _ if riff && kind == Kind::Audio => "audio/wav".into(),
        (Some(told), _) if !told.is_empty() && kind != Kind::Video => told.into(),
        (_, "" | "application/octet-stream") => kind.noun_and_default().1.into(),
        (_, "image/jpg") => "image/jpeg".into(),
        (_, declared) => declared.into(),
    }
}

/// The media type that an address's ending tells.
pub(super) fn of_address(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.split_once("://").map_or(path, |(_, rest)| rest).rsplit_once('/')?.1;
    let ending = name.rsplit_once('.')?.1.to_ascii_lowercase();
    Some(match ending.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "pdf" => "application/pdf",
        "txt" | "md" => "text/plain",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "ogg" => "audio/ogg",
        "flac" => "audio/flac",
        "aac" => "audio/aac",
        "m4a" => "audio/m4a",
        "aiff" => "audio/aiff",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        "mpg" | "mpeg" => "video/mpeg",
        "avi" => "video/x-msvideo",
        "3gp" => "video/3gpp",
        _ => return None,
    })
}

/// True for addresses whose media type Google knows itself: its own files, and YouTube.
pub(super) fn is_googles(url: &str) -> bool {
    const OWN: [&str; 4] = [
        "https://generativelanguage.googleapis.com/",
        "https://www.youtube.com/",
        "https://youtube.com/",
        "https://youtu.be/",
    ];
    OWN.iter().any(|own| url.starts_with(own))
}

/// Whether Google is given this address as it is; false: the bytes behind it are needed
/// ([`Target::fetched`](crate::hub::Target::fetched)).
pub fn takes_address(url: &str) -> bool {
    is_googles(url)
        || ((url.starts_with("https://") || url.starts_with("gs://")) && of_address(url).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_tell_more_than_names() {
        assert_eq!(media_type("image/png", "/9j/4AAQ", Kind::Image), "image/jpeg");
        assert_eq!(media_type("image/jpg", "AAAA", Kind::Image), "image/jpeg");
        assert_eq!(media_type("", "UklGRg", Kind::Image), "image/webp");
        assert_eq!(media_type("", "UklGRg", Kind::Audio), "audio/wav");
        assert_eq!(media_type("", "AAAA", Kind::Video), "video/mp4");
        assert_eq!(media_type("text/csv", "YSxi", Kind::File), "text/csv");
    }

    #[test]
    fn which_addresses_google_takes() {
        for url in ["https://x.org/a.PNG?w=1", "gs://b/c.pdf", "https://youtu.be/x"] {
            assert!(takes_address(url), "{url}");
        }
        for url in ["http://x.org/a.png", "https://x.org/a", "https://x.png", "https://x.org/a.exe", ""] {
            assert!(!takes_address(url), "{url}");
        }
    }
}
