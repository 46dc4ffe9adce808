use uuid::Uuid;

use super::*;

const TEAM: TeamId = TeamId(Uuid::from_u128(1));
const SHOP: ProjectId = ProjectId(Uuid::from_u128(2));
const BLOG: ProjectId = ProjectId(Uuid::from_u128(3));
const DEV: EnvironmentId = EnvironmentId(Uuid::from_u128(4));
const PROD: EnvironmentId = EnvironmentId(Uuid::from_u128(5));
const HOST: HostId = HostId(Uuid::from_u128(6));

/// A token that reaches so far, of somebody with these grants.
fn token(scope: Scope, role: Role, grants: &[(Scope, Role)]) -> Actor {
    let bearer = Bearer {
        account: AccountId(Uuid::from_u128(7)),
        account_name: "Ada".into(),
        token: TokenId(Uuid::from_u128(8)),
        token_name: "ci".into(),
        reach: Grant { scope, role },
    };
    let grants = grants.iter().map(|(scope, role)| Grant { scope: *scope, role: *role }).collect();
    Actor::of_token(bearer, "192.0.2.1".into(), TEAM, grants)
}

/// Its role on: the team, the shop, its dev, its prod, the blog, a host.
fn roles(actor: &Actor) -> [Option<Role>; 6] {
    [
        On::team(TEAM),
        On::project(TEAM, SHOP),
        On::environment(TEAM, SHOP, DEV),
        On::environment(TEAM, SHOP, PROD),
        On::project(TEAM, BLOG),
        On::host(TEAM, HOST),
    ]
    .map(|on| actor.role(on))
}

#[test]
fn a_token_may_what_its_account_may_and_it_reaches() {
    use Role::*;
    let owner = [(Scope::Team(TEAM), Owner)];
    let dev = [(Scope::Environment(DEV), Developer)];
    let cases = [
        // An owner's tokens: as far as they reach, up to their role.
        (token(Scope::Team(TEAM), Owner, &owner), [Some(Owner); 6]),
        (token(Scope::Team(TEAM), Viewer, &owner), [Some(Viewer); 6]),
        (
            token(Scope::Project(SHOP), Developer, &owner),
            [None, Some(Developer), Some(Developer), Some(Developer), None, None],
        ),
        (token(Scope::Environment(DEV), Admin, &owner), [None, None, Some(Admin), None, None, None]),
        (token(Scope::Host(HOST), Admin, &owner), [None, None, None, None, None, Some(Admin)]),
        // A token of somebody who may little may no more than they.
        (token(Scope::Team(TEAM), Owner, &dev), [None, None, Some(Developer), None, None, None]),
        (token(Scope::Project(SHOP), Viewer, &dev), [None, None, Some(Viewer), None, None, None]),
        (token(Scope::Project(BLOG), Owner, &dev), [None; 6]),
        (token(Scope::Environment(PROD), Owner, &dev), [None; 6]),
        // Grants that were taken away since are gone.
        (token(Scope::Team(TEAM), Owner, &[]), [None; 6]),
        // The highest of several grants that cover the thing.
        (
            token(Scope::Project(SHOP), Admin, &[(Scope::Team(TEAM), Viewer), (Scope::Environment(PROD), Owner)]),
            [None, Some(Viewer), Some(Viewer), Some(Admin), None, None],
        ),
    ];
    for (n, (actor, expected)) in cases.iter().enumerate() {
        assert_eq!(roles(actor), *expected, "case {n}");
    }
}

#[test]
fn a_tokens_role_holds_for_every_permission() {
    let all = [
        Permission::View,
        Permission::EditApps,
        Permission::Deploy,
        Permission::EditProjects,
        Permission::ManageHosts,
        Permission::ManageMembers,
        Permission::ManageNotices,
        Permission::OwnTeam,
    ];
    for role in [Role::Viewer, Role::Developer, Role::Admin, Role::Owner] {
        let actor = token(Scope::Team(TEAM), role, &[(Scope::Team(TEAM), Role::Owner)]);
        for permission in all {
            let may = role >= permission.least();
            assert_eq!(actor.may(permission, On::team(TEAM)).is_ok(), may, "{role:?} {permission:?}");
            assert_eq!(actor.may_somewhere(permission).is_ok(), may, "{role:?} {permission:?} somewhere");
        }
        assert!(actor.may(Permission::View, On::team(TeamId(Uuid::from_u128(99)))).is_err(), "another team");
    }
}

#[test]
fn a_token_is_told_from_its_account_in_history() {
    let actor = token(Scope::Team(TEAM), Role::Owner, &[(Scope::Team(TEAM), Role::Owner)]);
    assert_eq!(actor.name(), "Ada (token ci)");
    assert_eq!(actor.who().cause(), Cause::Token { name: "Ada (token ci)".into() });
    assert_eq!((actor.who().address(), actor.who().account()), ("192.0.2.1", Some(AccountId(Uuid::from_u128(7)))));
}
