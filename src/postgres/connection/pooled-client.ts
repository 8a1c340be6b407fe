import { EventEmitter } from 'node:events'
import type { OpenClient } from './client.ts'

/** A client of a pool. The pool creates it before it connects. */
export type PooledClient = { readonly inner: OpenClient }

type Callback = (error?: Error) => void

/**
 * A class of clients for a pool, which creates a client first and connects it then. node-postgres fixes the server of a
 * client when it creates the client, but an address can have several servers, with and without TLS.
 */
export const createPooledClients = (open: () => Promise<OpenClient>) =>
  class extends EventEmitter implements PooledClient {
    #inner: OpenClient | undefined
    #isEnded = false

    get inner(): OpenClient {
      if (!this.#inner) throw new Error('the client has not connected yet')
      return this.#inner
    }

    connect(callback: Callback): void {
      open().then((client) => this.#begin(client, callback), callback)
    }

    #begin(client: OpenClient, callback: Callback): void {
      this.#inner = client
      client.on('error', (error) => this.emit('error', error))
      client.on('end', () => this.emit('end'))
      if (this.#isEnded) void client.end()
      callback(this.#isEnded ? new Error('timeout exceeded when trying to connect') : undefined)
    }

    /** The pool ends a client that is slow to connect. */
    end(callback: Callback = () => {}): void {
      this.#isEnded = true
      if (this.#inner) this.#inner.end(callback)
      else callback()
    }

    isConnected(): boolean {
      return this.#inner !== undefined
    }

    get _queryable(): boolean {
      return (this.inner as unknown as { _queryable: boolean })._queryable
    }

    get _ending(): boolean {
      return (this.inner as unknown as { _ending: boolean })._ending
    }
  }
