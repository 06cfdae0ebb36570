-- When a polled integration is asked next, and what is remembered of its last answer. Rows come and go by themselves.
create table poll (
    integration_id integer primary key references integration (integration_id) on delete cascade,
    -- A hash of what is asked for: with other settings nothing below counts any more.
    source         text not null,
    -- Grows with every answer, so that a task that comes twice or late finds nothing to do.
    round          bigint not null default 0,
    next_at        bigint not null,
    -- Of the last stored answer: an equal one is not stored again.
    body_hash      text,
    etag           text,
    last_modified  text,
    -- When it could last be read, how often since it could not, and why.
    answered_at    bigint,
    failures       integer not null default 0,
    last_error     text,
    -- Whether the evaluator was told that it cannot be read.
    lost           boolean not null default false
);
create index poll_by_next on poll (next_at);
