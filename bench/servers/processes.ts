import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { send } from './http.ts'
import { endProcess, findFreePort } from './servers.ts'
import { untilTrue } from './waiting.ts'

const ROOT = join(import.meta.dirname, '../..')
const POLL_MS = 5

/** A server process, measured from outside. */
export type Running = {
  readonly url: string
  readonly pid: number
  readonly stop: () => Promise<void>
}

/** Child processes, each in a process group of its own, so that Ctrl-C does not reach them. */
const alive = new Set<Running>()
const end = new AbortController()

/** Stops all child processes and prevents new ones. */
export const stopProcesses = async (): Promise<void> => {
  end.abort()
  await Promise.all([...alive].map(({ stop }) => stop()))
}

type Start = {
  /** Options of Node, then the script's path relative to the project's root. */
  readonly args: readonly string[]
  readonly settings: Readonly<Record<string, string>>
  /** The path that returns 200 when the process is ready. */
  readonly readyPath: string
  /** The file for the process's output. */
  readonly logFile: string
}

/** Starts a process on a free port with exactly these settings and waits until it is ready. */
export const startProcess = async (options: Start): Promise<Running> => {
  const { args, settings, readyPath, logFile } = options
  const port = await findFreePort()
  end.signal.throwIfAborted()
  const log = openSync(logFile, 'a')
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, PORT: String(port), ...settings }
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env,
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  const url = `http://127.0.0.1:${port}`
  const stop = async (): Promise<void> => {
    await endProcess(child)
    alive.delete(running)
  }
  const running: Running = { url, pid: child.pid!, stop }
  alive.add(running)
  try {
    const isReady = async (): Promise<boolean> => {
      if (child.exitCode !== null) throw new Error(`${args.at(-1)} has ended: ${lastOf(logFile)}`)
      return (await send(`${url}${readyPath}`).catch(() => undefined))?.status === 200
    }
    await untilTrue(`${args.at(-1)} answers`, isReady, POLL_MS)
  } catch (error) {
    await running.stop()
    throw error
  }
  return running
}

const MOST_SAID = 300

/** The last error line of the output, or its last line. */
const lastOf = (file: string): string => {
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  return (lines.findLast((line) => /Error/.test(line)) ?? lines.at(-1) ?? '').slice(0, MOST_SAID)
}

/** Kernel ticks per second: 100 on every Linux that Node supports. */
const TICKS_PER_SECOND = 100
const USER_TIME = 11
const SYSTEM_TIME = 12

/** Processor time of all threads so far, in seconds. NaN where there is no /proc. */
export const processorSeconds = (pid: number): number => {
  const fields = statOf(pid)
  return (Number(fields?.[USER_TIME]) + Number(fields?.[SYSTEM_TIME])) / TICKS_PER_SECOND
}

const PARENT = 1
const ENDED_USER_TIME = 13
const ENDED_SYSTEM_TIME = 14

/** Processor time of a process and its children so far, ended ones included, in seconds. */
export const familySeconds = (pid: number): number => {
  const ended = statOf(pid)
  if (!ended) return Number.NaN
  const children = readdirSync('/proc').filter((name) => {
    return /^\d+$/.test(name) && Number(statOf(Number(name))?.[PARENT]) === pid
  })
  const ofEnded = Number(ended[ENDED_USER_TIME]) + Number(ended[ENDED_SYSTEM_TIME])
  return [pid, ...children.map(Number)].reduce(
    // A child that has just ended counts among the ended ones next time.
    (sum, one) => sum + (statOf(one) ? processorSeconds(one) : 0),
    ofEnded / TICKS_PER_SECOND,
  )
}

/** The fields of a process after its name. Undefined if it has ended, or there is no /proc. */
const statOf = (pid: number): string[] | undefined => {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
  } catch {
    return undefined
  }
}

/** Resident memory in bytes, with a share of what processes share. NaN where there is no /proc. */
export const proportionalBytes = (pid: number): number => {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]) * 1024
  } catch {
    return Number.NaN
  }
}

/** Resident memory in bytes. NaN where there is no /proc. */
export const residentBytes = (pid: number): number => {
  try {
    return (
      Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
    )
  } catch {
    return Number.NaN
  }
}
