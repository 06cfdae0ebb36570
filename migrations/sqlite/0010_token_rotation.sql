-- A token's secret can be exchanged: the one before counts until its time is over.
alter table token add column previous_hash text;
alter table token add column previous_until bigint;
create unique index token_by_previous_hash on token (previous_hash) where previous_hash is not null;
alter table token add column rotated_at bigint;
-- From where it may be used: a JSON list of networks; null for everywhere.
alter table token add column networks text;
