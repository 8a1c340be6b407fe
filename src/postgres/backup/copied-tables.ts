import type pg from 'pg'
import { parsePostgresUrl } from '../connection/address.ts'
import { openClient } from '../connection/client.ts'

/** A connection for long transactions. Its search path leads to the tables of the service. */
export const openConnection = (url: string): Promise<pg.Client> =>
  openClient(parsePostgresUrl(url), { timeoutMs: CONNECT_TIMEOUT_MS })

const CONNECT_TIMEOUT_MS = 5_000

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

/** Tables, views and the like in the schema of the service, but for those of extensions. */
export const OWN_RELATIONS = `
  pg_class c where c.relnamespace = current_schema()::regnamespace
    and not c.relispartition and not exists (
      select from pg_depend d
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')`
