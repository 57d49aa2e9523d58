//! What stands in a file of credentials, by its `type` (google.aip.dev/auth, 2026-11).

use http::Uri;
use jsonwebtoken::EncodingKey;
use serde_json::Value;

use super::{Credentials, External, Place, Source, Subject};
use crate::config::entra::is_loopback;
use crate::config::secret::Secret;

const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
/// Of a token that is got in another's name; Google's most where nothing else is allowed.
const USUAL_SECONDS: u64 = 3600;

/// `None` with a problem reported.
pub(super) fn read(place: &Place<'_, '_, '_>, json: &Value, metadata: &str) -> Option<Credentials> {
    let file = File { place, json };
    let quota_project = file.text("quota_project_id");
    let (source, project) = match json["type"].as_str() {
        Some("service_account") => (file.service_account()?, file.text("project_id")),
        Some("authorized_user") => (file.authorized_user()?, quota_project.clone()),
        Some("external_account") => (file.external()?, None),
        Some("impersonated_service_account") => (file.impersonated(metadata)?, quota_project.clone()),
        Some("compute_engine") => (Source::Metadata { base: metadata.to_string() }, None),
        _ => {
            return place.wrong(
                "the credentials are of no `type` that is known",
                "known are service_account, authorized_user, external_account and impersonated_service_account",
            );
        }
    };
    Some(Credentials { source, project, quota_project })
}

struct File<'f, 'p, 'c, 'e> {
    place: &'f Place<'p, 'c, 'e>,
    json: &'f Value,
}

impl File<'_, '_, '_, '_> {
    fn text(&self, name: &str) -> Option<String> {
        self.json[name].as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_string)
    }

    fn need(&self, name: &str) -> Option<String> {
        let found = self.text(name);
        found.or_else(|| self.lacks(name))
    }

    fn lacks<T>(&self, name: &str) -> Option<T> {
        let kind = self.json["type"].as_str().unwrap_or_default();
        self.place.wrong(
            &format!("the credentials ({kind}) have no `{name}`"),
            "give the whole file as Google's console or gcloud wrote it",
        )
    }

    /// Secrets go there.
    fn address(&self, name: &str, given: String) -> Option<String> {
        let uri = given.parse::<Uri>().ok();
        let good = |uri: Uri| uri.scheme_str() == Some("https") || uri.host().is_some_and(is_loopback);
        if uri.is_some_and(good) {
            return Some(given);
        }
        self.place
            .wrong(&format!("`{name}` is no address that begins with https://"), "give the file as Google wrote it")
    }

    fn token_url(&self) -> Option<String> {
        self.address("token_uri", self.text("token_uri").unwrap_or_else(|| TOKEN_URL.to_string()))
    }

    fn service_account(&self) -> Option<Source> {
        let (email, key) = (self.need("client_email")?, self.need("private_key")?);
        if EncodingKey::from_rsa_pem(key.as_bytes()).is_err() {
            return self.place.wrong(
                "`private_key` is no RSA key in PEM form",
                "its line breaks are written as \\n in JSON: give the file as Google's console wrote it",
            );
        }
        Some(Source::ServiceAccount {
            token_url: self.token_url()?,
            email,
            key_id: self.text("private_key_id"),
            key: Secret::new(key),
        })
    }

    fn authorized_user(&self) -> Option<Source> {
        Some(Source::AuthorizedUser {
            token_url: self.token_url()?,
            client_id: self.need("client_id")?,
            client_secret: Secret::new(self.need("client_secret")?),
            refresh_token: Secret::new(self.need("refresh_token")?),
        })
    }

    fn external(&self) -> Option<Source> {
        let (subject, field) = self.subject()?;
        let client = self.text("client_id");
        let external = External {
            token_url: self.address("token_url", self.need("token_url")?)?,
            audience: self.need("audience")?,
            subject_token_type: self.need("subject_token_type")?,
            subject,
            field,
            client: client.zip(Some(Secret::new(self.text("client_secret").unwrap_or_default()))),
            user_project: self.text("workforce_pool_user_project"),
        };
        let external = Source::External(Box::new(external));
        let Some(url) = self.text("service_account_impersonation_url") else { return Some(external) };
        Some(Source::Impersonated {
            url: self.address("service_account_impersonation_url", url)?,
            seconds: self.json["service_account_impersonation"]["token_lifetime_seconds"]
                .as_u64()
                .unwrap_or(USUAL_SECONDS),
            delegates: Vec::new(),
            by: Box::new(external),
        })
    }

    /// Who holds the other issuer's token, and in which field of JSON.
    fn subject(&self) -> Option<(Subject, Option<String>)> {
        let source = &self.json["credential_source"];
        let format = &source["format"];
        let field = match (format["type"].as_str(), format["subject_token_field_name"].as_str()) {
            (Some("json"), Some(field)) => Some(field.to_string()),
            (Some("json"), None) => return self.lacks("credential_source.format.subject_token_field_name"),
            _ => None,
        };
        if let Some(file) = source["file"].as_str() {
            return Some((Subject::File(file.into()), field));
        }
        if let Some(url) = source["url"].as_str() {
            let headers = source["headers"].as_object().into_iter().flatten();
            let headers = headers.filter_map(|(name, value)| Some((name.clone(), Secret::new(value.as_str()?))));
            return Some((Subject::Url { url: url.to_string(), headers: headers.collect() }, field));
        }
        self.place.wrong(
            "`credential_source` has neither `file` nor `url`",
            "tokens of AWS, of a program or of a certificate cannot be exchanged yet: let a file hold the token",
        )
    }

    fn impersonated(&self, metadata: &str) -> Option<Source> {
        let url = self.need("service_account_impersonation_url")?;
        let by = &self.json["source_credentials"];
        if by.is_null() {
            return self.lacks("source_credentials");
        }
        let delegates = self.json["delegates"].as_array().into_iter().flatten();
        Some(Source::Impersonated {
            url: self.address("service_account_impersonation_url", url)?,
            seconds: USUAL_SECONDS,
            delegates: delegates.filter_map(Value::as_str).map(str::to_string).collect(),
            by: Box::new(read(self.place, by, metadata)?.source),
        })
    }
}
