-- The port at which a host serves a domain by HTTPS: what is shown as an app's address begins with https from the moment on at which a
-- certificate for it is there, in file and running proxy. Null where none is.
create function skiff_https_port(of_team uuid, of_host uuid, of_domain text) returns int language sql stable as $$
  select h.proxy_https_port from hosts h
   where h.team_id = of_team and h.id = of_host
     and exists (select from certificates c
                   join ledger_certificates l on l.team_id = c.team_id and l.certificate_id = c.id
                  where c.team_id = of_team and l.host_id = of_host and l.fingerprint <> ''
                    and (c.names @> array[of_domain] or c.names @> array[regexp_replace(of_domain, '^[^.]+', '*')]))
$$;
-- A host may have thousands of certificates, and a list of apps asks for each of them.
create index certificates_of_names on certificates using gin (names);
