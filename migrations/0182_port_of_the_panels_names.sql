-- The panel's names are reached on the port where the proxy of their host serves HTTPS now. A change of that port did not change theirs,
-- so that nobody got in under them. From now on it does.
alter table hosts no force row level security;
update panel_addresses p set port = h.proxy_https_port
  from hosts h
 where h.team_id = p.owner_team and h.id = p.host_id and h.proxy_https_port is not null and h.proxy_https_port <> p.port;
alter table hosts force row level security;
