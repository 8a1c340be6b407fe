import { type ResourceLimits, Worker } from 'node:worker_threads'
import { Refusal } from '../domain/refusal.ts'

/** How long a task can run. Its worker thread is then ended. */
const DEADLINE_MS = 30_000
/** A worker thread without tasks ends after this time, and gives its memory back. */
const IDLE_MS = 5_000
const MAX_WAITING = 100
const LIMITS: ResourceLimits = { maxOldGenerationSizeMb: 512 }

/** Only tests set others. */
type Settings = {
  readonly deadlineMs: number
  readonly idleMs: number
  readonly limits: ResourceLimits
}

export type WorkerPool = {
  /**
   * Runs a task in the worker thread, after the tasks that came before it. Fails with `unavailable` if the
   * thread ends meanwhile, the task takes too long, or too many tasks wait.
   */
  readonly run: <Result>(task: unknown) => Promise<Result>
  readonly isRunning: () => boolean
  /** Ends the thread and its tasks. */
  readonly close: () => Promise<void>
}

type Task = {
  readonly task: unknown
  readonly resolve: (result: never) => void
  readonly reject: (error: Error) => void
}

export type Reply = { readonly result: unknown } | { readonly error: Error }

/**
 * Runs tasks one after the other in a thread of their own. The thread starts with the first task and ends
 * when it is idle. An idle thread does not keep the process alive.
 */
export const createWorkerPool = (
  script: URL,
  { deadlineMs = DEADLINE_MS, idleMs = IDLE_MS, limits = LIMITS }: Partial<Settings> = {},
): WorkerPool => {
  const waiting: Task[] = []
  let [worker, current]: [Worker | undefined, Task | undefined] = [undefined, undefined]
  let timer: NodeJS.Timeout | undefined

  const settle = (act: (task: Task) => void): void => {
    clearTimeout(timer)
    const task = current
    current = undefined
    if (task) act(task)
    startNext()
  }

  /** A thread that ended, for whatever reason, fails its task only. */
  const onEnd = (ended: Worker, cause: unknown): void => {
    if (ended !== worker) return
    worker = undefined
    settle(({ reject }) => reject(new Refusal('unavailable', {}, { cause })))
  }

  const startWorker = (): Worker => {
    // The thread does not load what the process loads first, such as the hooks of a test runner.
    const started = new Worker(script, { resourceLimits: limits, execArgv: [] })
    started.on('message', (reply: Reply) => {
      if (started !== worker) return
      settle(({ resolve, reject }) =>
        'error' in reply ? reject(reply.error) : resolve(reply.result as never),
      )
    })
    started.on('error', (error) => onEnd(started, error))
    started.on('exit', (code) => onEnd(started, new Error(`the worker thread ended with ${code}`)))
    return started
  }

  const end = async (cause: Error): Promise<void> => {
    const ending = worker
    if (!ending) return
    onEnd(ending, cause)
    await ending.terminate()
  }

  const startNext = (): void => {
    if (current) return
    current = waiting.shift()
    if (!current) {
      worker?.unref()
      timer = setTimeout(() => void end(new Error('idle')), idleMs).unref()
      return
    }
    worker ??= startWorker()
    worker.ref()
    timer = setTimeout(() => void end(new Error('the task took too long')), deadlineMs).unref()
    worker.postMessage(current.task)
  }

  return {
    run: <Result>(task: unknown) =>
      new Promise<Result>((resolve, reject) => {
        if (waiting.length >= MAX_WAITING) return reject(new Refusal('unavailable'))
        waiting.push({ task, resolve, reject })
        if (!current) clearTimeout(timer)
        startNext()
      }),
    isRunning: () => worker !== undefined,
    close: async () => {
      for (const { reject } of waiting.splice(0)) reject(new Refusal('unavailable'))
      await end(new Error('the service is closing'))
      clearTimeout(timer)
    },
  }
}
