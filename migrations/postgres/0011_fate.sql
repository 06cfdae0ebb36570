-- What becomes of a delivery stands beside it, so that what may be long is written once. No foreign keys on what every webhook writes: looking
-- each of them up costs more than the rest, and whoever removes an integration removes its deliveries.
create table fate (
    delivery_id  bigint primary key,
    state        text not null,
    reason       text,
    signals      text,
    -- Its place in the order of decisions, and the evaluator's time then.
    position     bigint not null,
    evaluated_at bigint not null
);
insert into fate (delivery_id, state, reason, signals, position, evaluated_at)
    select delivery_id, state, reason, signals, coalesce(position, 0), coalesce(evaluated_at, received_at) from delivery where state <> 'pending';
create index fate_by_position on fate (position);
-- The rare ones.
create index fate_quarantined on fate (delivery_id) where state = 'quarantined';
create index fate_ignored on fate (delivery_id) where state = 'ignored';

-- Those that nobody has looked at yet. Found by this row and not by their id: ids do not commit in order. Rows come and go, so it is tidied
-- up early.
create table pending (
    delivery_id bigint primary key
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_insert_scale_factor = 0,
        autovacuum_vacuum_insert_threshold = 10000);
insert into pending (delivery_id) select delivery_id from delivery where state = 'pending';

alter table delivery
    drop constraint delivery_integration_id_fkey,
    drop column state,
    drop column reason,
    drop column position,
    drop column evaluated_at,
    drop column signals;
