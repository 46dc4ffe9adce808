-- Certificates that were got, by the authority and the exact set of their names: an authority gives the same one a few times a week only.
-- Not a team's thing, as proofs that failed are none: the names are counted there, whoever asks. Rows older than a week go as new ones come.
create table acme_issues (
  directory text not null,
  names_key text not null,              -- as that of an order
  at timestamptz not null default now()
);
create index acme_issues_recent on acme_issues (names_key, at);

-- Those of the last week that are kept: two of each certificate at the most, as older versions are not. (Whoever owns the tables is held
-- to the walls between teams like everybody, and would see no row.)
alter table acme_orders no force row level security;
alter table certificate_versions no force row level security;
insert into acme_issues (directory, names_key, at)
select s.directory, o.names_key, v.created_at
  from certificate_versions v
  join acme_orders o on o.team_id = v.team_id and o.certificate_id = v.certificate_id
 cross join acme_settings s
 where v.created_at > now() - interval '7 days' and v.not_after - v.not_before >= interval '3 days';
alter table certificate_versions force row level security;
alter table acme_orders force row level security;
