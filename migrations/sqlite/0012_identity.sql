-- By what a stay began: `password`, `passkey` or `provider`.
alter table session add column means text not null default 'password';
-- How the provider says that it made sure who it was (`amr`), as a JSON list; null where a stay did not begin there.
alter table session add column methods text;

-- When somebody last came from there.
alter table identity add column seen_at bigint;
