use tollgate_dialect::quirks::Quirks;
use tollgate_dialect::sealed::Seal;
use tollgate_dialect::{Dialect, Target, decode_request, encode_request, forward_request};

fn is_json(body: &[u8]) -> bool {
    // The raw form, because strings may hold lone surrogates.
    serde_json::from_slice::<&serde_json::value::RawValue>(body).is_ok()
}

pub fn translate(from: Dialect, body: &[u8]) {
    let quirks = Quirks::default();
    let seal = Seal::new(b"a key for fuzzing");
    for (drop_params, max_output_tokens) in [(true, None), (false, Some(100))] {
        let target = Target {
            model: "model",
            label: "provider/model",
            quirks: &quirks,
            drop_params,
            max_output_tokens,
            stream: drop_params,
            seal: &seal,
        };
        if let Ok(request) = decode_request(from, body) {
            for to in Dialect::ALL {
                if let Ok(encoded) = encode_request(to, &request, &target) {
                    assert!(is_json(&encoded.body), "{}", String::from_utf8_lossy(&encoded.body));
                    if Dialect::CLIENTS.contains(&to) {
                        decode_request(to, &encoded.body).expect("what we write we can read");
                    }
                }
            }
        }
        if let Ok(encoded) = forward_request(from, body, &target) {
            assert!(is_json(&encoded.body), "{}", String::from_utf8_lossy(&encoded.body));
        }
    }
}
