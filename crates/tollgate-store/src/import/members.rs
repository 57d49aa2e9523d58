//! Who is a member of what. LiteLLM writes it in three places, which do not always agree: who is in one of them is a member.

use std::collections::BTreeMap;

use serde_json::Value;
use tollgate_policy::access::ScopeKind;

use super::convert::{balance, id, role};
use super::row::Row;
use super::{Found, LeftOut, OpeningBalance, Tables};
use crate::entity::{Membership, OrganisationMember, TeamRole};

pub fn of_organisation(mut row: Row) -> Result<Found<OrganisationMember>, LeftOut> {
    let entity = OrganisationMember {
        organisation_id: id(&mut row, "organization_id")?,
        user_id: id(&mut row, "user_id")?,
        role: role(&mut row),
        budget_id: row.text("budget_id"),
        stamps: row.stamps(),
        extra: row.rest(),
        ..OrganisationMember::default()
    };
    Ok(Found { entity, balance: None })
}

pub fn of_teams(tables: &Tables) -> Vec<Found<Membership>> {
    let mut members = Members::default();
    for mut team in tables.teams.iter().cloned() {
        let Some(team_id) = team.text("team_id") else { continue };
        for user_id in team.texts("members") {
            members.of(&team_id, user_id);
        }
        for user_id in team.texts("admins") {
            members.of(&team_id, user_id).entity.role = TeamRole::Admin;
        }
        if let Some(Value::Array(with_roles)) = team.json("members_with_roles") {
            for member in &with_roles {
                // Who is known by an address alone never logged in.
                let Some(user_id) = member["user_id"].as_str() else { continue };
                let admin = member["role"] == "admin";
                members.of(&team_id, user_id.to_string()).entity.role =
                    if admin { TeamRole::Admin } else { TeamRole::User };
            }
        }
    }
    for mut user in tables.users.iter().cloned() {
        let Some(user_id) = user.text("user_id") else { continue };
        for team_id in user.texts("teams") {
            members.of(&team_id, user_id.clone());
        }
    }
    for mut row in tables.team_members.iter().cloned() {
        let (Some(team_id), Some(user_id)) = (row.text("team_id"), row.text("user_id")) else { continue };
        let member = members.of(&team_id, user_id);
        member.entity.budget_id = row.text("budget_id");
        member.balance = balance(&mut row, ScopeKind::Member, &member.id());
    }
    members.found.into_values().collect()
}

#[derive(Default)]
struct Members {
    found: BTreeMap<String, Found<Membership>>,
}

impl Members {
    fn of(&mut self, team_id: &str, user_id: String) -> &mut Found<Membership> {
        let id = Membership::id_of(team_id, &user_id);
        let entity = || Membership { team_id: team_id.to_string(), user_id, ..Membership::default() };
        self.found.entry(id).or_insert_with(|| Found { entity: entity(), balance: None::<OpeningBalance> })
    }
}

impl Found<Membership> {
    fn id(&self) -> String {
        Membership::id_of(&self.entity.team_id, &self.entity.user_id)
    }
}
