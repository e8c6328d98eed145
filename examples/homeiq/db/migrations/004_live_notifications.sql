-- Every new row is announced on the channel `live`, whichever service wrote it. A notification holds at most
-- 8000 bytes, so an event's payload stays in its table.
CREATE FUNCTION announce_reading() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('live', json_build_object(
        'kind', 'reading', 'device_id', NEW.device_id, 'metric', NEW.metric,
        'value', NEW.value, 'observed_at', NEW.observed_at)::text);
    RETURN NULL;
END $$;

CREATE FUNCTION announce_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('live', json_build_object(
        'kind', 'event', 'id', NEW.id, 'type', NEW.type, 'source', NEW.source)::text);
    RETURN NULL;
END $$;

CREATE TRIGGER readings_live AFTER INSERT ON readings FOR EACH ROW EXECUTE FUNCTION announce_reading();
CREATE TRIGGER events_live AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION announce_event();
