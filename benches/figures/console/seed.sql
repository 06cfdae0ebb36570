-- A year of a busy page, as `storage` would have written it. `{now}`, `{components}`, `{incidents}` and `{deliveries}` are numbers; `{body}` is a
-- text as bytes, which the databases write differently. Ids are counted from 1, as nothing was there before.

-- Half of everything comes from the first integration. Of the others, the second says nothing that matters, the third could not be read once, long
-- ago, and the fourth said something then and never since.
insert into delivery (integration_id, external_id, received_at, headers, body)
with recursive series (n) as (select cast(1 as bigint) union all select n + 1 from series where n < {deliveries})
select case when n % 2 = 0 then 1 else 2 + n % 9 end, 'seed-' || n, {now} - ({deliveries} - n) * 2592,
       '[["content-type","application/json"],["user-agent","seed"],["webhook-id","seed"],["webhook-timestamp","1772366399"]]', {body}
from series;

insert into fate (delivery_id, integration_id, state, reason, signals, position, evaluated_at)
select delivery_id, integration_id,
       case when integration_id = 2 then 'ignored' when integration_id = 3 and delivery_id < {deliveries} / 10 then 'quarantined'
            when integration_id = 4 and delivery_id > 1000 then 'ignored' else 'processed' end,
       case when integration_id = 3 and delivery_id < {deliveries} / 10 then '`body.type` has the unknown value `service.sideways`' end,
       case when integration_id in (2, 3) then '[]'
            else '[{"fingerprint":"check-' || (delivery_id % 100) || '","state":"resolved","severity":"error","subject":"c' || (delivery_id % 100)
                 || '","summary":"The probe in Paris has an answer","labels":{"service":"c' || (delivery_id % 100)
                 || '"},"occurred_at":"2026-03-01T11:59:59.500Z"}]' end,
       delivery_id, received_at + 5
from delivery;

-- The newest is a draft, and some are open.
insert into incident (incident_id, title, status, impact, published, started_at, resolved_at, updated_at, scoped)
with recursive series (n) as (select cast(1 as bigint) union all select n + 1 from series where n < {incidents}),
     timed (n, began) as (select n, {now} - ({incidents} - n) * 3000000 - 1000000 from series)
select n, 'Service ' || (n % {components}) || ' answers late', case when n > {incidents} - 5 then 'investigating' else 'resolved' end,
       'major', n <> {incidents}, began, case when n <= {incidents} - 5 then began + 900000 end, began + 900000, true
from timed;

insert into incident_component (incident_id, component_id, worst)
select incident_id, 1 + incident_id % {components}, 'partial_outage' from incident;

insert into incident_update (update_id, incident_id, status, body, at, author)
with recursive series (n) as (select cast(1 as bigint) union all select n + 1 from series where n < 3)
select {incidents} + incident_id * 10 + n, incident_id, case n when 1 then 'investigating' when 2 then 'identified' else incident.status end,
       'We **see** it, and are looking into it.', started_at + n * 300000, 'Ingrid'
from incident cross join series;

-- Fifty turns of every component; some belong to incidents.
insert into change (change_id, version, at, kind, component_id, incident_id, delivery_id, data, why)
with recursive series (n) as (select cast(1 as bigint) union all select n + 1 from series where n < {components} * 50)
select {incidents} * 100 + n, n, {now} - ({components} * 50 - n) * 50000, 'component_status', 1 + n % {components},
       case when n <= {incidents} then n end, n, '{"component":' || (1 + n % {components}) || ',"from":"operational","to":"partial_outage"}',
       '{"text":"The probe in Paris has had no answer for 30 s","delivery":' || n || ',"integration":1,"fingerprint":"check-' || (n % 100) || '"}'
from series;

insert into subscriber (channel, address, manage_token, confirmed_at, created_at)
with recursive series (n) as (select cast(1 as bigint) union all select n + 1 from series where n < 1000)
select 'email', 'reader' || n || '@example.com', 'seed-' || n, {now} - 1000000, {now} - 1000000 from series;

insert into notice (notice_id, kind, at, thread, data)
with recursive series (n) as (select cast(1 as bigint) union all select n + 1 from series where n < 3)
select {incidents} + incident_id * 10 + 3 + n, 'incident.updated', started_at + n * 300000, 'incident:' || incident_id, '{}'
from incident cross join series;

insert into notification (notice_id, subscriber_id, thread, state, next_at, created_at, done_at, last_error)
with recursive series (n) as (select cast(1 as bigint) union all select n + 1 from series where n < 10)
select notice_id, 1 + (notice_id + n) % 1000, thread, case when n = 1 and notice_id % 97 = 0 then 'dead' else 'delivered' end, at, at, at + 900,
       case when n = 1 and notice_id % 97 = 0 then 'the server answered 503' end
from notice cross join series;

insert into alert (integration_id, fingerprint, firing, signal, since, seen_at, delivery_id)
with recursive series (n) as (select cast(1 as bigint) union all select n + 1 from series where n < 5000)
select 1 + n % 10, 'seed-' || n, false, '{"fingerprint":"seed-' || n || '","state":"resolved","subject":"c","occurred_at":"2026-03-01T11:59:59.500Z"}',
       {now}, {now}, n
from series;

update ledger set next_id = 100000000, position = {deliveries} + 1, clock = {now}, version = version + 1;
