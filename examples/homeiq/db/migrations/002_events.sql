CREATE TABLE events (
    id text PRIMARY KEY,
    type text NOT NULL,
    source text NOT NULL,
    payload jsonb NOT NULL DEFAULT '{}',
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_by_time ON events (received_at DESC);
