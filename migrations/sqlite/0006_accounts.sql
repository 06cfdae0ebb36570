-- People who sign in. The table cannot be called `user`, which PostgreSQL keeps for itself.
create table account (
    account_id    integer primary key,
    -- In lower case: two spellings of one mailbox are one person.
    email         text not null unique,
    name          text not null,
    role          text not null,
    -- Argon2id in PHC form; null for whoever has not set one.
    password      text,
    -- Whether the password is long enough to stand without a second factor.
    password_sole boolean not null default false,
    created_at    bigint not null,
    seen_at       bigint,
    disabled_at   bigint
);

-- The set-up happens once. The row is there from then on, whatever becomes of people and settings: nothing removes it.
create table set_up (
    set_up_id integer primary key check (set_up_id = 1),
    done_at   bigint not null
);

-- Links that let somebody in once: to set up, to accept an invitation, to choose a new password.
create table entry_link (
    entry_link_id integer primary key,
    hash          text not null unique,
    -- `set_up`, `invitation`, `password`
    purpose       text not null,
    -- Whom it is for, if there is an account already.
    account_id    bigint references account (account_id) on delete cascade,
    -- What an invitation gives.
    email         text,
    role          text,
    invited_by    text,
    created_at    bigint not null,
    expires_at    bigint not null
);
create index entry_link_by_account on entry_link (account_id);

-- A stay of somebody in one browser. Only a hash of what the cookie holds is kept.
create table session (
    session_id integer primary key,
    account_id bigint not null references account (account_id) on delete cascade,
    hash       text not null unique,
    -- `factor`: the password was right, the second factor is awaited; `full`: signed in.
    stage      text not null,
    created_at bigint not null,
    seen_at    bigint not null,
    -- When who it is was last proven, by password or second factor.
    proved_at  bigint not null,
    address    text not null default '',
    user_agent text not null default ''
);
create index session_by_account on session (account_id, session_id);
create index session_by_age on session (created_at);

-- Browsers that somebody has signed in from: known ones are not reported, and keep their own count of wrong passwords.
create table device (
    device_id  integer primary key,
    account_id bigint not null references account (account_id) on delete cascade,
    hash       text not null,
    seen_at    bigint not null,
    unique (account_id, hash)
);

-- Codes that change every 30 seconds. Null in confirmed_at until the first right code.
create table totp (
    account_id   integer primary key references account (account_id) on delete cascade,
    secret       blob not null,
    -- The step of the last code taken: each is taken once, and none before it.
    last_step    bigint not null default 0,
    created_at   bigint not null,
    confirmed_at bigint
);

-- For when the device with the codes is lost; each works once and is removed then.
create table recovery_code (
    account_id bigint not null references account (account_id) on delete cascade,
    hash       text not null,
    primary key (account_id, hash)
);

create table passkey (
    passkey_id    integer primary key,
    account_id    bigint not null references account (account_id) on delete cascade,
    credential_id text not null unique,
    -- Its public key and counter, as JSON.
    data          text not null,
    name          text not null,
    created_at    bigint not null,
    last_used_at  bigint
);
create index passkey_by_account on passkey (account_id);

-- Whom an identity provider knows an account as.
create table identity (
    issuer     text not null,
    subject    text not null,
    account_id bigint not null references account (account_id) on delete cascade,
    created_at bigint not null,
    primary key (issuer, subject)
);
create index identity_by_account on identity (account_id);

-- Tries to sign in since the last success, by what they have in common: an account, a browser known to it, an address.
create table sign_in_try (
    subject  text primary key,
    n        integer not null,
    last_at  bigint not null
);
create index sign_in_try_by_age on sign_in_try (last_at);

-- Challenges of passkeys that were answered, until they run out: each is answered once.
create table answered_challenge (
    hash       text primary key,
    expires_at bigint not null
);
