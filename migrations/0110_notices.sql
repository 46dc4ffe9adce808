-- Notices: what happened, whom it is told, and what came of telling. And alerts: what is wrong now, and what was.

-- The mail server a team sends by.
create table notice_mail (
  team_id uuid primary key references teams(id),
  host text not null,
  port int not null check (port between 1 and 65535),
  security text not null default 'starttls' check (security in ('starttls', 'tls', 'none')),
  username text not null default '',
  version int not null default 1 check (version > 0),  -- grows with each new password; the sealed value is bound to it
  sealed bytea,                         -- the password; none where the server asks for none
  sender text not null
);

-- Where a team is told. All that says where it leads is sealed: most services take whoever knows the address.
create table notice_channels (
  team_id uuid not null references teams(id),
  id uuid not null,
  name text not null,
  service text not null default 'webhook'
    check (service in ('email', 'slack', 'discord', 'telegram', 'ntfy', 'webhook')),
  leads_to text not null,               -- what may be shown of it: a host's name, a chat
  version int not null default 1 check (version > 0),
  sealed bytea not null check (length(sealed) > 0),    -- domain::channel::Target
  events text[] not null default '{}',
  all_projects boolean not null default true,
  projects uuid[] not null default '{}',
  rests_until timestamptz,              -- it did not answer: nothing is tried before
  created_at timestamptz not null default now(),
  primary key (team_id, id),
  unique (team_id, name)
);

-- What a member wants to be told, and where.
create table notice_choices (
  team_id uuid not null,
  account_id uuid not null,
  email text not null,
  events text[] not null default '{}',
  all_projects boolean not null default true,
  projects uuid[] not null default '{}',
  primary key (team_id, account_id),
  foreign key (team_id, account_id) references members(team_id, account_id) on delete cascade
);

-- What is wrong, and what was: one open row for each thing and kind of trouble.
create table alerts (
  team_id uuid not null references teams(id),
  id uuid not null,
  kind text not null,                   -- host_down, nobody_answers, certificate …
  subject_kind text not null,           -- host, team, domain …
  subject_id uuid not null,
  subject_name text not null,
  cause text not null default '',
  opened_at timestamptz not null default now(),
  closed_at timestamptz,
  primary key (team_id, id)
);
create unique index alerts_one_open on alerts (team_id, kind, subject_id) where closed_at is null;
create index alerts_recent on alerts (team_id, opened_at desc);

-- What happened and is to be told. Written together with what it tells of; its job is made by the trigger below.
create table notice_events (
  team_id uuid not null references teams(id),
  id uuid not null,
  kind text not null,
  deploy_id uuid,
  project_id uuid,
  detail jsonb not null default '{}',
  created_at timestamptz not null default now(),
  primary key (team_id, id),
  foreign key (team_id, deploy_id) references deploys(team_id, id) on delete cascade
);
create index notice_events_recent on notice_events (team_id, created_at);

-- What was sent to whom, and what the other side said. One row for each event and each who is told.
create table notice_deliveries (
  team_id uuid not null references teams(id),
  id uuid not null,
  event_id uuid,                        -- none for a test
  channel_id uuid,                      -- one of the two
  account_id uuid,
  to_name text not null,
  kind text not null,
  letter jsonb not null,                -- domain::notice::Letter
  state text not null default 'waiting'
    check (state in ('waiting', 'sending', 'sent', 'failed', 'unclear', 'dropped')),
  attempts int not null default 0,
  answer text not null default '',
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  primary key (team_id, id),
  foreign key (team_id, event_id) references notice_events(team_id, id) on delete cascade
);
create index notice_deliveries_recent on notice_deliveries (team_id, created_at desc);
create unique index notice_deliveries_of_channel on notice_deliveries (team_id, event_id, channel_id)
  where event_id is not null and channel_id is not null;
create unique index notice_deliveries_of_account on notice_deliveries (team_id, event_id, account_id)
  where event_id is not null and account_id is not null;

do $$
declare name text;
begin
  foreach name in array array['notice_mail', 'notice_channels', 'notice_choices', 'alerts', 'notice_events',
    'notice_deliveries']
  loop
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy own_team on %I using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()))', name);
  end loop;
end $$;

-- ── what happened becomes what is told ───────────────────────────────────────────────────────────────────────────

-- A UUID of version 7 (RFC 9562): rows that triggers make are in order among those of the program.
create function skiff_id() returns uuid language sql volatile as $$
  select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
          || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid
$$;

-- Writes down that something happened, where somebody wants to be told: in the transaction it happened in, so that neither is
-- without the other.
create function skiff_happened(team uuid, what text, deploy uuid, project uuid, more jsonb) returns void
language plpgsql as $$
begin
  insert into notice_events (team_id, id, kind, deploy_id, project_id, detail)
  select team, skiff_id(), what, deploy, project, more
   where exists (select from notice_channels where team_id = team and what = any(events))
      or exists (select from notice_choices where team_id = team and what = any(events));
end $$;

create function skiff_announce() returns trigger language plpgsql as $$
begin
  insert into jobs (id, team_id, kind, args, title, priority, cause)
  values (skiff_id(), new.team_id, 'announce', jsonb_build_object('event', new.id), 'Tell who wants to know', -5,
          '{"by": "system", "why": "something happened", "deploy": null}');
  perform pg_notify('skiff', 'jobs');
  return null;
end $$;
create trigger notice_events_announced after insert on notice_events for each row execute function skiff_announce();

-- A deploy may end without its own code having the last word (0010): however it ends, it is told.
create function skiff_deploy_happened() returns trigger language plpgsql as $$
begin
  perform skiff_happened(new.team_id,
    case new.state when 'succeeded' then 'deploy_succeeded' when 'failed' then 'deploy_failed' else 'deploy_returned' end,
    new.id,
    (select e.project_id from apps a join environments e on e.team_id = a.team_id and e.id = a.environment_id
      where a.team_id = new.team_id and a.id = new.app_id),
    '{}');
  return null;
end $$;
create trigger deploys_happened after update of state on deploys for each row
  when (old.state is distinct from new.state and new.state in ('succeeded', 'failed', 'taken_back'))
  execute function skiff_deploy_happened();

-- ── hosts: since when they answer, or do not ─────────────────────────────────────────────────────────────────────

alter table host_sights
  add column answers int not null default 0,           -- looks in a row that were answered
  add column failing_since timestamptz,
  add column answering_since timestamptz,
  add column looked_at timestamptz;

-- What was wrong with a host ends with it.
create function skiff_host_gone() returns trigger language plpgsql as $$
begin
  update alerts set closed_at = now()
   where team_id = old.team_id and subject_kind = 'host' and subject_id = old.id and closed_at is null;
  return null;
end $$;
create trigger hosts_gone after delete on hosts for each row execute function skiff_host_gone();
