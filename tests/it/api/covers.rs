//! Every act of the pages is in the API. A new page that does something fails here until it has a row.

use crate::harness::door::Panel;

/// A page's act and the call that does the same, or why there is none.
const ACTS: &[(&str, Result<&str, &str>)] = &[
    ("/account/password", Err("one's own way to sign in, not a token's")),
    ("/account/sessions/end", Err("signed-in browsers are not a token's to end")),
    ("/login", Err("a token needs no session")),
    ("/logout", Err("a token needs no session")),
    ("/setup", Err("before there is anybody to have a token")),
    ("/t/{team}/apps", Ok("POST /apps")),
    ("/t/{team}/apps/{id}/configuration", Ok("PATCH /apps/{app}/configuration")),
    ("/t/{team}/apps/{id}/deploys", Ok("POST /apps/{app}/deploys")),
    ("/t/{team}/apps/{id}/name", Ok("PATCH /apps/{app}")),
    ("/t/{team}/apps/{id}/placement", Ok("PUT /apps/{app}/placement")),
    ("/t/{team}/apps/{id}/routes", Ok("POST /apps/{app}/routes")),
    ("/t/{team}/apps/{id}/front", Ok("PUT /apps/{app}/front")),
    ("/t/{team}/apps/{id}/maintenance", Ok("PUT /apps/{app}/maintenance")),
    ("/t/{team}/apps/{id}/routes/{route}", Ok("PUT /apps/{app}/routes/{id}")),
    ("/t/{team}/apps/{id}/routes/{route}/move", Ok("POST /apps/{app}/routes/{id}/move")),
    ("/t/{team}/hosts/{id}/base-domain", Ok("PUT /hosts/{host}/base-domain")),
    ("/t/{team}/hosts/{id}/trust", Ok("PUT /hosts/{host}/trust")),
    ("/t/{team}/apps/{id}/routes/again", Ok("POST /apps/{app}/routes/again")),
    ("/t/{team}/apps/{id}/routes/remove", Ok("DELETE /apps/{app}/routes/{id}")),
    ("/t/{team}/apps/{id}/scale", Ok("POST /apps/{app}/scale")),
    ("/t/{team}/apps/{id}/secrets", Ok("PUT /apps/{app}/secrets/{name}")),
    ("/t/{team}/apps/{id}/secrets/remove", Ok("DELETE /apps/{app}/secrets/{name}")),
    ("/t/{team}/apps/{id}/source", Ok("PATCH /apps/{app}/source")),
    ("/t/{team}/apps/{id}/source/dockerfile", Ok("PUT /apps/{app}/dockerfile")),
    ("/t/{team}/apps/{id}/source/look", Ok("POST /apps/{app}/dockerfile/look")),
    ("/t/{team}/apps/{id}/variables", Ok("PUT /apps/{app}/variables/{name}")),
    ("/t/{team}/apps/{id}/variables/remove", Ok("DELETE /apps/{app}/variables/{name}")),
    ("/t/{team}/apps/{id}/volumes", Ok("POST /apps/{app}/volumes")),
    ("/t/{team}/apps/{id}/volumes/detach", Ok("DELETE /apps/{app}/volumes/{id}/mount")),
    ("/t/{team}/apps/{id}/volumes/remove", Ok("POST /apps/{app}/volumes/{id}/removal")),
    ("/t/{team}/deploys/{id}/cancel", Ok("POST /deploys/{id}/cancel")),
    ("/t/{team}/hosts", Ok("POST /hosts")),
    ("/t/{team}/hosts/{id}/check", Ok("POST /hosts/{host}/check")),
    ("/t/{team}/hosts/{id}/http-port", Ok("PUT /hosts/{host}/http-port")),
    ("/t/{team}/hosts/{id}/https-port", Ok("PUT /hosts/{host}/https-port")),
    ("/t/{team}/apps/{id}/hsts", Ok("PUT /apps/{app}/hsts")),
    ("/t/{team}/certificates", Ok("POST /certificates")),
    ("/t/{team}/certificates/{id}/remove", Ok("DELETE /certificates/{id}")),
    ("/t/{team}/panel/address", Ok("PUT /panel/address")),
    (
        "/t/{team}/panel/address/confirm",
        Err("said by a person who came under the new name; a call says it with `keep`"),
    ),
    ("/t/{team}/panel/address/remove", Ok("DELETE /panel/address")),
    ("/t/{team}/hosts/{id}/key", Ok("PUT /hosts/{host}/key")),
    (
        "/t/{team}/hosts/{id}/look",
        Err("making a host ready looks at its key first, and goes no further before it is known"),
    ),
    ("/t/{team}/hosts/{id}/forget", Ok("DELETE /hosts/{host}")),
    ("/t/{team}/hosts/{id}/pass", Ok("PUT /hosts/{host}/pass")),
    ("/t/{team}/hosts/{id}/settings", Ok("PATCH /hosts/{host}")),
    ("/t/{team}/hosts/{id}/part", Ok("PUT /hosts/{host}/part")),
    ("/t/{team}/hosts/{id}/provision", Ok("POST /hosts/{host}/provision")),
    ("/t/{team}/jobs/{id}/cancel", Ok("POST /jobs/{id}/cancel")),
    ("/t/{team}/projects", Ok("POST /projects")),
    ("/t/{team}/projects/{id}/environments", Ok("POST /projects/{id}/environments")),
    ("/t/{team}/tokens", Ok("POST /tokens")),
    ("/t/{team}/tokens/{id}/revoke", Ok("DELETE /tokens/{id}")),
    ("/hooks/{provider}/{id}", Err("the door of the forges, which sign and have no token")),
    ("/join", Err("an invitation is accepted by a person")),
    ("/join/account", Err("an invitation is accepted by a person")),
    ("/t/{team}/apps/{id}/routes/certificate", Ok("POST /apps/{app}/certificates")),
    ("/t/{team}/certificates/accounts", Ok("POST /dns-accounts")),
    ("/t/{team}/certificates/accounts/{id}", Ok("PUT /dns-accounts/{id}")),
    ("/t/{team}/certificates/accounts/remove", Ok("DELETE /dns-accounts/{id}")),
    ("/t/{team}/certificates/authority", Ok("PUT /certificate-authority")),
    ("/t/{team}/certificates/authority/forget", Ok("DELETE /certificate-authority")),
    ("/t/{team}/certificates/automatic", Ok("POST /certificate-orders")),
    ("/t/{team}/certificates/automatic/now", Ok("POST /certificate-orders/{id}/now")),
    ("/t/{team}/certificates/automatic/remove", Ok("DELETE /certificate-orders/{id}")),
    ("/t/{team}/apps/{id}/instances/{instance}/restart", Ok("POST /apps/{app}/instances/{id}/restart")),
    ("/t/{team}/apps/{id}/push", Ok("POST /apps/{app}/hook")),
    ("/t/{team}/apps/{id}/push/off", Ok("DELETE /apps/{app}/hook")),
    ("/t/{team}/apps/{id}/push/replay", Ok("POST /apps/{app}/deliveries/{id}/replay")),
    ("/t/{team}/apps/{id}/push/rotate", Ok("POST /apps/{app}/hook/rotate")),
    (
        "/t/{team}/apps/{id}/push/secret",
        Err(
            "a secret that is there is shown to people: what a token reads, it could deploy with for longer than it lasts",
        ),
    ),
    ("/t/{team}/apps/{id}/remove", Ok("DELETE /apps/{app}")),
    ("/t/{team}/apps/{id}/volumes/copies/remove", Ok("POST /apps/{app}/volumes/{id}/copies/removal")),
    ("/t/{team}/projects/{id}/environments/remove", Ok("DELETE /projects/{id}/environments/{environment}")),
    ("/t/{team}/projects/{id}/remove", Ok("DELETE /projects/{id}")),
    ("/t/{team}/volumes/remove", Ok("POST /volumes/{id}/removal")),
    ("/t/{team}/apps/{id}/stop", Ok("POST /apps/{app}/stop")),
    ("/t/{team}/invitations", Ok("POST /invitations")),
    ("/t/{team}/invitations/{id}/revoke", Ok("DELETE /invitations/{id}")),
    ("/t/{team}/members/leave", Ok("POST /members/leave")),
    ("/t/{team}/members/{id}/grants", Ok("PUT /members/{id}/grants")),
    ("/t/{team}/members/{id}/remove", Ok("POST /members/{id}/removal")),
    ("/t/{team}/name", Ok("PATCH /team")),
    ("/t/{team}/notices/channels", Ok("POST /notices/channels")),
    ("/t/{team}/notices/channels/{id}", Ok("PUT /notices/channels/{id}")),
    ("/t/{team}/notices/channels/{id}/remove", Ok("DELETE /notices/channels/{id}")),
    ("/t/{team}/notices/channels/{id}/test", Ok("POST /notices/channels/{id}/test")),
    ("/t/{team}/notices/mail", Ok("PUT /notices/mail-server")),
    ("/t/{team}/notices/mine", Ok("PUT /notices/mine")),
    ("/teams", Ok("POST /teams")),
];

#[tokio::test]
async fn whatever_a_page_does_a_call_does_too() {
    let panel = Panel::open().await;
    let calls: Vec<String> = panel.calls.iter().map(|call| format!("{} {}", call.method, call.path)).collect();
    for route in panel.table.iter().filter(|route| route.method != "GET") {
        let row = ACTS.iter().find(|(path, _)| *path == route.path);
        let (_, same) = row.unwrap_or_else(|| panic!("{} has no call of the API and no reason", route.path));
        if let Ok(call) = same {
            assert!(calls.iter().any(|known| known == call), "{}: there is no {call}", route.path);
        }
    }
    for (path, _) in ACTS {
        assert!(panel.table.iter().any(|route| route.method != "GET" && route.path == *path), "{path} is gone");
    }
}
