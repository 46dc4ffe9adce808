-- Bearer tokens of the API: a token acts for its account in one team. Of the token itself there is only the SHA-256.
-- It goes with the membership: who comes back to a team begins without tokens.
create table api_tokens (
  team_id uuid not null,
  id uuid not null,
  account_id uuid not null,
  name text not null,
  hash bytea not null unique,
  hint text not null,                   -- its last four characters, to tell it from others
  role text not null check (role in ('viewer', 'developer', 'admin', 'owner')),
  scope_kind text not null check (scope_kind in ('team', 'project', 'environment', 'host')),
  scope_id uuid not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,               -- none: it never runs out
  last_used_at timestamptz,
  last_used_from text not null default '',
  primary key (team_id, id),
  unique (team_id, account_id, name),
  foreign key (team_id, account_id) references members(team_id, account_id) on delete cascade,
  check (scope_kind <> 'team' or scope_id = team_id)
);
alter table api_tokens enable row level security;
alter table api_tokens force row level security;
create policy own_team on api_tokens using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()));
-- Whose token it is has to be found before a team is chosen, as with members and grants.
create policy door on api_tokens for select using ((select skiff_scope('door')));

-- Names that askers gave their requests for deploys: the same name again is answered with the same deploy.
create table deploy_requests (
  team_id uuid not null,
  account_id uuid not null,
  once text not null,
  asked text not null,                  -- the app and the target, to tell a repetition from another request
  deploy_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (team_id, account_id, once),
  foreign key (team_id, deploy_id) references deploys(team_id, id) on delete cascade
);
alter table deploy_requests enable row level security;
alter table deploy_requests force row level security;
create policy own_team on deploy_requests using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()));
