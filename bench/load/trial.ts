import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Job, Trial } from './load.ts'

export type { Ask, Job, Trial } from './load.ts'

export type Load = {
  /** Runs one trial at a time. */
  readonly run: (job: Job) => Promise<Trial>
  readonly stop: () => Promise<void>
}

export const startLoad = (): Load => {
  const child = fork(join(import.meta.dirname, 'load.ts'), { detached: true })
  const ended = once(child, 'exit').then(() => [{ error: 'the load process has ended' }])
  const run = async (job: Job): Promise<Trial> => {
    const answered = once(child, 'message')
    child.send(job)
    const [{ trial, error }] = await Promise.race([answered, ended])
    if (error) throw new Error(error)
    return trial
  }
  const stop = async (): Promise<void> => {
    child.disconnect()
    await ended
  }
  return { run, stop }
}

/** @throws Error unless every response had this status */
export const assertStatus = ({ statuses, failures }: Trial, status: number): void => {
  const others = Object.keys(statuses).filter((found) => found !== String(status))
  if (failures > 0 || others.length > 0)
    throw new Error(`not only ${status}: ${JSON.stringify(statuses)}, ${failures} failures`)
}
