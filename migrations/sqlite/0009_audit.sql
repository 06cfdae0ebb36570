-- Under which names actors were known. The log itself holds no names, so that a name can be erased and the log still proves itself.
create table audit_actor (
    actor_id integer primary key,
    -- The pseudonym: `user:7`, `token:3`, `command:0`, `system`, `anonymous`.
    actor    text not null,
    -- Null once erased, and the salt with it.
    name     text,
    salt     blob
);
create unique index audit_actor_by_name on audit_actor (actor, name);

-- What was done that matters for security. Rows are added at the end, numbered without a gap, and never changed; each holds a hash over
-- itself and the hash of the one before.
create table audit (
    audit_id  bigint primary key,
    at        bigint not null,
    actor     text not null,
    actor_id  bigint not null,
    -- A salted hash of the name, which says nothing once the salt is gone.
    name_mark blob not null,
    -- By what: `session:…`, `token:3`, `command`, `machine`.
    via       text not null,
    address   text,
    action    text not null,
    resource  text,
    -- JSON: what is different, before and after.
    before    text,
    after     text,
    hash      blob not null
);
create index audit_by_time on audit (at);
create index audit_by_actor on audit (actor, audit_id);
create index audit_by_action on audit (action, audit_id);
create index audit_by_resource on audit (resource, audit_id) where resource is not null;

-- Where the log ends and where it begins: what was kept for as long as promised is removed from its beginning. One row; whoever records
-- an act takes it first, so that acts are numbered in the order in which they commit.
create table audit_head (
    head_id   integer primary key check (head_id = 1),
    last_id   bigint not null default 0,
    last_hash blob not null,
    base_id   bigint not null default 0,
    base_hash blob not null,
    -- A keyed hash of all this under the instance's key, so that only who has the key can shorten the log. Null before the first act.
    seal      blob
);
insert into audit_head (head_id, last_hash, base_hash) values (1, zeroblob(32), zeroblob(32));

-- Up to where the log was handed on. One row.
create table audit_stream (
    stream_id integer primary key check (stream_id = 1),
    sent_id   bigint not null default 0
);
insert into audit_stream (stream_id) values (1);
