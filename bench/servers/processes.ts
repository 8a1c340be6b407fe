import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
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

/** What would outlive this process: each is in a group of its own, away from Ctrl-C. */
const alive = new Set<Running>()
const end = new AbortController()

/** Stops them all, and lets no other start. */
export const stopProcesses = async (): Promise<void> => {
  end.abort()
  await Promise.all([...alive].map(({ stop }) => stop()))
}

type Start = {
  /** Below the root of the project. */
  /** Options of Node, then the script. */
  readonly args: readonly string[]
  readonly settings: Readonly<Record<string, string>>
  /** Answers 200 as soon as the process is ready. */
  readonly readyPath: string
  /** Takes what the process writes. */
  readonly logFile: string
}

/** Starts a process with these settings and no others, on a free port, and waits until it answers. */
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

/** The last that it says of an error, or the last that it says. */
const lastOf = (file: string): string => {
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  return (lines.findLast((line) => /Error/.test(line)) ?? lines.at(-1) ?? '').slice(0, MOST_SAID)
}

/** How often the kernel counts in a second; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100
const USER_TIME = 11
const SYSTEM_TIME = 12

/** Processor time of all threads so far, in seconds. NaN where there is no /proc. */
export const processorSeconds = (pid: number): number => {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return (Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])) / TICKS_PER_SECOND
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
