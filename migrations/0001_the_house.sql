-- The house: everything the first release of Skiff stores.
--
-- Every table of a team's things has (team_id, id) as a key, and foreign keys name both columns: a row cannot even
-- point at another team's row. Row-level security repeats that wall: a transaction sees the team it was begun for
-- (skiff.team), or all of them when a worker or the doorkeeper says so (skiff.scope = 'worker' | 'door').

create function skiff_team() returns uuid language sql stable as
$$ select nullif(current_setting('skiff.team', true), '')::uuid $$;

-- 'worker': claims jobs across teams. Where a role skiff_worker exists, only its members may say so.
-- 'door': reads sessions' memberships before a team is chosen.
create function skiff_scope(wanted text) returns boolean language sql stable as $$
  select coalesce(current_setting('skiff.scope', true), '') = wanted
     and (wanted <> 'worker'
          or not exists (select from pg_roles where rolname = 'skiff_worker')
          or exists (select from pg_roles where rolname = 'skiff_worker' and pg_has_role(current_user, oid, 'member')))
$$;

-- ── the panel ────────────────────────────────────────────────────────────────────────────────────────────────────

-- One row: the key check value (a constant sealed with the master key), and what was set up when.
create table panel (
  one boolean primary key default true check (one),
  key_check bytea not null,
  set_up_at timestamptz,
  created_at timestamptz not null default now()
);

-- The one-time token that opens the set-up page. Only its hash is kept.
create table setup_tokens (
  token_hash bytea primary key,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz
);

create table accounts (
  id uuid primary key,
  email text not null unique check (email = lower(email)),
  name text not null,
  password_hash text not null,          -- argon2id, PHC string
  created_at timestamptz not null default now(),
  password_changed_at timestamptz not null default now()
);

