//! Tokens of a text by its pieces. Words repeat, also from one text to another, so most are known.

use std::sync::atomic::{AtomicU64, Ordering};

use super::merge::Merge;
use super::split;
use super::vocabulary::Vocabulary;

/// A piece can be long: a text without spaces in a script without case. So much is encoded at once.
const PIECE_BYTES: usize = 4 << 10;

/// The counts of pieces, for all threads without a lock.
pub(super) struct Pieces {
    vocabulary: Vocabulary,
    /// One number each, a piece's key with its low byte replaced by the count. A newer piece takes an older one's place.
    places: Box<[AtomicU64]>,
}

/// Half a megabyte; 100 KB of code hold some thousand different pieces.
const PLACES: usize = 1 << 16;
const COUNT: u64 = 0xff;

impl Pieces {
    pub(super) fn new(vocabulary: Vocabulary) -> Pieces {
        Pieces { vocabulary, places: (0..PLACES).map(|_| AtomicU64::new(0)).collect() }
    }

    pub(super) fn count(&self, text: &str) -> u64 {
        let mut merge = Merge::default();
        let (mut tokens, mut start) = (0, 0);
        while start < text.len() {
            let end = split::end(text, start);
            while end - start > PIECE_BYTES {
                let cut = text.floor_char_boundary(start + PIECE_BYTES);
                tokens += merge.count(&text.as_bytes()[start..cut], &self.vocabulary);
                start = cut;
            }
            tokens += self.piece(&text.as_bytes()[start..], end - start, &mut merge);
            start = end;
        }
        tokens
    }

