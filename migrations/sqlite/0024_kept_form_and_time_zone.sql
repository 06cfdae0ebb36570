-- A form that was sent and waits until whoever sent it has proved again who they are: one for each stay, for a few minutes.
create table kept_form (
    session_id integer primary key references session (session_id) on delete cascade,
    -- Where it was sent, and what stood in it: passwords and other secrets too.
    ciphertext blob not null,
    kept_at    bigint not null
);

-- The zone that somebody reads and writes times in, by its IANA name; null for that of the page.
alter table account add column time_zone text;
