-- Push to deploy: an app has at most one hook, with a secret of ours, sealed and never empty.
create table hooks (
  team_id uuid not null,
  id uuid not null unique,              -- stands in its address
  app_id uuid not null,
  provider text not null check (provider in ('github', 'gitlab', 'gitea', 'generic')),
  version int not null default 1 check (version > 0),  -- 1, 2, … with each new secret; the sealed value is bound to it
  sealed bytea not null check (length(sealed) > 0),
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  primary key (team_id, id),
  unique (team_id, app_id),
  foreign key (team_id, app_id) references apps(team_id, id) on delete cascade
);
alter table hooks enable row level security;
alter table hooks force row level security;
create policy own_team on hooks using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()));
-- Whose hook it is has to be found before a team is chosen: the signature is checked with its secret.
create policy door on hooks for select using ((select skiff_scope('door')));

-- What forges sent with a right signature, and what came of it. A delivery is written together with the deploy it asks for.
create table deliveries (
  team_id uuid not null,
  id uuid not null,
  app_id uuid not null,
  provider text not null check (provider in ('github', 'gitlab', 'gitea', 'generic')),
  key text not null,                    -- the forge's id of it: the same again is not done twice
  event text not null,
  branch text not null default '',
  commit_id text not null default '',
  author text not null default '',      -- as the forge says it: hostile text
  subject text not null default '',
  answer text not null default 'ignored' check (answer in ('deploys', 'present', 'ignored', 'refused')),
  reason text not null default '',      -- one sentence
  deploy_id uuid,
  address text not null default '',
  received_at timestamptz not null default now(),
  replayed_at timestamptz,
  replayed_by text not null default '',
  primary key (team_id, id),
  unique (team_id, app_id, provider, key),
  foreign key (team_id, app_id) references apps(team_id, id) on delete cascade,
  foreign key (team_id, deploy_id) references deploys(team_id, id) on delete cascade
);
create index deliveries_of_app on deliveries (team_id, app_id, received_at desc);
create index deliveries_of_deploy on deliveries (team_id, deploy_id) where deploy_id is not null;
alter table deliveries enable row level security;
alter table deliveries force row level security;
create policy own_team on deliveries using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()));
