CREATE TABLE automations (
    id text PRIMARY KEY,
    device_id text NOT NULL,
    metric text NOT NULL,
    above double precision NOT NULL,
    action text NOT NULL,
    enabled boolean NOT NULL DEFAULT true
);

INSERT INTO automations (id, device_id, metric, above, action) VALUES
    ('cool-living-room', 'climate-living-room', 'temperature', 21.5, 'turn on the fan'),
    ('peak-power', 'meter-main', 'power', 900, 'postpone the dishwasher');
