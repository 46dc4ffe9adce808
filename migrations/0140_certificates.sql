-- HTTPS at the proxy of a host: certificates, which version of each is served, and where it was brought.

-- A certificate is a thing with a life longer than its versions: a renewed one is another version of the same.
create table certificates (
  team_id uuid not null references teams(id),
  id uuid not null,
  names text[] not null default '{}',   -- of the version that is served; lower case, *.example.org for a wildcard
  origin text not null default 'uploaded' check (origin in ('uploaded', 'acme')),
  current_id uuid,                      -- the version that is served; none before there is one
  created_at timestamptz not null default now(),
  primary key (team_id, id)
);

create table certificate_versions (
  team_id uuid not null,
  id uuid not null,                     -- what it is sealed for
  certificate_id uuid not null,
  sealed bytea not null,                -- PEM: the certificate, the chain after it, the private key
  names text[] not null default '{}',
  issuer text not null,                 -- as people read it
  serial text not null,                 -- hex
  fingerprint text not null,            -- SHA-256 of the certificate, hex
  not_before timestamptz not null,
  not_after timestamptz not null,
  created_at timestamptz not null default now(),
  primary key (team_id, id),
  foreign key (team_id, certificate_id) references certificates(team_id, id) on delete cascade
);
create index certificate_versions_of on certificate_versions (team_id, certificate_id, created_at desc);
alter table certificates add foreign key (team_id, current_id) references certificate_versions(team_id, id);

-- What was brought to a host. The row outlives the certificate until its file is gone from there too.
create table ledger_certificates (
  team_id uuid not null,
  host_id uuid not null,
  certificate_id uuid not null,
  fingerprint text not null default '', -- of what was brought last; empty before anything was
  installed_at timestamptz,
  trouble text not null default '',     -- why the last try failed
  primary key (team_id, host_id, certificate_id),
  foreign key (team_id, host_id) references hosts(team_id, id) on delete cascade
);

alter table hosts
  -- The port of HTTPS: wanted (none where the host shall not serve it), and as its proxy listens since it was last made ready.
  add column https_port int check (https_port between 1 and 65535),
  add column proxy_https_port int check (proxy_https_port between 1 and 65535),
  add check (https_port <> http_port);
-- Hosts that are there keep what they have; new ones get it.
alter table hosts alter column https_port set default 443;

-- Browsers are told to come by HTTPS only.
alter table apps add column hsts boolean not null default false;

-- The thumbprint of the panel's account at an ACME server, which proxies answer challenges with.
alter table panel add column acme_thumbprint text;

-- The panel's own address: the name under which a host's proxy leads to it, and the one that is on trial. No team's thing: who claims a
-- route must see it, whichever team that is.
create table panel_addresses (
  state text primary key check (state in ('trial', 'serving')),
  domain text not null,
  owner_team uuid not null,
  host_id uuid not null,
  door int not null check (door between 1 and 65535),   -- where the panel listens on that host's loopback
  port int not null check (port between 1 and 65535),   -- of HTTPS of that host's proxy
  nonce text not null,                  -- what the panel answers on the path that proves that the name leads here
  note text not null default '',        -- what the last try found
  reached_at timestamptz,               -- when it was first reached through the name
  since timestamptz not null default now(),
  until timestamptz,                    -- the trial's end
  foreign key (owner_team, host_id) references hosts(team_id, id) on delete cascade,
  check ((state = 'trial') = (until is not null))
);

-- Whether a name is some app's is asked before it becomes the panel's, whichever team that app is of.
create policy door on routes for select using ((select skiff_scope('door')));

do $$
declare name text; role text;
begin
  foreach name in array array['certificates', 'certificate_versions', 'ledger_certificates']
  loop
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy own_team on %I using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()))', name);
    for role in select rolname from pg_roles where rolname in ('skiff_app', 'skiff_worker')
    loop
      execute format('grant select, insert, update, delete on %I to %I', name, role);
    end loop;
  end loop;
  for role in select rolname from pg_roles where rolname in ('skiff_app', 'skiff_worker')
  loop
    execute format('grant select, insert, update, delete on panel_addresses to %I', role);
  end loop;
end $$;
