-- An invitation that was made with a token ends with it: with one that was ended there is no row, and one that ran out is no
-- longer good. The token is no foreign key, so that a used invitation stays what it was.
alter table invitations add column by_token uuid;
