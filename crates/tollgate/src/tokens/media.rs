//! Tokens of images and documents, which no tokenizer can count.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use tollgate_dialect::json::Text;
use tollgate_dialect::request::{Media, MediaKind, Source};

use super::{Measure, parts};

/// Anthropic's "Vision" page (read 2026-11): `width * height / 750`, and larger images are scaled down to about this much.
const IMAGE_TOKENS: u64 = 1600;
const PIXELS_PER_TOKEN: u64 = 750;

/// Anthropic's "PDF support" page (read 2026-11): 1,500 to 3,000 tokens a page, at most 100 pages. How many pages a PDF has
/// is not visible without unpacking it; we take one for each 50,000 bytes begun.
const PAGE_TOKENS: u64 = 2250;
const PAGE_BYTES: u64 = 50_000;
const MAX_PAGES: u64 = 100;

/// Headers lie in the first bytes, behind metadata in some JPEGs. In base64 characters.
const HEADER_BYTES: [usize; 2] = [4 << 10, 128 << 10];

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(super) fn measure(media: &Media<'_>, by: &dyn Measure) -> u64 {
    let around = [&media.name, &media.context].into_iter().flatten().map(|text| by.text(text)).sum::<u64>();
    let inside = match (&media.source, media.kind) {
        (Source::Text(text), _) => by.text(text),
        (Source::Blocks(blocks), _) => parts(blocks, by),
        (Source::Base64 { data, .. }, MediaKind::Image) => image(data),
        (Source::Base64 { media_type, data }, MediaKind::Document) => document(media_type, data),
        (Source::Url(_) | Source::File(_), MediaKind::Document) => PAGE_TOKENS,
        // Nothing is known of the size. Sounds and films go to few models; one image's worth is a guess.
        (_, MediaKind::Image | MediaKind::Audio | MediaKind::Video) => IMAGE_TOKENS,
    };
    around + inside
}

fn image(data: &Text<'_>) -> u64 {
    let size = HEADER_BYTES.into_iter().find_map(|bytes| imagesize::blob_size(&head(data, bytes)).ok());
    size.map_or(IMAGE_TOKENS, |size| {
        let pixels = size.width as u64 * size.height as u64;
        pixels.div_ceil(PIXELS_PER_TOKEN).clamp(1, IMAGE_TOKENS)
    })
}

/// The beginning of base64 data, decoded.
fn head(data: &Text<'_>, bytes: usize) -> Vec<u8> {
    // `\/` is the only escape that base64 can have.
    let mut digits: Vec<u8> = data.escaped().bytes().filter(|byte| *byte != b'\\').take(bytes).collect();
    digits.truncate(digits.len() / 4 * 4);
    BASE64.decode(digits).unwrap_or_default()
}

fn document(media_type: &Text<'_>, data: &Text<'_>) -> u64 {
    let bytes = data.escaped().len() as u64 * 3 / 4;
    if media_type.decode().starts_with("text/") {
        return bytes.div_ceil(4);
    }
    bytes.div_ceil(PAGE_BYTES).clamp(1, MAX_PAGES) * PAGE_TOKENS
}
