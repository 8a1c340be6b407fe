/** `set` takes no snapshot. A pooler keeps only what the transaction sets. */
export const SET_UP_COPY = `
  set local statement_timeout = 0;
  set local lock_timeout = 0;
  set local idle_in_transaction_session_timeout = 0;
  set local client_encoding = 'UTF8';
  set local timezone = 'UTC';
  set local datestyle = 'ISO';
  set local intervalstyle = 'postgres';
  set local bytea_output = 'hex';
  set local extra_float_digits = 1`

/** Tables, views and the like in the schema of the service, without those of extensions. */
export const OWN_RELATIONS = `
  pg_class c where c.relnamespace = current_schema()::regnamespace
    and not c.relispartition and not exists (
      select from pg_depend d
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')`