-- The cookie holds a random id; here is only its SHA-256, so that a copy of this table opens nothing.
create table sessions (
  id_hash bytea primary key,
  account_id uuid references accounts(id) on delete cascade,
  data jsonb not null,
  device text not null default '',
  address text not null default '',
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index sessions_of_account on sessions (account_id);

-- Failed sign-ins, by account and by address, for throttling; old rows are removed as new ones come.
create table sign_in_failures (
  subject text not null,                -- 'email:…' or 'address:…', hashed
  at timestamptz not null default now()
);
create index sign_in_failures_recent on sign_in_failures (subject, at);

-- ── teams, members, rights ───────────────────────────────────────────────────────────────────────────────────────

create table teams (
  id uuid primary key,
  slug text not null unique,
  name text not null,
  data_key bytea not null,              -- the team's data key, wrapped by the master key
  created_at timestamptz not null default now()
);

create table members (
  team_id uuid not null references teams(id),
  id uuid not null,
  account_id uuid not null references accounts(id),
  created_at timestamptz not null default now(),
  primary key (team_id, id),
  unique (team_id, account_id)
);

create table grants (
  team_id uuid not null,
  member_id uuid not null,
  scope_kind text not null check (scope_kind in ('team', 'project', 'environment', 'host')),
  scope_id uuid not null,
  role text not null check (role in ('viewer', 'developer', 'admin', 'owner')),
  created_at timestamptz not null default now(),
  primary key (team_id, member_id, scope_kind, scope_id),
  foreign key (team_id, member_id) references members(team_id, id) on delete cascade,
  check (scope_kind <> 'team' or scope_id = team_id)
);

create table audit_events (
  team_id uuid not null references teams(id),
  id uuid not null,
  at timestamptz not null default now(),
  who text not null,                    -- the name at that time
  account_id uuid,
  address text not null default '',
  action text not null,                 -- 'app.created', 'deploy.requested' …
  subject_kind text not null,
  subject_id uuid,
  subject_name text not null default '',
  before jsonb,
  after jsonb,
  primary key (team_id, id)
);
create index audit_events_recent on audit_events (team_id, at desc);

-- Append-only, for every role: history that can be edited is not history.
create function refuse_change() returns trigger language plpgsql as
$$ begin raise exception 'rows of % are never changed', tg_table_name; end $$;
create trigger audit_events_append_only before update or delete on audit_events
  for each row execute function refuse_change();

-- ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────

create table secrets (
  team_id uuid not null references teams(id),
  id uuid not null,
  owner_kind text not null check (owner_kind in ('team', 'project', 'environment', 'app', 'source', 'host')),
  owner_id uuid not null,
  name text not null,
  version int not null check (version > 0),      -- the current one
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  primary key (team_id, id),
  unique (team_id, owner_kind, owner_id, name)
);

-- A version lives as long as a release names it.
create table secret_versions (
  team_id uuid not null,
  secret_id uuid not null,
  version int not null,
  sealed bytea not null,
  created_at timestamptz not null default now(),
  primary key (team_id, secret_id, version),
  foreign key (team_id, secret_id) references secrets(team_id, id) on delete cascade
);

-- ── hosts ────────────────────────────────────────────────────────────────────────────────────────────────────────

create table hosts (
  team_id uuid not null references teams(id),
  id uuid not null,
  number smallint not null unique check (number between 0 and 251),   -- its /18 in the address plan
  slug text not null,
  name text not null,
  address text not null,
  ssh_port int not null check (ssh_port between 1 and 65535),
  ssh_user text not null,
  ssh_key uuid not null,                -- the sealed private key, a secret of the host
  host_key text not null,               -- pinned: SHA256:… fingerprint; empty until confirmed
  http_port int not null default 80 check (http_port between 1 and 65535),
  state text not null default 'new' check (state in ('new', 'ready', 'unreachable', 'key_mismatch')),
  state_note text not null default '',
  facts jsonb not null default '{}',
  seen_at timestamptz,
  created_at timestamptz not null default now(),
  primary key (team_id, id),
  unique (team_id, slug),
  foreign key (team_id, ssh_key) references secrets(team_id, id)
);

-- ── projects, environments, sources, apps ────────────────────────────────────────────────────────────────────────

create table projects (
  team_id uuid not null references teams(id),
  id uuid not null,
  slug text not null,
  name text not null,
  created_at timestamptz not null default now(),
  primary key (team_id, id),
  unique (team_id, slug)
);

create table environments (
  team_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  slug text not null,
  name text not null,
  created_at timestamptz not null default now(),
  primary key (team_id, id),
  unique (team_id, project_id, slug),
  foreign key (team_id, project_id) references projects(team_id, id)
);

create table sources (
  team_id uuid not null references teams(id),
  id uuid not null,
  spec jsonb not null,                  -- domain::source::Source
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  primary key (team_id, id)
);

create table apps (
  team_id uuid not null,
  id uuid not null,
  environment_id uuid not null,
  source_id uuid not null,
  slug text not null,
  name text not null,
  spec jsonb not null,                  -- domain::app::Spec, as edited; a release has its own copy
  placement jsonb not null,             -- domain::release::Place[]
  last_release int not null default 0,  -- the highest number given
  current_release_id uuid,              -- the release that serves, as the last deploy left it
  config_changed_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  primary key (team_id, id),
  unique (team_id, environment_id, slug),
  foreign key (team_id, environment_id) references environments(team_id, id),
  foreign key (team_id, source_id) references sources(team_id, id)
);
create index apps_of_environment on apps (team_id, environment_id);

-- A domain and path lead to one app, on the whole panel.
create table routes (
  team_id uuid not null,
  id uuid not null,
  app_id uuid not null,
  domain text not null,
  path text not null,
  created_at timestamptz not null default now(),
  primary key (team_id, id),
  foreign key (team_id, app_id) references apps(team_id, id) on delete cascade
);
create unique index routes_claim on routes (domain, path);

-- ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

create table jobs (
  id uuid primary key,
  team_id uuid not null references teams(id),
  kind text not null,
  args jsonb not null,
  title text not null,                  -- what people read: "Deploy web"
  lock_key text,                        -- jobs of one key run one at a time: 'app:…'
  host_id uuid,
  priority smallint not null default 0, -- higher first
  state text not null default 'queued'
    check (state in ('queued', 'waiting_for_approval', 'running', 'succeeded', 'failed', 'cancelled', 'superseded')),
  wait_reason text not null default '',
  attempt smallint not null default 0,
  max_attempts smallint not null default 20,   -- claims in all: a job whose worker dies is claimed again
  run_at timestamptz not null default now(),
  deadline timestamptz,
  lease_until timestamptz,
  leased_by text,
  fence bigint not null default 0,      -- grows with every claim; a stale worker's writes find another number
  cancel_asked_at timestamptz,
  cancel_asked_by text,
  cause jsonb not null,                 -- domain::cause::Cause
  reason text not null default '',      -- why it failed, for people
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  unique (team_id, id),
  constraint leased_while_running check ((state = 'running') = (lease_until is not null)),
  constraint finished_when_final check ((state in ('succeeded', 'failed', 'cancelled', 'superseded')) = (finished_at is not null))
);
create unique index jobs_one_running on jobs (lock_key) where state = 'running';
create unique index jobs_one_waiting on jobs (lock_key) where state = 'queued';
create index jobs_claim on jobs (priority desc, run_at, id) where state = 'queued';
create index jobs_leases on jobs (lease_until) where state = 'running';
create index jobs_recent on jobs (team_id, created_at desc);

create table job_steps (
  team_id uuid not null,
  job_id uuid not null,
  seq int not null,                     -- order of display
  stage text not null default '',
  host_id uuid,
  words text not null,                  -- "start web-2 on fra-1"
  state text not null default 'planned' check (state in ('planned', 'running', 'changed', 'unchanged', 'failed', 'skipped')),
  note text not null default '',        -- "answers 503", "5 of 7 cached"
  log_from bigint,                      -- the first log line said in it
  started_at timestamptz,
  finished_at timestamptz,
  primary key (team_id, job_id, seq),
  foreign key (team_id, job_id) references jobs(team_id, id) on delete cascade
);

-- Log lines. seq is the Last-Event-ID of the live log. Partitioned by time so that old months go as a whole.
create table job_log (
  team_id uuid not null,
  job_id uuid not null,
  seq bigint not null,                  -- 1, 2, … without a gap per job
  at timestamptz not null default now(),
  stream text not null check (stream in ('skiff', 'out', 'err')),
  step int,
  offset_bytes bigint not null,         -- bytes of the whole log before this line
  line bytea not null,                  -- redacted, at most 16 KiB, without the newline
  primary key (job_id, seq, at)
) partition by range (at);
create table job_log_rest partition of job_log default;

-- ── builds, releases, deploys ────────────────────────────────────────────────────────────────────────────────────

create table builds (
  team_id uuid not null,
  id uuid not null,
  source_id uuid not null,
  commit_id text not null,
  key bytea not null,                   -- SHA-256 of (source, commit, Dockerfile, context, target, arguments)
  host_id uuid not null,
  job_id uuid not null,
  image_id text,                        -- sha256:… once built
  image text not null,                  -- the name it is tagged with
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  primary key (team_id, id),
  foreign key (team_id, source_id) references sources(team_id, id),
  foreign key (team_id, host_id) references hosts(team_id, id)
);
create unique index builds_once on builds (team_id, key, host_id) where image_id is not null;

create table releases (
  team_id uuid not null,
  id uuid not null,
  app_id uuid not null,
  number int not null,
  body jsonb not null,                  -- domain::release::Release
  source jsonb not null,                -- domain::source::Source at that time
  created_by text not null,
  created_at timestamptz not null default now(),
  primary key (team_id, id),
  unique (team_id, app_id, number),
  foreign key (team_id, app_id) references apps(team_id, id)
);
create trigger releases_append_only before update on releases
  for each row execute function refuse_change();

create table deploys (
  team_id uuid not null,
  id uuid not null,
  app_id uuid not null,
  job_id uuid not null,
  target jsonb not null,                -- domain::deploy::Target
  release_id uuid,                      -- once it is known
  former_release_id uuid,               -- what served before
  state text not null default 'queued'
    check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'superseded', 'taken_back')),
  plan jsonb,                           -- domain::plan::Plan
  failure jsonb,                        -- domain::deploy::Failure
  ran_release_command boolean not null default false,
  switched_at timestamptz,              -- traffic moved: from here on cancel is refused
  watch_until timestamptz,
  cause jsonb not null,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  primary key (team_id, id),
  foreign key (team_id, app_id) references apps(team_id, id),
  foreign key (team_id, job_id) references jobs(team_id, id),
  foreign key (team_id, release_id) references releases(team_id, id),
  constraint finished_when_final check ((state in ('queued', 'running')) = (finished_at is null))
);
create index deploys_of_app on deploys (team_id, app_id, created_at desc);
create unique index deploys_of_job on deploys (team_id, job_id);
create unique index deploys_one_running on deploys (app_id) where state = 'running';
create unique index deploys_one_waiting on deploys (app_id) where state = 'queued';

