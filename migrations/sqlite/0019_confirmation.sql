-- Calls that senders wait for before they begin to send, and what came of them.
create table confirmation (
    confirmation_id integer primary key,
    integration_id  bigint not null references integration (integration_id) on delete cascade,
    -- What begins then, such as the ARN of a topic.
    subject         text not null,
    -- The sender's id of its request: the same again asks for nothing new.
    external_id     text not null,
    -- What is called, sealed. Gone once nothing is to be called any more, since it lets whoever has it act.
    url             blob,
    -- `waiting`, `confirmed`, `given_up`
    state           text not null,
    requested_at    bigint not null,
    -- Until when the sender takes the call.
    ends_at         bigint not null,
    -- Grows with every try, so that of two that try at once one counts.
    attempts        integer not null default 0,
    next_at         bigint,
    settled_at      bigint,
    last_error      text,
    unique (integration_id, subject)
);
create index confirmation_by_next on confirmation (next_at) where next_at is not null;
