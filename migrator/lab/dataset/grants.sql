GRANT USAGE ON SCHEMA public, reporting TO /*application*/;
GRANT SELECT, INSERT, UPDATE, DELETE ON users, habits, completions, devices, subscriptions, attachments,
  private_notes, warm_cache TO /*application*/;
GRANT SELECT, INSERT ON activity_log TO /*application*/;
GRANT SELECT, UPDATE ("Total Count") ON "Weekly Report" TO /*application*/;
GRANT SELECT ON active_habits, reporting.busy_users, reporting.habit_figures TO /*application*/;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO /*application*/;
REVOKE EXECUTE ON FUNCTION streak(bigint, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION streak(bigint, date) TO /*application*/;
GRANT EXECUTE ON PROCEDURE refresh_figures() TO /*application*/;
GRANT USAGE ON TYPE frequency TO /*application*/;
ALTER DEFAULT PRIVILEGES FOR ROLE /*owner*/ IN SCHEMA public GRANT SELECT ON TABLES TO /*application*/;
DO $$
DECLARE content oid;
BEGIN
  FOR content IN SELECT a.content FROM public.attachments a LOOP
    EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO %I', content, /*application literal*/);
  END LOOP;
  EXECUTE format('COMMENT ON LARGE OBJECT %s IS %L', content, 'The last photo');
END $$;
