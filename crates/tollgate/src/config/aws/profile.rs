//! Named profiles of AWS's shared files (AWS SDKs and Tools Reference Guide, "Shared config and credentials files", 2026-11).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Proof, Said, Source, keys};
use crate::config::context::Context;

type Values = BTreeMap<String, String>;

/// By name. What the credentials file says goes before what the config file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Profiles(BTreeMap<String, Values>);

impl Profiles {
    /// Files that are not there hold no profiles.
    pub fn read(cx: &Context<'_>) -> Profiles {
        let home = cx.variable("HOME").or_else(|| cx.variable("USERPROFILE"));
        let file = |variable: &str, name: &str| {
            let path = cx.variable(variable).or_else(|| Some(format!("{}/.aws/{name}", home.as_deref()?)))?;
            std::fs::read_to_string(Path::new(&path)).ok()
        };
        let config = file("AWS_CONFIG_FILE", "config").unwrap_or_default();
        let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials").unwrap_or_default();
        Profiles::parse(&config, &credentials)
    }

    fn parse(config: &str, credentials: &str) -> Profiles {
        let mut profiles = Profiles::default();
        let of_config = |section: &str| match section.split_once(char::is_whitespace) {
            Some(("profile", name)) => Some(name.trim().to_string()),
            None if section == "default" => Some(section.to_string()),
            // sso-session, services
            _ => None,
        };
        profiles.add(config, of_config);
        profiles.add(credentials, |section| Some(section.to_string()));
        profiles
    }

