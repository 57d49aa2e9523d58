//! Why a token gets nobody in, as it is told. No word of it is of the token, but for the names that its claims have.

use std::time::Duration;

use tollgate_dialect::error::{ErrorKind, PublicError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Unreadable,
    /// Signed by a method that is not taken, or by none.
    Algorithm,
    /// None of the identity provider's keys has this name.
    UnknownKey(Option<String>),
    Signature,
    Expired,
    NotYet,
    /// It is nobody's whose tokens are taken.
    Issuer(Vec<String>),
    Audience(Vec<String>),
    /// This claim is missing, or not as it has to be.
    Claim(String),
    /// The identity provider's keys cannot be had.
    KeysAway(String),
    Nobody(Nobody),
}

/// The token is good, and stands for nobody who may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nobody {
    /// Neither user nor team.
    Unnamed,
    User(String),
    Teams(Vec<String>),
    Organisation(String),
    /// Only callers of a team are let in.
    NoTeam,
    EmailDomain(String),
    UserRole,
    Role,
}

impl Refused {
    pub fn public(&self) -> PublicError {
        if let Refused::KeysAway(why) = self {
            let message = format!(
                "The keys to check tokens with cannot be had from the identity provider: {why} (JWT_PUBLIC_KEY_URL, or \
                 litellm_jwtauth.issuers, decides where they are)."
            );
            let retry_after = Some(Duration::from_secs(2));
            return PublicError { retry_after, ..PublicError::new(503, ErrorKind::Overloaded, message) };
        }
        let (status, kind, message) = match self {
            Refused::Nobody(nobody) => {
                let message = format!("The token is good, but does not let its bearer in: {}.", nobody.words());
                (403, ErrorKind::Permission, message)
            }
            _ => (401, ErrorKind::Authentication, format!("The token is not accepted: {}.", self.words())),
        };
        PublicError { should_retry: Some(false), ..PublicError::new(status, kind, message) }
    }

    fn words(&self) -> String {
        match self {
            Refused::Unreadable => "it is no JSON web token that can be read".into(),
            Refused::Algorithm => {
                "it is not signed with one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA".into()
            }
            Refused::UnknownKey(Some(id)) => {
                format!(
                    "the identity provider has no key with its id `{id}` (JWT_PUBLIC_KEY_URL decides whose keys count)"
                )
            }
            Refused::UnknownKey(None) => {
                "the identity provider has no key of its kind (JWT_PUBLIC_KEY_URL decides whose keys count)".into()
            }
            Refused::Signature => "its signature is wrong (JWT_PUBLIC_KEY_URL decides whose keys count)".into(),
            Refused::Expired => "it has expired (`exp`); sign in again".into(),
            Refused::NotYet => "it is not good yet (`nbf`)".into(),
            Refused::Issuer(ours) => {
                format!(
                    "its issuer (`iss`) is not {} (JWT_ISSUER or litellm_jwtauth.issuers decides)",
                    ours.join(" or ")
                )
            }
            Refused::Audience(ours) => {
                format!(
                    "its audience (`aud`) is not {} (JWT_AUDIENCE or litellm_jwtauth.issuers decides)",
                    ours.join(" or ")
                )
            }
            Refused::Claim(name) => format!("its claim `{name}` is missing or cannot be read"),
            Refused::KeysAway(why) => why.clone(),
            Refused::Nobody(nobody) => nobody.words(),
        }
    }
}

impl Nobody {
    fn words(&self) -> String {
        match self {
            Nobody::Unnamed => {
                "it names neither a user nor a team (litellm_jwtauth.user_id_jwt_field, team_id_jwt_field and \
                 team_ids_jwt_field say where to look, team_id_default which team is meant then)"
                    .into()
            }
            Nobody::User(id) => format!(
                "the user {id} is not known here; create it with /user/new, or set litellm_jwtauth.user_id_upsert: true"
            ),
            Nobody::Teams(ids) => format!(
                "no team {} is known here; create it with /team/new, or set litellm_jwtauth.team_id_upsert: true",
                ids.join(" or ")
            ),
            Nobody::Organisation(id) => {
                format!("the organization {id} is not known here; create it with /organization/new")
            }
            Nobody::NoTeam => {
                "it names no team, and models are for teams only (litellm_jwtauth.enforce_team_based_model_access)".into()
            }
            Nobody::EmailDomain(domain) => format!(
                "its user has no address at {domain} (litellm_jwtauth.user_allowed_email_domain, user_email_jwt_field)"
            ),
            Nobody::UserRole => {
                "its user has none of the roles in litellm_jwtauth.user_allowed_roles (user_roles_jwt_field says where to look)"
                    .into()
            }
            Nobody::Role => {
                "it has no role of litellm_jwtauth.role_mappings (enforce_rbac asks for one, roles_jwt_field says where to look)"
                    .into()
            }
        }
    }
}
