//! Signature Version 4 as the server checks it (IAM User Guide, "Create a signed AWS API request", 2026-11).

use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

/// An access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: String,
    pub secret: String,
}

/// What a signature must be made for.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'s> {
    pub region: &'s str,
    pub service: &'s str,
}

/// What a request says of its signature.
#[derive(Debug)]
pub struct SignedBy<'r> {
    pub key_id: &'r str,
    day: &'r str,
    region: &'r str,
    service: &'r str,
    names: &'r str,
    signature: &'r str,
    date: &'r str,
}

impl<'r> SignedBy<'r> {
    /// # Errors
    /// The words in which it is refused.
    pub fn read(head: &'r Parts) -> Result<SignedBy<'r>, String> {
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let sent = header("authorization").ok_or("Missing Authentication Token")?;
        let rest = sent.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("Authorization header requires 'AWS4-HMAC-SHA256'")?;
        let part = |name: &str| rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        let missing = |name: &str| format!("Authorization header requires '{name}' parameter.");
        let credential = part("Credential").ok_or_else(|| missing("Credential"))?;
        let pieces: Vec<&str> = credential.split('/').collect();
        let [key_id, day, region, service, "aws4_request"] = pieces[..] else {
            return Err("Credential must have exactly 5 slash-delimited elements".to_owned());
        };
        Ok(SignedBy {
            key_id,
            day,
            region,
            service,
            names: part("SignedHeaders").ok_or_else(|| missing("SignedHeaders"))?,
            signature: part("Signature").ok_or_else(|| missing("Signature"))?,
            date: header("x-amz-date")
                .ok_or("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")?,
        })
    }

    /// # Errors
    /// The words in which it is refused.
    pub fn check(&self, head: &Parts, body: &[u8], key: &Key, scope: Scope<'_>, now: Timestamp) -> Result<(), String> {
        if self.region != scope.region {
            return Err("Credential should be scoped to a valid region. ".to_owned());
        }
        if self.service != scope.service {
            return Err(format!("Credential should be scoped to correct service: '{}'. ", scope.service));
        }
        let form = "%Y%m%dT%H%M%S%z";
        let made = Timestamp::strptime(form, self.date.replace('Z', "+0000"));
        let made = made.map_err(|_| "Date must be in ISO-8601 'basic format'.".to_owned())?;
        if !self.date.starts_with(self.day) {
            return Err(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP".to_owned()
            );
        }
        let basic = |time: Timestamp| time.strftime("%Y%m%dT%H%M%SZ").to_string();
        let leeway = SignedDuration::from_mins(5);
        let (made_words, now_words) = (basic(made), basic(now));
        if made < now - leeway {
            let bound = basic(now - leeway);
            return Err(format!("Signature expired: {made_words} is now earlier than {bound} ({now_words} - 5 min.)"));
        }
        if made > now + leeway {
            let bound = basic(now + leeway);
            return Err(format!(
                "Signature not yet current: {made_words} is still later than {bound} ({now_words} + 5 min.)"
            ));
        }
        let host_and_own = |name: &str| name == "host" || name.starts_with("x-amz-");
        let unsigned = head
            .headers
            .keys()
            .map(|name| name.as_str())
            .find(|name| host_and_own(name) && !self.names.split(';').any(|signed| signed == *name));
        if let Some(name) = unsigned {
            return Err(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."));
        }
        let canonical = self.canonical(head, body)?;
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{}/{}/{}/aws4_request\n{}",
            self.date,
            self.day,
            self.region,
            self.service,
            hex(&Sha256::digest(canonical.as_bytes()))
        );
        let mut signing = format!("AWS4{}", key.secret).into_bytes();
        for part in [self.day, self.region, self.service, "aws4_request", &to_sign] {
            signing = hmac(&signing, part);
        }
        if hex(&signing) == self.signature {
            return Ok(());
        }
        let session =
            head.headers.get("x-amz-security-token").and_then(|value| value.to_str().ok()).unwrap_or_default();
        Err(format!(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and \
             signing method. Consult the service documentation for details. The Canonical String for this request should have \
             been 'POST … x-amz-security-token:{session}'"
        ))
    }

    fn canonical(&self, head: &Parts, body: &[u8]) -> Result<String, String> {
        let mut out = format!("{}\n", head.method);
        // Every service but S3 escapes the path twice.
        for byte in head.uri.path().bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                    out.push(char::from(byte))
                }
                _ => out.push_str(&format!("%{byte:02X}")),
            }
        }
        let mut query: Vec<&str> =
            head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect();
        query.sort_unstable();
        out.push_str(&format!("\n{}\n", query.join("&")));
        for name in self.names.split(';') {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            let value = value.ok_or_else(|| format!("the signed header {name} was not sent"))?;
            out.push_str(&format!("{name}:{}\n", value.trim()));
        }
        out.push_str(&format!("\n{}\n{}", self.names, hex(&Sha256::digest(body))));
        Ok(out)
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
