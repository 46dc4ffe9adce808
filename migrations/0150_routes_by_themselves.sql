-- Routes by themselves: what leads to an app, and what is asked of a request on the way, is of the app and not of a
-- release. A change holds at once, and going back to an older release opens or closes no door.

alter table routes
  add column rules jsonb not null default '{}',      -- domain::rules::Rules, as wanted
  add column applied jsonb default '{}';              -- as the proxies have them; none before the route was ever let in

alter table apps
  add column front jsonb not null default '{}',          -- domain::rules::Front, as wanted
  add column front_applied jsonb not null default '{}';  -- as the proxies have it

-- What routes lead to an app is no part of what the next deploy changes.
create or replace function skiff_pending(app apps) returns boolean language sql stable as $$
  select coalesce((
    select (r.body->'spec') - 'routes' <> app.spec - 'routes' or r.body->'placement' <> app.placement or r.source <> s.spec
        or exists (select from secrets x
                    where x.team_id = app.team_id and x.owner_kind = 'app' and x.owner_id = app.id
                      and app.spec->'secrets' @> jsonb_build_object(x.name, x.id)
                      and (r.body->'secret_versions'->>(x.id::text))::int is distinct from x.version)
      from releases r, sources s
     where r.team_id = app.team_id and r.id = app.current_release_id
       and s.team_id = app.team_id and s.id = app.source_id), false)
$$;

-- Routes that were added and wait for a deploy hold from the next one on, as was said when they were added; those that were
-- removed and still served go with it.

alter table hosts
  add column trust jsonb not null default '{}',          -- domain::trust::Trust, as wanted
  add column trust_applied jsonb not null default '{}',  -- as its proxy has it
  add column base_domain text;                           -- apps without a route of their own get one under it
