//! How a deployment signs in to AWS: described here, done in `upstream/credential`.
//!
//! The keys in `litellm_params` are LiteLLM's (1.109.1, `base_aws_llm.py`); variables, files and their order are those of the AWS
//! SDKs (docs.aws.amazon.com, AWS SDKs and Tools Reference Guide, "Standardized credential providers", 2026-11).

use std::path::PathBuf;
use std::sync::Arc;

use super::identity::{Identity, SignIn};
use super::secret::Secret;
use super::section::Section;
use profile::Profiles;

mod profile;
mod region;

pub use region::{domain, needed_region, region};

/// Whose keys sign the requests, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aws {
    pub source: Arc<Source>,
    pub region: String,
    /// The service's name in the signature.
    pub service: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Keys {
    pub id: String,
    pub secret: Secret,
    /// Of temporary keys.
    pub session: Option<Secret>,
}

/// Where keys come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    Keys(Keys),
    /// STS AssumeRole, with the keys of another source.
    Role {
        sts: Sts,
        role: Role,
        external_id: Option<String>,
        base: Arc<Source>,
    },
    /// STS AssumeRoleWithWebIdentity. It is not signed.
    WebIdentity {
        sts: Sts,
        role: Role,
        proof: Proof,
    },
    /// A program that prints keys.
    Process(String),
    /// The task's or pod's role, from the agent beside the container.
    Container {
        url: String,
        token: Option<Proof>,
    },
    /// The role of the virtual machine (EC2).
    Instance {
        base: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sts {
    pub url: String,
    pub region: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Role {
    pub arn: String,
    pub session: String,
}

/// A token that proves who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Proof {
    Text(Secret),
    /// Whoever issues the token writes the file anew before it ends.
    File(PathBuf),
}

impl Source {
    pub fn secrets(&self) -> Vec<&str> {
        match self {
            Source::Keys(keys) => keys.secrets(),
            Source::Role { base, .. } => base.secrets(),
            Source::WebIdentity { proof: Proof::Text(token), .. }
            | Source::Container { token: Some(Proof::Text(token)), .. } => vec![token.expose()],
            Source::WebIdentity { .. } | Source::Container { .. } | Source::Process(_) | Source::Instance { .. } => {
                Vec::new()
            }
        }
    }
}

impl Keys {
    pub fn secrets(&self) -> Vec<&str> {
        std::iter::once(&self.secret).chain(&self.session).map(Secret::expose).collect()
    }
}

/// What a signature is to be good for.
pub struct Asked {
    pub service: String,
    /// Where none is known, requests can still go to a given address with a key.
    pub region: Option<String>,
}

/// Variables that hold a key of Bedrock's own, which is sent as a bearer.
pub const BEARER: &str = "AWS_BEARER_TOKEN_BEDROCK";

/// What the deployment says goes before what the environment says.
pub fn sign_in(params: &Section<'_, '_>, asked: &Asked) -> SignIn {
    let said = Said::read(params);
    if params.take("api_key").is_some() || (!said.names_source() && params.cx.variable(BEARER).is_some()) {
        return SignIn::Key;
    }
    let source = said.source();
    match (source, needed_region(params, asked.region.as_deref())) {
        (Some(source), Some(region)) => {
            let (region, service) = (region.to_string(), asked.service.clone());
            SignIn::As(Identity::Aws(Aws { source: Arc::new(source), region, service }))
        }
        _ => SignIn::Wrong,
    }
}

/// What parameters, variables and files say.
struct Said<'p, 'c, 'e> {
    params: &'p Section<'c, 'e>,
    profiles: Profiles,
    key_id: Option<String>,
    key_secret: Option<String>,
    key_session: Option<String>,
    profile: Option<String>,
    role: Option<String>,
    session: Option<String>,
    external_id: Option<String>,
    web_identity: Option<String>,
    sts: Option<String>,
}

