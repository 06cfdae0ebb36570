-- Times are milliseconds since 1970 (UTC), spans are milliseconds, JSON is text. Booleans are 0 or 1.

-- One row. Whoever writes history takes it first, so that changes are numbered in the order in which they commit.
create table ledger (
    ledger_id    integer primary key check (ledger_id = 1),
    -- Grows with every transaction that may change what readers see.
    version      bigint not null default 0,
    -- The newest of these with something new for readers.
    page_version bigint not null default 0,
    -- The next id for rows that `domain::plan` makes: incidents, updates, notices, changes.
    next_id      bigint not null default 1,
    -- The evaluator's own time: never goes back, so that a replay sees the order in which things were decided.
    clock        bigint not null default 0,
    -- The position that the next evaluated delivery gets.
    position     bigint not null default 1,
    -- Which process evaluates, until when, and how often that has changed hands.
    lease_holder text,
    lease_until  bigint not null default 0,
    lease_epoch  bigint not null default 0
);
insert into ledger (ledger_id) values (1);

create table page (
    page_id  integer primary key check (page_id = 1),
    settings text not null
);
insert into page (page_id, settings) values (1, '{"name":"Status","time_zone":"UTC"}');

create table component_group (
    group_id  integer primary key,
    key       text not null unique,
    name      text not null,
    parent_id bigint references component_group (group_id) on delete set null,
    position  integer not null default 0
);

create table component (
    component_id    integer primary key,
    key             text not null unique,
    name            text not null,
    description     text not null default '',
    group_id        bigint references component_group (group_id) on delete set null,
    position        integer not null default 0,
    hidden          boolean not null default false,
    status          text not null default 'operational',
    status_since    bigint not null,
    internal_status text not null default 'operational',
    override_status text,
    override_until  bigint,
    override_by     text,
    created_at      bigint not null
);
create index component_by_group on component (group_id);

