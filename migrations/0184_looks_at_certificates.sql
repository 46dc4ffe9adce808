-- Up to when it was looked whether a certificate of the team came to its end, and when the authority was last asked about those that are renewed.
alter table teams
  add column certificates_seen_at timestamptz not null default now(),
  add column acme_asked_at timestamptz;
