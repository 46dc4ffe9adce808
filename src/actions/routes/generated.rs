//! The address an app gets where its host has a domain for that, until it has one of its own. It is made of names, so that
//! it can be read and stays the same; where two would be alike, more is said of the second.

use super::claims;
use crate::actions::{Ctx, Refused};
use crate::db::{self, Tx};
use crate::domain::app::Route;
use crate::domain::ids::{AppId, EnvironmentId, HostId, RouteId};
use crate::domain::names::{Domain, Slug};
use crate::domain::rights::Permit;

/// The most characters of one label of a name (RFC 1035 §2.3.4).
const LABEL: usize = 63;
/// How many of one name are told apart by numbers.
const MOST_ALIKE: u32 = 99;

/// Claims the first of which nothing leads anywhere yet; none where the host gives none.
pub(in crate::actions) async fn claim(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    permit: &Permit,
    app: AppId,
    host: HostId,
    place: EnvironmentId,
    slug: &str,
) -> Result<Option<Route>, Refused> {
    for domain in candidates(tx, permit, host, place, slug).await? {
        let path = "/".parse().map_err(|bad: crate::domain::names::Bad| Refused::internal(&bad))?;
        let route = Route { domain, path };
        if claims::is_unused(ctx, tx, permit, app, &route.domain).await?
            && db::routes::claim(tx, permit, RouteId(uuid::Uuid::now_v7()), app, &route).await?
        {
            return Ok(Some(route));
        }
    }
    Ok(None)
}

/// The one that is tried first, for a form; none where the host gives none.
pub(super) async fn first(
    tx: &mut Tx<'_>,
    permit: &Permit,
    host: HostId,
    place: EnvironmentId,
    slug: &str,
) -> Result<Option<Domain>, Refused> {
    Ok(candidates(tx, permit, host, place, slug).await?.into_iter().next())
}

async fn candidates(
    tx: &mut Tx<'_>,
    permit: &Permit,
    host: HostId,
    place: EnvironmentId,
    slug: &str,
) -> Result<Vec<Domain>, Refused> {
    let base = db::fronts::trust(tx, permit, host).await?.and_then(|trust| trust.base_domain);
    let Some(base) = base else { return Ok(Vec::new()) };
    let all = db::environments::list(tx, permit).await?;
    let Some(place) = all.into_iter().find(|row| row.id == place) else { return Ok(Vec::new()) };
    let project = Slug::of(&place.project_name, "project", &[]);
    let names = names(slug, &place.slug, project.as_ref());
    Ok(names.iter().filter_map(|name| format!("{name}.{base}").parse().ok()).collect())
}

/// "shop-prod", "shop-prod-acme", "shop-prod-acme-2" …
fn names(app: &str, environment: &str, project: &str) -> Vec<String> {
    let short = format!("{app}-{environment}");
    let long = format!("{short}-{project}");
    let numbered = (2..=MOST_ALIKE).map(|n| fit(&long, &format!("-{n}")));
    [fit(&short, ""), fit(&long, "")].into_iter().chain(numbered).collect()
}

fn fit(name: &str, end: &str) -> String {
    let room: String = name.chars().take(LABEL - end.len()).collect();
    format!("{}{end}", room.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_readable_and_fit() {
        assert_eq!(
            names("shop", "prod", "acme").get(..3).unwrap(),
            ["shop-prod", "shop-prod-acme", "shop-prod-acme-2"]
        );
        let long = "a".repeat(40);
        assert!(names(&long, &long, &long).iter().all(|name| name.len() <= LABEL && !name.ends_with('-')));
    }
}
