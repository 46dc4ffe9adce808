-- Certificates that are got by themselves: at which authority, by which account, for which names, and how that stands.

-- The panel's choice of an authority; no row before anybody chose. Not a team's thing: rate limits count by account.
create table acme_settings (
  one boolean primary key default true check (one),
  directory text not null,              -- where the authority's directory is
  email text not null default '',
  ca_root text not null default '',     -- PEM of the authority's own root, where the machine does not trust it anyway
  eab_id text not null default '',      -- the key of an account there (RFC 8555 §7.3.4), and its id
  eab_sealed bytea,
  terms_agreed_by text not null,        -- who agreed to the authority's terms, and when
  terms_agreed_at timestamptz not null default now(),
  changed_at timestamptz not null default now()
);

-- The panel's account at an authority, with its key sealed.
create table acme_accounts (
  id uuid primary key,
  directory text not null unique,
  url text not null,
  thumbprint text not null,
  sealed bytea not null,
  created_at timestamptz not null default now()
);

-- Proofs that failed at an authority, by name, for never asking too often; old rows are removed as new ones come.
create table acme_failures (
  name text not null,
  at timestamptz not null default now()
);
create index acme_failures_recent on acme_failures (name, at);

-- Where records of a team's domains are written for DNS-01.
create table dns_accounts (
  team_id uuid not null references teams(id),
  id uuid not null,
  name text not null,
  kind text not null default 'rfc2136' check (kind in ('rfc2136', 'cloudflare', 'hetzner', 'digitalocean')),
  server text not null default '',      -- of RFC 2136: the name server, and the key's name and algorithm
  key_name text not null default '',
  algorithm text not null default '',
  sealed bytea not null,                -- the token, or the key
  created_at timestamptz not null default now(),
  primary key (team_id, id),
  unique (team_id, name)
);

-- A certificate that is wanted for these names, and renewed for as long as it is.
create table acme_orders (
  team_id uuid not null references teams(id),
  id uuid not null,
  names text[] not null default '{}',
  names_key text not null,              -- of the names, sorted: a team has one order for the same names
  dns_account_id uuid,                  -- proves by DNS-01 with it; without one by HTTP-01
  certificate_id uuid,                  -- where what was got is kept
  not_before timestamptz,
  not_after timestamptz,
  window_start timestamptz,             -- when the authority wants it renewed (RFC 9773)
  window_end timestamptz,
  trouble jsonb,                        -- domain::acme::Trouble of the last try; none where it went well
  tries int not null default 0,         -- in a row that did not
  next_at timestamptz,                  -- when it is tried again or renewed; none while it waits for a person
  tried_at timestamptz,
  order_url text not null default '',   -- an order that is under way at the authority, and the key of its certificate
  order_directory text not null default '',
  order_key bytea,
  created_at timestamptz not null default now(),
  primary key (team_id, id),
  unique (team_id, names_key),
  foreign key (team_id, dns_account_id) references dns_accounts(team_id, id)
);

-- Whose turn it is, for the clock, which asks across teams.
create table acme_turns (
  team_id uuid not null,
  order_id uuid not null,
  due_at timestamptz not null default now(),
  primary key (team_id, order_id),
  foreign key (team_id, order_id) references acme_orders(team_id, id) on delete cascade
);
create index acme_turns_due on acme_turns (due_at);

do $$
declare name text;
begin
  foreach name in array array['dns_accounts', 'acme_orders', 'acme_turns']
  loop
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy own_team on %I using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()))', name);
  end loop;
end $$;
create policy claim on acme_turns using ((select skiff_scope('worker'))) with check ((select skiff_scope('worker')));

-- The turn follows the order's next moment; an order that waits for a person has none.
create function skiff_acme_turn() returns trigger language plpgsql as $$
begin
  if new.next_at is null then
    delete from acme_turns where team_id = new.team_id and order_id = new.id;
  else
    insert into acme_turns (team_id, order_id, due_at) values (new.team_id, new.id, new.next_at)
    on conflict (team_id, order_id) do update set due_at = excluded.due_at;
  end if;
  return null;
end $$;
create trigger acme_orders_turn after insert or update of next_at on acme_orders
  for each row execute function skiff_acme_turn();
create trigger acme_orders_tell after insert or update or delete on acme_orders
  for each row execute function skiff_tell_team();

-- When a team's certificates are next held against its routes, and the authority is asked when it wants them renewed.
alter table teams add column acme_at timestamptz not null default now();
