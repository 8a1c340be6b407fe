import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

export const SCRIPT = join(import.meta.dirname, '../../scripts/key.ts')

export type Run = { code: number | null; out: string; err: string }

export const key = async (env: Record<string, string>, ...args: string[]): Promise<Run> => {
  const child = spawn(process.execPath, [SCRIPT, ...args], { env: { ...process.env, ...env } })
  const [[code], out, err] = await Promise.all([
    once(child, 'exit'),
    text(child.stdout),
    text(child.stderr),
  ])
  return { code, out, err }
}
