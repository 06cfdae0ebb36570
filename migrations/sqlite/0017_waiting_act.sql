-- What people said about incidents and may take back, because it waits before anything leaves. What is over is kept for a day, so that it
-- can be told what became of it, and what somebody wrote is not lost.
create table waiting_act (
    waiting_act_id bigint primary key,
    -- No foreign key: the incident that it opens is not there yet.
    incident_id    bigint not null,
    opens          boolean not null,
    -- What is said: JSON.
    edit           text not null,
    -- Where the incident stood when it was said.
    stood_at       text,
    author         text not null,
    since          bigint not null,
    leaves_at      bigint not null,
    -- `waiting`, `left`, `taken_back`, `refused`
    state          text not null,
    reason         text
);
create index waiting_act_waiting on waiting_act (waiting_act_id) where state = 'waiting';