    fn add(&mut self, text: &str, name_of: impl Fn(&str) -> Option<String>) {
        let mut current = None;
        for line in text.lines() {
            let trimmed = line.trim();
            // Indented lines are settings of a setting, such as those of `s3`.
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) || line.starts_with([' ', '\t']) {
                continue;
            }
            if let Some(section) = trimmed.strip_prefix('[') {
                current = section.split(']').next().map(str::trim).and_then(&name_of);
                if let Some(name) = &current {
                    self.0.entry(name.clone()).or_default();
                }
            } else if let (Some(name), Some((key, value))) = (&current, trimmed.split_once('=')) {
                let comment = value.find(" #").or_else(|| value.find(" ;")).unwrap_or(value.len());
                let values = self.0.entry(name.clone()).or_default();
                values.insert(key.trim().to_lowercase(), value[..comment].trim().to_string());
            }
        }
    }

    pub fn value(&self, profile: &str, key: &str) -> Option<String> {
        self.0.get(profile)?.get(key).filter(|value| !value.is_empty()).cloned()
    }

    pub fn holds_credentials(&self, profile: &str) -> bool {
        let keys = ["role_arn", "aws_access_key_id", "credential_process", "sso_session", "sso_start_url"];
        keys.iter().any(|key| self.value(profile, key).is_some())
    }

    fn names(&self) -> String {
        self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

impl Said<'_, '_, '_> {
    /// `None` with a problem reported. `before`: profiles that led here.
    pub(super) fn of_profile(&self, name: &str, before: &mut Vec<String>) -> Option<Source> {
        let value = |key: &str| self.profiles.value(name, key);
        if !self.profiles.0.contains_key(name) {
            let hint = match self.profiles.names().as_str() {
                "" => "no shared file of AWS was found: set AWS_SHARED_CREDENTIALS_FILE or AWS_CONFIG_FILE".to_string(),
                names => format!("the shared files of AWS have {names}"),
            };
            self.wrong("aws_profile_name", &format!("there is no AWS profile called {name}"), &hint);
            return None;
        }
        if let Some(arn) = value("role_arn").filter(|_| !before.iter().any(|earlier| earlier == name)) {
            return self.role_of_profile(name, &arn, before);
        }
        if let (Some(id), Some(secret)) = (value("aws_access_key_id"), value("aws_secret_access_key")) {
            return Some(keys(&id, &secret, value("aws_session_token").as_deref()));
        }
        if let Some(command) = value("credential_process") {
            return Some(Source::Process(command));
        }
        let single_sign_on = value("sso_session").or_else(|| value("sso_start_url")).is_some();
        let (message, hint) = if single_sign_on {
            (
                format!(
                    "the AWS profile {name} signs in by IAM Identity Center (SSO), which the gateway cannot do by itself"
                ),
                format!(
                    "add `credential_process = aws configure export-credentials --profile {name} --format process` to another profile and name that one"
                ),
            )
        } else {
            let hint = "it needs aws_access_key_id and aws_secret_access_key, role_arn with source_profile, or credential_process";
            (format!("the AWS profile {name} holds no credentials"), hint.to_string())
        };
        self.wrong("aws_profile_name", &message, &hint);
        None
    }

    fn role_of_profile(&self, name: &str, arn: &str, before: &mut Vec<String>) -> Option<Source> {
        let value = |key: &str| self.profiles.value(name, key);
        let role = self.role(arn, value("role_session_name").as_deref())?;
        let sts = self.sts(value("region"))?;
        if value("mfa_serial").is_some() {
            let message =
                format!("the AWS profile {name} asks for a second factor (mfa_serial), which the gateway cannot give");
            self.wrong(
                "aws_profile_name",
                &message,
                "use a role that the gateway's own identity may assume without one",
            );
            return None;
        }
        if let Some(file) = value("web_identity_token_file") {
            return Some(Source::WebIdentity { sts, role, proof: Proof::File(file.into()) });
        }
        let base = match (value("source_profile"), value("credential_source").as_deref()) {
            (Some(source), _) => {
                before.push(name.to_string());
                self.of_profile(&source, before)?
            }
            (None, Some("Environment")) => self.keys_of_environment().or_else(|| {
                let hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
                self.wrong(
                    "aws_profile_name",
                    &format!("the AWS profile {name} takes keys from variables that are not set"),
                    hint,
                );
                None
            })?,
            (None, Some("Ec2InstanceMetadata")) => self.instance()?,
            (None, Some("EcsContainer")) => self.container().flatten().or_else(|| {
                let hint =
                    "ECS and EKS set AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI";
                self.wrong(
                    "aws_profile_name",
                    &format!("the AWS profile {name} takes keys from a container that is none"),
                    hint,
                );
                None
            })?,
            (None, _) => {
                let hint = "add `source_profile`, or `credential_source = Environment`, `Ec2InstanceMetadata` or `EcsContainer`";
                self.wrong(
                    "aws_profile_name",
                    &format!("the AWS profile {name} does not say with whose keys it assumes its role"),
                    hint,
                );
                return None;
            }
        };
        Some(Source::Role { sts, role, external_id: value("external_id"), base: Arc::new(base) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_make_one_set_of_profiles_and_credentials_go_first() {
        let config = "[default]\nregion = eu-west-1\naws_access_key_id=OLD\n# a remark\n[profile dev]\nrole_arn = arn:aws:iam::1:role/R ; mine\ns3 =\n  region = no\n[sso-session x]\nsso_region = us-east-1\n";
        let credentials =
            "[default]\naws_access_key_id = AKID\nAWS_SECRET_ACCESS_KEY = a/b+c= # kept in the safe\n[ci]\n";
        let profiles = Profiles::parse(config, credentials);
        let value = |profile: &str, key: &str| profiles.value(profile, key);
        assert_eq!(value("default", "region").as_deref(), Some("eu-west-1"));
        assert_eq!(value("default", "aws_access_key_id").as_deref(), Some("AKID"));
        assert_eq!(value("default", "aws_secret_access_key").as_deref(), Some("a/b+c="));
        assert_eq!(value("dev", "role_arn").as_deref(), Some("arn:aws:iam::1:role/R"));
        assert_eq!(value("dev", "region"), None);
        assert_eq!(profiles.names(), "ci, default, dev");
        assert!(profiles.holds_credentials("dev") && !profiles.holds_credentials("ci"));
    }
}
