-- A mail server may take a letter for some and refuse others for now. Who is still without it (db::notices::Left): these alone are tried
-- again, so that nobody gets it twice. None where all or nobody has it.
alter table notice_deliveries add column still_without jsonb;