    /// The tokens of the piece that a text begins with.
    #[inline]
    fn piece(&self, text: &[u8], len: usize, merge: &mut Merge) -> u64 {
        let key = self.vocabulary.seed.key_of_first(text, len);
        let place = &self.places[key as usize % PLACES];
        let known = place.load(Ordering::Relaxed) ^ (key & !COUNT);
        if (1..=COUNT).contains(&known) {
            return known;
        }
        let counted = match self.vocabulary.rank(key) {
            Some(_) => 1,
            None => merge.count(&text[..len], &self.vocabulary),
        };
        if counted <= COUNT {
            place.store(key & !COUNT | counted, Ordering::Relaxed);
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use tiktoken::CoreBpe;

    use super::*;

    static OURS: LazyLock<Pieces> = LazyLock::new(|| Pieces::new(Vocabulary::load()));
    /// An implementation of the same vocabulary by others, with regular expressions.
    static THEIRS: LazyLock<&CoreBpe> = LazyLock::new(|| tiktoken::get_encoding("o200k_base").unwrap());

    fn assert_same(text: &str) {
        assert_eq!(OURS.count(text), THEIRS.count(text) as u64, "{text:?}");
        // No token of theirs crosses a border of ours.
        let mut tokens = Vec::new();
        let mut start = 0;
        while start < text.len() {
            let end = split::end(text, start);
            tokens.extend(THEIRS.encode(&text[start..end]));
            start = end;
        }
        assert_eq!(tokens, THEIRS.encode(text), "{text:?}");
    }

    #[test]
    fn code_counts_as_in_the_library() {
        for text in [include_str!("pieces.rs"), include_str!("split.rs"), include_str!("../../Cargo.toml")] {
            assert_same(text);
            assert_same(&text.replace('\n', "\r\n"));
            assert_same(&text.replace("    ", "\t"));
            assert_same(&serde_json::to_string(text).unwrap());
            let lines =
                serde_json::json!({"lines": text.lines().collect::<Vec<_>>(), "size": text.len(), "none": null});
            assert_same(&serde_json::to_string_pretty(&lines).unwrap());
        }
    }

    #[test]
    fn languages_count_as_in_the_library() {
        for text in [
            "Über größere Änderungen wird im nächsten Jahr entschieden; die Straße bleibt gesperrt.",
            "L'été dernier, nous n'avions guère eu le temps d'aller à la plage où j'étais né.",
            "Příliš žluťoučký kůň úpěl ďábelské ódy. Zażółć gęślą jaźń. Þórður át hráan fisk.",
            "Съешь же ещё этих мягких французских булок, да выпей чаю. Το ΤΑΧΥ της αλεπούς.",
            "敏捷的棕色狐狸跳过了懒狗，然后休息了十二分钟。「お誕生日おめでとう」と、彼女は言いました。다람쥐 헌 쳇바퀴에 타고파",
            "هذا نصٌّ عربيٌّ مشكولٌ، وفيه أرقام ١٢٣٤٥. זה טקסט בעברית. यह हिन्दी में लिखा गया है। ภาษาไทยไม่มีช่องว่าง",
            "👩‍👩‍👧‍👦 went 🏃🏽‍♀️… 5 € – “quoted” ‘single’ → ½ × ²³ ≠ ∞ │├── └──\u{a0}end\u{2028}next\u{3000}　wide",
        ] {
            assert_same(text);
            assert_same(&text.to_uppercase());
            assert_same(&text.repeat(20));
        }
    }

    #[test]
    fn long_pieces_count_as_in_the_library() {
        for text in [
            "-".repeat(300),
            "x".repeat(1000),
            "世界".repeat(600),
            "ACGT".repeat(900),
            " ".repeat(2000),
            "\n".repeat(700),
        ] {
            assert_same(&text);
            assert_same(&format!("before {text} after"));
        }
    }

    /// Up to the size that is encoded at once; behind it there is at most one token more or less for each cut.
    #[test]
    fn a_piece_of_any_length_is_counted_with_bounded_work() {
        let text = "永和九年歲在癸丑暮春之初會于會稽山陰之蘭亭".repeat(2000);
        let (ours, theirs) = (OURS.count(&text), THEIRS.count(&text) as u64);
        assert!(ours.abs_diff(theirs) <= text.len().div_ceil(PIECE_BYTES) as u64, "{ours} and {theirs}");
    }

    #[test]
    fn counts_stay_right_when_places_are_taken_over() {
        let text: String = (0..3 * PLACES).map(|n| format!(" w{n}x")).collect();
        assert_same(&text);
        assert_same(&text);
    }

    /// Some of each class, and what contractions are made of.
    const CHARACTERS: &[char] = &[
        'A', 'S', 'T', 'a', 'b', 'd', 'e', 'l', 'm', 'r', 's', 't', 'v', '\'', '\'', 'É', 'é', 'ß', 'ǅ', 'Ж', 'ж',
        '世', 'か', 'ー', 'ª', 'ʰ', '\u{301}', '\u{93e}', '0', '1', '9', '٣', 'Ⅷ', '½', ' ', ' ', ' ', '\t', '\n',
        '\n', '\r', '\u{b}', '\u{85}', '\u{a0}', '\u{2003}', '\u{3000}', '.', ',', '/', '/', '-', '_', '"', '(', '€',
        '。', '🦀', '\u{200d}', '\0',
    ];

    const WORDS: &[&str] = &[
        "hello",
        "World",
        "HTTP",
        "getURL",
        "don't",
        "I'LL",
        "x",
        "  ",
        "    ",
        "\n",
        "\r\n",
        "\n\n\n",
        " \n",
        "\t\t",
        "12345",
        "3.14",
        "=>",
        "!==",
        "//",
        "/*",
        " {",
        "}\n",
        "\"key\": ",
        "\\n",
        "été",
        "Привет",
        "你好，",
        "データ",
        "한국어",
        "👍🏽",
        "…",
        "<|endoftext|>",
        "https://example.com/a?b=c",
        "0xDEADBEEF",
        "SGVsbG8=",
        "--------",
        "snake_case_name",
        "kebab-case",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_mix_of_characters_counts_as_in_the_library(
            characters in proptest::collection::vec(proptest::sample::select(CHARACTERS), 0..40),
        ) {
            assert_same(&characters.iter().collect::<String>());
        }

        #[test]
        fn any_mix_of_words_counts_as_in_the_library(
            words in proptest::collection::vec(proptest::sample::select(WORDS), 0..60),
        ) {
            assert_same(&words.concat());
            assert_same(&words.join(" "));
        }
    }
}
