-- Users, the double-entry ledger, orders, idempotency keys and prices. Money in minor units, quantities in micro-shares.

create table users (
  id         text not null primary key,
  email      text not null,
  created_at text not null,
  constraint users_email_key unique (email)
);

-- One account per owner and unit (USD, or a share's symbol). A market account may go below zero: it is the other side.
create table accounts (
  id             text   not null primary key,  -- "user:usr_abc123:USD", "market:AAPL"
  owner          text   not null,              -- a user's id, or "market"
  unit           text   not null,
  balance        bigint not null default 0,
  reserved       bigint not null default 0,    -- held for open orders
  allow_negative integer not null default 0,
  constraint accounts_owner_unit_key unique (owner, unit),
  constraint accounts_reserved_floor check (reserved >= 0),
  constraint accounts_balance_floor check (allow_negative = 1 or balance - reserved >= 0)
);

create table transfers (
  id         text not null primary key,
  kind       text not null,  -- deposit, fill
  order_id   text,
  created_at text not null
);

-- Append-only; the entries of a transfer sum to zero per unit.
create table entries (
  transfer_id text    not null references transfers (id),
  seq         integer not null,
  account_id  text    not null references accounts (id),
  unit        text    not null,
  amount      bigint  not null,
  primary key (transfer_id, seq),
  constraint entries_amount_not_zero check (amount <> 0)
);
create index entries_account on entries (account_id);

create table orders (
  id               text   not null primary key,
  user_id          text   not null references users (id),
  symbol           text   not null,
  side             text   not null,
  type             text   not null,
  state            text   not null,
  qty_micro        bigint not null,
  filled_micro     bigint not null default 0,
  fill_price_minor bigint,
  limit_minor      bigint,
  reserved         bigint not null default 0,  -- of the user's cash or shares, while open
  created_at       text   not null,
  constraint orders_state check (state in ('open', 'filled', 'cancelled'))
);
create index orders_open on orders (symbol, side, limit_minor) where state = 'open';

create table idempotency (
  key          text    not null primary key,
  request_hash text    not null,
  status       integer not null,
  content_type text    not null,
  body         text    not null,
  created_at   text    not null
);

create table prices (
  symbol      text   not null primary key,
  price_minor bigint not null,
  as_of       text   not null
);

-- Where the feed stands: one row.
create table feed (
  id   integer not null primary key,
  step bigint  not null
);
