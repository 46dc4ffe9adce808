-- Which authority a certificate was got from, by its directory: empty for one that a person brought, and where it is not known.
alter table certificate_versions add column directory text not null default '';
-- Since when the chosen authority is the one that is asked: trouble of before was another's.
alter table acme_settings add column directory_at timestamptz not null default to_timestamp(0);
alter table acme_settings alter column directory_at set default now();

-- Of those that are there it is what was chosen when they came; where that is not known any more, what is chosen now. (Whoever owns the
-- tables is held to the walls between teams like everybody, and would see no row.)
alter table certificates no force row level security;
alter table certificate_versions no force row level security;
alter table audit_events no force row level security;
with chosen as materialized (
  select at, action, before, after from audit_events where action in ('panel.authority_chosen', 'panel.authority_forgotten'))
update certificate_versions v
   set directory = coalesce(
         (select e.after->>'directory' from chosen e
           where e.action = 'panel.authority_chosen' and e.at <= v.created_at order by e.at desc limit 1),
         (select e.before->>'directory' from chosen e where e.at > v.created_at order by e.at limit 1),
         (select s.directory from acme_settings s),
         '')
  from certificates c
 where c.team_id = v.team_id and c.id = v.certificate_id and c.origin = 'acme';
alter table audit_events force row level security;
alter table certificate_versions force row level security;
alter table certificates force row level security;
