//! Answers that come compressed. The gateway asks for plain ones, and some proxies in front of a provider pack them all the same.

use std::io::Write;

use flate2::write::{GzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

pub enum Unpacker {
    Gzip(GzDecoder<Vec<u8>>),
    Deflate(ZlibDecoder<Vec<u8>>),
}

/// `None`: the body is plain. An encoding that is not known is the error.
pub fn of(headers: &HeaderMap) -> Result<Option<Unpacker>, String> {
    let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
    let encoding = String::from_utf8_lossy(encoding.as_bytes()).trim().to_ascii_lowercase();
    match encoding.as_str() {
        "" | "identity" => Ok(None),
        "gzip" | "x-gzip" => Ok(Some(Unpacker::Gzip(GzDecoder::new(Vec::new())))),
        "deflate" => Ok(Some(Unpacker::Deflate(ZlibDecoder::new(Vec::new())))),
        _ => Err(encoding),
    }
}

impl Unpacker {
    /// What these bytes unpack to, as far as it can be known yet.
    pub fn unpack(&mut self, packed: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Unpacker::Gzip(decoder) => {
                decoder.write_all(packed)?;
                decoder.flush()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Unpacker::Deflate(decoder) => {
                decoder.write_all(packed)?;
                decoder.flush()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use http::HeaderValue;

    use super::*;

    fn unpacker(encoding: &'static str) -> Result<Option<Unpacker>, String> {
        of(&HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(encoding))]))
    }

    #[test]
    fn bytes_are_unpacked_as_they_come_in_whatever_pieces() {
        let text = "data: {\"text\":\"H\u{e9}llo\"}\n\n".repeat(50);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(text.as_bytes()).unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(text.as_bytes()).unwrap();
        for (encoding, packed) in [("gzip", gzip.finish().unwrap()), ("Deflate", zlib.finish().unwrap())] {
            for size in [1, 7, packed.len()] {
                let mut unpacker = unpacker(encoding).unwrap().expect("an encoding");
                let pieces = packed.chunks(size).map(|piece| unpacker.unpack(piece).unwrap());
                assert_eq!(pieces.collect::<Vec<_>>().concat(), text.as_bytes(), "{encoding} {size}");
            }
        }
    }

    #[test]
    fn a_flushed_event_is_there_before_the_end() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(b"data: 1\n\n").unwrap();
        gzip.flush().unwrap();
        let mut unpacker = unpacker("x-gzip").unwrap().expect("an encoding");
        assert_eq!(unpacker.unpack(gzip.get_ref()).unwrap(), b"data: 1\n\n");
    }

    #[test]
    fn what_is_not_packed_so_is_an_error() {
        assert!(unpacker("gzip").unwrap().expect("an encoding").unpack(b"{\"id\": \"plain after all\"}").is_err());
        assert_eq!(unpacker("br").err().as_deref(), Some("br"));
        assert!(unpacker("identity").unwrap().is_none());
        assert!(of(&HeaderMap::new()).unwrap().is_none());
    }
}
