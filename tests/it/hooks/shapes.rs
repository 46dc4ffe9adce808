//! What forges send, in the shapes they document: the fields that are read, and those around them.

/// GitHub's `push`.
pub fn github_push(reference: &str, after: &str) -> String {
    let gone = after.bytes().all(|byte| byte == b'0');
    let head = match gone {
        true => "null".to_owned(),
        false => format!(
            r#"{{"id":"{after}","tree_id":"f9d2a07e9488b91af2641b26b9407fe22a451433","distinct":true,
            "message":"cart: fix the sum of three equal things\n\nThe cache was read before it was written.",
            "timestamp":"2026-11-21T07:38:12Z","url":"https://github.com/acme/shop/commit/{after}",
            "author":{{"name":"Ada Lovelace","email":"ada@example.org","username":"ada"}},
            "committer":{{"name":"GitHub","email":"noreply@github.com","username":"web-flow"}},
            "added":[],"removed":[],"modified":["src/cart.rs"]}}"#
        ),
    };
    let commits = if gone { "[]".to_owned() } else { format!("[{head}]") };
    format!(
        r#"{{"ref":"{reference}","before":"4e1f0c2a7b3d5e6f8091a2b3c4d5e6f708192a3b","after":"{after}",
        "repository":{{"id":186853002,"node_id":"MDEwOlJlcG9zaXRvcnkxODY4NTMwMDI=","name":"shop","full_name":"acme/shop",
          "private":true,"owner":{{"name":"acme","login":"acme","id":21031067,"type":"Organization"}},
          "html_url":"https://github.com/acme/shop","fork":false,"clone_url":"https://github.com/acme/shop.git",
          "ssh_url":"git@github.com:acme/shop.git","default_branch":"main","pushed_at":1795246692}},
        "pusher":{{"name":"ada","email":"ada@example.org"}},"sender":{{"login":"ada","id":21031067,"type":"User"}},
        "created":false,"deleted":{gone},"forced":false,"base_ref":null,
        "compare":"https://github.com/acme/shop/compare/4e1f0c2a7b3d...9f3c21a5d1b8",
        "commits":{commits},"head_commit":{head}}}"#
    )
}

/// GitHub's `ping`.
pub const GITHUB_PING: &str = r#"{"zen":"Design for failure.","hook_id":109948940,
  "hook":{"type":"Repository","id":109948940,"name":"web","active":true,"events":["push"],
    "config":{"content_type":"json","insecure_ssl":"0","secret":"********","url":"https://skiff.example.org/hooks/github/x"}},
  "repository":{"id":186853002,"full_name":"acme/shop"},"sender":{"login":"ada","id":21031067}}"#;

/// GitHub's `pull_request`, from a fork.
pub const GITHUB_PULL_REQUEST: &str = r#"{"action":"opened","number":2,"pull_request":{"id":279147437,"state":"open",
  "head":{"label":"mallory:main","ref":"main","sha":"ec26c3e57ca3a959ca5aad62de7213c562f8c821",
    "repo":{"full_name":"mallory/shop","fork":true}},"base":{"ref":"main","repo":{"full_name":"acme/shop"}}},
  "repository":{"full_name":"acme/shop"}}"#;

/// GitLab's `Push Hook`.
pub fn gitlab_push(after: &str) -> String {
    format!(
        r#"{{"object_kind":"push","event_name":"push","before":"95790bf891e76fee5e1747ab589903a6a1f80f22","after":"{after}",
        "ref":"refs/heads/main","ref_protected":true,"checkout_sha":"{after}","user_id":4,"user_name":"Ada Lovelace",
        "user_username":"ada","user_email":"","project_id":15,
        "project":{{"id":15,"name":"Shop","description":"","web_url":"https://gitlab.example.org/acme/shop",
          "git_ssh_url":"git@gitlab.example.org:acme/shop.git","git_http_url":"https://gitlab.example.org/acme/shop.git",
          "namespace":"Acme","visibility_level":0,"path_with_namespace":"acme/shop","default_branch":"main"}},
        "repository":{{"name":"Shop","url":"git@gitlab.example.org:acme/shop.git","homepage":"https://gitlab.example.org/acme/shop"}},
        "commits":[
          {{"id":"b6568db1bc1dcd7f8b4d5a946b0b91f9dacd7327","message":"An earlier one","title":"An earlier one",
            "timestamp":"2026-11-20T14:27:31+02:00","author":{{"name":"Grace Hopper","email":"grace@example.org"}},
            "added":["CHANGELOG"],"modified":[],"removed":[]}},
          {{"id":"{after}","message":"fix the readme\n","title":"fix the readme","timestamp":"2026-11-21T23:36:29+02:00",
            "author":{{"name":"Ada Lovelace","email":"ada@example.org"}},"added":[],"modified":["README"],"removed":[]}}],
        "total_commits_count":2,"push_options":{{}}}}"#
    )
}

/// Gitea's `push`.
pub fn gitea_push(after: &str) -> String {
    format!(
        r#"{{"ref":"refs/heads/main","before":"28e1879d029cb852e4844d9c718537df08844e03","after":"{after}",
        "compare_url":"https://gitea.example.org/acme/shop/compare/28e1879...bffeb74","total_commits":1,
        "commits":[{{"id":"{after}","message":"Webhooks Yay!","url":"https://gitea.example.org/acme/shop/commit/{after}",
          "author":{{"name":"Ada Lovelace","email":"ada@example.org","username":"ada"}},
          "committer":{{"name":"Ada Lovelace","email":"ada@example.org","username":"ada"}},"verification":null,
          "timestamp":"2026-11-21T13:50:57Z","added":[],"removed":[],"modified":["README.md"]}}],
        "head_commit":{{"id":"{after}","message":"Webhooks Yay!","author":{{"name":"Ada Lovelace","email":"ada@example.org"}}}},
        "repository":{{"id":140,"owner":{{"id":1,"login":"acme"}},"name":"shop","full_name":"acme/shop","private":false,
          "clone_url":"https://gitea.example.org/acme/shop.git","default_branch":"main"}},
        "pusher":{{"id":1,"login":"ada","username":"ada"}},"sender":{{"id":1,"login":"ada"}}}}"#
    )
}
