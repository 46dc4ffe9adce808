-- What is removed leaves a row that history names, and what outlives it is known by where it is.

-- When the last host was cleared of what a removed app left there.
alter table apps add column cleared_at timestamptz;

-- An empty project or environment that was removed: its short name is free again.
alter table projects
  add column removed_at timestamptz,
  add column removed_by text not null default '';
alter table projects drop constraint projects_team_id_slug_key;
create unique index projects_slug on projects (team_id, slug) where removed_at is null;

alter table environments
  add column removed_at timestamptz,
  add column removed_by text not null default '';
alter table environments drop constraint environments_team_id_project_id_slug_key;
create unique index environments_slug on environments (team_id, project_id, slug) where removed_at is null;

-- Every host where a volume was made: an app that moves leaves its former copy behind.
create table ledger_volume_places (
  team_id uuid not null,
  volume_id uuid not null,
  host_id uuid not null,
  placed_at timestamptz not null default now(),
  primary key (team_id, volume_id, host_id),
  foreign key (team_id, volume_id) references ledger_volumes(team_id, id) on delete cascade,
  foreign key (team_id, host_id) references hosts(team_id, id) on delete cascade
);
alter table ledger_volume_places enable row level security;
alter table ledger_volume_places force row level security;
create policy own_team on ledger_volume_places
  using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()));
create trigger ledger_volume_places_tell after insert or delete on ledger_volume_places
  for each row execute function skiff_tell_team();

-- What was there before.
do $$
declare team uuid;
begin
  for team in select id from teams loop
    perform set_config('skiff.team', team::text, true);
    insert into ledger_volume_places (team_id, volume_id, host_id, placed_at)
    select v.team_id, v.id, v.host_id, v.created_at from ledger_volumes v
      join hosts h on h.team_id = v.team_id and h.id = v.host_id
     where v.team_id = team and v.removed_at is null;
  end loop;
  perform set_config('skiff.team', '', true);
end $$;

-- Whether anything but this app needs an environment's network on a host: what is there, what is placed there, and what is
-- being deployed in the environment, which may be on its way there.
create function skiff_needs_network(team uuid, host uuid, environment uuid, leaving uuid) returns boolean
language sql stable as $$
  select exists (select from ledger_instances i join apps a on a.team_id = i.team_id and a.id = i.app_id
                  where i.team_id = team and i.host_id = host and a.environment_id = environment
                    and i.removed_at is null and a.id <> leaving)
      or exists (select from apps a
                  where a.team_id = team and a.environment_id = environment and a.removed_at is null and a.id <> leaving
                    and (a.placement @> jsonb_build_array(jsonb_build_object('host', host))
                         or exists (select from deploys d where d.team_id = team and d.app_id = a.id
                                       and d.state in ('queued', 'running'))))
$$;
