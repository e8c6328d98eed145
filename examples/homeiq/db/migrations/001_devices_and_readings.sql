CREATE TABLE devices (
    id text PRIMARY KEY,
    name text NOT NULL,
    room text NOT NULL,
    kind text NOT NULL
);

-- What was measured and when is the key: a message that is delivered twice is stored once.
CREATE TABLE readings (
    device_id text NOT NULL,
    metric text NOT NULL,
    observed_at timestamptz NOT NULL,
    value double precision NOT NULL,
    PRIMARY KEY (device_id, metric, observed_at)
);
CREATE INDEX readings_by_time ON readings (observed_at DESC);

INSERT INTO devices (id, name, room, kind) VALUES
    ('climate-living-room', 'Living room climate', 'living room', 'climate'),
    ('climate-bedroom', 'Bedroom climate', 'bedroom', 'climate'),
    ('meter-main', 'Main meter', 'cellar', 'meter'),
    ('meter-heat-pump', 'Heat pump meter', 'cellar', 'meter'),
    ('air-quality', 'Air quality', 'outside', 'collector'),
    ('carbon-intensity', 'Carbon intensity of the grid', 'outside', 'collector'),
    ('electricity-pricing', 'Electricity price', 'outside', 'collector');
