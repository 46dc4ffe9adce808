-- Somebody wanted an app to stand still: what ran of it is stopped, its release and its addresses stay. A deploy that
-- succeeds ends it.
alter table apps
  add column stopped_at timestamptz,
  add column stopped_by text not null default '';

-- A removed app is gone from every page at once. Its row stays: history names it, and a job takes away what it left on
-- hosts, whenever they answer.
alter table apps
  add column removed_at timestamptz,
  add column removed_by text not null default '';

-- Its short name is free again.
alter table apps drop constraint apps_team_id_environment_id_slug_key;
create unique index apps_slug on apps (team_id, environment_id, slug) where removed_at is null;
create index apps_removed on apps (team_id, removed_at) where removed_at is not null;
