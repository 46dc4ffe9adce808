-- A team signs in to its hosts with one key pair, made when it is first needed. The private half is a secret of the
-- team; this is the public one, shown so that a person can paste it. Hosts that were added before keep their own.
alter table teams add column ssh_public text not null default '';
-- What kind of key a host showed that nobody has confirmed yet: it says which file on the server to compare it with.
alter table hosts add column host_key_seen_kind text not null default '';
