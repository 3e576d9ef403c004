-- Keys, indexes and everything that refers to rows, after the rows: several times faster.
ALTER TABLE users ADD PRIMARY KEY (id), ADD CONSTRAINT users_email_key UNIQUE (email);
ALTER TABLE habits ADD PRIMARY KEY (id),
  ADD CONSTRAINT habits_name_length CHECK (char_length(name) BETWEEN 1 AND 200);
ALTER TABLE completions ADD PRIMARY KEY (id, completed_on);
ALTER TABLE devices ADD PRIMARY KEY (id);
ALTER TABLE attachments ADD PRIMARY KEY (id);
ALTER TABLE private_notes ADD PRIMARY KEY (id);
ALTER TABLE "Weekly Report" ADD PRIMARY KEY ("Week");
ALTER TABLE warm_cache ADD PRIMARY KEY (key);

ALTER TABLE habits ADD CONSTRAINT habits_user_fkey FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE;
ALTER TABLE completions ADD CONSTRAINT completions_habit_fkey
  FOREIGN KEY (habit_id) REFERENCES habits ON DELETE CASCADE;
ALTER TABLE devices ADD CONSTRAINT devices_user_fkey FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE
  DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE subscriptions ADD CONSTRAINT subscriptions_user_fkey
  FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE;
ALTER TABLE subscriptions ADD CONSTRAINT subscriptions_one_price EXCLUDE USING gist (during WITH &&) WHERE (price < 0);
ALTER TABLE attachments ADD CONSTRAINT attachments_habit_fkey
  FOREIGN KEY (habit_id) REFERENCES habits ON DELETE CASCADE;
ALTER TABLE private_notes ADD CONSTRAINT private_notes_user_fkey
  FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE;
-- Never validated: old rows may break it, and the copy must say so too.
ALTER TABLE devices ADD CONSTRAINT devices_battery_range CHECK (battery < 5) NOT VALID;

CREATE UNIQUE INDEX users_email_lower ON users (lower(email::text));
CREATE INDEX users_settings ON users USING gin (settings jsonb_path_ops);
CREATE INDEX habits_active ON habits (user_id, created_at DESC) INCLUDE (name) WHERE archived_at IS NULL;
CREATE INDEX habits_tags ON habits USING gin (tags);
CREATE INDEX completions_client_ref ON completions (client_ref);
CREATE INDEX completions_habit ON completions (habit_id, completed_on);
CREATE INDEX activity_log_at ON activity_log USING brin (at);
CREATE INDEX devices_label ON devices USING hash (label);
CREATE INDEX devices_place ON devices USING gist (place);
COMMENT ON INDEX habits_active IS 'The first screen';
CREATE STATISTICS habits_user_frequency (dependencies) ON user_id, frequency FROM habits;
ALTER TABLE habits ALTER COLUMN user_id SET STATISTICS 400;
ALTER TABLE activity_log SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.3);

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END $$;
CREATE FUNCTION log_habit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO public.activity_log (user_id, what, payload)
  VALUES (NEW.user_id, 'habit ' || lower(TG_OP), json_build_object('habit', NEW.id));
  RETURN NULL;
END $$;
CREATE FUNCTION streak(habit bigint, until date DEFAULT current_date) RETURNS integer LANGUAGE sql STABLE
  AS $$ SELECT count(*)::integer FROM completions WHERE habit_id = habit AND completed_on > until - 30 $$;
CREATE PROCEDURE refresh_figures() LANGUAGE plpgsql AS $$
BEGIN
  REFRESH MATERIALIZED VIEW reporting.habit_figures;
END $$;
CREATE AGGREGATE reporting.longest(text) (SFUNC = textcat, STYPE = text, INITCOND = '');

CREATE TRIGGER habits_touch BEFORE UPDATE ON habits FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name)
  EXECUTE FUNCTION touch();
CREATE TRIGGER habits_log AFTER INSERT ON habits FOR EACH ROW EXECUTE FUNCTION log_habit();
CREATE TRIGGER habits_log_update AFTER UPDATE OF name ON habits FOR EACH ROW EXECUTE FUNCTION log_habit();
ALTER TABLE habits DISABLE TRIGGER habits_log_update;

CREATE VIEW active_habits WITH (security_barrier) AS
  SELECT h.id, h.user_id, h.name, u.email FROM habits h JOIN users u ON u.id = h.user_id
  WHERE h.archived_at IS NULL;
COMMENT ON VIEW active_habits IS 'Habits that are still kept';
CREATE VIEW reporting.busy_users AS SELECT user_id, count(*) AS habits FROM active_habits GROUP BY user_id;
CREATE MATERIALIZED VIEW reporting.habit_figures AS
  SELECT habit_id, count(*) AS completions, max(completed_on) AS last_on FROM completions GROUP BY habit_id;
CREATE UNIQUE INDEX habit_figures_habit ON reporting.habit_figures (habit_id);
CREATE RULE keep_reports AS ON DELETE TO "Weekly Report" DO INSTEAD NOTHING;

ALTER TABLE private_notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_notes ON private_notes FOR ALL TO /*application*/
  USING (user_id = nullif(current_setting('habitcraft.user_id', true), '')::bigint);
