-- The rights on this service's tables in the schema rtmanager. Run it after each `migrate`, as the role that owns the tables;
-- a second run changes nothing. Nobody logs in as these roles: grant them to your own users.
--
--   rtmanager_cleanup  the service and every command but `migrate`
--   rtmanager_reader   read only, for example for Grafana
begin;

do $$ begin
  if not exists (select from pg_roles where rolname = 'rtmanager_cleanup') then create role rtmanager_cleanup nologin; end if;
  if not exists (select from pg_roles where rolname = 'rtmanager_reader') then create role rtmanager_reader nologin; end if;
  end $$;

revoke all on rtmanager.runtime_records, rtmanager.operation_log, rtmanager.game_leases, rtmanager.cleanup_backoff,
  rtmanager.cleanup_engines, rtmanager.cleanup_acts, rtmanager.cleanup_holds, rtmanager.cleanup_pause,
  rtmanager.cleanup_passes, rtmanager.cleanup_migrations from rtmanager_cleanup, rtmanager_reader;

grant usage on schema rtmanager to rtmanager_cleanup, rtmanager_reader;
grant select on rtmanager.runtime_records, rtmanager.operation_log, rtmanager.game_leases, rtmanager.cleanup_backoff,
  rtmanager.cleanup_engines, rtmanager.cleanup_acts, rtmanager.cleanup_holds, rtmanager.cleanup_pause,
  rtmanager.cleanup_passes, rtmanager.cleanup_migrations to rtmanager_cleanup, rtmanager_reader;

grant update (status, removed_at, last_op_at) on rtmanager.runtime_records to rtmanager_cleanup;
grant insert on rtmanager.operation_log to rtmanager_cleanup;
grant insert, update, delete on rtmanager.game_leases, rtmanager.cleanup_backoff to rtmanager_cleanup;
grant insert, update on rtmanager.cleanup_engines to rtmanager_cleanup;
grant insert, update, delete on rtmanager.cleanup_holds, rtmanager.cleanup_pause, rtmanager.cleanup_passes to rtmanager_cleanup;
grant insert, update (result, message, ended_at) on rtmanager.cleanup_acts to rtmanager_cleanup;
grant usage on sequence rtmanager.game_leases_token to rtmanager_cleanup;

-- The result of an act is set once.
alter table rtmanager.cleanup_acts enable row level security;
drop policy if exists cleanup_acts_read on rtmanager.cleanup_acts;
drop policy if exists cleanup_acts_begin on rtmanager.cleanup_acts;
drop policy if exists cleanup_acts_end on rtmanager.cleanup_acts;
create policy cleanup_acts_read on rtmanager.cleanup_acts for select using (true);
create policy cleanup_acts_begin on rtmanager.cleanup_acts for insert to rtmanager_cleanup with check (true);
create policy cleanup_acts_end on rtmanager.cleanup_acts for update to rtmanager_cleanup using (result is null) with check (result is not null);

-- A log that existed before may number its rows with a sequence.
do $$ declare
  counter text := pg_get_serial_sequence('rtmanager.operation_log', 'id');
  begin
  if counter is not null then execute format('grant usage on sequence %s to rtmanager_cleanup', counter); end if;
  end $$;

commit;
