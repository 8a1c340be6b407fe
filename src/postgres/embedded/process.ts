import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

/** `status` is starting, ready or stopping, as Postgres writes it to postmaster.pid. */
export type Server = { readonly pid: number; readonly port: number; readonly status: string }

const POLL_MS = 10
const FAST_STOP_MS = 15_000
const STOP_MS = 20_000
/** A starting server fills its postmaster.pid within this time. */
const EMPTY_MS = 2_000

/** Finds the running server of a data folder by its postmaster.pid. */
export const findServer = (folder: string): Server | undefined => {
  const [pid, , , port, , , , status] = readPidFile(folder)
  if (!serves(Number(pid), folder)) return undefined
  return { pid: Number(pid), port: Number(port), status: status?.trim() || 'starting' }
}

/** Fast shutdown: Postgres rolls back open transactions and writes everything to disk. */
export const stopServer = async (pid: number, folder: string): Promise<void> => {
  const begun = performance.now()
  let sent: NodeJS.Signals | undefined
  while (serves(pid, folder)) {
    const waited = performance.now() - begun
    if (waited > STOP_MS) throw new Error(`Postgres ${pid} on ${folder} does not stop`)
    const next = waited > FAST_STOP_MS ? 'SIGQUIT' : 'SIGINT'
    if (next !== sent) sendSignal(pid, next)
    sent = next
    await sleep(POLL_MS)
  }
}

/**
 * Removes a postmaster.pid that would keep Postgres from starting: one whose process id now belongs to
 * another program or to a zombie, and one that stays empty because its server crashed while writing it.
 * Removing it is safe with old backends: their shared memory refuses a new server as well. A file of a
 * server that is just starting is empty only for a moment.
 */
export const clearStalePid = (folder: string): void => {
  const file = join(folder, 'postmaster.pid')
  const [text = ''] = readPidFile(folder)
  const isOtherProgram = isAlive(Number(text)) && !serves(Number(text), folder)
  if (isOtherProgram || isLeftEmpty(file)) rmSync(file, { force: true })
}

const isLeftEmpty = (file: string): boolean => {
  const found = statSync(file, { throwIfNoEntry: false })
  return found?.size === 0 && Date.now() - found.mtimeMs > EMPTY_MS
}

/** Also true for a process of another user. */
export const isAlive = (pid: number): boolean => {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const readPidFile = (folder: string): string[] => {
  try {
    return readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** True if the process is the Postgres of this folder, not another one with the same id. */
const serves = (pid: number, folder: string): boolean => {
  const [program = '', ...args] = pid > 0 ? readCommand(pid) : []
  return basename(program).startsWith('postgres') && args.includes(folder)
}

/** Empty for a process that has ended, and for a zombie. */
const readCommand = (pid: number): string[] => {
  try {
    if (process.platform === 'linux')
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    const args = ['-ww', '-o', 'command=', '-p', String(pid)]
    return execFileSync('ps', args, { encoding: 'utf8' }).trim().split(' ')
  } catch {
    return []
  }
}

const sendSignal = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