-- ── the ledger: what Skiff made on which host. Rows are written before the object is made ─────────────────────────

create table ledger_networks (
  team_id uuid not null,
  id uuid not null,
  host_id uuid not null,
  environment_id uuid not null,
  bridge smallint not null check (bridge between 0 and 63),
  name text not null,
  created_at timestamptz not null default now(),
  primary key (team_id, id),
  unique (host_id, bridge),
  unique (host_id, environment_id),
  foreign key (team_id, host_id) references hosts(team_id, id),
  foreign key (team_id, environment_id) references environments(team_id, id)
);

create table ledger_volumes (
  team_id uuid not null,
  id uuid not null,                     -- the volume's name on hosts is made of it
  app_id uuid not null,
  name text not null,                   -- its owner's name for it
  host_id uuid,                         -- where it is, once it was made
  created_at timestamptz not null default now(),
  removed_at timestamptz,
  removed_by text,
  primary key (team_id, id),
  foreign key (team_id, app_id) references apps(team_id, id)
);
create unique index ledger_volumes_name on ledger_volumes (team_id, app_id, name) where removed_at is null;

create table ledger_instances (
  team_id uuid not null,
  id uuid not null,
  host_id uuid not null,
  app_id uuid not null,
  release_id uuid not null,
  deploy_id uuid not null,
  number int not null,                  -- the release's number
  position int not null,                -- 1, 2, … in its deploy
  name text not null,
  address inet not null,
  container_id text,
  wanted boolean not null default false,  -- stands in the proxy's file
  kept boolean not null default false,    -- a failed one, stopped and kept for inspection
  created_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (team_id, id),
  unique (host_id, name),
  foreign key (team_id, host_id) references hosts(team_id, id),
  foreign key (team_id, app_id) references apps(team_id, id),
  foreign key (team_id, release_id) references releases(team_id, id),
  foreign key (team_id, deploy_id) references deploys(team_id, id)
);
-- An address is given out again only after the removal was observed.
create unique index ledger_instances_address on ledger_instances (host_id, address) where removed_at is null;
create index ledger_instances_of_app on ledger_instances (team_id, app_id) where removed_at is null;

