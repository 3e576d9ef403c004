-- Rows are made from numbers alone, so that two runs of the same size give the same data.
INSERT INTO users (email, password_hash, display_name, settings, created_at)
SELECT 'user' || i || '@example.com',
       'lab$' || md5('password' || i),
       (ARRAY['Zoë Núñez', '李小龍', 'Ångström', 'עדי', 'O''Brien; DROP', 'naïve 👩🏽‍🚀', 'Straße', 'tab	and \ slash', ''])[1 + i % 9]
         || ' ' || i,
       jsonb_build_object('theme', (ARRAY['dark', 'light'])[1 + i % 2], 'week', jsonb_build_array(1, i % 7), 'π', 3.10),
       timestamptz '2024-01-01 00:00:00+00' + i * interval '61 minutes'
FROM generate_series(1, :users) AS i;

INSERT INTO habits (user_id, name, description, frequency, tags, reminder_times, goal, options, archived_at,
                    created_at, updated_at)
SELECT 1 + i % :users,
       (ARRAY['Run', 'Read 20 pages', 'Méditer', '水を飲む', 'No sugar!', 'Call mum ☎'])[1 + i % 6] || ' ' || i,
       CASE WHEN i % 5 = 0 THEN repeat('because ', i % 12) ELSE '' END,
       (ARRAY['daily', 'weekdays', 'weekly', 'monthly'])[1 + i % 4]::frequency,
       CASE i % 4 WHEN 0 THEN '{}' WHEN 1 THEN ARRAY['health', 'été'] WHEN 2 THEN ARRAY['a,b', '"q"', NULL]
                  ELSE ARRAY['mind'] END,
       CASE WHEN i % 3 = 0 THEN ARRAY[time '07:30', time '21:00:00.5'] END,
       CASE WHEN i % 2 = 0 THEN ROW(i % 100 + 0.50, 'km')::goal END,
       CASE WHEN i % 10 = 0 THEN '{"streak": {"best": 12}, "colour": "#ffaa00"}' ELSE '{}' END::jsonb,
       CASE WHEN i % 7 = 0 THEN timestamptz '2025-06-01 12:00:00+00' + i * interval '1 second' END,
       timestamptz '2024-01-02 00:00:00+00' + i * interval '13 minutes',
       timestamptz '2024-02-02 00:00:00+00' + i * interval '13 minutes'
FROM generate_series(1, :habits) AS i;

INSERT INTO completions (habit_id, client_ref, completed_on, note, created_at)
SELECT 1 + i % :habits,
       md5('completion' || i)::uuid,
       date '2024-01-01' + (i % 1000),
       CASE WHEN i % 20 = 0 THEN 'felt ' || (i % 97) || ' ✔' END,
       timestamptz '2024-01-01 06:00:00+00' + (i % 1000) * interval '1 day' + i * interval '1 microsecond'
FROM generate_series(1, :completions) AS i;

INSERT INTO activity_log (at, user_id, what, payload)
SELECT timestamptz '2024-03-01 00:00:00+00' + (i / 3) * interval '7 minutes', 1 + i % :users,
       (ARRAY['login', 'logout', 'export'])[1 + i % 3],
       CASE WHEN i % 11 = 0 THEN '{"b":1,  "a":[1, 2.0], "b":2}'::json END
FROM generate_series(1, :log_lines) AS i;

INSERT INTO devices (user_id, label, place, firmware, battery, fingerprint, report, seen)
SELECT i, 'watch ' || i, point(i * 0.1, -i), (i % 50) + 0.100, (i % 100) / 7.0, decode(md5(i::text), 'hex'),
       json_build_object('id', i, 'ok', i % 2 = 0),
       tstzrange(timestamptz '2024-01-01 00:00+00', CASE WHEN i % 2 = 0 THEN timestamptz '2025-01-01 00:00+00' END)
FROM generate_series(1, LEAST(:users, 300)) AS i;

INSERT INTO subscriptions (user_id, during, price, mood)
SELECT i, daterange('2024-01-01', CASE WHEN i % 3 = 0 THEN date '2025-01-01' END),
       (ARRAY[9.9, 9.90, 1e10, 0.000, 'NaN'])[1 + i % 5], (ARRAY['awful', 'great', NULL])[1 + i % 3]::mood
FROM generate_series(1, LEAST(:users, 300)) AS i;

INSERT INTO attachments (habit_id, name, content)
SELECT i, 'photo ' || i || '.jpg', lo_from_bytea(0, convert_to(repeat(md5(i::text), 40 + i * 13), 'UTF8'))
FROM generate_series(1, 20) AS i;

INSERT INTO private_notes (user_id, body)
SELECT 1 + i % :users, 'note' || chr(10) || 'number ' || i FROM generate_series(1, 200) AS i;

INSERT INTO "Weekly Report" SELECT date '2024-01-01' + 7 * i, i * 10 FROM generate_series(0, 51) AS i;
INSERT INTO warm_cache SELECT 'k' || i, jsonb_build_array(i) FROM generate_series(1, 100) AS i;
SELECT nextval('invoice_number') FROM generate_series(1, 42);
