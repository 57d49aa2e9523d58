//! The lines of the journal: what is known before a request costs money, and what came of it.

use serde::{Deserialize, Serialize};

use crate::ledger::{Begun, Charge};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Before the upstream is asked.
    Hold { begun: Begun, nanos: u64 },
    /// The end of a request that was held.
    Settle { charge: String, of: Charge },
    /// The end of one that cost nothing and is not to be in the ledger.
    Release { charge: String },
    /// A request that could not cost anything, at its end.
    Free { begun: Begun, of: Charge },
}

impl Line {
    pub fn write(&self) -> Result<Vec<u8>, serde_json::Error> {
        written(self)
    }

    /// A written [`Line::Hold`] of something that is kept.
    pub fn hold(begun: &Begun, nanos: u64) -> Result<Vec<u8>, serde_json::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "snake_case")]
        enum Borrowed<'a> {
            Hold { begun: &'a Begun, nanos: u64 },
        }
        written(&Borrowed::Hold { begun, nanos })
    }

    /// `None`: it is not whole. `line` has no line feed.
    pub fn read(line: &[u8]) -> Option<Line> {
        let (sum, json) = line.split_at_checked(9)?;
        let sum = u32::from_str_radix(std::str::from_utf8(&sum[..8]).ok()?, 16).ok()?;
        if checksum(json) != sum {
            return None;
        }
        // Texts are then not looked through one by one.
        serde_json::from_str(std::str::from_utf8(json).ok()?).ok()
    }
}

/// With a checksum before it and a line feed behind: a line that was cut short is recognised.
fn written(line: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut written = b"00000000 ".to_vec();
    serde_json::to_writer(&mut written, line)?;
    let sum = format!("{:08x}", checksum(&written[9..]));
    written[..8].copy_from_slice(sum.as_bytes());
    written.push(b'\n');
    Ok(written)
}

/// CRC-32 as in ISO 3309: finds every burst of up to 32 wrong bits.
static CHECKSUM: crc::Crc<u32, crc::Table<16>> = crc::Crc::<u32, crc::Table<16>>::new(&crc::CRC_32_ISO_HDLC);

fn checksum(bytes: &[u8]) -> u32 {
    CHECKSUM.checksum(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Tokens;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn what_is_empty_is_left_out_and_read_again() {
        let begun = Begun { charge: "a-1".to_string(), model: "m".to_string(), ..Begun::default() };
        let free = Line::Free { begun: begun.clone(), of: Charge { attempts: 1, ..Charge::default() } };
        let hold = Line::Hold { begun: begun.clone(), nanos: 7 };
        for line in [&free, &hold] {
            let mut written = line.write().unwrap();
            assert_eq!(written.pop(), Some(b'\n'));
            assert_eq!(Line::read(&written).as_ref(), Some(line));
        }
        assert_eq!(
            Line::hold(&begun, 7).unwrap()[9..],
            *b"{\"hold\":{\"begun\":{\"charge\":\"a-1\",\"request_id\":\"\",\"at_ms\":0,\"model\":\"m\"},\"nanos\":7}}\n"
        );
    }

    #[test]
    fn a_line_of_an_earlier_version_in_which_all_stands_is_read() {
        let json = r#"{"settle":{"charge":"a-1","of":{"deployment":"d","provider":"p","upstream_model":"u","tokens":{"input":1,"output":0,"cache_read":0,"cache_write":0,"reasoning":0},"cost_nanos":9,"estimated":false,"status":"answered","duration_ms":3,"attempts":1}}}"#;
        let read = Line::read(format!("{:08x} {json}", checksum(json.as_bytes())).as_bytes());
        let of = Charge {
            deployment: "d".to_string(),
            provider: "p".to_string(),
            upstream_model: "u".to_string(),
            tokens: Tokens { input: 1, ..Tokens::default() },
            cost_nanos: 9,
            duration_ms: 3,
            attempts: 1,
            ..Charge::default()
        };
        assert_eq!(read, Some(Line::Settle { charge: "a-1".to_string(), of }));
    }

    #[test]
    fn a_line_that_was_cut_or_changed_is_not_read() {
        let line = Line::Release { charge: "a-1".to_string() };
        let written = line.write().unwrap();
        let (end, whole) = written.split_last().unwrap();
        assert_eq!(*end, b'\n');
        assert_eq!(Line::read(whole), Some(line));
        for cut in 0..whole.len() {
            assert_eq!(Line::read(&whole[..cut]), None, "{cut}");
        }
        let mut changed = whole.to_vec();
        changed[20] ^= 1;
        assert_eq!(Line::read(&changed), None);
    }
}