-- How long a component was in trouble on a day (days since 1970 in the page's time zone). The running status is not counted in yet.
create table component_day (
    component_id         bigint not null references component (component_id) on delete cascade,
    day                  integer not null,
    under_maintenance    bigint not null default 0,
    unknown              bigint not null default 0,
    degraded_performance bigint not null default 0,
    partial_outage       bigint not null default 0,
    major_outage         bigint not null default 0,
    primary key (component_id, day)
);

create table metric (
    metric_id integer primary key,
    key       text not null unique,
    name      text not null,
    unit      text not null default '',
    position  integer not null default 0
);

create table sample (
    metric_id bigint not null references metric (metric_id) on delete cascade,
    at        bigint not null,
    value     double precision not null,
    primary key (metric_id, at)
) without rowid;

create table integration (
    integration_id integer primary key,
    key            text not null unique,
    provider       text not null,
    name           text not null,
    settings       text not null default '{}',
    enabled        boolean not null default true,
    created_at     bigint not null
);

-- Several are valid at once while a secret is exchanged.
create table integration_secret (
    secret_id      integer primary key,
    integration_id bigint not null references integration (integration_id) on delete cascade,
    ciphertext     blob not null,
    -- Tells an unchanged secret from a new one without decrypting either.
    fingerprint    text not null,
    hint           text not null default '',
    created_at     bigint not null
);
create index integration_secret_by_integration on integration_secret (integration_id);

create table route (
    route_id         integer primary key,
    integration_id   bigint not null references integration (integration_id) on delete cascade,
    position         integer not null,
    condition        text not null,
    -- Severity to status; null for the defaults.
    status           text,
    for_ms           bigint not null default 0,
    keep_firing_for  bigint not null default 0,
    expire_after     bigint not null default 0,
    cool_off         bigint not null default 600000,
    publish          text not null default 'draft',
    title            text,
    body             text,
    metric_id        bigint references metric (metric_id) on delete set null,
    value            text
);
create index route_by_integration on route (integration_id);
create index route_by_metric on route (metric_id);

create table route_component (
    route_id     bigint not null references route (route_id) on delete cascade,
    component_id bigint not null references component (component_id) on delete cascade,
    primary key (route_id, component_id)
);
create index route_component_by_component on route_component (component_id);

-- A delivery is kept as it came, so that a parser can be mended and the delivery replayed.
create table delivery (
    delivery_id    integer primary key,
    integration_id bigint not null references integration (integration_id) on delete cascade,
    -- The sender's own id, or a random one when it has none.
    external_id    text not null,
    received_at    bigint not null,
    headers        text not null,
    body           blob not null,
    state          text not null default 'pending',
    reason         text,
    -- Set when it is evaluated: its place in the order of decisions, and the evaluator's time then.
    position       bigint,
    evaluated_at   bigint,
    signals        text,
    unique (integration_id, external_id)
);
-- Unprocessed ones are found by their flag: ids do not commit in order.
create index delivery_pending on delivery (delivery_id) where state = 'pending';
create index delivery_by_position on delivery (position) where position is not null;
create index delivery_by_integration on delivery (integration_id, delivery_id);
create index delivery_by_state on delivery (state, delivery_id);
create index delivery_by_age on delivery (received_at);

-- Requests that were not let in, counted; their bodies prove nothing and are not kept.
create table rejection (
    integration_id bigint not null references integration (integration_id) on delete cascade,
    reason         text not null,
    n              bigint not null,
    first_at       bigint not null,
    last_at        bigint not null,
    detail         text not null default '',
    primary key (integration_id, reason)
);

-- The newest signal of every fingerprint.
create table alert (
    integration_id bigint not null references integration (integration_id) on delete cascade,
    fingerprint    text not null,
    firing         boolean not null,
    signal         text not null,
    -- When it began to fire, and when it was last heard of, on the evaluator's clock.
    since          bigint not null,
    seen_at        bigint not null,
    delivery_id    bigint,
    primary key (integration_id, fingerprint)
);
create index alert_firing on alert (integration_id) where firing;
create index alert_by_age on alert (seen_at);

-- An alert that a route took up, until it has no more effect.
create table cause (
    integration_id bigint not null,
    fingerprint    text not null,
    route_id       bigint not null references route (route_id) on delete cascade,
    status         text not null,
    phase          text not null,
    since          bigint not null,
    due_at         bigint,
    expires_at     bigint,
    incident_id    bigint,
    delivery_id    bigint,
    summary        text not null default '',
    primary key (integration_id, fingerprint, route_id),
    foreign key (integration_id) references integration (integration_id) on delete cascade
);
create index cause_by_route on cause (route_id);

create table incident (
    incident_id bigint primary key,
    title       text not null,
    status      text not null,
    impact      text not null,
    published   boolean not null,
    opened_by   bigint,
    started_at  bigint not null,
    resolved_at bigint,
    updated_at  bigint not null
);
create index incident_open on incident (incident_id) where resolved_at is null;
create index incident_by_start on incident (started_at);

create table incident_component (
    incident_id  bigint not null references incident (incident_id) on delete cascade,
    component_id bigint not null references component (component_id) on delete cascade,
    worst        text not null,
    primary key (incident_id, component_id)
);
create index incident_component_by_component on incident_component (component_id);

create table incident_update (
    update_id   bigint primary key,
    incident_id bigint not null references incident (incident_id) on delete cascade,
    status      text not null,
    body        text not null,
    components  text not null default '[]',
    at          bigint not null,
    author      text not null
);
create index incident_update_by_incident on incident_update (incident_id, update_id);

create table maintenance (
    maintenance_id bigint primary key,
    title          text not null,
    body           text not null default '',
    status         text not null,
    starts_at      bigint not null,
    ends_at        bigint not null,
    created_at     bigint not null,
    updated_at     bigint not null
);
create index maintenance_by_start on maintenance (starts_at);
create index maintenance_open on maintenance (maintenance_id) where status in ('scheduled', 'in_progress');

create table maintenance_component (
    maintenance_id bigint not null references maintenance (maintenance_id) on delete cascade,
    component_id   bigint not null references component (component_id) on delete cascade,
    primary key (maintenance_id, component_id)
);
create index maintenance_component_by_component on maintenance_component (component_id);

-- Every recorded transition, and why it happened.
create table change (
    change_id      bigint primary key,
    version        bigint not null,
    at             bigint not null,
    kind           text not null,
    component_id   bigint,
    incident_id    bigint,
    maintenance_id bigint,
    delivery_id    bigint,
    data           text not null,
    why            text not null
);
create index change_by_component on change (component_id, change_id) where component_id is not null;
create index change_by_incident on change (incident_id, change_id) where incident_id is not null;
create index change_by_delivery on change (delivery_id) where delivery_id is not null;

create table subscriber (
    subscriber_id   integer primary key,
    channel         text not null,
    address         text not null,
    -- Signing secret of a webhook, encrypted.
    secret          blob,
    secret_fingerprint text,
    -- In links that manage the subscription.
    manage_token    text not null unique,
    -- Made by the configuration file and owned by it.
    managed         boolean not null default false,
    -- False: everything; true: the components listed in subscriber_component.
    scoped          boolean not null default false,
    confirmed_at    bigint,
    created_at      bigint not null,
    -- Since when every try has failed; null after a success.
    failing_since   bigint,
    disabled_at     bigint,
    disabled_reason text,
    unique (channel, address)
);
create index subscriber_unconfirmed on subscriber (created_at) where confirmed_at is null;

create table subscriber_component (
    subscriber_id bigint not null references subscriber (subscriber_id) on delete cascade,
    component_id  bigint not null references component (component_id) on delete cascade,
    primary key (subscriber_id, component_id)
);
create index subscriber_component_by_component on subscriber_component (component_id);

create table notice (
    notice_id bigint primary key,
    kind      text not null,
    at        bigint not null,
    -- What mail threads on: `incident:1`, `maintenance:2`.
    thread    text,
    data      text not null
);

-- What is owed to one subscriber. The row is the truth; the queue only wakes somebody up.
create table notification (
    notification_id integer primary key,
    notice_id       bigint not null references notice (notice_id) on delete cascade,
    subscriber_id   bigint not null references subscriber (subscriber_id) on delete cascade,
    thread          text,
    state           text not null default 'due',
    -- The number of the next try, from 1.
    attempt         integer not null default 1,
    next_at         bigint not null,
    last_error      text,
    created_at      bigint not null,
    done_at         bigint,
    unique (notice_id, subscriber_id)
);
-- `due` waits for its try, `sending` is claimed until next_at; `delivered`, `dead` and `cancelled` are final.
create index notification_open on notification (next_at) where state in ('due', 'sending');
create index notification_by_state on notification (state, notification_id);
create index notification_by_thread on notification (subscriber_id, thread, notification_id);

create table attempt (
    attempt_id      integer primary key,
    notification_id bigint not null references notification (notification_id) on delete cascade,
    n               integer not null,
    at              bigint not null,
    duration_ms     bigint not null,
    outcome         text not null,
    detail          text not null
);
create index attempt_by_notification on attempt (notification_id, attempt_id);

create table token (
    token_id     integer primary key,
    name         text not null,
    hash         text not null unique,
    hint         text not null,
    scopes       text not null,
    created_at   bigint not null,
    expires_at   bigint,
    last_used_at bigint,
    revoked_at   bigint
);

-- Answers to requests that carried an Idempotency-Key, kept for a day. Encrypted: some hold a secret that is shown once.
create table idempotency (
    token_id   bigint not null references token (token_id) on delete cascade,
    key        text not null,
    -- A hash of the request, by which another one under the same key is told apart.
    request    text not null,
    -- Null while the request is being answered.
    status     integer,
    location   text,
    body       blob,
    created_at bigint not null,
    primary key (token_id, key)
);
create index idempotency_by_age on idempotency (created_at);
