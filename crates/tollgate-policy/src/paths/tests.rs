use super::*;

#[test]
fn paths_have_their_class_with_and_without_version() {
    let cases = [
        ("/v1/messages", PathClass::Models),
        ("/messages/count_tokens", PathClass::Models),
        ("/openai/deployments/gpt-5/chat/completions", PathClass::Models),
        ("/v1/models", PathClass::Models),
        ("/v1beta/models/gemini-3-pro:generateContent", PathClass::Models),
        ("/key/info", PathClass::Info),
        ("/v1/model/info", PathClass::Info),
        ("/spend/logs/v2", PathClass::Spend),
        ("/global/spend/report", PathClass::Oversight),
        ("/tollgate/requests/req_1", PathClass::Oversight),
        ("/key/generate", PathClass::Own),
        ("/key/abc/regenerate", PathClass::Own),
        ("/team/member_add", PathClass::Own),
        ("/team/new", PathClass::People),
        ("/organization/member_add", PathClass::People),
        ("/organization/new", PathClass::Settings),
        ("/model/new", PathClass::Settings),
        ("/budget/new", PathClass::Settings),
        ("/v1", PathClass::Settings),
        ("/nothing/known", PathClass::Settings),
    ];
    for (path, class) in cases {
        assert_eq!(PathClass::of(path), class, "{path}");
    }
}

#[test]
fn a_list_has_paths_patterns_and_groups() {
    let list = |entries: &[&str]| entries.iter().map(|entry| entry.to_string()).collect::<Vec<_>>();
    let cases = [
        (list(&["llm_api_routes"]), "/v1/chat/completions", true),
        (list(&["llm_api_routes"]), "/key/generate", false),
        (list(&["management_routes"]), "/key/generate", true),
        (list(&["management_routes"]), "/v1/messages", false),
        (list(&["info_routes"]), "/key/info", true),
        (list(&["info_routes"]), "/key/generate", false),
        (list(&["/chat/completions"]), "/v1/chat/completions", true),
        (list(&["/v1/chat/completions"]), "/chat/completions/", true),
        (list(&["/v1/chat/completions"]), "/v1/messages", false),
        (list(&["/key/*"]), "/key/generate", true),
        (list(&["/key/*"]), "/keys", false),
    ];
    for (list, path, has) in cases {
        assert_eq!(listed(&list, path), has, "{list:?} {path}");
    }
}

#[test]
fn roles_reach_as_far_as_they_should() {
    let reaches = |role, path| PathClass::of(path).open_to(role);
    for role in [Role::InternalUser, Role::OrgAdmin, Role::ProxyAdmin] {
        assert!(reaches(role, "/key/generate"), "{role:?}");
    }
    for role in [Role::InternalUserViewer, Role::ProxyAdminViewer, Role::Team, Role::Customer] {
        assert!(!reaches(role, "/key/generate"), "{role:?}");
        assert!(reaches(role, "/v1/messages"), "{role:?}");
    }
    assert!(reaches(Role::ProxyAdminViewer, "/global/spend") && !reaches(Role::OrgAdmin, "/global/spend"));
    assert!(reaches(Role::OrgAdmin, "/team/new") && !reaches(Role::InternalUser, "/team/new"));
    assert!(reaches(Role::Team, "/key/info") && !reaches(Role::Customer, "/key/info"));
    for role in [Role::OrgAdmin, Role::ProxyAdminViewer, Role::InternalUser] {
        assert!(!reaches(role, "/model/new") && reaches(Role::ProxyAdmin, "/model/new"), "{role:?}");
    }
}
