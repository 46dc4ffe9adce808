-- What lists of apps and releases show of their descriptions, beside them: a list of hundreds unpacks no description.

alter table releases
  add column instances int generated always as ((body->'spec'->>'instances')::int) stored,
  add column commit_id text generated always as (body->'commit'->>'id') stored;

alter table apps
  add column kind text generated always as (spec->>'kind') stored,
  add column domain text generated always as (spec->'routes'->0->>'domain') stored,
  add column path text generated always as (spec->'routes'->0->>'path') stored,
  add column host_id uuid generated always as ((placement->0->>'host')::uuid) stored,
  add column pending boolean not null default false;   -- an edit waits for the next deploy

-- Whether what is described differs from what serves: the description, the places, the source, a secret's version.
create function skiff_pending(app apps) returns boolean language sql stable as $$
  select coalesce((
    select r.body->'spec' <> app.spec or r.body->'placement' <> app.placement or r.source <> s.spec
        or exists (select from secrets x
                    where x.team_id = app.team_id and x.owner_kind = 'app' and x.owner_id = app.id
                      and app.spec->'secrets' @> jsonb_build_object(x.name, x.id)
                      and (r.body->'secret_versions'->>(x.id::text))::int is distinct from x.version)
      from releases r, sources s
     where r.team_id = app.team_id and r.id = app.current_release_id
       and s.team_id = app.team_id and s.id = app.source_id), false)
$$;

create function skiff_note_pending() returns trigger language plpgsql as
$$ begin new.pending := skiff_pending(new); return new; end $$;
create trigger apps_pending before update of spec, placement, current_release_id on apps
  for each row execute function skiff_note_pending();

create function skiff_note_pending_of_source() returns trigger language plpgsql as $$ begin
  update apps a set pending = skiff_pending(a) where a.team_id = new.team_id and a.source_id = new.id;
  return null;
end $$;
create trigger sources_pending after update of spec on sources
  for each row execute function skiff_note_pending_of_source();

create function skiff_note_pending_of_secret() returns trigger language plpgsql as $$ begin
  update apps a set pending = skiff_pending(a) where a.team_id = new.team_id and a.id = new.owner_id;
  return null;
end $$;
create trigger secrets_pending after update of version on secrets
  for each row when (new.owner_kind = 'app') execute function skiff_note_pending_of_secret();

-- What was there before.
do $$
declare team uuid;
begin
  for team in select id from teams loop
    perform set_config('skiff.team', team::text, true);
    update apps a set pending = skiff_pending(a) where a.team_id = team;
  end loop;
  perform set_config('skiff.team', '', true);
end $$;

-- A host's page shows the latest jobs about it, and lists of hosts whether one is under way.
create index jobs_of_host on jobs (team_id, host_id, id) where host_id is not null;