impl<'p, 'c, 'e> Said<'p, 'c, 'e> {
    fn read(params: &'p Section<'c, 'e>) -> Self {
        let text = |key: &str| params.text(key).map(|text| text.trim().to_string()).filter(|text| !text.is_empty());
        Said {
            params,
            profiles: Profiles::read(params.cx),
            key_id: text("aws_access_key_id"),
            key_secret: text("aws_secret_access_key"),
            key_session: text("aws_session_token"),
            profile: text("aws_profile_name"),
            role: text("aws_role_name"),
            session: text("aws_session_name"),
            external_id: text("aws_external_id"),
            web_identity: text("aws_web_identity_token"),
            sts: text("aws_sts_endpoint"),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.params.cx.variable(name).map(|value| value.trim().to_string())
    }

    fn wrong(&self, key: &str, message: &str, hint: &str) {
        let at = self.params.entry(key).map_or(self.params.at, |entry| entry.node.at);
        self.params.cx.error(at, &self.params.path_of(key), message, hint);
    }

    fn has_key(&self) -> bool {
        ["aws_access_key_id", "aws_secret_access_key"].iter().any(|key| self.params.take(key).is_some())
    }

    fn names_source(&self) -> bool {
        let keys = ["aws_profile_name", "aws_role_name", "aws_web_identity_token"];
        self.has_key() || keys.iter().any(|key| self.params.take(key).is_some())
    }

    /// `None` with a problem reported.
    fn source(&self) -> Option<Source> {
        if let Some(token) = &self.web_identity {
            return self.web_identity(token);
        }
        let base = if self.has_key() {
            self.keys()
        } else if let Some(profile) = &self.profile {
            self.of_profile(profile, &mut Vec::new())
        } else {
            self.environment()
        }?;
        match &self.role {
            Some(arn) => self.assume(arn, base),
            None => Some(base),
        }
    }

    fn keys(&self) -> Option<Source> {
        match (&self.key_id, &self.key_secret) {
            (Some(id), Some(secret)) => Some(keys(id, secret, self.key_session.as_deref())),
            (None, _) => {
                let message = "the keys are not whole: there is no `aws_access_key_id`, or its variable is not set";
                self.wrong("aws_access_key_id", message, "write it beside `aws_secret_access_key`; docs/bedrock.md");
                None
            }
            (_, None) => {
                let message = "the keys are not whole: there is no `aws_secret_access_key`, or its variable is not set";
                self.wrong("aws_secret_access_key", message, "write it beside `aws_access_key_id`; docs/bedrock.md");
                None
            }
        }
    }

    fn assume(&self, arn: &str, base: Source) -> Option<Source> {
        // A pod's own role is had by its token at once; few roles may assume themselves.
        if matches!(&base, Source::WebIdentity { role, .. } if role.arn == *arn) {
            return Some(base);
        }
        let external_id = self.external_id.clone();
        Some(Source::Role { sts: self.sts(None)?, role: self.role(arn, None)?, external_id, base: Arc::new(base) })
    }

    fn role(&self, arn: &str, session: Option<&str>) -> Option<Role> {
        if !arn.starts_with("arn:") {
            let hint = "write the whole ARN, such as arn:aws:iam::123456789012:role/NAME";
            self.wrong("aws_role_name", "the role to assume is no ARN", hint);
            return None;
        }
        let session = self.session.as_deref().or(session).map(str::to_string);
        let session = session.or_else(|| self.variable("AWS_ROLE_SESSION_NAME"));
        Some(Role { arn: arn.to_string(), session: session.unwrap_or_else(|| "tollgate".to_string()) })
    }

    fn web_identity(&self, token: &str) -> Option<Source> {
        let proof = match token.strip_prefix("oidc/").map(|kind| kind.split_once('/')) {
            Some(Some(("file", path))) => Proof::File(path.into()),
            Some(Some(("env_path", name))) => Proof::File(self.needed(name)?.into()),
            Some(Some(("env", name))) => Proof::Text(Secret::new(self.needed(name)?)),
            Some(_) => {
                let hint = "write `oidc/file/PATH`, `oidc/env/NAME` or `oidc/env_path/NAME`";
                self.wrong(
                    "aws_web_identity_token",
                    "a token by `oidc/…` can be had only from a file or a variable",
                    hint,
                );
                return None;
            }
            None if token.starts_with('/') => Proof::File(token.into()),
            None => Proof::Text(Secret::new(token)),
        };
        let Some(arn) = self.role.clone().or_else(|| self.variable("AWS_ROLE_ARN")) else {
            let hint = "write `aws_role_name: arn:aws:iam::ACCOUNT:role/NAME`, or set AWS_ROLE_ARN";
            self.wrong("aws_role_name", "a web identity needs the role that it assumes", hint);
            return None;
        };
        Some(Source::WebIdentity { sts: self.sts(None)?, role: self.role(&arn, None)?, proof })
    }

    fn needed(&self, name: &str) -> Option<String> {
        let value = self.variable(name);
        if value.is_none() {
            let message = format!("the environment variable {name} is not set");
            self.wrong("aws_web_identity_token", &message, &format!("set {name}"));
        }
        value
    }

    /// The default chain of the SDKs: the first that is set up.
    fn environment(&self) -> Option<Source> {
        if let Some(keys) = self.keys_of_environment() {
            return Some(keys);
        }
        let profile = self.variable("AWS_PROFILE").or_else(|| self.variable("AWS_DEFAULT_PROFILE"));
        if let Some(name) = profile {
            return self.of_profile(&name, &mut Vec::new());
        }
        if self.profiles.holds_credentials("default") {
            return self.of_profile("default", &mut Vec::new());
        }
        if let (Some(file), Some(arn)) = (self.variable("AWS_WEB_IDENTITY_TOKEN_FILE"), self.variable("AWS_ROLE_ARN")) {
            let role = self.role(&arn, None)?;
            return Some(Source::WebIdentity { sts: self.sts(None)?, role, proof: Proof::File(file.into()) });
        }
        if let Some(container) = self.container() {
            return container;
        }
        self.instance()
    }

    fn keys_of_environment(&self) -> Option<Source> {
        let (id, secret) = (self.variable("AWS_ACCESS_KEY_ID")?, self.variable("AWS_SECRET_ACCESS_KEY")?);
        Some(keys(&id, &secret, self.variable("AWS_SESSION_TOKEN").as_deref()))
    }

    /// `Some(None)`: it is meant, but not well.
    fn container(&self) -> Option<Option<Source>> {
        let relative = self.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        let url = match relative {
            Some(path) => format!("http://169.254.170.2{path}"),
            None => self.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")?,
        };
        if !region::is_secret_kept(&url) {
            let message =
                "AWS_CONTAINER_CREDENTIALS_FULL_URI leads over plain HTTP to a host that is not this machine's own";
            self.wrong("model", message, "use https://, or the address that ECS or EKS sets");
            return Some(None);
        }
        let file = self.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(|file| Proof::File(file.into()));
        let text = || Some(Proof::Text(Secret::new(self.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN")?)));
        Some(Some(Source::Container { url, token: file.or_else(text) }))
    }

    fn instance(&self) -> Option<Source> {
        if self.variable("AWS_EC2_METADATA_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true")) {
            let hint = "write `aws_access_key_id` and `aws_secret_access_key`, `aws_profile_name`, `aws_role_name` or `api_key`; or \
                        set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE or AWS_BEARER_TOKEN_BEDROCK (docs/bedrock.md)";
            self.wrong("model", "there are no credentials for AWS", hint);
            return None;
        }
        let base = self.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let base = base.unwrap_or_else(|| "http://169.254.169.254".to_string());
        Some(Source::Instance { base: base.trim_end_matches('/').to_string() })
    }
}

fn keys(id: &str, secret: &str, session: Option<&str>) -> Source {
    Source::Keys(Keys { id: id.to_string(), secret: Secret::new(secret), session: session.map(Secret::new) })
}
