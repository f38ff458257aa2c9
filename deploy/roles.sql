-- Who may do what in the schema rtmanager. Run it after each `migrate`, as the role that migrated; again it changes
-- nothing. Nobody logs in as these roles: grant them to users of yours.
--
--   rtmanager_cleanup  the service: `serve`, `run`, `plan`, `engine accept`
--   rtmanager_reader   whoever only looks, such as Grafana
do $$ begin create role rtmanager_cleanup nologin; exception when duplicate_object then null; end $$;
do $$ begin create role rtmanager_reader nologin; exception when duplicate_object then null; end $$;

revoke all on all tables in schema rtmanager from rtmanager_cleanup, rtmanager_reader;
revoke all on all sequences in schema rtmanager from rtmanager_cleanup, rtmanager_reader;
grant usage on schema rtmanager to rtmanager_cleanup, rtmanager_reader;
grant select on all tables in schema rtmanager to rtmanager_cleanup, rtmanager_reader;

grant update (status, removed_at, last_op_at) on rtmanager.runtime_records to rtmanager_cleanup;
grant insert on rtmanager.operation_log to rtmanager_cleanup;
grant insert, update, delete on rtmanager.game_leases, rtmanager.cleanup_backoff to rtmanager_cleanup;
grant insert, update on rtmanager.cleanup_engine to rtmanager_cleanup;
grant usage on sequence rtmanager.game_leases_token to rtmanager_cleanup;
