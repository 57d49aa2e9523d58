//! In which region requests are made, and where its services are.

use http::Uri;

use super::{Said, Sts};
use crate::config::section::Section;

/// As the deployment, its model's name (`named` or an ARN), its address or the environment says.
pub fn region(params: &Section<'_, '_>, named: Option<&str>, model: &str, host: Option<&str>) -> Option<String> {
    own_region(params)
        .or_else(|| named.map(str::to_string))
        .or_else(|| of_arn(model))
        .or_else(|| host.and_then(of_host))
        .or_else(|| Said::read(params).usual_region())
}

/// It is needed: `None` with a problem reported.
pub fn needed_region<'r>(params: &Section<'_, '_>, region: Option<&'r str>) -> Option<&'r str> {
    let (message, hint) = match region {
        // It becomes a part of the address.
        Some(region) if region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') => {
            return Some(region);
        }
        Some(_) => ("is no AWS region", "regions look like us-east-1"),
        None => ("the AWS region is not known", "write `aws_region_name: us-east-1`, or set AWS_REGION"),
    };
    let at = params.entry("aws_region_name").map_or(params.at, |entry| entry.node.at);
    params.cx.error(at, &params.path_of("aws_region_name"), message, hint);
    None
}

fn own_region(params: &Section<'_, '_>) -> Option<String> {
    params.text("aws_region_name").map(|region| region.trim().to_string()).filter(|region| !region.is_empty())
}

impl Said<'_, '_, '_> {
    fn usual_region(&self) -> Option<String> {
        let variables = ["AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"];
        variables.iter().find_map(|name| self.variable(name)).or_else(|| {
            let named = self.profile.clone().or_else(|| self.variable("AWS_PROFILE"));
            self.profiles.value(named.as_deref().unwrap_or("default"), "region")
        })
    }

    /// Where roles are assumed. `region`: of a profile.
    pub(super) fn sts(&self, region: Option<String>) -> Option<Sts> {
        let region = region.or_else(|| own_region(self.params)).or_else(|| self.usual_region());
        let region = region.unwrap_or_else(|| "us-east-1".to_string());
        let given = self.sts.clone().or_else(|| self.variable("AWS_ENDPOINT_URL_STS"));
        let url = given.unwrap_or_else(|| format!("https://sts.{region}.{}", domain(&region)));
        if url.parse::<Uri>().is_ok() && is_secret_kept(&url) {
            return Some(Sts { url: url.trim_end_matches('/').to_string(), region });
        }
        let hint = "write it like https://sts.us-east-1.amazonaws.com";
        self.wrong("aws_sts_endpoint", "the address of STS must begin with https://", hint);
        None
    }
}

/// `amazonaws.com`, in China another.
pub fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

/// `arn:aws:bedrock:REGION:ACCOUNT:…`
fn of_arn(model: &str) -> Option<String> {
    let mut parts = model.split(':');
    (parts.next() == Some("arn")).then(|| parts.nth(2).map(str::to_string))?.filter(|region| !region.is_empty())
}

/// `bedrock-runtime.REGION.amazonaws.com`, with or without what a VPC endpoint has before it; `bedrock-mantle.REGION.api.aws`.
fn of_host(host: &str) -> Option<String> {
    let aws = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|end| host.ends_with(end));
    let mut labels = host.split('.').skip_while(|label| !label.starts_with("bedrock"));
    labels.next().filter(|_| aws)?;
    labels.next().map(str::to_string)
}

/// Secrets go only over TLS, or stay on this machine or with the agents that containers have at fixed addresses.
pub fn is_secret_kept(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or("").trim_matches(['[', ']']);
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => {
            let agents = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost"];
            agents.contains(&host) || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_read_from_hosts_and_arns() {
        let us = Some("us-east-1".to_string());
        assert_eq!(of_host("bedrock-runtime.us-east-1.amazonaws.com"), us);
        assert_eq!(of_host("bedrock-runtime-fips.us-east-1.amazonaws.com"), us);
        assert_eq!(of_host("vpce-0a1-x.bedrock-runtime.us-east-1.vpce.amazonaws.com"), us);
        assert_eq!(of_host("bedrock-mantle.us-east-1.api.aws"), us);
        assert_eq!(of_host("bedrock-proxy.example.com"), None);
        assert_eq!(of_host("127.0.0.1"), None);
        assert_eq!(of_arn("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"), us);
        assert_eq!(of_arn("anthropic.claude-opus-5"), None);
    }

    #[test]
    fn secrets_go_over_tls_or_to_the_machine_itself() {
        for url in ["https://x.example.com/a", "http://127.0.0.1:1/a", "http://[::1]/", "http://169.254.170.23/v1"] {
            assert!(is_secret_kept(url), "{url}");
        }
        for url in ["http://x.example.com", "http://10.0.0.1/", "ftp://127.0.0.1", "no address"] {
            assert!(!is_secret_kept(url), "{url}");
        }
    }
}