create table ledger_images (
  team_id uuid not null,
  id uuid not null,
  host_id uuid not null,
  app_id uuid not null,
  image text not null,                  -- the tag of ours that keeps it
  image_id text not null,
  created_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (team_id, id),
  foreign key (team_id, host_id) references hosts(team_id, id)
);
create unique index ledger_images_tag on ledger_images (host_id, image) where removed_at is null;

-- The spare backend of a host's proxy that an app was given there; it keeps it as long as it lives.
create table ledger_backends (
  team_id uuid not null,
  host_id uuid not null,
  slot int not null check (slot > 0),
  app_id uuid not null,
  primary key (host_id, slot),
  unique (host_id, app_id),
  foreign key (team_id, host_id) references hosts(team_id, id),
  foreign key (team_id, app_id) references apps(team_id, id)
);

-- ── the second wall ──────────────────────────────────────────────────────────────────────────────────────────────

do $$
declare name text;
begin
  foreach name in array array['members', 'grants', 'audit_events', 'secrets', 'secret_versions', 'hosts', 'projects',
    'environments', 'sources', 'apps', 'routes', 'jobs', 'job_steps', 'job_log', 'builds', 'releases', 'deploys',
    'ledger_networks', 'ledger_volumes', 'ledger_instances', 'ledger_images', 'ledger_backends']
  loop
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy own_team on %I using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()))', name);
  end loop;
end $$;
create policy claim on jobs using ((select skiff_scope('worker'))) with check ((select skiff_scope('worker')));
create policy door on members for select using ((select skiff_scope('door')));
create policy door on grants for select using ((select skiff_scope('door')));

-- A unique index on addresses that spans teams needs no row of another team to be seen: the constraint speaks for itself.

-- Where the panel has roles of its own for running (skiff_app, skiff_worker), they get what they need and no more.
do $$
declare role text;
begin
  for role in select rolname from pg_roles where rolname in ('skiff_app', 'skiff_worker')
  loop
    execute format('grant usage on schema public to %I', role);
    execute format('grant select, insert, update, delete on all tables in schema public to %I', role);
    execute format('revoke update, delete on audit_events from %I', role);
    execute format('grant execute on all functions in schema public to %I', role);
  end loop;
end $$;
