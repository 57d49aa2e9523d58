//! Media: Google names types where others name kinds.

use crate::gemini::wire::{Blob, FileData, some_text, text_of};
use crate::json::Text;
use crate::request::{Media, MediaKind, Source};

/// The field that is wrong, and why.
type Wrong = (&'static str, &'static str);

pub fn inline(blob: Blob<'_>) -> Result<Media<'_>, Wrong> {
    let media_type = text_of(blob.mime_type).ok_or((".mime_type", "a MIME type is required"))?;
    let data = text_of(blob.data).ok_or((".data", "data is required"))?;
    let kind = kind_of(media_type.escaped());
    // Google's Python SDK writes base64 in the alphabet for URLs, which nobody else reads.
    let data = if data.escaped().contains(['-', '_', '\\']) {
        Text::plain(&data.decode().replace('-', "+").replace('_', "/"))
    } else {
        data
    };
    let source = Source::Base64 { media_type, data };
    Ok(Media {
        kind,
        source,
        name: some_text(blob.display_name),
        context: None,
        detail: None,
        cited: false,
        cache: None,
    })
}

pub fn file(file: FileData<'_>) -> Result<Media<'_>, Wrong> {
    let uri = text_of(file.file_uri).ok_or((".file_uri", "a URI is required"))?;
    let decoded = uri.decode().into_owned();
    let kind = match some_text(file.mime_type) {
        Some(media_type) => kind_of(media_type.escaped()),
        None if is_video_page(&decoded) => MediaKind::Video,
        None => kind_of(type_of(&decoded).unwrap_or("application/pdf")),
    };
    let kept = !decoded.starts_with("http") || decoded.contains("generativelanguage.googleapis.com");
    let source = if kept { Source::File(uri) } else { Source::Url(uri) };
    Ok(Media {
        kind,
        source,
        name: some_text(file.display_name),
        context: None,
        detail: None,
        cited: false,
        cache: None,
    })
}

fn kind_of(media_type: &str) -> MediaKind {
    match media_type.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

fn is_video_page(url: &str) -> bool {
    ["youtube.com/", "youtu.be/"].iter().any(|site| url.contains(site))
}

/// Types by the ending of a name.
const TYPES: [(&str, &str); 16] = [
    (".png", "image/png"),
    (".jpg", "image/jpeg"),
    (".jpeg", "image/jpeg"),
    (".webp", "image/webp"),
    (".gif", "image/gif"),
    (".heic", "image/heic"),
    (".heif", "image/heif"),
    (".pdf", "application/pdf"),
    (".txt", "text/plain"),
    (".md", "text/markdown"),
    (".csv", "text/csv"),
    (".html", "text/html"),
    (".mp3", "audio/mp3"),
    (".wav", "audio/wav"),
    (".mp4", "video/mp4"),
    (".webm", "video/webm"),
];

fn type_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or("").to_ascii_lowercase();
    TYPES.iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, media_type)| *media_type)
}

/// The type that a file by its URL has; the kind's usual one where the name does not say.
pub fn guessed_type(kind: MediaKind, url: &str) -> &'static str {
    type_of(url).unwrap_or(match kind {
        MediaKind::Image => "image/jpeg",
        MediaKind::Document => "application/pdf",
        MediaKind::Audio => "audio/mp3",
        MediaKind::Video => "video/mp4",
    })
}
