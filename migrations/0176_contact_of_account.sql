-- Whom the authority was told that it may write to, with the team's account there: empty for nobody, null where that is not known.
alter table acme_accounts add column contact text;
