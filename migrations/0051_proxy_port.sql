-- The port a host's proxy listens on, beside the one it is wanted to: a wanted port holds from the moment the host was made ready with it.
alter table hosts add column proxy_port int check (proxy_port between 1 and 65535); -- none before the host was ever made ready
update hosts set proxy_port = http_port where state <> 'new';
