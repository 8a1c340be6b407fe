/** Types of the parts of autocannon that the benchmark uses; the package has none. */
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events'

  type Request = { method?: string; path?: string; headers?: Record<string, string>; body?: string }
  export type Client = {
    setRequests: (requests: Request[]) => void
    /** The buffer of a client's incoming bytes. */
    pipelinedRequests: { addBody: (data: unknown) => void }
  }
  type Options = Request & {
    url: string
    connections: number
    duration: number
    sampleInt: number
    timeout: number
    setupClient: (client: Client) => void
  }
  type Result = {
    errors: number
    timeouts: number
    statusCodeStats: Record<string, { count: number }>
  }
  type Listener = (client: Client, status: number, bytes: number, milliseconds: number) => void
  type Instance = EventEmitter & { on: (event: 'response', listener: Listener) => unknown }

  export default function autocannon(
    options: Options,
    done: (error: Error | null, result: Result) => void,
  ): Instance
}
